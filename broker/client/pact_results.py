"""Which results a consumer version's pact has; asked of the broker's matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from broker.http.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from broker.client.session import BrokerClient


@dataclass(frozen=True)
class Result:
    """The latest result of one provider version.

    Attributes:
        provider_version: whose.
        passed: or failed.
        verified_at: as the broker gives it.
    """

    provider_version: str
    passed: bool
    verified_at: str | None


def results_of(client: BrokerClient, consumer: str, version: str, provider: str) -> list[Result]:
    """Fetch the latest result of each provider version for a consumer version's pact, as the broker orders them.

    Raises:
        BrokerError: the broker could not be asked.
    """
    asked = [
        ("q[][pacticipant]", consumer),
        ("q[][version]", version),
        ("q[][pacticipant]", provider),
        ("latestby", "cvpv"),
    ]
    answer = client.get(f"{client.origin}/matrix?{urlencode(asked)}")
    rows = answer.document.get("matrix") if isinstance(answer.document, dict) else None
    if not isinstance(rows, list):
        raise UnexpectedAnswer(f"the answer of {client.origin}/matrix has no list of rows")
    found = [_result(row) for row in rows if isinstance(row, dict)]
    return [result for result in found if result is not None]


def _result(row: dict[str, Any]) -> Result | None:
    result, number = (
        _object(row.get("verificationResult")),
        _object(_object(row.get("provider")).get("version")),
    )
    version, passed, at = number.get("number"), result.get("success"), result.get("verifiedAt")
    if not isinstance(version, str) or not isinstance(passed, bool):
        return None
    return Result(version, passed, at if isinstance(at, str) else None)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
