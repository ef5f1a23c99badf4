"""What workers do now and then, besides runs: each chore once per period, by any worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from app.intake import missed
from app.records import counters, housekeeping, pact_runs, retention, sightings
from app.records.sightings import Seen
from broker.client import BrokerClient
from broker.http.errors import BrokerError
from broker.text.redaction import Redaction

if TYPE_CHECKING:
    from uuid import UUID

    from app.config.settings import Settings
    from app.intake.missed import Connect
    from app.notifications.notifier import Notifier
    from broker.http.access import BrokerAccess

CHECK_SECONDS = 60.0
"""How often a worker checks whether a chore is due; a period is kept to about this."""
RETENTION_SECONDS = 3600.0
COUNTERS_SECONDS = 60.0
COMPLETION_SECONDS = 60.0
BROKER_SECONDS = 60.0
NOTIFICATIONS_SECONDS = 60.0
BROKER_ANSWER_SECONDS = 5.0
"""How long the broker may take to answer when it is looked at: other chores wait for that."""

TRANSACTION_SECONDS = 0.1
"""How long a transaction of retention should take, by which the number of its rows is chosen."""
FEWEST_ROWS, MOST_ROWS = 20, 1000
"""The rows that such a transaction deletes."""
PAUSE = 3.0
"""How many times as long as such a transaction the pause after it is."""

InDatabase = Callable[..., Awaitable[Any]]
"""Calls a function with a connection and the further arguments, in a thread, and commits what it did."""

log = structlog.get_logger("worker")


@dataclass(frozen=True)
class Chore:
    """Something to be done once per period, over all workers.

    Attributes:
        name: Its name, which all workers know it by.
        seconds: The period.
        do: Does it.
        at_once: Whether it is done at the very first start too, or a period after that.
    """

    name: str
    seconds: float
    do: Callable[[], Coroutine[Any, Any, None]]
    at_once: bool = True


def chores_of(settings: Settings, in_database: InDatabase) -> tuple[Chore, ...]:
    """Return the chores that need the database alone."""

    async def delete_old() -> None:
        deleted = 0
        for step in (*retention.SHOWN, *retention.HISTORY):
            rows = await delete_gently(partial(in_database, step, settings.retention.days))
            deleted += rows if step in retention.HISTORY else 0
        if deleted:
            log.info("old deliveries and runs deleted", number=deleted, days=settings.retention.days)

    async def add_up_counters() -> None:
        while await in_database(counters.add_up):
            pass

    return (
        Chore("retention", RETENTION_SECONDS, delete_old),
        Chore("counters", COUNTERS_SECONDS, add_up_counters),
    )


async def delete_gently(delete: Callable[[int], Awaitable[int]]) -> int:
    """Delete all that a step of retention finds, in short transactions, with a pause after each.

    Dispatches share the disk and the processors with it, so it takes a quarter of the time.

    Args:
        delete: Deletes at most so many rows, and returns how many they were.

    Returns:
        How many were deleted.
    """
    found, most = 0, FEWEST_ROWS
    while True:
        began = time.monotonic()
        deleted = await delete(most)
        if not deleted:
            return found
        found += deleted
        took = time.monotonic() - began
        if took > TRANSACTION_SECONDS:
            most = max(most // 2, FEWEST_ROWS)
        elif took < TRANSACTION_SECONDS / 2:
            most = min(most * 2, MOST_ROWS)
        await asyncio.sleep(took * PAUSE)


def reconciliation(settings: Settings, access: BrokerAccess, connect: Connect) -> tuple[Chore, ...]:
    """Return the chore that queues missed dispatches; none where `reconcile.minutes` is 0."""
    if not settings.reconcile.minutes:
        return ()

    async def reconcile() -> None:
        report = await asyncio.to_thread(missed.reconcile, settings, access, connect)
        for dispatch in report.queued:
            log.warning(
                "reconciled",
                run=str(dispatch.run),
                provider=dispatch.provider,
                provider_version=dispatch.provider_version,
                consumer=dispatch.consumer,
                consumer_version=dispatch.consumer_version,
            )
        for note in report.notes:
            log.info("not reconciled", reason=note)
        for problem in report.problems:
            log.warning("not reconciled", reason=problem)

    # whoever sets a receiver up may expect that it does what it is told to, and nothing on its own at once
    return (Chore("reconcile", settings.reconcile.minutes * 60, reconcile, at_once=False),)


def completion(in_database: InDatabase, complete: Callable[[UUID], Awaitable[None]]) -> tuple[Chore, ...]:
    """Return the chore that brings runs for every pact to their end whose worker had gone before."""

    async def complete_all() -> None:
        for run_id in await in_database(pact_runs.incomplete_parents):
            await complete(run_id)

    return (Chore("completion", COMPLETION_SECONDS, complete_all),)


def look_at_broker(access: BrokerAccess, in_database: InDatabase) -> tuple[Chore, ...]:
    """Return the chore that notes whether the broker answers, for the dashboard, which doesn't ask it itself."""

    def error() -> str | None:
        deadline = time.monotonic() + BROKER_ANSWER_SECONDS
        try:
            with BrokerClient(access, retry_time=0.0, deadline=deadline) as client:
                client.index()
        except BrokerError as found:
            return Redaction(access.secrets).own(str(found))
        return None

    async def look() -> None:
        await in_database(sightings.note, Seen.BROKER, {"error": await asyncio.to_thread(error)})

    return (Chore("broker", BROKER_SECONDS, look),)


def look_around(notifier: Notifier) -> tuple[Chore, ...]:
    """Return the chores that find outages, refusals and changes whose job is gone, and delete what is old."""

    async def look() -> None:
        await asyncio.to_thread(notifier.look_around)

    async def delete_old() -> None:
        await asyncio.to_thread(notifier.delete_old)

    return (
        Chore("notifications", NOTIFICATIONS_SECONDS, look),
        Chore("old-notifications", RETENTION_SECONDS, delete_old),
    )


async def carry_out_chores(chores: Callable[[], tuple[Chore, ...]], in_database: InDatabase) -> None:
    """Do each chore when it is due, until this is cancelled.

    A chore that takes long holds no other one up. One that fails, for whatever reason, is done again in the next
    period: no chore ends the worker.

    Args:
        chores: Returns the chores, as they are configured now.
        in_database: Calls functions that use the database.
    """
    under_way: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            under_way = {name: task for name, task in under_way.items() if not task.done()}
            for chore in chores():
                if chore.name not in under_way:
                    under_way[chore.name] = asyncio.create_task(_do_if_due(chore, in_database))
            await asyncio.sleep(CHECK_SECONDS)
    finally:
        for task in under_way.values():
            task.cancel()


async def _do_if_due(chore: Chore, in_database: InDatabase) -> None:
    try:
        if await in_database(housekeeping.begin_if_due, chore.name, chore.seconds, at_once=chore.at_once):
            await chore.do()
    except Exception as error:  # noqa: BLE001 - see `carry_out_chores`
        log.warning("housekeeping failed", chore=chore.name, error=f"{type(error).__name__}: {error}")
