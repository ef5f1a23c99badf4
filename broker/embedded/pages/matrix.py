"""The pages of the matrix: what was verified against what, as the resource answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from broker.embedded.matrix import resource
from broker.embedded.pages.pacts import latest_pacts
from broker.embedded.pages.rendering import render

if TYPE_CHECKING:
    from flask import Response


def show() -> Response:
    """Answer the page for the versions of the query; without one, all pairs to choose from."""
    if not request.query_string:
        pairs = sorted({(one.consumer, one.provider) for one in latest_pacts()})
        return render("matrix.html", names=(), summary=None, rows=(), pairs=pairs)
    return _page(resource.show(), ())


def show_pair(provider: str, consumer: str) -> Response:
    """Answer the page of a consumer and a provider; whether all of their versions go together says nothing."""
    return _page(resource.show_pair(provider, consumer), (consumer, provider))


def _page(answer: Response, names: tuple[str, ...]) -> Response:
    found = answer.get_json()
    summary = None if names else found["summary"]
    return render("matrix.html", names=names, summary=summary, rows=found["matrix"], pairs=())
