"""Whether a version may be deployed to an environment, as the broker's matrix says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from broker.http.errors import UnexpectedAnswer
from broker.http.json_values import integer_at, objects_at, text_at, value_at

if TYPE_CHECKING:
    from broker.client.session import BrokerClient


class Verdict(Enum):
    """What the broker's answer means."""

    DEPLOYABLE = auto()
    REFUSED = auto()
    """A verification failed: more results make it no better."""
    UNKNOWN = auto()
    """A result is missing, which may still come."""
    NOTHING_KNOWN = auto()
    """Nothing is missing, and nothing failed: the broker doesn't know the version."""


@dataclass(frozen=True)
class Pair:
    """A row of the matrix.

    Attributes:
        consumer: The consumer's name and version.
        provider: The provider's name and version; the version is None where it has no result, or is in no environment.
        passed: None if there is no result.
        result_url: Where the result can be read.
    """

    consumer: tuple[str, str | None]
    provider: tuple[str, str | None]
    passed: bool | None
    result_url: str | None


@dataclass(frozen=True)
class Deployability:
    """The broker's answer.

    Attributes:
        verdict: What it means.
        reasons: Why, in the broker's words.
        pairs: The rows of the matrix that count.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    pairs: tuple[Pair, ...]


def deployability(client: BrokerClient, pacticipant: str, version: str, environment: str) -> Deployability:
    """Ask whether a version may be deployed to an environment, by the request of `pact broker can-i-deploy`.

    Raises:
        BrokerError: The broker could not be asked, or knows no such pacticipant or environment.
    """
    query = urlencode(
        [
            ("q[][pacticipant]", pacticipant),
            ("q[][version]", version),
            ("latestby", "cvpv"),
            ("environment", environment),
        ]
    )
    answer = client.get(f"{client.origin}/matrix?{query}")
    deployable = value_at(answer.document, "summary", "deployable")
    failed, unknown = (integer_at(answer.document, "summary", name) for name in ("failed", "unknown"))
    if deployable not in {True, False, None} or failed is None or unknown is None:
        raise UnexpectedAnswer(f"{client.origin}/matrix did not answer whether the version is deployable")
    if deployable:
        verdict = Verdict.DEPLOYABLE
    elif failed:
        verdict = Verdict.REFUSED
    else:
        verdict = Verdict.UNKNOWN if unknown or deployable is None else Verdict.NOTHING_KNOWN
    reasons = (text_at(answer.document, "summary", "reason") or "").splitlines()
    rows = objects_at(answer.document, "matrix") or []
    return Deployability(
        verdict,
        tuple(dict.fromkeys(reason for reason in reasons if reason.strip())),
        tuple(_pair(row) for row in rows if not row.get("ignored")),
    )


def _pair(row: dict[str, Any]) -> Pair:
    passed = value_at(row, "verificationResult", "success")
    consumer, provider = (
        (text_at(row, role, "name") or "", text_at(row, role, "version", "number"))
        for role in ("consumer", "provider")
    )
    return Pair(
        consumer,
        provider,
        passed if isinstance(passed, bool) else None,
        text_at(row, "verificationResult", "_links", "self", "href"),
    )
