"""The JSON documents of the API's answers, from which the OpenAPI document takes its schemas.

The docstrings and descriptions are part of the OpenAPI document.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from app.records import commit_statuses, deliveries, pact_runs, relays, runs
from app.records.commit_statuses import CommitState, StatusResult
from app.records.deliveries import Source
from app.records.run import Publishing, RunReason, RunStatus
from app.records.run import Run as StoredRun
from app.web.problem import Document
from verifier.verification import Outcome

if TYPE_CHECKING:
    from psycopg import Connection

Time = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Number = Annotated[int, Field(ge=0)]


class Run(Document):
    """A run as it stands in lists."""

    id: UUID
    status: RunStatus
    outcome: Outcome | None
    reason: RunReason
    provider: str
    provider_version: str | None
    provider_branch: str | None
    consumer: str | None
    consumer_version: str | None
    pact_url: Annotated[str | None, Field(description="None of a run for every pact of a provider.")]
    parent_id: Annotated[UUID | None, Field(description="The run for every pact that this one is of.")]
    pending: Annotated[bool, Field(description="Whether a failure of the pact doesn't fail its parent.")]
    repository: str
    event_type: str
    sha: str | None
    branch: str | None
    interaction_count: Number | None
    error: str | None
    error_kind: str | None
    attempts: Number
    retry_at: Time | None
    cancel_requested: bool
    publishing: Publishing
    publish_attempts: Number
    publish_error: str | None
    result_url: str | None
    created_at: Time
    started_at: Time | None
    verified_at: Time | None
    finished_at: Time | None
    trace_id: Annotated[str | None, Field(description="The trace that it belongs to (OpenTelemetry).")]
    deliveries: list[UUID]

    @classmethod
    def of(cls, run: StoredRun, deliveries: list[UUID], **more: Any) -> Self:
        """Make the document of a run and of the ids of its deliveries."""
        context = run.trace_context
        renamed = {
            "interaction_count": run.interactions,
            "attempts": run.attempt,
            "trace_id": context and context.trace_id,
        }
        return cls.model_validate({**vars(run), **renamed, "deliveries": deliveries, **more})


class Relay(Document):
    """Where a run's dispatch was passed on."""

    repository: str
    event_type: str
    request_id: str | None
    relayed_at: Time


class CommitStatus(Document):
    """A status of a run's commit."""

    repository: str
    sha: str
    context: str
    state: CommitState
    description: str
    result: StatusResult
    attempts: Number
    error: str | None


class PactOutcome(Document):
    """What became of one of the pacts of a run for every pact; the run of its own has the rest."""

    run_id: UUID
    consumer: str | None
    consumer_version: str | None
    provider_version: str | None
    pact_url: str | None
    outcome: Outcome | None
    pending: bool
    interaction_count: Number | None
    error: str | None
    publishing: Publishing
    publish_error: str | None
    result_url: str | None

    @classmethod
    def of(cls, run: StoredRun) -> Self:
        """Make the document of the run of a pact."""
        return cls.model_validate({**vars(run), "run_id": run.id, "interaction_count": run.interactions})


class WholeRun(Run):
    """A run with all that is known of it, but for its log."""

    worker: str | None
    error_output: str | None
    interactions: list[dict[str, Any]]
    pact_urls: Annotated[
        list[str] | None, Field(description="The pacts of a run for several; null for every one.")
    ]
    pacts: Annotated[list[PactOutcome], Field(description="Those of a run for every pact.")]
    relay: Relay | None
    commit_statuses: list[CommitStatus]

    @classmethod
    def read(cls, connection: Connection[Any], run: StoredRun) -> Self:
        """Read the rest of what is known of a run, and make its document."""
        verification = runs.verification_of(connection, run.id) or {}
        return cls.of(
            run,
            deliveries.of_run(connection, run.id),
            interactions=verification.get("interactions", []),
            pacts=[PactOutcome.of(member) for member in pact_runs.of_parent(connection, run.id)],
            relay=relays.of_run(connection, run.id),
            commit_statuses=[vars(status) for status in commit_statuses.of_run(connection, run.id)],
        )


class Delivery(Document):
    """A delivery as it stands in lists."""

    id: UUID
    received_at: Time
    source: Source
    github_id: str | None
    sender: str | None
    address: str | None
    user_agent: str | None
    repository: str | None
    event_type: str | None
    status: Annotated[int, Field(description="The HTTP status of the answer.")]
    refusal: Annotated[str | None, Field(description="Why it was refused, in a word.")]
    detail: str | None
    run_id: UUID | None
    coalesced: Annotated[bool, Field(description="Whether a run that waited already answers it.")]
    repeats: Annotated[
        UUID | None, Field(description="The delivery that it repeats; nothing was done for it.")
    ]

    @classmethod
    def of(cls, delivery: deliveries.Delivery) -> Self:
        """Make the document of a delivery."""
        return cls.model_validate(vars(delivery))


class WholeDelivery(Delivery):
    """A delivery with its headers and its payload, and how it was refused."""

    headers: Annotated[
        dict[str, str] | None, Field(description="The headers that say what it is, without secrets.")
    ]
    payload: Annotated[Any, Field(description="The body, without secrets.")]
    answer: Annotated[Any, Field(description="The body of the answer, where it was refused.")]


Next = Annotated[
    str | None,
    Field(
        description="The URL of the next page: from the root, or absolute where server.public_url is configured."
    ),
]


class RunList(Document):
    """A page of runs."""

    items: list[Run]
    next: Next


class DeliveryList(Document):
    """A page of deliveries."""

    items: list[Delivery]
    next: Next
