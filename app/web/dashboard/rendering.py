"""Makes a page of a template: whole for a browser that opens it, or its content alone for one that is open already."""

from __future__ import annotations

import hashlib
import secrets
import time
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from flask import Response, g, request
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from app.records import pauses
from app.web.context import database, here, link
from app.web.dashboard.share_of_time import ShareOfTime
from app.web.dashboard.short_cache import ShortCache
from app.web.dashboard.static.files import address_of
from app.web.problem import HttpProblem
from app.web.viewer import FORM_FIELD
from broker.http.answer_headers import NOTHING_ALLOWED
from broker.text.brief import ago, short_version
from broker.text.harmless import inert_markup
from verifier.report.amounts import count, seconds
from verifier.report.html import FILTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from werkzeug.exceptions import HTTPException

    from app.records.pauses import Pause
    from app.web.viewer import Viewer

POLICY = NOTHING_ALLOWED.replace(
    "; form-action 'none'",
    "; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'",
)
"""The Content-Security-Policy of every page: nothing but our own files, and nothing within the page itself."""
FRESH_SECONDS = 1.0
"""For how long the content of a page serves all who have it open: its changes come to all of them at once."""
CHANGE_HEADER = "X-Change"
"""The header with the name of the change for which an open page asks for its new content; see `dashboard.js`."""
WORDS = {
    404: "There is no page at this address.",
    413: "The form is too large: none of this receiver's is.",
    405: "This address takes no such request: it is that of a button on a page.",
}
"""What is said of a request that no route answers, by the status."""
MOST_PAUSED = 3
"""The paused providers that every page names."""
_FORM_TOKEN = f"form-token-{secrets.token_hex(16)}"
"""What stands for the viewer's form token in content that several viewers are shown."""

LONGEST_SECONDS = 0.002
"""How long a page is rendered at a stretch."""
REFRESHING_SHARE, REFRESHED_AT_ONCE = 0.5, 2
"""How much of the time the new content of open pages is made, at most, and of how many pages at once."""

_contents = ShortCache(FRESH_SECONDS)


def show(
    template: str,
    values: Callable[[], Mapping[str, Any]],
    *,
    topics: Sequence[str] = (),
    status: int = 200,
) -> Response:
    """Answer with a page.

    Its template extends `frame`, and fills the blocks `title` and `main`. In it `viewer` is who looks, `link(path)`
    and `address(path, **parameters)` make links, and `here` is the address of the page itself.

    Args:
        template: The template, from the folder of the dashboard.
        values: Called for the template's values, unless the content was made a moment ago.
        topics: What it shows, by which it is told of changes: `runs`, `run ID`, `provider NAME`, `log ID`,
            `deliveries`.
        status: The HTTP status.

    Raises:
        HttpProblem: `values` has raised it.
    """
    viewer: Viewer | None = g.get("viewer")
    is_open = request.headers.get("HX-Request") == "true"

    def content() -> str:
        html = _rendered(
            template,
            **values(),
            **_shared_values(viewer, topics),
            frame="layout/content.html.jinja" if is_open else "layout/page.html.jinja",
        )
        return inert_markup(html)

    if is_open and viewer is not None and status < 400:  # what went wrong is said to who asked alone
        # all who are told of a change share what is made after it; the rest is what may differ between viewers
        change = request.headers.get(CHANGE_HEADER, "")[:40]
        rights = (viewer.may_act, viewer.has_session, viewer.sees_one_run, viewer.reads_api)
        key = (here(), rights, change)
        html = _contents.get(key, lambda: _refreshing().make(content))
    else:
        html = content()
    html = html.replace(_FORM_TOKEN, viewer.form_token if viewer else "")
    response = Response(html, status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("HX-Request")
    return response


def show_problem(problem: HttpProblem) -> Response:
    """Answer with a page that says what went wrong, and what to do next."""
    values = {"status": problem.status, "message": problem.message, "faults": problem.faults}
    response = show("layout/problem.html.jinja", lambda: values, status=problem.status)
    response.headers.update(problem.headers)
    return response


def show_exception(error: HTTPException) -> Response:
    """Answer with a page for an error that Flask has raised, or that nobody expected, which Flask has logged."""
    status = error.code or 500
    message = (
        WORDS.get(status, f"{error.name}.")
        if status < 500
        else "Something went wrong in the receiver: its log says what."
    )
    return show(
        "layout/problem.html.jinja",
        lambda: {"status": status, "message": message, "faults": ()},
        status=status,
    )


def address(path: str, /, **parameters: object) -> str:
    """Return the link to a path with parameters; those that are None or empty are left out."""
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    return link(path) + (f"?{urlencode(given, doseq=True)}" if given else "")


def provider_link(name: str) -> str:
    """Return the link to the page of a provider."""
    return link(f"/providers/{quote(name, safe='')}")


def pair_link(consumer: str, provider: str) -> str:
    """Return the link to the page of a consumer and a provider."""
    return address("/pairs", provider=provider, consumer=consumer)


def key(text: str) -> str:
    """Return the id of an element for a text, which may have any character: the same as long as the text is."""
    return f"k{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def utc(moment: datetime) -> str:
    """Return a time in full."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _rendered(template: str, **values: Any) -> str:
    """Render a template, and let others go on now and then: nothing else runs while a page is rendered."""
    pieces, began = [], time.monotonic()
    for piece in _environment().get_template(template).generate(values):
        pieces.append(piece)
        if time.monotonic() - began > LONGEST_SECONDS:
            time.sleep(0)
            began = time.monotonic()
    return "".join(pieces)


@cache
def _refreshing() -> ShareOfTime:
    return ShareOfTime(REFRESHING_SHARE, at_once=REFRESHED_AT_ONCE)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("app.web.dashboard", "."), PackageLoader("verifier.report", ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS | {
        "utc": utc,
        "seconds": seconds,
        "ago": ago,
        "short": short_version,
        "key": key,
    }
    environment.globals |= {
        "link": link,
        "address": address,
        "provider_link": provider_link,
        "pair_link": pair_link,
        "file": address_of,
        "count": count,
        "version": version("pact-dispatch"),
        "most_paused": MOST_PAUSED,
        "form_field": FORM_FIELD,
        "form_token": _FORM_TOKEN,
    }
    return environment


def _shared_values(viewer: Viewer | None, topics: Sequence[str]) -> dict[str, Any]:
    return {
        "viewer": viewer,
        "topics": topics,
        "now": datetime.now(UTC),
        "here": here(),
        "path": request.path,
        "paused": _paused() if viewer is not None and not viewer.sees_one_run else [],
    }


def _paused() -> list[Pause]:
    """Return the newest pauses of providers, which every page tells of."""
    try:
        with database() as connection:
            return pauses.newest(connection, limit=MOST_PAUSED + 1)
    except HttpProblem:  # what the page itself has to say comes first
        return []
