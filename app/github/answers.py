"""What an answer of GitHub's API means: whether a retry may help, and what to do if not. No I/O."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from broker.http.json_values import text_at, value_at
from broker.text.cut import shortened
from broker.text.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.github.right import Right

MAX_MESSAGE = 300
MAX_WAIT_SECONDS = 3600.0
"""GitHub's rate limits are counted by the hour."""
_TRANSIENT = frozenset({408, 425, 429})
_RATE_LIMITED = ("rate limit", "abuse detection", "please wait a few minutes")


class GitHubFailed(Exception):
    """GitHub did not do what was requested; the message says what to do.

    Attributes:
        status: The HTTP status of the answer; None if there was none.
        retryable: Whether a later request may succeed.
        retry_after: Seconds to wait before it, if GitHub says so.
    """

    retryable = False

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after

    def reworded(self, message: str) -> Self:
        """Return the same failure with another message."""
        return type(self)(message, status=self.status, retry_after=self.retry_after)


class GitHubAway(GitHubFailed):
    """GitHub is away, or limits the rate of requests: a later one may succeed."""

    retryable = True


class GitHubRefused(GitHubFailed):
    """GitHub refuses the request, and will until a person changes something."""


def explain(
    what: str,
    status: int,
    headers: Mapping[str, str],
    body: Any,
    *,
    right: Right | None,
    now: float,
    redaction: Redaction = Redaction(()),  # noqa: B008 - it can't change
) -> GitHubFailed:
    """Return the failure that an answer means.

    Args:
        what: What was requested, as in `set the status of commit 1234 in acme/products`.
        status: The HTTP status.
        headers: The headers, with their names in lower case.
        body: The body, parsed or not.
        right: The right that the token needs; None where it doesn't matter.
        now: Seconds since 1970.
        redaction: What takes the secrets out of the answer.
    """
    reason = redaction.cut(reason_of(body), MAX_MESSAGE)
    answered = f"could not {what}: GitHub answered {status}" + (f" ({reason})" if reason else "")
    wait = _wait(headers, now)
    limited = status == 403 and (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or any(words in reason.lower() for words in _RATE_LIMITED)
    )
    if status >= 500 or status in _TRANSIENT or limited:
        return GitHubAway(answered, status=status, retry_after=wait)
    return GitHubRefused(f"{answered}. {_advice(status, right)}", status=status)


def reason_of(body: Any) -> str:
    """Return the message of an answer, and those of its `errors`."""
    if isinstance(body, str | bytes):
        try:
            body = json.loads(body)
        except ValueError:
            return ""  # the page of a gateway, which is too long for a message
    errors = value_at(body, "errors")
    parts = [text_at(body, "message"), *(map(_text_of, errors) if isinstance(errors, list) else ())]
    text = "; ".join(filter(None, parts))
    return "".join(c if c.isprintable() else " " for c in shortened(text))


def _advice(status: int, right: Right | None) -> str:
    needed = f" It needs {right}." if right is not None else ""
    advice = {
        401: "The token or the App's key is wrong, was revoked or has expired: make a new one.",
        403: f"The token or the App may not do this.{needed} With single sign-on, authorise it in the organisation.",
        404: "There is no such repository, or the token or the App may not see it or write to it, which GitHub "
        f"answers alike. Check the name, and the right.{needed}",
        422: "GitHub finds what it was sent wrong: check that the repository has the commit, and the event type.",
    }
    if 300 <= status < 400:
        return "The repository was renamed or moved: give its new name."
    return advice.get(status, "Check the URL of GitHub's API (github.api_url).")


def _wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait, by `Retry-After` or the reset of the rate limit."""
    seconds = _number(headers.get("retry-after"))
    if seconds is None and headers.get("x-ratelimit-remaining") == "0":
        reset = _number(headers.get("x-ratelimit-reset"))
        seconds = None if reset is None else reset - now + 1
    return None if seconds is None else min(max(seconds, 0.0), MAX_WAIT_SECONDS)


def _number(text: str | None) -> float | None:
    return float(text) if text and text.strip().isdecimal() else None


def _text_of(error: Any) -> str | None:
    if isinstance(error, str):
        return error
    if not isinstance(error, dict):
        return None
    return text_at(error, "message") or f"{error.get('field')}: {error.get('code')}"
