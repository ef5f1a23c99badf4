"""Waiting for the provider until it answers."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING

from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from broker.http.reason import innermost
from verifier.errors import CannotVerify, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_SECONDS = 2.0
"""The timeout of one health check."""


def wait_until_ready(
    candidates: tuple[str, ...],
    health_path: str,
    *,
    wait: float,
    deadline: float,
    check_alive: Callable[[], None],
    hint: str = "",
) -> str:
    """Wait until the provider answers, with any status under 500.

    Args:
        candidates: Base URLs, one of which is the provider's.
        health_path: The path to request.
        wait: How many seconds to wait at most.
        deadline: The `time.monotonic()` by which the whole run must be done.
        check_alive: Called between the requests; an exception that it raises ends the wait.
        hint: What the error message suggests to check.

    Returns:
        The base URL that answered.

    Raises:
        CannotVerify: It did not answer in time.
    """
    end = min(time.monotonic() + wait, deadline)
    pause = 0.01
    problem = "no answer"
    urls = {base: base.rstrip("/") + "/" + health_path.lstrip("/") for base in candidates}
    with (
        warnings.catch_warnings(),
        PoolManager(
            cert_reqs="CERT_NONE",  # the verification finds out whether its certificate is trusted
            retries=Retry(total=0, redirect=False),
            timeout=Timeout(min(ANSWER_SECONDS, wait)),
        ) as pool,
    ):
        warnings.simplefilter("ignore", InsecureRequestWarning)
        while True:
            for base, url in urls.items():
                try:
                    response = pool.request("GET", url, redirect=False, preload_content=False)
                except HTTPError as error:
                    if base == candidates[0]:
                        problem = innermost(error)
                    continue
                status = response.status
                response.close()
                if status < 500:
                    return base
                problem = f"it answered {status}"
            check_alive()
            if time.monotonic() + pause >= end:
                raise CannotVerify(
                    f"the provider did not become ready in {wait:g} s: {urls[candidates[0]]}: {problem}. "
                    f"{hint}".rstrip(),
                    kind=ErrorKind.PROVIDER_NOT_READY,
                    retryable=True,
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
