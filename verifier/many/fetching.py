"""The documents of many pacts, fetched ahead by one: the next while one is verified, and never more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from verifier.errors import CannotVerify
from verifier.fetch import FETCH_SECONDS, fetch_by
from verifier.many.broker_session import BrokerSession
from verifier.pact_file import read_pact_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from broker.client.for_verification import PactForVerification
    from verifier.request import VerificationRequest

Document: TypeAlias = tuple[Any, dict[str, str]]
"""A pact's document, and the links for publishing."""


@dataclass(frozen=True)
class PlannedPact:
    """A pact that is to be verified.

    Attributes:
        request: The request.
        asked: What the broker says of it, if it asked for it.
    """

    request: VerificationRequest
    asked: PactForVerification | None = None

    @property
    def name(self) -> str:
        """Its name for people: the consumer and its version, else its URL."""
        if self.asked is None:
            return self.request.pact_url
        return " ".join(filter(None, (self.asked.consumer, self.asked.consumer_version)))


class Fetcher:
    """Fetches pacts in a thread of its own. Use it as a context manager.

    Args:
        deadline: The `time.monotonic()` after which nothing is tried.
        on_retry: Called with a sentence before each wait for a broker that is away.
    """

    def __init__(self, *, deadline: float, on_retry: Callable[[str], None]) -> None:
        self._thread = ThreadPoolExecutor(1, "fetch")
        self._session = BrokerSession(retry_time=FETCH_SECONDS, deadline=lambda: deadline, on_retry=on_retry)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def fetched(self, pacts: Iterable[PlannedPact]) -> Iterator[tuple[PlannedPact, Future[Document]]]:
        """Return each pact with its document, which may still be on its way."""
        ahead: tuple[PlannedPact, Future[Document]] | None = None
        for pact in pacts:
            current, ahead = ahead, (pact, self._thread.submit(copy_context().run, self._fetch, pact.request))
            if current is not None:
                yield current
        if ahead is not None:
            yield ahead

    def _fetch(self, request: VerificationRequest) -> Document:
        if request.pact_file is not None:
            return read_pact_file(request.pact_file), {}
        try:
            found = fetch_by(self._session.client(request.broker_access), request)
        except CannotVerify as error:
            self._session.ended(away=error.retryable)
            raise
        self._session.ended(away=False)
        return found
