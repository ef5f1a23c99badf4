"""The broker's log of one attempt to deliver a webhook, read back into what was sent and answered (no I/O)."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from broker.webhooks.resource import Execution

if TYPE_CHECKING:
    from broker.webhooks.triggered import Attempt

_INFO = re.compile(r"(?:\[[^\]]*\] )?INFO: (.*)")
_SENT = re.compile(r"HTTP/[\d.]+ ([A-Z]+ \S+)$")
_ANSWERED = re.compile(r"HTTP/[\d.]+ (\d{3})\b")
_HEADER = re.compile(r"([A-Za-z0-9_-]+): (.*)")
_NOT_LOGGED = "response details are not logged"
LONGEST = 256 * 1024
"""Characters of a log that are read."""


def execution_of(attempt: Attempt) -> Execution:
    """Read what was sent and answered; stars stand for secrets, as the broker put them.

    A log that a broker writes otherwise gives less: no line, no headers.
    """
    sent: dict[str, str] = {}
    answered: dict[str, str] = {}
    bodies: dict[bool, Any] = {}
    line, has_answer = "", False
    for text in attempt.logs[:LONGEST].splitlines():
        info = _INFO.match(text)
        if info is None:
            continue
        said = info[1]
        if not line and (match := _SENT.match(said)):
            line = match[1] if _is_url(match[1].partition(" ")[2]) else ""
        elif not has_answer and _ANSWERED.match(said):
            has_answer = True
        elif match := _HEADER.fullmatch(said):
            (answered if has_answer else sent)[match[1].lower()] = match[2]
        elif said.startswith(("{", "[")):
            with suppress(ValueError, RecursionError):
                bodies.setdefault(has_answer, json.loads(said))
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
    """Tell whether the broker keeps the target's answers to itself.

    A Pact Broker logs them only where `PACT_BROKER_WEBHOOK_HOST_WHITELIST` is set.
    """
    return _NOT_LOGGED in attempt.logs
