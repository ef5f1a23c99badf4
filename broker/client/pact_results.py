"""The verification results of a consumer version's pact, from the broker's matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from broker.http.json_values import text_at, value_at

if TYPE_CHECKING:
    from broker.client.session import BrokerClient


@dataclass(frozen=True)
class Result:
    """The latest result of one provider version.

    Attributes:
        provider_version: The number of the provider version.
        passed: False if the verification failed.
        verified_at: The time, as the broker gives it.
    """

    provider_version: str
    passed: bool
    verified_at: str | None


def results_of(client: BrokerClient, consumer: str, version: str, provider: str) -> list[Result]:
    """Fetch the latest result of each provider version for a consumer version's pact, as the broker orders them.

    Raises:
        BrokerError: The broker could not be asked.
    """
    rows = matrix_rows(client, (consumer, version), (provider, None))
    return [result for row in rows if (result := _result(row)) is not None]


def matrix_rows(
    client: BrokerClient, consumer: tuple[str, str], provider: tuple[str, str | None]
) -> list[dict[str, Any]]:
    """Fetch the rows of the matrix that have the latest result of each provider version.

    Args:
        client: The session with the broker.
        consumer: The consumer's name and its version.
        provider: The provider's name and its version; None for all versions.

    Raises:
        BrokerError: The broker could not be asked.
    """
    asked = []
    for name, version in (consumer, provider):
        asked.append(("q[][pacticipant]", name))
        if version is not None:
            asked.append(("q[][version]", version))
    return client.get(f"{client.origin}/matrix?{urlencode([*asked, ('latestby', 'cvpv')])}").objects_at(
        "matrix"
    )


def _result(row: dict[str, Any]) -> Result | None:
    version = text_at(row, "provider", "version", "number")
    passed = value_at(row, "verificationResult", "success")
    if version is None or not isinstance(passed, bool):
        return None
    return Result(version, passed, text_at(row, "verificationResult", "verifiedAt"))
