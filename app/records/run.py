"""A run, and where it stands. No I/O: commands that ask a receiver use these names too."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from app.dispatch import Dispatch
from broker.traces.context import parse_traceparent
from verifier.errors import OF_THE_PACT
from verifier.verification import Outcome

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from broker.traces.context import TraceContext


UNKNOWN_PROVIDER = "unknown-provider"
"""The kind of error of a run if its provider is not in the configuration of a worker."""
PAUSED_PROVIDER = "paused-provider"
"""The kind of error of a run that waits since its provider is paused."""
INTERNAL_ERROR = "internal-error"
"""The kind of error of an exception that nobody expected."""
SUPERSEDED = "superseded"
"""The kind of error of a run that was cancelled since a later one, that waited already, answers it."""
NOT_ALL_VERIFIED = "not-all-verified"
"""The kind of error of a run for every pact, if some of them could not be verified."""
UNSTORABLE = "unstorable"
"""The kind of error of a run if the database can't store a value of its outcome."""


class RunReason(StrEnum):
    """Why there is a run."""

    DISPATCHED = "dispatched"
    REDELIVERED = "redelivered"
    RECONCILED = "reconciled"


class RunStatus(StrEnum):
    """Where a run stands."""

    WAITING = "waiting"
    """For a worker, or for its next attempt."""
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether a run with this status is not going to change any more, but for its publishing."""
        return self in {RunStatus.FINISHED, RunStatus.CANCELLED}


class Publishing(StrEnum):
    """What became of the result of a run."""

    NONE = "none"
    """There is nothing to publish."""
    PENDING = "pending"
    """The broker has not taken it yet."""
    PUBLISHED = "published"
    REFUSED = "refused"
    """The broker did not take it, and is not asked again."""


@dataclass(frozen=True)
class Run:
    """A run, as it is stored; the files in `app/database/migrations` explain its fields."""

    id: UUID
    key: str
    provider: str
    repository: str
    event_type: str
    reason: RunReason
    pact_url: str | None
    consumer: str | None
    consumer_version: str | None
    sha: str | None
    branch: str | None
    status: RunStatus
    outcome: Outcome | None
    error: str | None
    error_kind: str | None
    error_output: str | None
    attempt: int
    failures: int
    job_id: int | None
    retry_at: datetime | None
    cancel_requested: bool
    worker: str | None
    provider_version: str | None
    provider_branch: str | None
    interactions: int | None
    failed_interactions: int | None
    publishing: Publishing
    publish_attempts: int
    publish_error: str | None
    result_url: str | None
    created_at: datetime
    started_at: datetime | None
    verified_at: datetime | None
    finished_at: datetime | None
    parent_id: UUID | None = None
    pending: bool = False
    pact_urls: list[str] | None = None
    trace: str | None = None

    @property
    def is_for_all_pacts(self) -> bool:
        """Whether it verifies every pact of a provider that has changed, each in a run of which it is the parent."""
        return self.pact_url is None

    @property
    def trace_context(self) -> TraceContext | None:
        """Its span in the trace that it belongs to; None if it belongs to none."""
        return parse_traceparent((self.trace or "").partition(" ")[0])

    @property
    def word(self) -> str:
        """Its outcome, or where it stands; `passed on` of one that has ended without an outcome of its own."""
        if self.status is RunStatus.FINISHED:
            return self.outcome or "passed on"
        return self.status

    @property
    def weight(self) -> int:
        """How much its outcome counts among those of a run for every pact; the highest is that of all.

        What is wrong with a pending pact doesn't count.
        """
        if self.pending and (self.outcome is Outcome.FAILED or self.error_kind in OF_THE_PACT):
            return 0
        return {Outcome.FAILED: 2, Outcome.ERROR: 1}.get(self.outcome, 0) if self.outcome else 0

    @property
    def dispatch(self) -> Dispatch:
        """The dispatch that the run carries out, as far as the run knows it."""
        return Dispatch(
            self.repository,
            self.event_type,
            self.pact_url,
            self.sha,
            self.branch,
            pact_urls=tuple(self.pact_urls or ()),
        )

    def __post_init__(self) -> None:
        # the database has them as text
        object.__setattr__(self, "reason", RunReason(self.reason))
        object.__setattr__(self, "status", RunStatus(self.status))
        object.__setattr__(self, "outcome", Outcome(self.outcome) if self.outcome else None)
        object.__setattr__(self, "publishing", Publishing(self.publishing))


@dataclass(frozen=True)
class Failure:
    """Why a run has no answer.

    Attributes:
        kind: One word for it, for programs.
        message: What happened, to what, and what to do next.
        retryable: Whether it may heal by itself.
        output: The last lines that the provider, git or the engine printed.
    """

    kind: str
    message: str
    retryable: bool = False
    output: str = ""
