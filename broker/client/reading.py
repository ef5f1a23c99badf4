"""A session with a broker that only reads, and asks nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.client.session import BrokerClient
from broker.http.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.client.exchange import Answer


class ReadingClient(BrokerClient):
    """A session for looking at a broker: each document is fetched once, and nothing but GET is ever sent.

    Args:
        args: Those of `BrokerClient`.
        kwargs: Likewise.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answers: dict[str, Answer | BrokerError] = {}

    def get(self, url: str) -> Answer:
        """Fetch a JSON document, or give what came of it the last time.

        Raises:
            BrokerError: No document was had.
        """
        if url not in self._answers:
            try:
                self._answers[url] = super().get(url)
            except BrokerError as error:
                self._answers[url] = error
        found = self._answers[url]
        if isinstance(found, BrokerError):
            raise found
        return found

    def _once(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        if method != "GET":
            raise TypeError(f"{method} {url}: this session only reads")
        return super()._once(method, url, body)
