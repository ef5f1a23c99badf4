"""Rendering a template into an answer, with the headers that a page needs."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from flask import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from broker.embedded.http.hal import url
from broker.http.answer_headers import policy_of_page, source_of
from broker.look import style_sheet
from broker.text.brief import ago, short_version
from broker.text.harmless import visible


def _ago(time: str | None) -> Markup:
    """Return how long ago a time of the tables was, with the whole of it as the title."""
    if not time:
        return Markup()
    moment = datetime.fromisoformat(time)
    element = Markup('<time datetime="{}" title="{}">{}</time>')
    return element.format(moment.isoformat(), _whole(moment), ago(moment, datetime.now(UTC)))


def _moment(time: str | None) -> Markup:
    """Return the whole of a time of the tables, and how long ago that was."""
    if not time:
        return Markup()
    moment = datetime.fromisoformat(time)
    element = Markup('<time datetime="{}">{}</time> <span class="soft">({})</span>')
    return element.format(moment.isoformat(), _whole(moment), ago(moment, datetime.now(UTC)))


def _whole(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M UTC}"


def _host_of(address: str) -> str:
    """Return the host of a web address, for a list where the whole is a title."""
    return urlsplit(address).netloc.rpartition("@")[2]


def _is_web_url(text: object) -> bool:
    """Return whether a text that somebody sent may become a link: `javascript:` may not."""
    try:
        return isinstance(text, str) and urlsplit(text).scheme in {"http", "https"}
    except ValueError:
        return False


_templates = Environment(
    loader=PackageLoader("broker.embedded.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {"ago": _ago, "moment": _moment, "short": short_version, "host": _host_of}
_templates.tests["web_url"] = _is_web_url
_templates.globals.update(url=url, version=version("pact-dispatch"))

STYLE = style_sheet()
_templates.globals["style"] = STYLE

POLICY = policy_of_page(source_of(STYLE))


def render(template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page.

    Args:
        template: The file's name.
        status: The HTTP status.
        values: The template's values; it escapes them.
    """
    html = visible(_templates.get_template(template).render(status=status, **values))
    response = Response(html, status=status, content_type="text/html;charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "same-origin"
    return response
