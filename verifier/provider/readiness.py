"""Waiting for the provider until it answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from broker.http.no_reply import NoReply, TooSlow
from broker.http.quick_status import quick_status
from broker.http.tls import ORDINARY
from verifier.errors import CannotVerify, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.http.tls import Tls

ANSWER_SECONDS = 2.0
"""The time that one health check may take, with all of its answer's head."""
SHORTEST = 0.1
"""The seconds that the last health check is given, however late it is."""


def wait_until_ready(
    candidates: tuple[str, ...],
    health_path: str,
    *,
    wait: float,
    deadline: float,
    check_alive: Callable[[], None],
    hint: str = "",
    tls: Tls = ORDINARY,
) -> str:
    """Wait until the provider answers, with any status under 500.

    Args:
        candidates: Base URLs, one of which is the provider's.
        health_path: The path to request.
        wait: How many seconds to wait at most.
        deadline: The `time.monotonic()` by which the whole run must be done.
        check_alive: Called between the requests; an exception that it raises ends the wait.
        hint: What the error message suggests to check.
        tls: What is shown on TLS connections.

    Returns:
        The base URL that answered.

    Raises:
        CannotVerify: It did not answer in time.
    """
    end = min(time.monotonic() + wait, deadline)
    most = min(ANSWER_SECONDS, wait)
    pause = 0.01
    problem = ""
    urls = {base: base.rstrip("/") + "/" + health_path.lstrip("/") for base in candidates}
    while True:
        for base, url in urls.items():
            try:
                left = max(end - time.monotonic(), SHORTEST)
                status = _status(url, min(most, left), tls, stated=most)
            except NoReply as error:
                is_cut_short = isinstance(error, TooSlow) and left < most
                if base == candidates[0] and not (is_cut_short and problem):
                    problem = str(error)
                continue
            if 200 <= status < 500:
                return base
            problem = f"it answered {status}"
        check_alive()
        if time.monotonic() + pause >= end:
            within = "before time ran out (--timeout)" if end == deadline else f"in {wait:g} s"
            problem = f"{urls[candidates[0]]}: {problem or 'no answer'}"
            raise CannotVerify(
                f"the provider did not become ready {within}: {problem}. {hint}".rstrip(),
                kind=ErrorKind.PROVIDER_NOT_READY,
                retryable=True,
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def _status(url: str, seconds: float, tls: Tls, *, stated: float) -> int:
    """Return the status of the answer to a health check.

    Raises:
        NoReply: There was none in time.
    """
    status = quick_status(url, seconds, tls, stated=stated)
    if status is not None:
        return status
    from broker.http.limited_request import LimitedSession  # noqa: PLC0415 - most runs do without it
    from broker.http.limits import Limits  # noqa: PLC0415

    # the verification finds out whether its certificate is trusted
    with LimitedSession(direct=True, trusts_all=True, tls=tls) as session:
        return session.send("GET", url, limits=Limits(seconds, max_bytes=0, stated=stated)).status
