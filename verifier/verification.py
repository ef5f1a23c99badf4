"""The outcome of a verification: passed, failed or error, per interaction and as a whole. No I/O.

A `Verification` is a plain value that can be saved and loaded (`to_dict`, `from_dict`), so that it can be
published later, by another process, without verifying again. Its saved form is the JSON report, described by
`verifier/report/verification.schema.json`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

SCHEMA_VERSION = 1

ERROR_KINDS = (
    "pact-unavailable",  # the broker is away, refused, or has no such pact
    "not-a-pact",  # what was fetched can't be verified
    "wrong-provider",  # the pact is for another provider
    "provider-not-ready",  # the provider did not start, or did not answer
    "provider-died",  # the provider that was started ended during the run
    "interactions-not-verified",  # some interactions could not be verified: outage, time-out, TLS
    "timed-out",  # the whole run took too long
    "engine-failed",  # the engine crashed, or could not load the pact
)


class Outcome(StrEnum):
    """What is known after verifying."""

    PASSED = "passed"
    """The provider honours the contract."""
    FAILED = "failed"
    """The provider was asked, and does not honour the contract."""
    ERROR = "error"
    """It could not be found out."""


@dataclass(frozen=True)
class Mismatch:
    """One difference between what the consumer expects and what the provider answered.

    Attributes:
        attribute: the part of the answer: body, status, header, query, method, path or metadata.
        identifier: where in it: a JSON path of the body, the name of a header; "" where there is one only.
        expected: as the engine writes it; None where it doesn't say.
        actual: likewise.
        description: the engine's sentence about it.
    """

    attribute: str
    identifier: str
    expected: str | None
    actual: str | None
    description: str


@dataclass(frozen=True)
class InteractionResult:
    """The outcome of one interaction.

    Attributes:
        index: the interaction's place in the pact, from 0.
        id: the broker's id for it; empty for a pact from a file.
        description: the consumer's words for it.
        kind: Synchronous/HTTP, Asynchronous/Messages or Synchronous/Messages.
        request: the first line of the request, or the kind of message.
        states: its provider states, each with its parameters, as text.
        pending: whether the pact says that its failure breaks nothing.
        outcome: passed, failed or error.
        mismatches: the differences found; empty unless it failed.
        reason: why it failed or could not be verified, where that is not a mismatch.
        duration: seconds; None when it was not run.
    """

    index: int
    id: str
    description: str
    kind: str
    request: str
    states: tuple[str, ...]
    pending: bool
    outcome: Outcome
    mismatches: tuple[Mismatch, ...] = ()
    reason: str | None = None
    duration: float | None = None

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> InteractionResult:
        """Read the saved form.

        Raises:
            ValueError: It is no saved result.
        """
        try:
            values = _known(cls, saved)
            values["outcome"] = Outcome(values["outcome"])
            values["states"] = tuple(values["states"])
            values["mismatches"] = tuple(
                Mismatch(**_known(Mismatch, mismatch)) for mismatch in values["mismatches"]
            )
            return cls(**values)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a saved interaction result: {error}") from error


@dataclass(frozen=True)
class VerificationError:
    """Why a verification has no answer.

    Attributes:
        kind: one of `ERROR_KINDS`.
        message: what happened, to what, and what to do next.
        retryable: whether the same verification may work later.
        output: the last lines that the provider or the engine printed, if they help.
    """

    kind: str
    message: str
    retryable: bool = False
    output: str = ""


@dataclass(frozen=True)
class PublishedResult:
    """A verification result as the broker has it, read back after it was published.

    Attributes:
        url: the result's address in the broker.
        success: what the broker has recorded.
        provider_version: the provider version that it is recorded for.
        already_there: it had been published before, and was not published again.
    """

    url: str
    success: bool
    provider_version: str
    already_there: bool = False


@dataclass(frozen=True)
class Verification:
    """What verifying one pact found out.

    Attributes:
        id: a UUID, made when the verification starts; it travels with the published result, so that a retry
            can tell whether an earlier try got through.
        pact_url: where the pact came from.
        consumer: the consumer's name; "" if the pact could not be read.
        provider: the provider's name; likewise.
        consumer_version: the consumer version that the broker gave the pact for.
        specification: the version of the Pact specification.
        provider_version: the version that answered.
        provider_branch: its branch.
        provider_tags: its tags.
        build_url: the build that verified, for the broker to show.
        started_at: when it started, in UTC.
        duration: seconds, of everything before publishing.
        interactions: the outcome of each interaction that was to be verified.
        interactions_in_pact: how many the pact has, filtered out or not.
        error: why the verification has no answer, if it hasn't.
        links: the broker's links for publishing it: `publish`, `latest`, `matrix` and `provider`.
        notes: what the reader should know besides.
    """

    id: str
    pact_url: str
    started_at: datetime
    consumer: str = ""
    provider: str = ""
    consumer_version: str | None = None
    specification: str = ""
    provider_version: str | None = None
    provider_branch: str | None = None
    provider_tags: tuple[str, ...] = ()
    build_url: str | None = None
    duration: float = 0.0
    interactions: tuple[InteractionResult, ...] = ()
    interactions_in_pact: int = 0
    error: VerificationError | None = None
    links: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The outcome as a whole: a failure if something really failed, else an error if anything is unknown.

        A failed interaction that the pact marks as pending counts as neither.
        """
        if self.error is not None:
            return Outcome.ERROR
        if any(result.outcome == Outcome.FAILED and not result.pending for result in self.interactions):
            return Outcome.FAILED
        if not self.interactions or self.count(Outcome.ERROR):
            return Outcome.ERROR
        return Outcome.PASSED

    @property
    def filtered(self) -> bool:
        """Whether interactions of the pact were left out; such a verification is never published."""
        return len(self.interactions) < self.interactions_in_pact

    def count(self, outcome: Outcome) -> int:
        """Count the interactions with this outcome."""
        return sum(result.outcome == outcome for result in self.interactions)

    def to_dict(self) -> dict[str, Any]:
        """Give the saved form, of JSON values only."""
        saved = asdict(self)
        saved["started_at"] = self.started_at.isoformat()
        return {"schema_version": SCHEMA_VERSION, "outcome": self.outcome.value, **saved}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Verification:
        """Read the saved form.

        Raises:
            ValueError: it is of another schema version, or not a saved verification.
        """
        if not isinstance(saved, dict):
            raise ValueError("not a saved verification: it is no JSON object")  # noqa: TRY004 - as documented
        version = saved.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ValueError(
                f"a verification of schema version {version!r}; this program knows {SCHEMA_VERSION}"
            )
        try:
            values = _known(cls, saved)
            values["started_at"] = datetime.fromisoformat(values["started_at"])
            values["interactions"] = tuple(map(InteractionResult.from_dict, values.get("interactions", ())))
            error = values.get("error")
            values["error"] = VerificationError(**_known(VerificationError, error)) if error else None
            for key in ("provider_tags", "notes"):
                values[key] = tuple(values.get(key, ()))
            return cls(**values)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a saved verification: {error}") from error


def _known(kind: type[Any], saved: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a later program may have added."""
    return {key: value for key, value in saved.items() if key in kind.__dataclass_fields__}
