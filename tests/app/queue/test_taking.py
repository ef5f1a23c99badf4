"""The next run is that of the provider whose turn it is: whatever waits, whoever else takes, and whatever is undone."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from app.dispatch import Dispatch
from app.queue import jobs, turns, waiting
from app.queue.taking import TAKE_CHORE
from app.records import run_changes
from app.records.run_changes import RunChanges
from tests.support.taking import Taken, end, take, take_as_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def ask(
    database: Connection[Any], provider: str, number: int = 1, *, parallel: bool = False, wait: float = 0
) -> list[UUID]:
    """Have so many runs of a provider wait, as dispatches do, and return them in their order."""
    lock = jobs.lock_of(provider, parallel=parallel)
    asked = []
    for _ in range(number):
        pact = f"http://broker.example.org/pacts/provider/P/consumer/C/version/{uuid4()}"
        dispatch = Dispatch("acme/p", "pact_changed", pact)
        run_id, _ = run_changes.request(database, provider, dispatch, lock=lock)
        if wait:
            database.execute("DELETE FROM procrastinate_jobs WHERE args ->> 'run_id' = %s", [str(run_id)])
            job_id = jobs.defer_run(database, run_id, lock, wait=wait)
            database.execute("UPDATE runs SET job_id = %s, retry_at = now() WHERE id = %s", [job_id, run_id])
        asked.append(run_id)
    return asked


def provider_of(database: Connection[Any], taken: Taken | None) -> str:
    assert taken is not None
    row = database.execute("SELECT provider FROM runs WHERE id = %s", [taken.run_id]).fetchone()
    assert row is not None
    return str(row[0])


def in_turn(database: Connection[Any], number: int, *, slots: int = 1) -> list[str]:
    """Take so many runs with a number of slots, of which the one that began first ends first; return the providers."""
    running: list[Taken] = []
    order = []
    for _ in range(number):
        if len(running) == slots:
            end(database, running.pop(0).id)
        taken = take(database)
        order.append(provider_of(database, taken))
        assert taken is not None
        running.append(taken)
    for taken in running:
        end(database, taken.id)
    return order


def test_each_of_many_providers_gets_its_turn_however_many_runs_the_others_have(
    database: Connection[Any],
) -> None:
    with database.transaction():
        for number in range(20):
            ask(database, f"Provider {number}", 30, parallel=number % 5 == 0)
    order = in_turn(database, 100, slots=4)
    for begin in range(0, 100, 20):
        assert set(order[begin : begin + 20]) == {f"Provider {number}" for number in range(20)}


def test_a_new_dispatch_comes_before_the_backlogs_of_others(database: Connection[Any]) -> None:
    with database.transaction():
        ask(database, "Parallel", 40, parallel=True)
        ask(database, "Large", 40)
        ask(database, "Other", 40)
    in_turn(database, 10, slots=2)
    ask(database, "New")
    assert "New" in in_turn(database, 4, slots=2)
    # and whoever has just been served has no place kept that would be before the others'
    ask(database, "New")
    assert "New" in in_turn(database, 4, slots=2)[2:]


def test_the_runs_of_a_provider_keep_their_order(database: Connection[Any]) -> None:
    asked = ask(database, "A", 3)
    ask(database, "B", 2)
    found: list[UUID] = []
    while (taken := take(database)) is not None:
        found.append(taken.run_id)
        end(database, taken.id)
    assert [run_id for run_id in found if run_id in asked] == asked
    assert len(found) == 5


def test_a_lock_is_given_once_and_a_provider_without_one_has_as_many_as_its_limit_says(
    database: Connection[Any],
) -> None:
    ask(database, "Locked", 3)
    ask(database, "Parallel", 9, parallel=True)
    ask(database, "Limited", 9, parallel=True)
    found = Counter(
        provider_of(database, taken) for _ in range(20) if (taken := take(database, limits={"Limited": 2}))
    )
    assert found == {"Locked": 1, "Parallel": 9, "Limited": 2}
    [busy, *_] = waiting.lines(database, most=9, limits={"Limited": 2})
    assert (busy.provider, busy.waiting) in {("Locked", 2), ("Limited", 7)}
    assert take(database) is not None  # a worker whose configuration has no limit


def test_a_run_that_waits_for_its_next_attempt_is_taken_when_it_is_due_or_hastened(
    database: Connection[Any],
) -> None:
    for provider, parallel in (("A", False), ("P", True)):
        [later] = ask(database, provider, wait=600, parallel=parallel)
        assert [take(database), take(database)] == [
            None,
            None,
        ]  # and now its line is known to have nothing before
        [now] = ask(database, provider, parallel=parallel)
        first = take(database)
        assert first is not None
        assert first.run_id == now
        end(database, first.id)
        assert take(database) is None
        assert RunChanges().start_now(database, later) is not None
        second = take(database)
        assert second is not None
        assert second.run_id == later
        end(database, second.id)
        # by the clock alone
        [later] = ask(database, provider, wait=600, parallel=parallel)
        assert take(database) is None
        database.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '1 second', "
            "priority = -floor(extract(epoch FROM now() - interval '1 second') / 10)"
        )
        third = take(database)
        assert third is not None
        assert third.run_id == later
        end(database, third.id)


def test_a_line_whose_time_is_known_is_not_looked_at_before_it(database: Connection[Any]) -> None:
    ask(database, "A", wait=600)
    ask(database, "P", wait=600, parallel=True)
    assert take(database) is None
    row = database.execute("SELECT count(*) FROM queue_turns WHERE not_before > now()").fetchone()
    assert row == (2,)


def test_a_job_that_is_put_back_is_taken_again(database: Connection[Any]) -> None:
    for parallel in (False, True):
        ask(database, "A", parallel=parallel)
        first = take(database)
        assert first is not None
        assert take(database) is None
        database.execute("SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)", [first.id])
        assert take(database) == first
        end(database, first.id)
    assert turns_of(database) == []


def turns_of(database: Connection[Any]) -> list[str]:
    return [line for (line,) in database.execute("SELECT line FROM queue_turns ORDER BY number")]


def test_a_dispatch_that_has_not_ended_keeps_nobody_waiting_and_is_not_forgotten(
    database: Connection[Any], database_url: str
) -> None:
    for parallel in (False, True):
        [first] = ask(database, "A", parallel=parallel)
        with psycopg.connect(database_url) as slow, psycopg.connect(database_url, autocommit=True) as other:
            other.execute("SET lock_timeout = '2s'")
            ask(slow, "A", parallel=parallel)  # counts on the turn that is there
            ask(other, "A", parallel=parallel)
            for _ in range(2):
                taken = take(other)
                assert taken is not None
                end(other, taken.id)
            assert take(other) is None
            slow.commit()
        taken = take(database)
        assert taken is not None
        assert taken.run_id != first
        end(database, taken.id)
        assert take(database) is None
        assert turns_of(database) == []


def test_two_dispatches_at_once_for_an_idle_provider_do_not_wait_for_each_other(
    database: Connection[Any], database_url: str
) -> None:
    with psycopg.connect(database_url) as slow, psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SET lock_timeout = '2s'")
        ask(slow, "A")
        ask(other, "A", 2)
        first = take(other)
        assert first is not None
        slow.commit()
    assert turns_of(database) == ["provider A"] * 2
    end(database, first.id)
    assert in_turn(database, 2) == ["A", "A"]
    assert turns_of(database) == []


def test_what_is_undone_is_taken_by_another_one(database: Connection[Any], database_url: str) -> None:
    for parallel in (False, True):
        ask(database, "A", 2, parallel=parallel)
        killed = psycopg.connect(database_url)
        undone = take(killed)
        assert undone is not None
        database.execute("SELECT pg_terminate_backend(%s, 5000)", [killed.info.backend_pid])
        killed.close()
        assert take(database) == undone
        end(database, undone.id)
        assert in_turn(database, 1) == ["A"]
        assert turns_of(database) == []


def test_a_line_without_a_turn_gets_one(database: Connection[Any]) -> None:
    ask(database, "A", 2)
    ask(database, "P", 2, parallel=True)
    ask(database, "Later", wait=600)
    ask(database, "Later too", wait=600, parallel=True)
    assert turns.mend(database) == 0
    database.execute("DELETE FROM queue_turns")
    assert take(database) is None
    assert turns.mend(database) == 4
    assert sorted(in_turn(database, 4)) == ["A", "A", "P", "P"]
    assert take(database) is None
    assert turns.mend(database) == 0


def test_older_versions_beside_take_from_the_same_lines(database: Connection[Any]) -> None:
    asked = ask(database, "A", 4) + ask(database, "P", 4, parallel=True)
    found = []
    for taker in [take, take_as_before] * 4:
        taken = taker(database)
        assert taken is not None
        if taken.lock is not None:  # the other one doesn't take the next one of that lock meanwhile
            others = [other for other in (take(database), take_as_before(database)) if other is not None]
            assert all(other.lock is None for other in others)
            for other in others:
                database.execute("SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)", [other.id])
        found.append(taken.run_id)
        end(database, taken.id)
    assert sorted(found) == sorted(asked)
    assert [run_id for run_id in found if run_id in asked[:4]] == asked[:4]
    assert take(database) is None
    assert turns_of(database) == []


class Takers:
    """Connections that take runs and end them, all at once, until none is left."""

    def __init__(self, database_url: str, *, number: int, as_before: int) -> None:
        self._url = database_url
        self._takes: list[Callable[[Connection[Any]], Taken | None]] = [take] * (number - as_before)
        self._takes += [take_as_before] * as_before
        self._guard = threading.Lock()
        self._running: set[str] = set()
        self.taken: list[UUID] = []
        self.overlaps: list[str] = []
        self.done = threading.Event()

    def run(self, dispatch: Callable[[], None]) -> None:
        with ThreadPoolExecutor(len(self._takes)) as pool:
            takers = [pool.submit(self._take_all, take) for take in self._takes]
            try:
                dispatch()
            finally:
                self.done.set()
            for taker in takers:
                taker.result()

    def _take_all(self, take: Callable[[Connection[Any]], Taken | None]) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while True:
                is_last = self.done.is_set()
                try:
                    taken = take(connection)
                except psycopg.errors.UniqueViolation:  # of Procrastinate's own function, beside another one
                    continue
                if taken is not None:
                    self._carry_out(connection, taken)
                elif is_last:
                    return

    def _carry_out(self, connection: Connection[Any], taken: Taken) -> None:
        with self._guard:
            self.taken.append(taken.run_id)
            if taken.lock is not None:
                if taken.lock in self._running:
                    self.overlaps.append(taken.lock)
                self._running.add(taken.lock)
        connection.execute("SELECT 1")
        with self._guard:
            if taken.lock is not None:
                self._running.remove(taken.lock)
        end(connection, taken.id)


@pytest.mark.parametrize("as_before", [0, 3])
def test_many_who_take_at_once_give_no_lock_twice_and_lose_nothing(
    database: Connection[Any], database_url: str, as_before: int
) -> None:
    asked: list[UUID] = []

    def dispatch() -> None:
        for number in range(120):
            name = f"Provider {number % 6}"
            asked.extend(ask(database, name, 2, parallel=number % 6 == 0))
            if (
                number % 10 == 9
            ):  # one that is put back as soon as it was taken, as after the loss of a worker
                with psycopg.connect(database_url) as other:
                    take(other)
                    other.rollback()

    takers = Takers(database_url, number=8, as_before=as_before)
    takers.run(dispatch)
    assert takers.overlaps == []
    assert Counter(takers.taken) == Counter(asked)


def test_a_limit_holds_when_many_take_at_once(database: Connection[Any], database_url: str) -> None:
    ask(database, "Limited", 60, parallel=True)
    most: list[int] = []

    def take_some(_: int) -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            for _ in range(12):
                taken = take(connection, limits={"Limited": 3})
                if taken is not None:
                    row = connection.execute(
                        "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
                    ).fetchone()
                    assert row is not None
                    most.append(row[0])
                    end(connection, taken.id)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(take_some, range(6)))
    assert most
    assert max(most) <= 3


def test_a_large_backlog_costs_no_look_at_each_of_its_jobs(database: Connection[Any]) -> None:
    ask(database, "Large")
    database.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args) "
        "SELECT 'runs', 'verify', 'provider Large', %s FROM generate_series(1, 3000)",
        [Jsonb({"run_id": str(uuid4())})],
    )
    database.execute("ANALYZE")
    database.execute("SET plan_cache_mode = force_generic_plan")  # as is chosen after some times
    large = take(database)
    assert large is not None

    def read() -> int:
        row = database.execute(
            "SELECT sum(idx_tup_fetch + seq_tup_read) FROM pg_stat_xact_user_tables "
            "WHERE relname = 'procrastinate_jobs'"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def nothing() -> None:
        assert take(database) is None

    def other() -> None:
        ask(database, "Other")
        taken = take(database)
        assert taken is not None
        end(database, taken.id)

    def next_one() -> None:
        end(database, large.id)
        assert take(database) is not None

    for step in (nothing, other, next_one):
        with database.transaction():
            before = read()
            step()
            assert read() - before < 50, step


def test_results_do_not_wait_for_those_who_are_told_and_hang(database: Connection[Any]) -> None:
    for number in range(5):
        jobs.defer(
            database, jobs.SEND_NOTIFICATION, queue=jobs.CHORES, lock=f"notify slack {number}", number="1"
        )
        jobs.defer(database, jobs.NOTICE_CHANGES, queue=jobs.CHORES, lock=f"notice {number}", provider="P")
    for attempt in range(2):
        jobs.defer_publish(database, uuid4(), attempt)
    assert take_chores(database) == [jobs.SEND_NOTIFICATION, jobs.NOTICE_CHANGES, jobs.PUBLISH, jobs.PUBLISH]
    # another worker has as many of its own
    assert take_chores(database) == [jobs.SEND_NOTIFICATION, jobs.NOTICE_CHANGES]


def take_chores(database: Connection[Any]) -> list[str]:
    """Have a worker that has just started take all the short jobs that it can, and return their tasks."""
    worker = database.execute("SELECT worker_id FROM procrastinate_register_worker_v1()").fetchone()
    assert worker is not None
    taken: list[str] = []
    while True:
        row = database.execute(TAKE_CHORE, {"worker_id": worker[0]}).fetchone()
        assert row is not None
        if row[0] is None:
            return taken
        taken.append(row[2])
