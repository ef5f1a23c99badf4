"""The outcome of a verification: passed, failed or error, for each interaction and as a whole. No I/O.

A `Verification` can be saved and loaded (`to_dict`, `from_dict`), so that another process can publish it later without
verifying again. Its saved form is the JSON report, described by `verifier/report/verification.schema.json`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

SCHEMA_VERSION = 1
MOST_MISMATCHES = 100
"""The most differences that are kept of one interaction; nobody reads more, and they would fill logs and the broker."""
LONGEST_VALUE = 64 * 1024
"""The most characters that are kept of a value that was expected, or found instead."""
LONGEST_DESCRIPTION = 4000
"""The most characters that are kept of the engine's sentence about a difference."""
LONGEST_BODY = 4000
"""The most characters that are kept of the body of a request or of its response."""
LONGEST_REASON = 2000
"""The most characters that are kept of a reason, such as a provider state handler's answer."""
LONGEST_MESSAGE = 10_000
"""The most characters that are kept of an error, and of a note: a URL in it may have thousands."""


class Outcome(StrEnum):
    """What is known about a contract, or about one interaction, after verifying."""

    PASSED = "passed"
    """The provider fulfils the contract."""
    FAILED = "failed"
    """The provider answered, and does not fulfil the contract."""
    ERROR = "error"
    """It is not known."""


@dataclass(frozen=True)
class Mismatch:
    """One difference between what the consumer expects and what the provider answered.

    Attributes:
        attribute: The part of the answer: body, status, header, query, method, path or metadata.
        identifier: The place in it: a JSON path of the body, the name of a header; "" if there is only one.
        expected: The expected value as the engine writes it; None if it doesn't.
        actual: The actual value, likewise.
        description: The engine's sentence about it.
    """

    attribute: str
    identifier: str
    expected: str | None
    actual: str | None
    description: str

    @property
    def where(self) -> str:
        """The attribute, with the identifier if it has one."""
        return f"{self.attribute} {self.identifier}".rstrip()


@dataclass(frozen=True)
class HttpMessage:
    """An HTTP request or its response, as it went over the line.

    Attributes:
        start: The first line: `GET /products/7 HTTP/1.1`, `HTTP/1.1 200 OK`; "" if what came was not HTTP.
        headers: The names and values of the headers.
        body: What comes first of the body, as text.
    """

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> HttpMessage:
        """Read the saved form."""
        values = _known(cls, saved)
        values["headers"] = tuple((str(name), str(value)) for name, value in values["headers"])
        return cls(**values)


@dataclass(frozen=True)
class Exchange:
    """What was sent for an interaction, and what came.

    Attributes:
        request: The request.
        response: The response; None if nothing came.
        scheme: `http` or `https`.
    """

    request: HttpMessage
    response: HttpMessage | None
    scheme: str = "http"

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Exchange:
        """Read the saved form."""
        response = saved["response"]
        return cls(
            HttpMessage.from_dict(saved["request"]),
            None if response is None else HttpMessage.from_dict(response),
            str(saved.get("scheme", "http")),
        )


@dataclass(frozen=True)
class InteractionResult:
    """The outcome of one interaction.

    Attributes:
        index: The interaction's index in the pact.
        id: The broker's id of it; empty for a pact from a file.
        description: The consumer's description of it.
        kind: Synchronous/HTTP, Asynchronous/Messages or Synchronous/Messages.
        request: The first line of the request, or the kind of message.
        states: Its provider states, each with its parameters, as text.
        pending: Whether the pact says that its failure doesn't break the contract.
        comments: What the consumer has to say about it.
        test_name: The consumer's test that it comes from; "" if the pact doesn't say.
        retryable: Whether one that could not be verified may be verified later; False for one that was.
        outcome: Passed, failed or error.
        mismatches: The differences found, the first `MOST_MISMATCHES` of them; empty unless it failed.
        more_mismatches: How many were found beside these.
        reason: Why it failed or could not be verified, unless that is a mismatch.
        duration: How many seconds it took; None if it was not run.
        exchange: What was sent and what came, of one that did not pass, if it was recorded.
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
    comments: tuple[str, ...] = ()
    test_name: str = ""
    more_mismatches: int = 0
    retryable: bool = False
    exchange: Exchange | None = None

    @property
    def breaks_contract(self) -> bool:
        """Whether it failed and isn't pending."""
        return self.outcome == Outcome.FAILED and not self.pending

    @property
    def prevents_pass(self) -> bool:
        """Whether the verification can't pass, whatever the other interactions do."""
        return self.breaks_contract or self.outcome == Outcome.ERROR

    @property
    def is_pending_failure(self) -> bool:
        """Whether it failed and is pending."""
        return self.outcome == Outcome.FAILED and self.pending

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
            values["comments"] = tuple(values.get("comments", ()))
            exchange = values.get("exchange")
            values["exchange"] = None if exchange is None else Exchange.from_dict(exchange)
            values["mismatches"] = tuple(
                Mismatch(**_known(Mismatch, mismatch)) for mismatch in values["mismatches"]
            )
            return cls(**values)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a saved interaction result: {error}") from error


@dataclass(frozen=True)
class VerificationError:
    """Why a verification was not carried out.

    Attributes:
        kind: An `ErrorKind`, or one of a later version.
        message: What happened, to what, and what to do next.
        retryable: Whether the same verification may work later.
        output: The last lines that the provider or the engine printed, if they help.
    """

    kind: str
    message: str
    retryable: bool = False
    output: str = ""


@dataclass(frozen=True)
class PublishedResult:
    """A verification result as the broker has it, read back after it was published.

    Attributes:
        url: The URL of the result in the broker.
        success: What the broker has recorded.
        provider_version: The provider version that it is recorded for.
        already_there: Whether it had been published before, so that it was not published again.
    """

    url: str
    success: bool
    provider_version: str
    already_there: bool = False


@dataclass(frozen=True)
class Verification:
    """The outcome of verifying one pact.

    Attributes:
        id: A UUID, made when the verification starts. It is published with the result, so that a retry finds out
            whether an earlier try was successful.
        pact_url: The URL or file of the pact.
        consumer: The consumer's name; "" if the pact could not be read.
        provider: The provider's name; likewise.
        consumer_version: The consumer version that published the pact, as the broker's links tell.
        specification: The version of the Pact specification.
        provider_version: The version of the provider that answered.
        provider_branch: Its branch.
        provider_tags: Its tags.
        build_url: The build that verified it, for the broker to show.
        started_at: When it started, in UTC.
        duration: How many seconds everything before publishing took.
        interactions: The result of each interaction that was to be verified.
        interactions_in_pact: How many interactions the pact has, including those that were filtered out.
        error: Why the verification was not carried out, if it was not.
        links: The broker's links for publishing it: `publish`, `latest`, `matrix` and `provider`.
        notes: What else the reader should know.
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
        """The outcome as a whole: failed if an interaction failed, else error if one is not known.

        A failed interaction that is pending counts as neither. A pact that was read and has no interactions passes: its
        consumer expects nothing any more.
        """
        if self.error is not None:
            return Outcome.ERROR
        if any(result.breaks_contract for result in self.interactions):
            return Outcome.FAILED
        if self.count(Outcome.ERROR):
            return Outcome.ERROR
        if not self.interactions and (self.interactions_in_pact or not self.consumer):
            return Outcome.ERROR
        return Outcome.PASSED

    @property
    def filtered(self) -> bool:
        """Whether some interactions of the pact were left out; such a verification is never published."""
        return len(self.interactions) < self.interactions_in_pact

    def count(self, outcome: Outcome) -> int:
        """Return how many interactions have an outcome."""
        return sum(result.outcome == outcome for result in self.interactions)

    def to_dict(self) -> dict[str, Any]:
        """Return the saved form, which has JSON values only."""
        saved = asdict(self)
        saved["started_at"] = self.started_at.isoformat()
        return {"schema_version": SCHEMA_VERSION, "outcome": self.outcome.value, **saved}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Verification:
        """Read the saved form.

        Raises:
            ValueError: It is of another schema version, or not a saved verification.
        """
        if not isinstance(saved, dict):
            raise ValueError("not a saved verification: it is no JSON object")  # noqa: TRY004 - as documented
        version = saved.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ValueError(
                f"a verification of schema version {version!r}; this program knows {SCHEMA_VERSION}"
            )
        from broker.text.times import read_time  # noqa: PLC0415 - the engine's child doesn't need it

        try:
            values = _known(cls, saved)
            values["started_at"] = read_time(values["started_at"])
            if values["started_at"] is None:
                raise ValueError("not a saved verification: started_at is no time")
            values["interactions"] = tuple(map(InteractionResult.from_dict, values.get("interactions", ())))
            error = values.get("error")
            values["error"] = VerificationError(**_known(VerificationError, error)) if error else None
            for key in ("provider_tags", "notes"):
                values[key] = tuple(values.get(key, ()))
            return cls(**values)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a saved verification: {error}") from error


def _known(kind: type[Any], saved: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a dataclass, without those that a later version may have added."""
    return {key: value for key, value in saved.items() if key in kind.__dataclass_fields__}
