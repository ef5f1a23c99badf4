"""Waiting for a broker that is away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from urllib3 import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.http.errors import BrokerUnreachable


class Waits:
    """The waits between the tries of one request: exponential back-off with jitter, `Retry-After` honoured.

    The arithmetic is urllib3's `Retry`; what is added is a limit in time instead of in tries.
    """

    def __init__(self, retry_time: float, deadline: float | None, on_retry: Callable[[str], None]) -> None:
        end = time.monotonic() + retry_time
        self._end = end if deadline is None else min(end, deadline)
        self._on_retry = on_retry
        self._retry = Retry(total=None, backoff_factor=0.5, backoff_max=20, backoff_jitter=0.25)

    def wait_after(self, error: BrokerUnreachable) -> None:
        """Wait until it is time for the next try.

        Raises:
            BrokerUnreachable: the one given, when no time is left for another try.
        """
        self._retry = self._retry.increment(method="GET", url="")
        # urllib3 tries the first time again at once; a broker that just failed is given a moment
        delay = max(error.retry_after or 0.0, self._retry.get_backoff_time(), 0.25)
        if time.monotonic() + delay >= self._end:
            raise error
        self._on_retry(f"{error}; trying again in {delay:.1f} s")
        time.sleep(delay)
