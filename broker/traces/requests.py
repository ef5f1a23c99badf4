"""What is known of an HTTP request, by the names that OpenTelemetry gives to it (no I/O)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
"""The methods that are called by their names; another one may be anything."""
STATUS = "http.response.status_code"
_PORTS = {"http": 80, "https": 443}


def name_of(method: str) -> str:
    """Return the name of the span of a request."""
    return method if method in METHODS else "HTTP"


def request_attributes(method: str, url: str, shown: str) -> dict[str, Any]:
    """Return what is known of a request before it is answered.

    Args:
        method: The HTTP method.
        url: The URL.
        shown: The URL as it may be shown: without credentials and without its query.
    """
    attributes: dict[str, Any] = {
        "http.request.method": method if method in METHODS else "_OTHER",
        "url.full": shown,
    }
    try:
        parts = urlsplit(url)
        attributes["server.address"] = parts.hostname
        attributes["server.port"] = parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # it is sent nowhere
        pass
    return attributes
