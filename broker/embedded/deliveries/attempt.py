"""One attempt to deliver a webhook, and the log of it that people may see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from broker.embedded.deliveries.http_request import (
    MAX_ANSWER_BYTES,
    MAX_REASON,
    Answer,
    Failure,
    Message,
    framing,
    message,
    parsed,
    send,
)
from broker.embedded.webhooks.template import Template, render
from broker.text.cut import CUT
from broker.text.redaction import Redaction
from broker.text.secret_names import STARS, is_hidden_by_brokers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from broker.embedded.webhooks.settings import WebhookSettings

_DATES = frozenset({"github-authentication-token-expiration"})
"""Headers of answers that are about a token and don't hold one; a real broker hides no header of an answer."""


@dataclass(frozen=True)
class Attempt:
    """A request and its answer, without anything secret."""

    success: bool
    shown: Message
    sent_headers: dict[str, str]
    answer: Answer | None
    error: str | None
    lines: tuple[str, ...]

    def logs(self, *last: str) -> str:
        """Return the log, with more lines at its end."""
        stamped = [*self.lines, *(_stamp(f"INFO: {line}") for line in last)]
        return "".join(f"{line}\n" for line in stamped)

    def document(self) -> dict[str, Any]:
        """Return the answer to a request to execute the webhook."""
        parts = urlsplit(self.shown.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        document: dict[str, Any] = {"error": {"message": self.error}} if self.error is not None else {}
        document["request"] = {
            "headers": self.sent_headers,
            "body": None if self.shown.body is None else parsed(self.shown.body),
            "url": path,
        }
        if self.shown.body is None:
            del document["request"]["body"]
        if self.answer is not None:
            document["response"] = {"status": self.answer.status, "headers": self.answer.headers}
            if self.answer.text:
                document["response"]["body"] = self.answer.body()
        return document


def attempt(
    template: Template,
    values: Mapping[str, str],
    secrets: Mapping[str, str],
    context: Mapping[str, Any],
    settings: WebhookSettings,
    *,
    uuid: str | None,
) -> Attempt:
    """Send a webhook's request once.

    Args:
        template: The request as configured.
        values: The values of `${pactbroker.NAME}`, by NAME.
        secrets: The values of `${user.NAME}`, by NAME.
        context: The content of the log's first line.
        settings: The allow-lists, which are checked again, and the timeout.
        uuid: The webhook's UUID, for the log.
    """
    known = {f"pactbroker.{name}": value for name, value in values.items()}
    sent = message(render(template, {**known, **{f"user.{name}": value for name, value in secrets.items()}}))
    shown = message(render(template, {**known, **{f"user.{name}": STARS for name in secrets}}))
    shown = Message(shown.method, shown.url, _redacted(shown.headers), shown.body)
    refused = settings.mistakes_in_method(sent.method) + settings.mistakes_in_url(sent.url)
    result: Answer | Failure = (
        Failure("NotAllowed", f"The request was not sent: {'; '.join(refused)}", connected=False)
        if refused
        else send(sent, settings.timeout_seconds)
    )
    connected = isinstance(result, Answer) or result.connected
    headers = {**shown.headers, **(_redacted(framing(sent)) if connected else {})}
    lines = [
        f"DEBUG: Webhook context {json.dumps(context, ensure_ascii=False, separators=(',', ':'))}",
        f"INFO: HTTP/1.1 {shown.method} {shown.url}",
        *(f"INFO: {name}: {value}" for name, value in headers.items()),
        f"INFO: {_one_line(shown.sent_body)}",
    ]
    redaction = _redaction(sent, template, secrets.values())
    if isinstance(result, Failure):
        name = f"webhook {uuid}" if uuid else "webhook"
        problem = redaction.own(result.message)
        lines.append(f"ERROR: Error executing {name} {result.kind} - {problem}")
        return Attempt(False, shown, headers, None, problem, tuple(map(_stamp, lines)))
    answer = _without(result, redaction)
    lines.append(f"INFO: HTTP/1.1 {answer.status} {answer.reason}")
    lines += [f"INFO: {name}: {_one_line(value)}" for name, value in answer.headers.items()]
    if answer.text:
        lines.append(f"INFO: {_one_line(answer.text)}")
    return Attempt(answer.is_success, shown, headers, answer, None, tuple(map(_stamp, lines)))


def _redacted(headers: dict[str, str]) -> dict[str, str]:
    return {name: STARS if is_hidden_by_brokers(name) else value for name, value in headers.items()}


def _redaction(sent: Message, template: Template, secrets: Iterable[str]) -> Redaction:
    """Return what hides all that a target could repeat in its answer of what is secret in a request."""
    hidden = [value for name, value in sent.headers.items() if is_hidden_by_brokers(name)]
    return Redaction([*hidden, *secrets, template.password], stars=STARS)


def _without(answer: Answer, redaction: Redaction) -> Answer:
    dates = {name: value for name, value in answer.headers.items() if name.lower() in _DATES}
    headers = {name: redaction.text(value) for name, value in {**_redacted(answer.headers), **dates}.items()}
    text = answer.text
    if len(text.encode()) >= MAX_ANSWER_BYTES:  # it was cut, and a secret may begin there
        text = redaction.cut(text + CUT, len(text) + len(STARS + CUT)).removesuffix(CUT)
    else:
        text = redaction.text(text)
    return Answer(answer.status, redaction.cut(answer.reason, MAX_REASON), headers, text)


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _stamp(line: str) -> str:
    return f"[{datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}] {line}"
