"""The deliveries of webhooks as pages show them: what was triggered, and each try to deliver it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from broker.embedded.pages.attempt_log import shown_attempt
from broker.embedded.storage.records import session
from broker.embedded.storage.webhook_tables import TriggeredWebhook, WebhookExecution
from broker.embedded.webhooks.records import shown_description
from broker.embedded.webhooks.triggered_records import FAILURE, NOT_RUN, RETRYING, SUCCESS

if TYPE_CHECKING:
    from sqlalchemy import Select

MOST_LISTED = 50
"""The most rows of a list; clients can fetch more."""

_WORDS = {NOT_RUN: "waiting", RETRYING: "retrying", SUCCESS: "delivered", FAILURE: "failed"}
_OUTCOMES = {NOT_RUN: "unknown", RETRYING: "unknown", SUCCESS: "passed", FAILURE: "failed"}


def state_of(triggered: TriggeredWebhook | None) -> dict[str, Any] | None:
    """Return the state of a delivery: a word, the outcome that it looks like, and when it was triggered."""
    if triggered is None:
        return None
    return {
        "word": _WORDS[triggered.status],
        "outcome": _OUTCOMES[triggered.status],
        "triggered_at": triggered.created_at,
    }


def deliveries(query: Select[TriggeredWebhook]) -> list[dict[str, Any]]:
    """Return what a query finds, at most MOST_LISTED, each with every try to deliver it.

    The logs were redacted when they were written.
    """
    triggered = session().scalars(query.limit(MOST_LISTED)).all()
    tries: dict[int, list[dict[str, Any]]] = {}
    found = select(WebhookExecution).where(
        WebhookExecution.triggered_webhook_id.in_([one.id for one in triggered])
    )
    for execution in session().scalars(found.order_by(WebhookExecution.id)):
        tries.setdefault(execution.triggered_webhook_id, []).append(
            {
                "success": execution.success,
                "created_at": execution.created_at,
                "shown": shown_attempt(execution.logs),
            }
        )
    return [
        {
            "webhook": one.webhook,
            "name": shown_description(one.webhook) if one.webhook else "a deleted webhook",
            "event": one.event_name,
            "state": state_of(one),
            "consumer": one.publication.pact_version.consumer.name,
            "provider": one.publication.pact_version.provider.name,
            "number": one.publication.consumer_version.number,
            "uuid": one.uuid,
            "tries": tries.get(one.id, ()),
        }
        for one in triggered
    ]
