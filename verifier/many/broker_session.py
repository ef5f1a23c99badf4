"""A session with a broker that many requests share, with less patience once the broker was away for one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.client import BrokerClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.http.access import BrokerAccess

SECONDS_ONCE_AWAY = 5.0
"""For how long a request is tried again to a broker that was away for all of the time of the one before."""


class BrokerSession:
    """A session, for one thread.

    Args:
        retry_time: For how many seconds a request is tried again to a broker that is away.
        deadline: Returns the `time.monotonic()` after which nothing is tried, when a session begins.
        on_retry: Called with a sentence before each wait.
    """

    def __init__(
        self, *, retry_time: float, deadline: Callable[[], float], on_retry: Callable[[str], None]
    ) -> None:
        self._retry_time = retry_time
        self._deadline = deadline
        self._on_retry = on_retry
        self._access: BrokerAccess | None = None
        self._client: BrokerClient | None = None
        self._was_away = False

    def client(self, access: BrokerAccess) -> BrokerClient:
        """Return the session with a broker: the one that is there, if it is with that broker."""
        if self._client is None or self._access != access:
            self.close()
            patience = min(SECONDS_ONCE_AWAY, self._retry_time) if self._was_away else self._retry_time
            self._client = BrokerClient(
                access, retry_time=patience, deadline=self._deadline(), on_retry=self._on_retry
            )
            self._access = access
        return self._client

    def ended(self, *, away: bool) -> None:
        """Take note of how a request ended: whether the broker was away."""
        if away != self._was_away:
            self._was_away = away
            self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.__exit__(None, None, None)
            self._client = None
