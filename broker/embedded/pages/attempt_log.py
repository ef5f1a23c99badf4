"""What a page shows of an attempt to deliver a webhook: its status, the request, and the answer (no I/O).

It is read from the attempt's log, which `broker.embedded.deliveries.attempt` writes, secrets already as stars.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.http.strict_json import NotJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE = re.compile(r"(?:\[[^\]]*\] )?(?:(INFO|ERROR|DEBUG): )?(.*)")
_SENT = re.compile(r"HTTP/1\.1 ([A-Z]+ \S+)")
_ANSWERED = re.compile(r"HTTP/1\.1 (\d{3}\b.*)")
_HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]+: .*")
_ERROR = re.compile(r"Error executing webhook(?: \S+)? ")


@dataclass(frozen=True)
class ShownAttempt:
    """An attempt to deliver a webhook.

    Attributes:
        status: The status of the answer with its reason; "" if there was none.
        request: The request as it would stand in a letter; "" if none was made.
        answer: The answer likewise.
        error: Why there was none.
        outcome: What became of it: that it is tried again, say.
    """

    status: str
    request: str
    answer: str
    error: str
    outcome: str


def shown_attempt(log: str) -> ShownAttempt:
    """Return what the log of an attempt says."""
    *lines, outcome = [_LINE.fullmatch(line) for line in log.splitlines()] or [None]
    sent: list[str] = []
    answered: list[str] = []
    errors: list[str] = []
    for line in lines:
        level, text = line.groups() if line else ("INFO", "")
        if level == "DEBUG":
            continue
        if level != "INFO":
            errors.append(_ERROR.sub("", text, count=1))
        elif answered:
            answered.append(text)
        elif not sent and (start := _SENT.fullmatch(text)):
            sent.append(start[1])
        elif status := _ANSWERED.fullmatch(text):
            answered.append(status[1].strip())
        elif sent:
            sent.append(text)
    return ShownAttempt(
        status=answered[0] if answered else "",
        request=_letter(sent),
        answer=_letter(answered),
        error=" ".join(errors),
        outcome=outcome[2] if outcome else "",
    )


def _letter(lines: Iterable[str]) -> str:
    """Return a first line, headers and a body, each in a line, as a letter has them; JSON is indented."""
    first, *rest = [*lines] or [""]
    headers, body = rest, ""
    if rest and not _HEADER.fullmatch(rest[-1]):
        headers, body = rest[:-1], rest[-1]
    return "\n".join([first, *headers, *(["", _indented(body)] if body else [])])


def _indented(body: str) -> str:
    if not body.startswith(("{", "[")):
        return body
    try:
        return json.dumps(parse_json(body.encode()), indent=2, ensure_ascii=False)
    except NotJson:
        return body
