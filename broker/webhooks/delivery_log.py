"""The request and the answer of an attempt to deliver a webhook, from the broker's log (no I/O)."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from broker.http.strict_json import NotJson, parse_json
from broker.webhooks.resource import Execution

if TYPE_CHECKING:
    from broker.webhooks.triggered import Attempt

_INFO = re.compile(r"(?:\[[^\]]*\] )?INFO: (.*)")
_SENT = re.compile(r"HTTP/[\d.]+ ([A-Z]+ \S+)$")
_ANSWERED = re.compile(r"HTTP/[\d.]+ (\d{3})\b")
_HEADER = re.compile(r"([A-Za-z0-9_-]+): (.*)")
_NOT_LOGGED = "response details are not logged"
LONGEST = 256 * 1024
"""The most characters of a log that are read."""


def execution_of(attempt: Attempt) -> Execution:
    """Return the request and the answer of an attempt; the broker has put stars for secrets.

    Of a log in another form less is known: no line, no headers.
    """
    sent: dict[str, str] = {}
    answered: dict[str, str] = {}
    bodies: dict[bool, Any] = {}
    line, has_answer = "", False
    for line_of_log in attempt.logs[:LONGEST].splitlines():
        info = _INFO.match(line_of_log)
        if info is None:
            continue
        text = info[1]
        if not line and (match := _SENT.match(text)):
            line = match[1] if _is_url(match[1].partition(" ")[2]) else ""
        elif not has_answer and _ANSWERED.match(text):
            has_answer = True
        elif match := _HEADER.fullmatch(text):
            (answered if has_answer else sent)[match[1].lower()] = match[2]
        elif text.startswith(("{", "[")):
            with suppress(NotJson):
                bodies.setdefault(has_answer, parse_json(text.encode()))
    return Execution(
        success=attempt.success,
        line=line,
        headers=sent,
        body=bodies.get(False),
        status=attempt.status,
        answer_headers=answered,
        answer_body=bodies.get(True),
        error=attempt.error,
        logs=attempt.logs,
    )


def _is_url(text: str) -> bool:
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True


def hides_answers(attempt: Attempt) -> bool:
    """Return whether the broker hides the target's answers.

    A Pact Broker logs them only where `PACT_BROKER_WEBHOOK_HOST_WHITELIST` is set.
    """
    return _NOT_LOGGED in attempt.logs
