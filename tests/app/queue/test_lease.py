"""What a worker may do that others have taken for dead: a real database, and no worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from procrastinate.manager import JobManager

from app.process import lease
from app.queue import jobs
from app.queue.consumer import QueueConsumer, TakenForDead, TakenJob

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STALLED_SECONDS = 4.0
"""After which a worker is taken for dead where a test waits for as long; a busy database may need some of them."""


class Consumer:
    """A consumer whose one job waits until it is told to go on.

    Attributes:
        leases: What it was told of its lease.
    """

    def __init__(self, url: str, *, stalled_seconds: float = 10.0) -> None:
        self.url = url
        self.leases: list[float] = []
        self.taken, self.may_end = asyncio.Event(), asyncio.Event()
        self.consumer = QueueConsumer(
            url,
            name="of the test",
            tasks={jobs.VERIFY: self._carry_out},
            runs_at_once=1,
            limits=dict,
            stop_seconds=60.0,
            stalled_seconds=stalled_seconds,
            on_lease=self.leases.append,
        )

    async def has_lease(self) -> bool:
        """Return whether the jobs are known to be its own."""
        return self.leases[-1] > lease.now()

    async def _carry_out(self, _: TakenJob, **__: Any) -> None:
        self.taken.set()
        await self.may_end.wait()


def ask(url: str, query: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


async def asked(url: str, query: str) -> list[Any]:
    return await asyncio.to_thread(ask, url, query)


async def until(condition: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - a database is asked
            await asyncio.sleep(0.05)


def defer(url: str) -> None:
    with psycopg.connect(url) as connection:
        jobs.defer(connection, jobs.VERIFY, queue=jobs.RUNS, lock="provider P")


@pytest.mark.parametrize(
    "taken_up",
    ["UPDATE procrastinate_jobs SET status = 'todo'", "DELETE FROM procrastinate_workers"],
)
def test_a_worker_whose_jobs_were_taken_up_stops_them_and_ends_no_job_of_another(
    database_url: str, taken_up: str
) -> None:
    async def work() -> None:
        one = Consumer(database_url)
        running = asyncio.create_task(one.consumer.run())
        await asyncio.wait_for(one.taken.wait(), 60)
        await until(one.has_lease)
        await asked(database_url, f"{taken_up}")
        with pytest.raises(TakenForDead):
            await asyncio.wait_for(running, 60)
        assert one.leases[-1] == -float("inf")
        # another worker has the job now, and this one ends its own late
        await asked(
            database_url,
            "WITH other AS (INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id) "
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM other)",
        )
        others = [task for task in asyncio.all_tasks() if "process job" in task.get_name()]
        one.may_end.set()
        await asyncio.wait(others)

    defer(database_url)
    asyncio.run(work())
    assert ask(database_url, "SELECT status FROM procrastinate_jobs") == [("doing",)]


def test_a_worker_that_is_stopped_while_it_registers_leaves_nothing_behind(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = JobManager.register_worker

    async def work() -> None:
        registered, may_go_on = asyncio.Event(), asyncio.Event()

        async def register_slowly(manager: JobManager) -> int:
            worker_id = await register(manager)
            registered.set()
            await may_go_on.wait()
            return worker_id

        monkeypatch.setattr(JobManager, "register_worker", register_slowly)
        monkeypatch.setattr("app.queue.consumer.AGAIN_SECONDS", 0.001)
        one = Consumer(database_url)
        running = asyncio.create_task(one.consumer.run())
        await asyncio.wait_for(registered.wait(), 60)
        one.consumer.stop()
        for _ in range(300):  # it is told so again and again
            await asyncio.sleep(0)
        may_go_on.set()
        await asyncio.wait_for(running, 60)

    asyncio.run(work())
    assert ask(database_url, "SELECT id FROM procrastinate_workers") == []


def test_a_worker_that_stops_is_alive_until_its_last_job_has_ended(database_url: str) -> None:
    newest = "SELECT last_heartbeat FROM procrastinate_workers worker JOIN procrastinate_jobs ON worker_id = worker.id"

    async def work() -> None:
        one = Consumer(database_url, stalled_seconds=STALLED_SECONDS)
        running = asyncio.create_task(one.consumer.run())
        await asyncio.wait_for(one.taken.wait(), 60)
        one.consumer.stop()
        [(before,)] = await asked(database_url, newest)

        async def is_much_later() -> bool:
            [(heartbeat,)] = await asked(database_url, newest)
            return bool((heartbeat - before).total_seconds() > STALLED_SECONDS)

        await until(is_much_later)  # it would have been taken for dead
        assert not running.done()
        one.may_end.set()
        await asyncio.wait([running])

    defer(database_url)
    asyncio.run(work())
    assert (
        ask(database_url, "SELECT 1 FROM procrastinate_jobs UNION ALL SELECT 1 FROM procrastinate_workers")
        == []
    )


@pytest.mark.parametrize("turns", [0, 3, 30, 300, 3000])
def test_a_worker_that_is_told_to_stop_while_it_starts_stops(database_url: str, turns: int) -> None:
    async def work() -> None:
        one = Consumer(database_url)
        running = asyncio.create_task(one.consumer.run())
        for _ in range(turns):
            await asyncio.sleep(0)
        one.consumer.stop()
        await asyncio.wait_for(running, 60)
        assert one.leases[-1] == -float("inf")

    asyncio.run(work())
    assert ask(database_url, "SELECT 1 FROM procrastinate_workers") == []
