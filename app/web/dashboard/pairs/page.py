"""The routes of the page of a consumer and a provider: what became of their pact, and since when."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Blueprint, request

from app.config.provider import RelayedProvider
from app.web.context import database, receiver
from app.web.dashboard.pairs.query import read
from app.web.dashboard.rendering import show
from app.web.paging import Filter, PageRequest
from app.web.problem import HttpProblem
from verifier.verification import Outcome

if TYPE_CHECKING:
    from flask import Response

    from app.web.dashboard.pairs.query import Pair

FILTERS = (Filter("provider"), Filter("consumer"))
HEIGHTS = {Outcome.PASSED: 8, Outcome.ERROR: 16, Outcome.FAILED: 24}
"""How high the bar of an outcome is, so that it is told by more than its colour."""
BAR_WIDTH = 8

blueprint = Blueprint("pairs", __name__)


@blueprint.get("/pairs")
def show_pair() -> Response:
    """Answer with the page of a consumer and a provider, or ask which ones."""
    given = {name: value for name, value in request.args.items() if value}
    asked, faults = PageRequest.parse(request.args, FILTERS)
    if {"provider", "consumer"} - given.keys():
        return show("pairs/which.html.jinja", lambda: {"given": {"provider": "", "consumer": ""} | given})
    if faults:
        raise HttpProblem.invalid(*faults)
    provider, consumer = asked.filters["provider"], asked.filters["consumer"]

    def values() -> dict[str, Any]:
        with database() as connection:
            pair = read(connection, provider, consumer, branch=_branch_of(provider))
        return {
            "provider": provider,
            "consumer": consumer,
            "pair": pair,
            "bars": _bars(pair),
            "counts": Counter(answer.outcome.value for answer in pair.bars),
            "width": BAR_WIDTH,
            **_links(provider, consumer),
        }

    return show("pairs/pairs.html.jinja", values, topics=(f"provider {provider}",))


def _branch_of(provider: str) -> str | None:
    """Return the branch of the provider's versions that the configuration names."""
    found = receiver().settings.provider_named(provider)
    return None if found is None or isinstance(found, RelayedProvider) else found.branch


def _bars(pair: Pair) -> list[dict[str, Any]]:
    return [
        {"x": index * BAR_WIDTH, "height": HEIGHTS[answer.outcome], "answer": answer}
        for index, answer in enumerate(pair.bars)
    ]


def _links(provider: str, consumer: str) -> dict[str, str]:
    """Return the links to the broker's own pages of the two."""
    broker = receiver().settings.broker.url.rstrip("/")
    names = f"provider/{quote(provider, safe='')}/consumer/{quote(consumer, safe='')}"
    return {"pact_link": f"{broker}/pacts/{names}/latest", "matrix_link": f"{broker}/matrix/{names}"}
