"""A change that somebody is told of. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.config.notify import NotifiedEvent

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from app.records.run import Run
    from app.records.told_outcomes import Standing


@dataclass(frozen=True)
class Change:
    """A change that somebody is told of.

    Attributes:
        event: What kind it is.
        consumer: The consumer; "" if it is about all pacts, or about none.
        line: The provider's branch; "" for its main branch.
        run_id: The run that shows it.
        consumer_version: The consumer's version.
        provider_version: The provider's version.
        changed: Which versions changed: `consumer`, `provider`.
        failed: How many interactions failed.
        interactions: How many there are.
        since: Since when a pact could not be verified.
        over: Whether it can be verified again.
        why: Why it can't be verified, or was refused.
        reason: The kind of refusals.
        to_do: What to do against them.
        delivery_id: The delivery that was refused last.
    """

    event: NotifiedEvent
    consumer: str = ""
    line: str = ""
    run_id: UUID | None = None
    consumer_version: str | None = None
    provider_version: str | None = None
    changed: tuple[str, ...] = ()
    failed: int | None = None
    interactions: int | None = None
    since: datetime | None = None
    over: bool = False
    why: str | None = None
    reason: str | None = None
    to_do: str | None = None
    delivery_id: UUID | None = None

    @classmethod
    def of_run(cls, event: NotifiedEvent, run: Run, before: Standing) -> Change:
        """Return the change that a run with an answer shows."""
        sides = (("consumer", "consumer_version"), ("provider", "provider_version"))
        return cls(
            event,
            before.consumer,
            before.line,
            run.id,
            run.consumer_version,
            run.provider_version,
            changed=tuple(
                side
                for side, name in sides
                if before.answer is not None and getattr(before, name) != getattr(run, name)
            ),
            failed=run.failed_interactions,
            interactions=run.interactions,
            since=before.error_since if event is NotifiedEvent.UNVERIFIABLE else None,
            over=event is NotifiedEvent.UNVERIFIABLE,
        )

    @classmethod
    def of_outage(cls, standing: Standing) -> Change:
        """Return the change that a pact can't be verified any more."""
        return cls(
            NotifiedEvent.UNVERIFIABLE,
            standing.consumer,
            standing.line,
            standing.error_run_id,
            standing.consumer_version,
            standing.provider_version,
            since=standing.error_since,
            why=standing.error,
        )
