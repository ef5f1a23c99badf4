"""The refusal of a request by a broker, in words for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

if TYPE_CHECKING:
    import requests

    from broker.http.access import BrokerAccess


def refusal(method: str, url: str, response: requests.Response, content: bytes, access: BrokerAccess) -> str:
    """Return a sentence with the request, the broker's own words, and what to do where that is known."""
    said = _said(content)
    what = f"{method} {shown_url(url)} was answered with {status_line(response)}"
    if said:
        what += f": {said if said.endswith('...') else said.removesuffix('.')}"
    if response.status_code == 401:
        return what + (
            (
                ". The credentials are wrong or expired"
                if method == "GET"
                else ". The credentials are wrong, or may not do this (a read-only user can't publish, nor change)"
            )
            if access.has_credentials
            else ". The broker wants credentials: --broker-token, or --broker-username and --broker-password "
            "(PACT_BROKER_TOKEN, PACT_BROKER_USERNAME, PACT_BROKER_PASSWORD)"
        )
    if response.status_code == 403:
        return what + (
            ". These credentials may not do this"
            if access.has_credentials
            else ". The broker lets nobody without credentials do this"
        )
    return what


def status_line(response: requests.Response) -> str:
    """Return the status with its reason, as in `404 Not Found`."""
    return f"{response.status_code} {response.reason or ''}".strip()


def shown_url(url: str) -> str:
    """Return a URL for a message: short, and without anything that could be a credential."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        return "(a URL that can't be read)"
    shown = parts._replace(auth=None, query="..." if parts.query else None, fragment=None).url
    return shown if len(shown) <= 300 else shown[:300] + "..."


def _said(content: bytes) -> str:
    """Return the broker's own words for a refusal: `error`, `errors` or `message` of the JSON, or short text."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        text = content.decode(errors="replace").strip()
        return "" if text.startswith("<") or len(text) > 300 else text
    if isinstance(document, dict):
        for key in ("error", "errors", "message"):
            if document.get(key):
                value = document[key]
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                return text if len(text) <= 500 else text[:500] + "..."
    return ""
