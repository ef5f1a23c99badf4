"""Sending a message to a target once: one request with limits, which follows no redirect.

Every answer that isn't 2xx is a failure. No message of it has the URL, which is a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from app.config.notify import TargetKind, host_of, url_mistake
from app.config.values import values_of
from app.notifications.slack import slack_message
from app.notifications.teams import teams_message
from broker.http.limited_request import LimitedSession
from broker.http.limits import Limits
from broker.http.no_reply import NoReply
from broker.http.retry_after import seconds_to_wait
from broker.text.cut import beginning
from broker.text.harmless import one_line
from broker.text.redaction import Redaction
from broker.text.secret_forms import is_ordinary
from broker.traces.requests import STATUS
from broker.traces.spans import CLIENT, span, within

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from app.config.notify import NotifyTarget
    from broker.http.limits import Reply

LIMITS = Limits(seconds=20.0, max_bytes=4096, silent_seconds=15.0)
SIGNATURE = "X-Hub-Signature-256"
"""The header of the signature, as GitHub has it: `sha256=`, and the HMAC of the body in hexadecimal."""
LONGEST_ANSWER = 200
"""The characters of an answer that are told."""
_RETRYABLE = frozenset({408, 425, 429})


class NotSent(Exception):
    """A message was not taken; no secret is in the text.

    Attributes:
        retryable: Whether another attempt may help.
        retry_after: The seconds that the target asks to wait, if it does.
        host: The host that it was sent to; None if it was sent nowhere.
    """

    def __init__(
        self, text: str, *, retryable: bool, retry_after: float | None = None, host: str | None = None
    ) -> None:
        super().__init__(text)
        self.retryable = retryable
        self.retry_after = retry_after
        self.host = host


@dataclass(frozen=True)
class Sent:
    """A message that was taken.

    Attributes:
        host: The host that took it.
        status: The HTTP status.
    """

    host: str
    status: int


def send(
    target: NotifyTarget,
    content: Mapping[str, Any],
    number: UUID,
    *,
    created_at: str,
    environment: Mapping[str, str],
) -> Sent:
    """Send a message once.

    Args:
        target: Where it goes.
        content: What it says; see `app.notifications.message`.
        number: Its id, which is the same in each attempt.
        created_at: When the change was seen.
        environment: Where the secrets of targets are.

    Raises:
        NotSent: It was not taken.
    """
    try:
        url = target.source.read(environment)
        private = values_of(target.headers, environment)
        key = None if target.signing_secret is None else target.signing_secret.read(environment)
    except ValueError as error:
        raise NotSent(f"a secret of {target.name} is missing: {error}", retryable=True) from error
    mistake = url_mistake(url, allow_http=target.allow_http)
    if mistake is not None:
        raise NotSent(f"the URL of {target.name} {mistake}", retryable=True)
    host = host_of(url)
    redaction = Redaction([url, *_secret_in(url), *private.values(), key])
    document = document_of(target.kind, content, number, created_at=created_at)
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    headers = {**private, "Content-Type": "application/json", "User-Agent": "pact-dispatch"}
    if key is not None:
        headers[SIGNATURE] = f"sha256={hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}"
    # the URL of such a message is a secret with its path: it is in no span
    with span("POST", CLIENT, server__address=host) as request:
        try:
            with within(None), LimitedSession() as session:
                reply = session.send("POST", url, limits=LIMITS, headers=headers, body=body)
        except NoReply as error:
            raise NotSent(
                f"{host} gave no answer: {redaction.text(str(error))}", retryable=True, host=host
            ) from error
        if not 200 <= reply.status < 300:
            raise _refused(reply, host, redaction)
        request.set(STATUS, reply.status)
    return Sent(host, reply.status)


def document_of(
    kind: TargetKind, content: Mapping[str, Any], number: UUID, *, created_at: str
) -> dict[str, Any]:
    """Return what is sent, in the form that a kind of target takes."""
    if kind is TargetKind.SLACK:
        return slack_message(content)
    if kind is TargetKind.TEAMS:
        return teams_message(content)
    return {"id": str(number), "created_at": created_at, **content}


def _secret_in(url: str) -> set[str]:
    """Return what is secret of a URL: all behind the host, and each part of that which is no word."""
    path = url.partition("://")[2].partition("/")[2]
    parts = {part for piece in re.split(r"[/?&=]", path) for part in (piece, unquote(piece))}
    return {path, *(part for part in parts if not is_ordinary(part))}


def _refused(reply: Reply, host: str, redaction: Redaction) -> NotSent:
    if reply.redirects_to is not None:
        text = f"{host} answered {reply.status}: redirects are not followed, give the URL that it leads to"
        return NotSent(text, retryable=False, host=host)
    said = redaction.text(reply.content.decode("utf-8", "replace"))
    said = beginning(one_line(" ".join(said.split())), LONGEST_ANSWER)
    text = f"{host} answered {reply.status}" + (f": {said}" if said else "")
    retryable = reply.status >= 500 or reply.status in _RETRYABLE
    wait = seconds_to_wait(reply.headers.get("Retry-After")) if retryable else None
    return NotSent(text, retryable=retryable, retry_after=wait, host=host)
