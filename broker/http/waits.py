"""The waits between the tries of what fails and may heal by itself."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.http.errors import BrokerUnreachable

JITTER_SECONDS = 0.25

ENOUGH_SECONDS = 1.0
"""The time that must be left before a deadline for another try: cut short, it would hide what the last one met."""


@dataclass(frozen=True)
class RetryPlan:
    """How long to wait after each failure, and when to give up.

    Attributes:
        waits: The seconds after the first failure, after the second, and so on.
        seconds: The time for which the last wait is repeated; None to give up after the last wait.
    """

    waits: tuple[float, ...]
    seconds: float | None = None

    @classmethod
    def doubling(cls, first: float, longest: float, *, seconds: float = math.inf) -> Self:
        """Return a plan whose waits double from `first` to `longest`."""
        waits = [first]
        while waits[-1] < longest:
            waits.append(min(longest, waits[-1] * 2))
        return cls(tuple(waits), seconds)

    def wait_after(
        self, failures: int, *, elapsed: float | None = None, at_least: float = 0.0
    ) -> float | None:
        """Return the seconds to wait before the next try, or None to give up.

        Args:
            failures: The number of tries that have failed, 1 or more.
            elapsed: The seconds since the first try began; the sum of the waits so far unless given.
            at_least: The seconds that the other side asks for (`Retry-After`).
        """
        if self.seconds is None:
            if failures > len(self.waits):
                return None
        elif (self._sum_before(failures) if elapsed is None else elapsed) > self.seconds:
            return None
        return max(self.waits[min(failures, len(self.waits)) - 1], at_least)

    def _sum_before(self, failures: int) -> float:
        listed = self.waits[: failures - 1]
        return sum(listed) + self.waits[-1] * (failures - 1 - len(listed))


BROKER_RETRIES = RetryPlan((0.25, 1, 2, 4, 8, 16, 20), math.inf)
"""Between the tries of one request to a broker that is away."""


class Waits:
    """The waits between the tries of one request: `BROKER_RETRIES` with jitter, for a limited time."""

    def __init__(self, retry_time: float, deadline: float | None, on_retry: Callable[[str], None]) -> None:
        end = time.monotonic() + retry_time
        self._end = end if deadline is None else min(end, deadline - ENOUGH_SECONDS)
        self._on_retry = on_retry
        self._failures = 0

    def wait_after(self, error: BrokerUnreachable) -> None:
        """Wait until it is time for the next try.

        Raises:
            BrokerUnreachable: The one given, when no time is left for another try.
        """
        self._failures += 1
        delay = BROKER_RETRIES.wait_after(self._failures, at_least=error.retry_after or 0.0)
        assert delay is not None  # noqa: S101 - that plan never ends
        delay += random.uniform(0, JITTER_SECONDS)  # noqa: S311 - no secret
        if time.monotonic() + delay >= self._end:
            raise error
        self._on_retry(f"{error}; trying again in {delay:.1f} s")
        time.sleep(delay)
