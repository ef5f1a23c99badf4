"""One attempt to verify every pact of a provider that has changed.

Each pact that has an outcome is stored at once, in a run of its own whose result a job publishes: so nothing that was
verified is lost when the rest can't be, and the next attempt leaves it out.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from app.database.failures import is_unstorable
from app.records import pact_runs
from app.records.run import NOT_ALL_VERIFIED, UNSTORABLE, Failure
from app.worker.protocol import PactVerified
from verifier.errors import OF_THE_PACT
from verifier.report.amounts import count
from verifier.verification import Outcome, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from app.records.run import Run
    from app.records.run_changes import RunChanges
    from app.worker.publisher import Database

LONGEST_NAME = 100
"""Characters of the names of a pact that are kept if it can't be stored with them as they are."""

log = structlog.get_logger("worker")


class AllPacts:
    """The pacts of one attempt, as their outcomes come in.

    Args:
        run: The run.
        database: The database.
        changes: The changes of runs.
        page_of: Returns the URL of the page of a run; None where runs have none.
    """

    def __init__(
        self, run: Run, database: Database, changes: RunChanges, page_of: Callable[[UUID], str | None]
    ) -> None:
        self._run = run
        self._database = database
        self._changes = changes
        self._page_of = page_of
        self._waiting: asyncio.Queue[PactVerified | None] = asyncio.Queue()
        self._unverified: list[PactVerified] = []
        self._stored = asyncio.create_task(self._store_all())

    async def done(self) -> tuple[tuple[str, str], ...]:
        """Return the pacts that an earlier attempt has verified, each with the provider's version."""
        members = await self._database.call(pact_runs.of_parent, self._run.id)
        return tuple(
            (member.pact_url, member.provider_version)
            for member in members
            if member.pact_url and member.provider_version and member.outcome is not Outcome.ERROR
        )

    def add(self, message: PactVerified) -> None:
        """Take the outcome of a pact."""
        self._waiting.put_nowait(message)

    async def stored(self) -> None:
        """Wait until each outcome so far is stored, but for those of pacts that could not be verified.

        Raises:
            Exception: One of them could not be stored.
        """
        self._waiting.put_nowait(None)
        await self._stored

    def failure(self) -> Failure | None:
        """Return why some of the pacts could not be verified; None if each was. Pending ones don't count."""
        errors = [(message.verification.error, message.pending) for message in self._unverified]
        known = [
            error
            for error, pending in errors
            if error is not None and not (pending and error.kind in OF_THE_PACT)
        ]
        if not known:
            return None
        message = f"{count(len(known), 'pact')} could not be verified. The first: {known[0].message}"
        retryable = any(error.retryable for error in known)
        return Failure(NOT_ALL_VERIFIED, message, retryable, known[0].output)

    async def give_up_unverified(self) -> None:
        """Store those that could not be verified, since they are not tried again."""
        for message in self._unverified:
            if (unstorable := await self._store(message)) is not None:
                await self._store(unstorable)

    async def members(self) -> list[Run]:
        """Return the runs of the pacts, of the version that was verified last, if this attempt was to verify it.

        An earlier attempt may have been for another commit, if a newer one was asked for meanwhile.
        """
        found: list[Run] = await self._database.call(pact_runs.of_parent, self._run.id)
        members = [member for member in found if member.sha == self._run.sha]
        version = members[-1].provider_version if members else None
        return [member for member in members if member.provider_version == version]

    async def _store_all(self) -> None:
        while (message := await self._waiting.get()) is not None:
            if message.verification.outcome is Outcome.ERROR:
                self._unverified.append(message)
            elif (unstorable := await self._store(message)) is not None:
                self._unverified.append(unstorable)

    async def _store(self, message: PactVerified) -> PactVerified | None:
        """Store the outcome of a pact; if the database can't, return what stands in its place, for no other is lost."""
        run_id = uuid4()
        verification = replace(message.verification, build_url=self._page_of(run_id))
        try:
            stored = await self._database.call(
                self._changes.verified_one,
                self._run,
                verification.to_dict(),
                run_id,
                pending=message.pending,
            )
        except Exception as error:
            if not is_unstorable(error):
                raise
            log.warning("not stored", error=f"{type(error).__name__}: {error}")
            return _unstorable(message, error)
        log.info("verified", outcome=verification.outcome, consumer=verification.consumer, member=str(run_id))
        if stored is None:
            log.warning("another worker has taken this run up: its outcome is not kept")
        return None


def _unstorable(message: PactVerified, error: Exception) -> PactVerified:
    verification = message.verification
    why = f"what came of it can't be stored: {type(error).__name__}: {error}"
    shortened = replace(
        verification,
        consumer=verification.consumer[:LONGEST_NAME],
        consumer_version=(verification.consumer_version or "")[:LONGEST_NAME] or None,
        interactions=(),
        error=VerificationError(UNSTORABLE, why),
    )
    return PactVerified(shortened, message.pending)


def outcome_of(members: Sequence[Run]) -> Outcome:
    """Return the outcome of a run for every pact: the worst one. What is wrong with a pending pact doesn't count."""
    worst = max(members, key=lambda member: member.weight, default=None)
    return Outcome.PASSED if worst is None or not worst.weight else worst.outcome or Outcome.PASSED
