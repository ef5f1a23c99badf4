"""The refusal of a request by a broker, in words for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from broker.http.shown_url import shown_url
from broker.text.cut import CUT, shortened
from broker.text.redaction import Redaction

if TYPE_CHECKING:
    from broker.http.access import BrokerAccess
    from broker.http.limits import Reply

LONGEST_REASON = 200
"""Characters of the text after a status that are shown."""

LONGEST_SAID = 500
"""The most characters of a broker's own words that are shown."""


def refusal(method: str, url: str, reply: Reply, access: BrokerAccess) -> str:
    """Return a sentence with the request, the broker's own words, and what to do where that is known."""
    redaction = Redaction(access.secrets)  # what a broker answers may repeat what it was sent
    said = redaction.cut(_said(reply.content), LONGEST_SAID)
    what = f"{method} {redaction.text(shown_url(url))} was answered with {redaction.text(status_line(reply))}"
    if said:
        what += f": {said if said.endswith(CUT) else said.removesuffix('.')}"
    if wanted := _other_kind(reply, access):
        return what + wanted
    if reply.status == 401:
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
    if reply.status == 403:
        return what + (
            ". These credentials may not do this"
            if access.has_credentials
            else ". The broker lets nobody without credentials do this"
        )
    return what


def _other_kind(reply: Reply, access: BrokerAccess) -> str:
    """Return what to do if the broker wants credentials of another kind than those that it was sent; "" if not."""
    wanted = reply.headers.get("WWW-Authenticate", "").strip().lower()
    # a Pact Broker with basic auth answers a token with a bare 400
    is_bare = reply.status == 400 and not reply.content.strip() and not wanted
    if access.token is not None and (is_bare or (reply.status in {400, 401} and wanted.startswith("basic"))):
        return (
            ". That is how a broker with basic auth answers a token: give --broker-username and --broker-password "
            "(PACT_BROKER_USERNAME, PACT_BROKER_PASSWORD) instead of --broker-token (PACT_BROKER_TOKEN)"
        )
    if access.username is not None and reply.status in {400, 401} and wanted.startswith("bearer"):
        return (
            ". The broker wants a token: give --broker-token (PACT_BROKER_TOKEN) instead of --broker-username and "
            "--broker-password (PACT_BROKER_USERNAME, PACT_BROKER_PASSWORD)"
        )
    return ""


def status_line(reply: Reply) -> str:
    """Return the status with its reason, as in `404 Not Found`."""
    return f"{reply.status} {reply.reason[:LONGEST_REASON]}".strip()


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
                return shortened(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return ""
