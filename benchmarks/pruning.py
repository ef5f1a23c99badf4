"""The deletion of an old history while dispatches come: what they wait, what is locked, how fast it goes, what is left.

Dispatches come at a steady rate, on connections of their own, and their runs come to their end, first alone and then
while retention deletes the history as a worker has it done. Whoever waits for a lock is looked for all the time.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from rich.table import Table

from app.database.connections import open_pool
from app.database.threads import DatabaseThreads
from app.records import retention
from app.worker import chores
from benchmarks.paced_load import send
from tests.support.receiver import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from benchmarks.paced_load import Answered
    from tests.support.receiver import ReceiverProcess

PER_SECOND = 30.0
ROUNDS = 3
DAY_SECONDS = 86400.0
APPLICATION = "pruning"
TABLES = ("runs", "deliveries", "run_log_chunks", "commit_statuses", "run_moments")


@dataclass(frozen=True)
class Load:
    """Dispatches, and what they took.

    Attributes:
        beside: What went on beside them.
        accepted: How many were answered with 204.
        others: How many were not.
        p50_ms: The time of one.
        p99_ms: The same.
        longest_ms: The same.
        lock_waits: The times that somebody was seen to wait for a lock of who deletes.
        looks: The times that was looked for.
    """

    beside: str
    accepted: int
    others: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    lock_waits: int
    looks: int


@dataclass
class Deleted:
    """What was deleted.

    Attributes:
        rows: Runs, refused deliveries and actions.
        seconds: How long that took, with its pauses.
        transactions: How many there were.
        longest_ms: The time of the longest one.
    """

    rows: int = 0
    seconds: float = 0.0
    transactions: int = 0
    longest_ms: float = 0.0

    def add(self, other: Deleted) -> None:
        """Add what was deleted after this."""
        self.rows += other.rows
        self.seconds += other.seconds
        self.transactions += other.transactions
        self.longest_ms = max(self.longest_ms, other.longest_ms)


def measure(
    web: ReceiverProcess, console: Console, conninfo: str, *, providers: int, seconds: float
) -> dict[str, Any]:
    """Measure dispatches alone and while the history is deleted, for so many seconds each, and print the figures."""
    port = int(web.url.rpartition(":")[2])
    dispatch = partial(
        send,
        port,
        TOKEN,
        providers=providers,
        per_second=PER_SECOND,
        seconds=seconds / ROUNDS,
        conninfo=conninfo,
    )
    alone, beside = _Watch(), _Watch()
    answered: dict[str, list[Answered]] = {"nothing": [], "deletion": []}
    deleted = Deleted()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        before = _sizes(connection)
        for _ in range(ROUNDS):  # in turn, for what else goes on on the machine
            with _watched(conninfo, alone):
                answered["nothing"] += dispatch()
            with _deletion(conninfo, deleted), _watched(conninfo, beside):
                answered["deletion"] += dispatch()
        connection.execute("SELECT pg_stat_force_next_flush()")
        after = _sizes(connection)
    loads = [_load("nothing", answered["nothing"], alone), _load("deletion", answered["deletion"], beside)]
    _print(console, loads, deleted, before, after)
    return {"loads": [asdict(load) for load in loads], "deleted": asdict(deleted), "tables": after}


@contextmanager
def _deletion(conninfo: str, deleted: Deleted) -> Iterator[None]:
    """Have a process delete the history meanwhile."""
    context = multiprocessing.get_context("spawn")
    stop, results = context.Event(), context.Queue()
    process = context.Process(target=_delete, args=(conninfo, stop, results))
    process.start()
    yield
    stop.set()
    deleted.add(results.get(timeout=60))
    process.join()


def _delete(conninfo: str, stop: Any, results: Any) -> None:
    """Delete all that ended before now, until it is gone or until told to stop."""
    results.put(asyncio.run(_delete_until(conninfo, stop)))


async def _delete_until(conninfo: str, stop: Any) -> Deleted:
    deleted, began = Deleted(), time.monotonic()
    with open_pool(psycopg.conninfo.make_conninfo(conninfo, application_name=APPLICATION), size=2) as pool:
        database = DatabaseThreads(pool)

        async def delete(step: retention.Step, most: int) -> int:
            if stop.is_set():
                return 0
            at = time.monotonic()
            rows = await database.call(step, (at - began) / DAY_SECONDS, most)
            deleted.rows += rows
            deleted.transactions += 1
            deleted.longest_ms = max(deleted.longest_ms, (time.monotonic() - at) * 1000)
            return rows

        for step in (*retention.SHOWN, *retention.HISTORY):
            await chores.delete_gently(partial(delete, step))
        deleted.seconds = time.monotonic() - began
        database.close()
    return deleted


@dataclass
class _Watch:
    looks: int = 0
    waits: int = 0


@contextmanager
def _watched(conninfo: str, watch: _Watch) -> Iterator[None]:
    """Look every few milliseconds whether somebody waits for a lock of who deletes."""
    done = threading.Event()

    def look() -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            while not done.wait(0.01):
                row = connection.execute(
                    """
                    SELECT count(*) FROM pg_stat_activity AS waiting
                    WHERE wait_event_type = 'Lock' AND EXISTS (
                        SELECT FROM pg_stat_activity AS deleting WHERE deleting.application_name = %s
                            AND deleting.pid = ANY(pg_blocking_pids(waiting.pid)))
                    """,
                    [APPLICATION],
                ).fetchone()
                watch.looks += 1
                watch.waits += row[0] if row else 0

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield
        finally:
            done.set()
            looking.result()


def _load(beside: str, answered: list[Answered], watch: _Watch) -> Load:
    taken = sorted(one.seconds * 1000 for one in answered)
    accepted = sum(one.status == 204 for one in answered)
    return Load(
        beside,
        accepted,
        len(answered) - accepted,
        statistics.median(taken),
        taken[int(len(taken) * 0.99)],
        taken[-1],
        watch.waits,
        watch.looks,
    )


def _sizes(connection: psycopg.Connection[Any]) -> dict[str, tuple[int, int, int]]:
    """Return the bytes of each table with its indexes, its dead rows, and how often it was vacuumed by itself."""
    rows = connection.execute(
        "SELECT relname, pg_total_relation_size(relid), n_dead_tup, autovacuum_count FROM pg_stat_user_tables "
        "WHERE relname = ANY(%s)",
        [list(TABLES)],
    )
    return {name: (size, dead, vacuums) for name, size, dead, vacuums in rows}


def _print(
    console: Console,
    loads: list[Load],
    deleted: Deleted,
    before: dict[str, tuple[int, int, int]],
    after: dict[str, tuple[int, int, int]],
) -> None:
    table = Table(
        "beside",
        "accepted",
        "not",
        "p50",
        "p99",
        "longest",
        "lock waits",
        title=f"{PER_SECOND:.0f} dispatches a second",
    )
    for load in loads:
        table.add_row(
            load.beside,
            str(load.accepted),
            str(load.others),
            f"{load.p50_ms:.1f} ms",
            f"{load.p99_ms:.1f} ms",
            f"{load.longest_ms:.0f} ms",
            f"{load.lock_waits} of {load.looks} looks",
        )
    console.print(table)
    each = deleted.rows / deleted.seconds if deleted.seconds else 0.0
    console.print(
        f"{deleted.rows:,} rows of the history were deleted in {deleted.seconds:.0f} s, {each:,.0f} a second, in "
        f"{deleted.transactions:,} transactions; the longest took {deleted.longest_ms:.0f} ms"
    )
    table = Table("table", "MB before", "MB after", "dead rows", "vacuumed")
    for name, (size, dead, vacuums) in after.items():
        table.add_row(
            name,
            f"{before[name][0] / 2**20:.0f}",
            f"{size / 2**20:.0f}",
            f"{dead:,}",
            f"{vacuums - before[name][2]} times",
        )
    console.print(table)
