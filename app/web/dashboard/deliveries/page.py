"""The pages of deliveries: what came in, what was answered, and delivering it again."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, redirect, request
from werkzeug.datastructures import MultiDict

from app.intake.kept_headers import KEPT
from app.intake.redelivery import NotDeliverable, redeliver
from app.intake.refusal import Refusal
from app.intake.refusal_words import WORDS
from app.records import actions, deliveries
from app.records.actions import ActionKind
from app.records.deliveries import Source
from app.web.context import database, link, receiver
from app.web.dashboard.deliveries.query import read_one, read_page
from app.web.dashboard.rendering import show
from app.web.paging import DELIVERY_FILTERS, Filter, PageRequest
from app.web.problem import Fault, HttpProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from flask import Response

    from app.records.deliveries import Delivery

FILTERS = (*DELIVERY_FILTERS, Filter("sender", longest=64), Filter("answer", ("2xx", "4xx")))
"""The parameters that the list is filtered by."""
SOURCES = {
    Source.API: "a webhook",
    Source.GITHUB: "GitHub",
    Source.REDELIVERY: "delivered again",
    Source.RECONCILE: "reconcile",
}
"""What the ways are called by which a dispatch comes in."""

ANSWER = ("message", "documentation_url", "errors", "status")
"""The members of the body of a refusal, in their order: the database has its own."""

blueprint = Blueprint("deliveries", __name__)


@blueprint.get("/deliveries")
def show_deliveries() -> Response:
    """Answer with a page of deliveries, newest first."""
    given = MultiDict([(name, value) for name, value in request.args.items(multi=True) if value])
    asked = PageRequest.read(given, FILTERS)

    def values() -> dict[str, Any]:
        with database() as connection:
            page = read_page(connection, asked.filters, limit=asked.limit, after=asked.after)
        older = None if page.end is None else f"{link('/deliveries')}?{asked.next_query(page.end)}"
        return {
            "page": page,
            "asked": asked,
            "chosen": {known.name: asked.filters.get(known.name, "") for known in FILTERS},
            "older": older,
            "sources": SOURCES,
            "reasons": tuple(WORDS),
        }

    return show("deliveries/deliveries.html.jinja", values, topics=("deliveries",))


@blueprint.get("/deliveries/<uuid:delivery_id>")
def show_delivery(delivery_id: UUID) -> Response:
    """Answer with a delivery: its request, the answer, and what became of it."""
    with database() as connection:
        found = read_one(connection, receiver().settings, delivery_id)
    if found is None:
        raise HttpProblem.not_found("delivery")
    delivery = found.delivery
    values = {
        "found": found,
        "headers": None if delivery.headers is None else _in_order(delivery.headers, KEPT),
        "delivery": delivery,
        "source": SOURCES[delivery.source],
        "provider": receiver().settings.provider_of(delivery.repository or ""),
        "payload": None if delivery.payload is None else _json(delivery.payload),
        "answer": None if delivery.answer is None else _json(_in_order(delivery.answer, ANSWER)),
        "answer_headers": _answer_headers(delivery),
        "phrase": HTTPStatus(delivery.status).phrase,
    }
    topics = () if delivery.run_id is None else (f"run {delivery.run_id}",)
    return show("deliveries/delivery.html.jinja", lambda: values, topics=topics)


@blueprint.post("/deliveries/<uuid:delivery_id>/redeliver")
def redeliver_delivery(delivery_id: UUID) -> Response:
    """Have the dispatch of a delivery carried out again, and lead to the new delivery."""
    with database() as connection:
        delivery = deliveries.get(connection, delivery_id)
        if delivery is None:
            raise HttpProblem.not_found("delivery")
        try:
            new_id = redeliver(
                connection,
                receiver().settings,
                delivery,
                sender=g.viewer.name,
                address=request.remote_addr,
                user_agent=request.headers.get("User-Agent"),
            )
        except NotDeliverable as error:
            raise HttpProblem(409, str(error)) from error
        except Refusal as refusal:
            faults = tuple(Fault(field=error.field, message=error.message) for error in refusal.errors)
            raise HttpProblem(422, f"it would be refused: {refusal.detail}", faults) from refusal
        new = deliveries.get(connection, new_id)
        actions.add(
            connection,
            g.viewer.doer,
            ActionKind.REDELIVER,
            provider=_provider_of(delivery),
            run_id=None if new is None else new.run_id,
            delivery_id=delivery_id,
            outcome_id=new_id,
        )
    return redirect(link(f"/deliveries/{new_id}"), 303)  # type: ignore[return-value]


def _provider_of(delivery: Delivery) -> str | None:
    provider = receiver().settings.provider_of(delivery.repository or "")
    return None if provider is None else provider.name


def _answer_headers(delivery: Delivery) -> dict[str, str]:
    """Return the headers of the answer; where no request carried the delivery, nobody was answered."""
    if delivery.source not in {Source.API, Source.GITHUB}:
        return {}
    headers = {"X-GitHub-Request-Id": str(delivery.id)}
    if delivery.refusal is not None:
        headers["Content-Type"] = "application/json; charset=utf-8"
    elif delivery.run_id is not None:
        headers["Location"] = receiver().settings.server.address(f"/runs/{delivery.run_id}")
    return headers


def _in_order(document: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return a document with its members in an order; those that have no place in it are left out."""
    return {name: document[name] for name in names if name in document}


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
