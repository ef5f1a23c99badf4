"""The result that a run publishes, which tells a contract that is broken from one that could not be verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.client.pact_results import results_of
from broker.http.errors import BrokerError
from broker.http.json_values import text_at

if TYPE_CHECKING:
    from broker.client import BrokerClient
    from broker.client.pact_results import Result


class PublishedResult:
    """The results of the pact that a test dispatched, from then on.

    Args:
        client: The session with the broker.
        pact_url: The URL of the pact.
    """

    def __init__(self, client: BrokerClient, pact_url: str) -> None:
        self._client = client
        self._pact_url = pact_url
        self._before = self._results()

    def since(self) -> Result | None:
        """Return a result that was published since, one that failed before all others; None if there is none."""
        if self._before is None:
            return None
        new = [result for result in self._results() or () if result not in self._before]
        return next((result for result in new if not result.passed), new[0] if new else None)

    def _results(self) -> list[Result] | None:
        """Return the results that there are, or None if the broker doesn't tell."""
        try:
            pact = self._client.find_object(self._pact_url)
            consumer, version, provider = (
                text_at(pact, "_links", f"pb:{name}", "name")
                for name in ("consumer", "consumer-version", "provider")
            )
            if consumer is None or version is None or provider is None:
                return None
            return results_of(self._client, consumer, version, provider)
        except BrokerError:
            return None
