"""HAL: URLs of this broker, links, and JSON answers."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from flask import Response, current_app, g, request

HAL_JSON = "application/hal+json;charset=utf-8"


def base_url() -> str:
    """Return the URL that links start with: the one given at start, else the request's own host."""
    if "base_url" not in g:  # needed for each link, of which an answer may have thousands
        g.base_url = current_app.config["BASE_URL"] or f"http://{request.host}"
    known: str = g.base_url
    return known


def encode(name: str) -> str:
    """Return a name as one segment of a URL's path."""
    # A long list names the same few things again and again; what is long isn't worth keeping.
    return _encode_short(name) if len(name) <= 100 else quote(name, safe="")


@lru_cache(maxsize=4096)
def _encode_short(name: str) -> str:
    return quote(name, safe="")


def url(*segments: str) -> str:
    """Return the URL of a resource from the unencoded segments of its path."""
    return "/".join((base_url(), *map(encode, segments)))


def template(path: str) -> str:
    """Return the URL of a path that is encoded already or has {variables} for the client to fill in."""
    return f"{base_url()}/{path}"


def link(href: str, *, title: str | None = None, name: str | None = None) -> dict[str, Any]:
    """Return a HAL link; one with {variables} is marked as templated."""
    values = {"title": title, "name": name, "href": href, "templated": True if "{" in href else None}
    return {key: value for key, value in values.items() if value is not None}


def day(time: str) -> str:
    """Return the day of a stored time, as titles name it."""
    return datetime.fromisoformat(time).strftime("%d/%m/%Y")


def json_response(body: object, *, status: int = 200, content_type: str | None = None) -> Response:
    """Return an answer of compact UTF-8 JSON, by default `application/hal+json`."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status=status, content_type=content_type or HAL_JSON)


def created(body: dict[str, Any], *, new: bool = True) -> Response:
    """Return the answer to a request that makes a resource: 201 with its URL in Location, 200 if it is not new."""
    response = json_response(body, status=201 if new else 200)
    if new:
        response.headers["Location"] = body["_links"]["self"]["href"]
    return response


def no_content() -> Response:
    """Return the answer to a deletion."""
    return Response(status=204, content_type="")
