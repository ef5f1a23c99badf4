"""A session with a broker that only reads, and sends no request twice unless it is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.client.session import BrokerClient
from broker.http.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.client.exchange import Answer


class ReadingClient(BrokerClient):
    """A session that fetches each document once, and sends nothing but GET.

    Args:
        args: Those of `BrokerClient`.
        kwargs: Those of `BrokerClient`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answers: dict[str, Answer | BrokerError] = {}

    def get(self, url: str) -> Answer:
        """Fetch a JSON document, or return the answer of the last time.

        Raises:
            BrokerError: There is no document.
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

    def forget(self, beginning: str = "") -> None:
        """Fetch documents anew when they are asked for again.

        Args:
            beginning: How their URLs begin; all of them unless given.
        """
        self._answers = {
            url: answer for url, answer in self._answers.items() if not url.startswith(beginning)
        }

    def _once(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        if method != "GET":
            raise TypeError(f"{method} {url}: this session only reads")
        return super()._once(method, url, body)
