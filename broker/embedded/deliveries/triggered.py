"""The deliveries of triggered webhooks: by pact, by verification result, and one by one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import select

from broker.embedded.http.errors import not_found
from broker.embedded.http.hal import json_response, link, url
from broker.embedded.pacts.resource import PACT, pact_name, pact_url, publication_of
from broker.embedded.storage.records import find_pacticipant, session
from broker.embedded.storage.webhook_tables import TriggeredWebhook, WebhookExecution
from broker.embedded.verification.results import CONTENT, result_numbered
from broker.embedded.webhooks.records import settings, target_name
from broker.embedded.webhooks.triggered_records import (
    FAILURE,
    NOT_RUN,
    PENDING,
    RETRYING,
    SUCCESS,
    by_result,
    latest_of_pair,
    of_pact,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response

blueprint = Blueprint("triggered_webhooks", __name__)


@blueprint.get("/triggered-webhooks/<name:uuid>/logs")
def show_logs(uuid: str) -> Response:
    """Answer the logs of all attempts to deliver a triggered webhook."""
    triggered = session().scalar(select(TriggeredWebhook).where(TriggeredWebhook.uuid == uuid))
    if triggered is None:
        raise not_found()
    pact = triggered.publication.pact_version
    query = select(WebhookExecution).where(WebhookExecution.triggered_webhook_id == triggered.id)
    links = {"self": link(_logs_url(triggered), title="Triggered webhook logs")}
    if triggered.webhook is not None:
        links["pb:webhook"] = link(url("webhooks", triggered.webhook.uuid), title="Webhook")
    return json_response(
        {
            "eventName": triggered.event_name,
            "consumerName": pact.consumer.name,
            "providerName": pact.provider.name,
            "executions": [
                {"success": one.success, "logs": one.logs, "createdAt": one.created_at}
                for one in session().scalars(query.order_by(WebhookExecution.id))
            ],
            "_embedded": {"triggeredWebhook": {"uuid": triggered.uuid}},
            "_links": links,
        }
    )


@blueprint.get(f"{PACT}/version/<name:version>/triggered-webhooks")
def show_of_publication(provider: str, consumer: str, version: str) -> Response:
    """Answer what a consumer version's pact has triggered: its publication, and its results."""
    publication = publication_of(provider, consumer, version)
    title = f"Webhooks triggered by the publication of the pact between {consumer} ({version}) and {provider}"
    found = session().scalars(of_pact(publication)).all()
    return _answer(found, f"{pact_url(publication)}/triggered-webhooks", title)


@blueprint.get(f"{CONTENT}/verification-results/<int:number>/triggered-webhooks")
def show_of_result(provider: str, consumer: str, sha: str, number: int) -> Response:
    """Answer what the publication of a verification result has triggered."""
    result = result_numbered(provider, consumer, sha, number)
    names = ("pacts", "provider", provider, "consumer", consumer, "pact-version", sha)
    href = url(*names, "verification-results", str(number), "triggered-webhooks")
    found = session().scalars(by_result(result.id)).all()
    return _answer(found, href, f"Webhooks triggered by the publication of verification result {number}")


@blueprint.get(f"{PACT}/webhooks/status")
def show_status(provider: str, consumer: str) -> Response:
    """Answer how the latest delivery of each webhook and event went for a consumer with a provider."""
    if find_pacticipant(provider) is None or find_pacticipant(consumer) is None:
        raise not_found()
    triggered = session().scalars(latest_of_pair(provider, consumer)).all()
    pair = ("pacts", "provider", provider, "consumer", consumer)
    links: dict[str, Any] = {
        "self": link(url(*pair, "webhooks", "status"), title="Webhooks status"),
        "pb:error-logs": [
            link(_logs_url(one), title="Error logs", name=_name(one))
            for one in triggered
            if one.status in {FAILURE, RETRYING}
        ],
        "pb:pact-webhooks": link(
            url(*pair, "webhooks"), title=f"Webhooks for the pact between {consumer} and {provider}"
        ),
    }
    if triggered:
        publication = triggered[0].publication
        links["pb:pact-version"] = link(pact_url(publication), title="Pact", name=pact_name(publication))
    links["pb:consumer"] = link(url("pacticipants", consumer), title="Consumer", name=consumer)
    links["pb:provider"] = link(url("pacticipants", provider), title="Provider", name=provider)
    return json_response(
        {
            "summary": _summary(triggered),
            "_embedded": {"triggeredWebhooks": [_represent(one) for one in triggered]},
            "_links": links,
        }
    )


def _summary(triggered: Sequence[TriggeredWebhook]) -> dict[str, int]:
    counts = Counter(one.status for one in triggered)
    summary = {"successful": counts[SUCCESS], "failed": counts[FAILURE]}
    if counts[RETRYING]:
        summary["retrying"] = counts[RETRYING]
    if counts[NOT_RUN]:
        summary["notRun"] = counts[NOT_RUN]
    return summary


def _answer(triggered: Sequence[TriggeredWebhook], href: str, title: str) -> Response:
    return json_response(
        {
            "_embedded": {"triggeredWebhooks": [_represent(one) for one in triggered]},
            "_links": {"self": link(href, title=title)},
        }
    )


def _represent(triggered: TriggeredWebhook) -> dict[str, Any]:
    name, logs = _name(triggered), _logs_url(triggered)
    made = triggered.attempts_made
    remaining = max(len(settings().retry_seconds) + 1 - made, 0) if triggered.status in PENDING else 0
    links = {
        "pb:logs": link(logs, title="Webhook execution logs", name=name),
        "logs": link(logs, title="DEPRECATED - Use pb:logs", name=name),
    }
    if triggered.webhook is not None:
        links["pb:webhook"] = link(url("webhooks", triggered.webhook.uuid), title="Webhook", name=name)
    return {
        "name": name,
        "status": triggered.status,
        "attemptsMade": made,
        "attemptsRemaining": remaining,
        "triggerType": "resource_creation",
        "eventName": triggered.event_name,
        "triggeredAt": triggered.created_at,
        "_links": links,
    }


def _name(triggered: TriggeredWebhook) -> str:
    return target_name(triggered.webhook) if triggered.webhook else "deleted webhook"


def _logs_url(triggered: TriggeredWebhook) -> str:
    return url("triggered-webhooks", triggered.uuid, "logs")
