"""The routes of the list of runs, whose filters are in the address."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Blueprint, redirect, request
from werkzeug.datastructures import MultiDict

from app.records.run import RunReason
from app.records.run_filters import MOST_SEARCHED, SHOWN, TEXT
from app.web.context import database, receiver
from app.web.dashboard.rendering import address, show
from app.web.dashboard.runs.query import read, with_pacts_chosen
from app.web.paging import DEFAULT_LIMIT, RUN_FILTERS, Filter, PageRequest, cursor_of, place_of

if TYPE_CHECKING:
    from flask import Response

    from app.web.problem import Fault

TOP = "top"
"""The parameter with the newest run of the first page, by which later pages know what has come since."""
FILTERS = (*RUN_FILTERS, Filter(TOP, check=place_of))
WORDS = {
    RunReason.DISPATCHED: "a webhook or a push",
    RunReason.REDELIVERED: "asked for again",
    RunReason.RECONCILED: "found by reconcile",
}
"""What the reasons of runs are called."""
MOST_SUGGESTED = 200
"""So many providers are suggested; the names of more would be half of the page."""

blueprint = Blueprint("runs", __name__)


@blueprint.get("/runs")
def show_runs() -> Response:
    """Answer with a page of the list, newest first; filters that can't be used are named beside their fields."""
    given = MultiDict([(name, value) for name, value in request.args.items(multi=True) if value])
    if len(given) < len(request.args):  # a form sends its empty fields, too
        return redirect(address("/runs", **given.to_dict(flat=False)), 303)  # type: ignore[return-value]
    asked, faults = PageRequest.parse(given, FILTERS)
    top = asked.filters.get(TOP)
    chosen = {name: value for name, value in asked.filters.items() if name != TOP}
    filters = with_pacts_chosen(chosen)

    def values() -> dict[str, Any]:
        shared = {
            "fields": {known.name: given.get(known.name, "") for known in FILTERS},
            "faults": {fault.field: fault.message for fault in faults},
            "other_faults": _of_no_field(faults),
            "filters": filters,
            "chosen": chosen,
            "is_first": asked.after is None,
            "words": WORDS,
            "choices": {known.name: known.choices for known in RUN_FILTERS},
            "providers": _suggested(),
            "searched": MOST_SEARCHED if TEXT in filters else None,
            "url": _url(filters),
            "command": _command(filters),
            "page": None,
            "older": None,
        }
        if faults:
            return shared
        with database() as connection:
            page = read(
                connection,
                filters,
                limit=asked.limit,
                after=asked.after,
                top=None if top is None else place_of(top),
            )
        return {**shared, "page": page, "older": _older(asked, page.end, page.start)}

    topics = (f"provider {chosen['provider']}",) if "provider" in chosen else ("runs",)
    return show("runs/runs.html.jinja", values, topics=topics, status=422 if faults else 200)


def _older(asked: PageRequest, end: Any, start: Any) -> str | None:
    """Return the link to the next page."""
    if end is None:
        return None
    more: dict[str, object] = {} if asked.limit == DEFAULT_LIMIT else {"limit": asked.limit}
    if TOP not in asked.filters and asked.after is None and start is not None:
        more[TOP] = cursor_of(start)
    return address("/runs", **asked.filters, **more, cursor=cursor_of(end))


def _of_no_field(faults: list[Fault]) -> list[Fault]:
    """Return the faults of parameters that have no field on the page."""
    fields = {known.name for known in RUN_FILTERS}
    return [fault for fault in faults if fault.field not in fields]


def _suggested() -> list[str]:
    names = [provider.name for provider in receiver().settings.providers]
    return sorted(names) if len(names) <= MOST_SUGGESTED else []


def _url(filters: dict[str, str]) -> str:
    """Return the URL of the same list in JSON."""
    url = receiver().settings.server.address(f"/api/runs?{urlencode(filters)}")
    return url if url.startswith("http") else f"$RECEIVER{url}"


def _command(filters: dict[str, str]) -> str:
    """Return the command that prints the same list."""
    words = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in filters.items()
        if (name, value) != ("pacts", SHOWN)
    ]
    return shlex.join(["pact-dispatch", "runs", "list", *words])
