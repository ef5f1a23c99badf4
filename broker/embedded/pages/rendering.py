"""Rendering a template into an answer, with the headers that a page needs."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from flask import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from broker.embedded.http.hal import url
from broker.http.answer_headers import policy_of_page
from broker.text.harmless import visible


def _day_and_time(time: str | None) -> str:
    """Return a time of the tables for a reader."""
    if not time:
        return ""
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


_COMMIT_ID = re.compile(r"[0-9a-f]{12,64}")
LONGEST_VERSION = 24
"""The most characters of a version in a list, where its whole is a link or a title."""


def _short(number: str) -> str:
    """Return a version as it is shown in a list: of a commit id what git shows of it."""
    if _COMMIT_ID.fullmatch(number):
        return number[:8]
    return number if len(number) <= LONGEST_VERSION else f"{number[: LONGEST_VERSION - 1]}…"


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
_templates.filters |= {"time": _day_and_time, "short": _short}
_templates.tests["web_url"] = _is_web_url
_templates.globals.update(url=url, version=version("pact-dispatch"))

STYLE = _templates.get_template("style.css").render()
_templates.globals["style"] = STYLE

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = policy_of_page(f"'sha256-{_STYLE_HASH}'")


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
