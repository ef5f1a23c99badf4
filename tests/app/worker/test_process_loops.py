"""The loops of a worker's process: no exception of one piece of work ends them, and the loss of the database does."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException
from structlog.testing import capture_logs

import app.process.supervision
import app.worker.process
from app.config.current import Current
from app.process.sign_of_life import Sign, SignOfLife, signs
from app.queue.consumer import TakenJob
from app.worker.chores import Chore, carry_out_chores
from app.worker.parts import Parts
from app.worker.process import Worker
from app.worker.status_jobs import StatusJobs
from tests.support.worker_parts import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.config.settings import Settings

QUICK = SETTINGS.model_copy(update={"worker": SETTINGS.worker.model_copy(update={"stalled_seconds": 0.1})})


class FailingDatabase:
    """Fails some times, and ends the waiting of the test then.

    Args:
        errors: What is raised, one after another.
    """

    seconds_since_away = 1000.0

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.well = asyncio.Event()

    async def call(self, *_: Any, **__: Any) -> Any:
        if self._errors:
            raise self._errors.pop(0)
        self.well.set()
        return (0, 0)


class Anything:
    """Has whatever is asked for."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


class Setting:
    """A status that GitHub is slow to answer about."""

    def __init__(self) -> None:
        self.began, self.answered = threading.Event(), threading.Event()
        self.stored = False

    def carry_out(self, *_: Any) -> None:
        self.began.set()
        assert self.answered.wait(60)
        self.stored = True


class AnsweredJobs(StatusJobs):
    """Jobs that GitHub answers when somebody waits for them.

    Args:
        setting: The status.
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__(lambda: setting, Anything())  # type: ignore[arg-type, return-value]
        self._setting = setting

    async def settle(self, seconds: float) -> None:
        self._setting.answered.set()
        await super().settle(seconds)


class LostQueue(Anything):
    """Loses its database while a status is being set.

    Args:
        jobs: Set it.
        setting: The status.
    """

    def __init__(self, jobs: StatusJobs, setting: Setting) -> None:
        self._jobs = jobs
        self._setting = setting

    async def run(self) -> None:
        job = asyncio.create_task(self._jobs.carry_out(TakenJob(1), 1))
        await asyncio.to_thread(self._setting.began.wait)
        job.cancel()
        raise psycopg.errors.ForeignKeyViolation("no such worker")


class LongRun(Anything):
    """A run that goes on as the worker stops, until the test has looked at it."""

    def __init__(self) -> None:
        self.began, self.stopping, self.looked_at = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        self.began.set()
        await self.looked_at.wait()

    def stop(self) -> None:
        self.stopping.set()


def worker(
    database: FailingDatabase,
    consumer: Any = None,
    status_jobs: StatusJobs | None = None,
    *,
    settings: Settings = QUICK,
    life: Any = None,
    on_leave: Callable[[], object] = lambda: None,
) -> Worker:
    other: Any = Anything()
    parts = Parts(
        settings=settings,
        changes=other,
        statuses=other,
        notifier=other,
        publisher=other,
        executor=other,
        looks=other,
        recovery=other,
        chores=(),
    )
    return Worker(
        Current(parts),
        database,  # type: ignore[arg-type]
        consumer=consumer or other,
        status_jobs=status_jobs or other,
        life=life or other,
        on_leave=on_leave,
    )


def test_the_recovery_goes_on_after_whatever_went_wrong() -> None:
    async def recover() -> None:
        database = FailingDatabase(
            psycopg.errors.UndefinedColumn("no such column"), ValueError("no one knows why")
        )
        recovering = asyncio.create_task(worker(database)._recover_forever())
        await asyncio.wait_for(database.well.wait(), 60)
        recovering.cancel()

    with capture_logs() as logs:
        asyncio.run(recover())
    errors = [entry["error"] for entry in logs if entry["event"] == "recovery failed"]
    assert errors == ["UndefinedColumn: no such column", "ValueError: no one knows why"]


def test_another_configuration_is_taken_while_the_database_is_away() -> None:
    async def go_by(*errors: Exception) -> bool:
        one, other = worker(FailingDatabase(*errors)), worker(FailingDatabase())._current.value
        await one.go_by(other)
        return one._current.value is other

    assert asyncio.run(go_by(psycopg.OperationalError("gone")))
    assert asyncio.run(go_by())


def test_the_recovery_ends_when_the_database_is_lost() -> None:
    async def recover() -> None:
        await worker(FailingDatabase(psycopg.OperationalError("gone")))._recover_forever()

    with pytest.raises(psycopg.OperationalError):
        asyncio.run(recover())


def test_a_worker_that_lost_its_place_stores_what_it_has_just_told_github(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setting = Setting()
    stored: list[bool] = []

    def leave(*_: Any) -> NoReturn:
        stored.append(setting.stored)
        raise SystemExit

    async def lose() -> None:
        jobs = AnsweredJobs(setting)
        await worker(FailingDatabase(), LostQueue(jobs, setting), jobs).run()

    monkeypatch.setattr(app.worker.process, "_leave", leave)
    with pytest.raises(SystemExit):
        asyncio.run(lose())
    assert stored == [True]


def test_a_worker_that_leaves_says_what_the_database_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class AwayQueue(Anything):
        async def run(self) -> None:
            raise ConnectorException from psycopg.OperationalError(
                "port 5432 failed: refused\n\tIs it running?"
            )

    said: list[str] = []

    def leave(_: int, reason: str) -> NoReturn:
        said.append(reason)
        raise SystemExit

    async def lose() -> None:
        jobs = StatusJobs(Anything(), Anything())  # type: ignore[arg-type]
        await worker(FailingDatabase(), AwayQueue(), jobs).run()

    monkeypatch.setattr(app.worker.process, "_leave", leave)
    with pytest.raises(SystemExit):
        asyncio.run(lose())
    assert said == ["it lost its database or its queue: port 5432 failed: refused Is it running?"]


def test_a_worker_counts_as_alive_for_as_long_as_it_finishes_its_runs(tmp_path: Path) -> None:
    patient = SETTINGS.worker.model_copy(update={"stop_seconds": 1000.0})

    async def stop() -> list[Sign]:
        run = LongRun()
        jobs = StatusJobs(Anything(), Anything())  # type: ignore[arg-type]
        stopped = worker(
            FailingDatabase(),
            run,
            jobs,
            settings=SETTINGS.model_copy(update={"worker": patient}),
            life=SignOfLife(tmp_path, "one"),
        )
        ending = asyncio.create_task(stopped.run())
        await asyncio.wait_for(run.began.wait(), 60)
        stopped._begin_to_stop()
        await asyncio.wait_for(run.stopping.wait(), 60)
        found = signs(tmp_path)
        run.looked_at.set()
        await asyncio.wait_for(ending, 60)
        return found

    [sign] = asyncio.run(stop())
    assert sign.is_recent
    assert sign.seconds >= 1000 + app.worker.process.STOP_MARGIN_SECONDS


def test_a_worker_whose_work_does_not_end_leaves_although_what_it_uses_can_not_be_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_back, left = threading.Event(), threading.Event()
    tried = threading.Event()

    def give_back() -> None:
        tried.set()
        given_back.wait()

    def leave(code: int, _: str) -> NoReturn:
        assert (code, tried.is_set()) == (app.worker.process.STOPPED, True)
        left.set()
        raise SystemExit

    async def stop() -> None:
        run = LongRun()
        instant = QUICK.worker.model_copy(update={"stop_seconds": 0.0})
        stopped = worker(
            FailingDatabase(),
            run,
            settings=QUICK.model_copy(update={"worker": instant}),
            on_leave=give_back,
        )
        stopped._begin_to_stop()
        await asyncio.wait_for(stopped.run(), 60)

    monkeypatch.setattr(app.worker.process, "_leave", leave)
    monkeypatch.setattr(app.worker.process, "STOP_MARGIN_SECONDS", 0.0)
    monkeypatch.setattr(app.worker.process, "LEAVE_SECONDS", 0.1)
    try:
        with pytest.raises(SystemExit):
            asyncio.run(stop())
    finally:
        given_back.set()
    assert left.is_set()


@pytest.mark.parametrize(
    "error", [ValueError("Invalid URL"), psycopg.errors.UndefinedColumn("no such column")]
)
def test_a_chore_that_fails_holds_up_no_other(error: Exception) -> None:
    async def in_database(*_: Any, **__: Any) -> bool:
        return True

    async def keep() -> None:
        done = asyncio.Event()

        async def fail() -> None:
            raise error

        async def work() -> None:
            done.set()

        chores = (Chore("one", 3600, fail), Chore("two", 3600, work))
        keeping = asyncio.create_task(carry_out_chores(lambda: chores, in_database))
        await asyncio.wait_for(done.wait(), 60)
        assert not keeping.done()
        keeping.cancel()

    with capture_logs() as logs:
        asyncio.run(keep())
    [entry] = [entry for entry in logs if entry["event"] == "housekeeping failed"]
    assert entry["error"] == f"{type(error).__name__}: {error}"


def test_a_worker_has_left_before_the_supervisor_kills_it() -> None:
    end = app.worker.process.STOP_MARGIN_SECONDS + app.worker.process.LEAVE_SECONDS
    assert end < app.process.supervision.STOP_MARGIN_SECONDS
