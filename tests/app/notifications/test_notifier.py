"""Each change is told once, in a message for all of a provider's, whoever looks; and it is tried until it arrives."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from app.config.settings import Settings
from app.database.connections import open_pool
from app.notifications import consumer_branches, notifier
from app.notifications.notifier import Notifier
from app.records import notifications, runs, told_outcomes
from broker.http.access import BrokerAccess
from tests.support.databases import away
from tests.support.receiver import wait_until
from tests.support.run_rows import add_run, id_of
from tests.support.traces import ABOVE, kept_spans
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg_pool import ConnectionPool

    from app.records.notifications import Notification

BROKER = "http://127.0.0.1:9"
PROVIDER = {"name": "A", "repository": "a/b", "base_url": "http://127.0.0.1:1", "version": "1"}


@pytest.fixture
def pool(patient_database_url: str) -> Iterator[ConnectionPool[Any]]:
    with open_pool(patient_database_url, size=4) as opened:
        yield opened


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as server:
        yield server


class Told:
    """A notifier, and what it has told."""

    def __init__(
        self, pool: ConnectionPool[Any], url: str, *providers: dict[str, Any], **notify: Any
    ) -> None:
        given = {
            "targets": [{"url": {"env": "URL"}}],
            "consumer_branches": ["*"],
            "interval_seconds": 0,
            **notify,
        }
        self.pool = pool
        self.settings = Settings.model_validate(
            {
                "broker": {"url": BROKER},
                "providers": providers or [PROVIDER],
                "notify": given,
                "server": {"public_url": "https://pacts.example"},
            }
        )
        self.notifier = Notifier(
            self.settings,
            BrokerAccess(BROKER),
            pool,
            {"URL": url, "OTHER": f"{url}/other"},
            self.settings.server.page_of_run,
        )

    def end(self, number: int, outcome: str | None, *, looks: bool = True, **values: Any) -> None:
        """Have a run end; the higher its number, the later it was asked for."""
        hours = values.pop("hours", 0.5 - number / 1000)
        add_run(self.pool, number, outcome=outcome, hours=hours, **values)
        self.follow(number)
        if looks:
            self.notifier.look(values.get("provider", "A"))

    def follow(self, number: int) -> None:
        with self.pool.connection() as connection:
            run = runs.get(connection, UUID(id_of(number)))
            assert run is not None
            self.notifier.follow(connection, run)

    def stored(self) -> list[Notification]:
        with self.pool.connection() as connection:
            return notifications._select(connection, "SELECT * FROM notifications ORDER BY created_at, id")

    def titles(self) -> list[str]:
        return [one.content["title"] for one in self.stored()]

    def count(self, table: str, condition: str = "true") -> int:
        with self.pool.connection() as connection:
            row = connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}".encode()).fetchone()
            assert row is not None
            found: int = row[0]
            return found

    def execute(self, statement: str) -> None:
        with self.pool.connection() as connection:
            connection.execute(statement.encode())

    def send_all(self) -> None:
        for one in self.stored():
            self.notifier.messenger.send(one.id)


def test_a_pact_breaks_and_heals_and_each_is_told_once(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    told.end(1, "passed")
    told.end(2, "failed")
    told.end(3, "failed")
    told.end(4, "error", error_kind="provider-unreachable")
    told.end(5, "failed")
    told.end(6, "passed")
    told.end(7, "passed")
    assert told.titles() == ["A: 1 pact broken", "A: 1 pact healed"]
    # what says nothing new is not even noted
    assert told.count("notable_runs") == 0
    told.end(8, "passed", looks=False)
    assert told.count("notable_runs") == 0
    told.send_all()
    told.send_all()
    assert len(target.received) == 2
    assert {one.result.value for one in told.stored()} == {"sent"}
    with pool.connection() as connection:
        [about] = notifications.of_run(connection, UUID(id_of(2)), most=9)
    assert about.content["changes"][0]["url"] == f"https://pacts.example/runs/{id_of(2)}"


def test_the_first_result_is_told_only_if_it_fails(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    told.end(1, "passed", consumer="C")
    told.end(2, "failed", consumer="D")
    assert told.titles() == ["A: 1 pact broken"]


def test_what_was_so_before_anybody_was_told_is_no_change(pool: ConnectionPool[Any], target: Target) -> None:
    add_run(pool, 1, hours=9, outcome="failed")
    add_run(pool, 2, hours=8, outcome="error")
    told = Told(pool, target.url)
    told.end(3, "failed")
    assert told.titles() == []
    told.end(4, "passed")
    assert told.titles() == ["A: 1 pact healed"]


def test_many_pacts_that_break_at_once_are_one_message(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    for number in range(1, 31):
        told.end(number, "failed", looks=False, consumer=f"C{number}")
    assert told.count("procrastinate_jobs", "task_name = 'notice-changes'") == 1
    told.notifier.look("A")
    told.notifier.look("A")
    assert told.titles() == ["A: 30 pacts broken"]


def test_a_run_for_every_pact_is_one_message(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    add_run(pool, 1, hours=0.1, outcome=None, status="running", consumer=None, pact_url=None)
    for number in range(2, 9):
        of_pact = {"consumer": f"C{number}", "parent_id": id_of(1), "pending": number == 8}
        add_run(pool, number, hours=0, outcome="failed", **of_pact)
    told.execute("UPDATE runs SET status = 'finished', outcome = 'failed' WHERE parent_id IS NULL")
    told.follow(1)
    told.notifier.look("A")
    assert told.titles() == ["A: 6 pacts broken"]
    assert told.count("notified_runs") == 6


def test_in_a_run_for_every_pact_those_count_that_the_broker_asks_for(
    pool: ConnectionPool[Any], target: Target
) -> None:
    told = Told(pool, target.url, consumer_branches=None)  # with a broker that nobody can ask
    add_run(pool, 1, hours=0.1, outcome=None, status="running", consumer=None, pact_url=None)
    add_run(pool, 2, hours=0, outcome="failed", parent_id=id_of(1))
    told.execute("UPDATE runs SET status = 'finished', outcome = 'failed' WHERE parent_id IS NULL")
    told.follow(1)
    told.notifier.look("A")
    assert told.titles() == ["A: 1 pact broken"]


def test_times_are_told_in_utc(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    told.end(1, "error", started_at="2026-01-01T12:00:00+05:00", error="nothing answers")
    with pool.connection() as connection:
        connection.execute("SET TIME ZONE 'Asia/Karachi'")
    told.notifier.look_around()
    told.send_all()
    [received] = target.received
    [change] = json.loads(received.body)["changes"]
    assert change["since"] == "2026-01-01T07:00:00+00:00"
    assert json.loads(received.body)["created_at"].endswith("+00:00")


def test_messages_about_a_provider_keep_their_distance(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url, interval_seconds=300)
    told.end(1, "failed")
    told.end(2, "passed")
    told.end(3, "failed")
    told.end(4, "passed")
    assert told.titles() == ["A: 1 pact broken"]
    assert told.count("notable_runs") == 3
    told.execute("UPDATE notifications SET created_at = created_at - interval '301 seconds'")
    told.notifier.look("A")
    # it went to and fro meanwhile, and that is all that is told
    assert told.titles() == ["A: 1 pact broken", "A: 1 pact healed"]


def test_other_branches_count_only_if_they_are_configured(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    told.end(1, "failed", provider_branch="feature")
    told.end(2, "passed", provider_branch="main")
    assert told.titles() == []
    told = Told(pool, target.url, branches=["main", "release/*"])
    told.end(3, "failed", provider_branch="release/1")
    told.end(4, "passed", provider_branch="main")
    told.end(5, "failed", provider_branch="feature")
    assert told.titles() == ["A: 1 pact broken"]
    assert told.stored()[0].content["changes"][0]["branch"] == "release/1"


def test_a_version_that_is_deployed_and_older_says_nothing_of_the_branch(
    pool: ConnectionPool[Any], target: Target
) -> None:
    checkout = {"checkout": {"url": "https://git.example/a/b", "command": "serve"}}
    told = Told(pool, target.url, {"name": "A", "repository": "a/b", **checkout})
    told.end(1, "passed", provider_version="a" * 40)
    told.end(2, "passed", provider_version="b" * 40)
    told.end(3, "failed", provider_version="a" * 40)  # as for a new pact, which main fulfils already
    assert told.titles() == []
    told.end(4, "failed", provider_version="b" * 40)
    told.end(5, "passed", provider_version="c" * 40)
    assert told.titles() == ["A: 1 pact broken", "A: 1 pact healed"]


def test_a_provider_that_runs_is_what_runs_whatever_ran_before(
    pool: ConnectionPool[Any], target: Target
) -> None:
    told = Told(pool, target.url)
    told.end(1, "passed", provider_version="1")
    told.end(2, "failed", provider_version="2")
    told.end(3, "passed", provider_version="1")  # a rollback
    assert told.titles() == ["A: 1 pact broken", "A: 1 pact healed"]


def test_an_outage_is_told_by_a_chore_and_its_end_by_a_run(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    told.end(1, "passed", hours=3)
    told.end(2, "error", hours=0.9, error="nothing answers", error_kind="provider-unreachable")
    told.notifier.look_around()
    assert told.titles() == []
    told.execute("UPDATE told_outcomes SET error_since = error_since - interval '10 minutes'")
    told.notifier.look_around()
    told.notifier.look_around()
    assert told.titles() == ["A: 1 pact can't be verified"]
    assert told.stored()[0].content["changes"][0]["why"] == "nothing answers"
    told.end(3, "error", hours=0.1)
    told.end(4, "passed", hours=0)
    assert told.titles() == ["A: 1 pact can't be verified", "A: 1 pact can be verified again"]


def test_an_outage_is_over_if_its_run_was_cancelled(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    failing: dict[str, Any] = {
        "status": "waiting",
        "failures": 2,
        "error_kind": "provider-unreachable",
        "started_at": "2026-01-01",
    }
    told.end(1, None, **failing, looks=False)
    told.execute("UPDATE runs SET status = 'cancelled'")
    told.notifier.look("A")
    assert told.titles() == []
    told.end(2, None, **failing)
    assert told.titles() == ["A: 1 pact can't be verified"]


def refuse(told: Told, reason: str, repository: str = "A/B") -> None:
    told.execute(
        "INSERT INTO deliveries (id, source, repository, status, refusal, detail) "
        f"VALUES (gen_random_uuid(), 'api', '{repository}', 401, '{reason}', 'because')"
    )


def test_refusals_are_told_once_for_each_kind(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    refuse(told, "bad-token", "other/repository")
    told.notifier.look_around()
    assert told.titles() == []
    for _ in range(3):
        refuse(told, "bad-token")
        told.notifier.look_around()
    refuse(told, "no-token")
    told.notifier.look_around()
    assert told.titles() == ["A: dispatches are refused"] * 2
    assert [one.content["changes"][0]["reason"] for one in told.stored()] == ["bad-token", "no-token"]
    assert "/deliveries/" in told.stored()[0].content["changes"][0]["url"]
    # not for a day: then it is another matter
    told.execute("UPDATE told_refusals SET last_at = last_at - interval '25 hours'")
    told.execute("UPDATE deliveries SET received_at = now() - interval '25 hours'")
    refuse(told, "bad-token")
    told.notifier.look_around()
    assert len(told.titles()) == 3


def test_a_stranger_who_goes_through_the_repositories_brings_no_storm_about(
    pool: ConnectionPool[Any], target: Target
) -> None:
    providers = [{**PROVIDER, "name": f"P{number}", "repository": f"a/p{number}"} for number in range(30)]
    told = Told(pool, target.url, *providers)
    for provider in providers:
        for reason in ("no-token", "bad-token"):
            refuse(told, reason, provider["repository"])
            told.notifier.look_around()
    assert len(told.titles()) == 10
    # one who has credentials is told of nevertheless
    refuse(told, "other-provider", "a/p29")
    told.notifier.look_around()
    assert told.stored()[-1].content["changes"][0]["reason"] == "other-provider"
    # and what goes on when the others have ended is told then
    told.execute("UPDATE told_refusals SET last_at = last_at - interval '25 hours'")
    told.execute("UPDATE deliveries SET received_at = now() - interval '25 hours'")
    refuse(told, "bad-token", "a/p29")
    told.notifier.look_around()
    assert (len(told.titles()), told.titles()[-1]) == (12, "P29: dispatches are refused")


def test_each_target_is_told_its_own_events(pool: ConnectionPool[Any], target: Target) -> None:
    own = {"targets": [{"url": {"env": "OTHER"}, "events": ["healed"]}]}
    told = Told(pool, target.url, PROVIDER, {**PROVIDER, "name": "B", "repository": "b/b", "notify": own})
    told.end(1, "failed", provider="A")
    told.end(2, "failed", provider="B")
    told.end(3, "passed", provider="B")
    assert [(one.provider, one.target, one.events) for one in told.stored()] == [
        ("A", "url URL", ["broken"]),
        ("B", "url OTHER", ["healed"]),
    ]


def test_a_provider_without_targets_notes_nothing(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url, {**PROVIDER, "notify": {"targets": []}})
    told.end(1, "failed")
    assert (told.count("notable_runs"), told.count("told_outcomes")) == (0, 0)


def test_two_that_look_at_once_tell_it_once(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    for number in range(1, 10):
        told.end(number, "failed", looks=False, consumer=f"C{number}")
    threads = [threading.Thread(target=told.notifier.look, args=["A"]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.notifier.look_around()
    titles = told.titles()
    assert sum(len(one.content["changes"]) for one in told.stored()) == 9, titles


def test_a_run_that_ends_while_somebody_looks_is_looked_at(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    told.end(1, "failed", looks=False, consumer="C")
    add_run(pool, 2, outcome="failed", consumer="D", hours=0)
    jobs = ("procrastinate_jobs", "task_name = 'notice-changes'")
    with pool.connection() as ending:
        run = runs.get(ending, UUID(id_of(2)))
        assert run is not None
        told.notifier.follow(ending, run)
        # the job of the first run is under way before the end of the second one is stored
        told.execute("DELETE FROM procrastinate_jobs")
        told.notifier.look("A")
    assert told.count(*jobs) == 1
    told.notifier.look("A")
    assert sum(len(one.content["changes"]) for one in told.stored()) == 2
    assert told.count("notable_runs") == 0


def test_a_run_that_was_noted_before_and_ends_while_somebody_looks_is_looked_at(
    pool: ConnectionPool[Any], target: Target
) -> None:
    told = Told(pool, target.url)
    told.end(1, "failed", looks=False, consumer="C")
    tried = {"status": "waiting", "failures": 1, "error_kind": "provider-unreachable"}
    told.end(2, None, looks=False, consumer="D", **tried)
    with pool.connection() as ending:
        ending.execute("UPDATE runs SET status = 'finished', outcome = 'failed' WHERE consumer = 'D'")
        run = runs.get(ending, UUID(id_of(2)))
        assert run is not None
        told.notifier.follow(ending, run)
        told.notifier.look("A")
    told.notifier.look("A")
    changes = [change for one in told.stored() for change in one.content["changes"]]
    assert sorted(change["consumer"] for change in changes) == ["C", "D"]


def test_a_look_that_fails_leaves_everything_for_the_next_one(
    pool: ConnectionPool[Any], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(pool, target.url)
    told.end(1, "failed", looks=False)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the process ended here")

    with monkeypatch.context() as patched:
        patched.setattr(notifications, "add", fail)
        with pytest.raises(RuntimeError):
            told.notifier.look("A")
    assert (told.count("notable_runs"), told.count("told_outcomes")) == (1, 0)
    # its job is gone; a chore looks when it was noted long enough ago
    told.notifier.look_around()
    assert told.titles() == []
    told.execute("UPDATE notable_runs SET noted_at = noted_at - interval '2 minutes'")
    told.notifier.look_around()
    assert told.titles() == ["A: 1 pact broken"]


@pytest.mark.parametrize(("status", "result"), [(503, "waiting"), (429, "waiting"), (404, "refused")])
def test_what_is_not_taken_is_tried_again_if_that_may_help(
    pool: ConnectionPool[Any], target: Target, status: int, result: str
) -> None:
    told = Told(pool, f"{target.url}/s3cret")
    target.status = status
    told.end(1, "failed")
    told.send_all()
    [one] = told.stored()
    assert (one.result.value, one.attempts, one.host) == (result, 1, f"127.0.0.1:{target.port}")
    assert f"answered {status}" in str(one.error)
    assert "s3cret" not in str(one)
    waiting = told.count("procrastinate_jobs", "scheduled_at > now() AND task_name = 'send-notification'")
    assert waiting == (result == "waiting")


def test_it_is_given_up_after_the_configured_time_and_counted(
    pool: ConnectionPool[Any], target: Target
) -> None:
    told = Told(pool, target.url, retry_hours=1)
    target.status = 500
    told.end(1, "failed")
    told.execute("UPDATE notifications SET created_at = now() - interval '61 minutes'")
    told.send_all()
    [one] = told.stored()
    assert (one.result.value, one.failed) == ("given-up", True)
    assert (
        told.count("totals", "name = 'notifications' AND labels ->> 'result' = 'given-up' AND value = 1") == 1
    )


def test_a_target_gets_its_messages_in_order_when_it_is_back(
    pool: ConnectionPool[Any], target: Target
) -> None:
    told = Told(pool, target.url)
    target.status = 500
    told.end(1, "failed")
    told.send_all()
    told.end(2, "passed")
    broken, healed = told.stored()
    # another attempt of the first one is due later: the second one doesn't overtake it
    told.notifier.messenger.send(healed.id)
    assert len(target.received) == 1
    target.status = 200
    told.notifier.messenger.send(broken.id)
    assert [one.result.value for one in told.stored()] == ["sent", "sent"]
    assert ['"broken"' in one.body for one in target.received] == [True, True, False]


def test_a_target_that_is_not_configured_any_more_gets_nothing(
    pool: ConnectionPool[Any], target: Target
) -> None:
    Told(pool, target.url).end(1, "failed")
    later = Told(pool, target.url, targets=[{"url": {"env": "OTHER"}}])
    later.send_all()
    # another process may know the target: its configuration may be newer
    assert later.stored()[0].result.value == "waiting"
    later.execute("UPDATE notifications SET created_at = created_at - interval '11 minutes'")
    later.send_all()
    [one] = later.stored()
    assert (one.result.value, target.received) == ("refused", [])
    assert "is not told of A any more" in str(one.error)


def test_a_message_whose_job_is_gone_is_sent(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    told.end(1, "failed")
    told.execute("DELETE FROM procrastinate_jobs")
    told.execute("UPDATE notifications SET created_at = created_at - interval '1 minute'")
    told.notifier.look_around()
    assert told.count("procrastinate_jobs", "task_name = 'send-notification'") == 1


def test_a_database_that_is_away_for_a_moment_has_nothing_sent_twice(
    pool: ConnectionPool[Any], postgres: str, database_url: str, target: Target
) -> None:
    told = Told(pool, f"{target.url}/slow")
    told.end(1, "failed")
    [one] = told.stored()
    sending = threading.Thread(target=told.notifier.messenger.send, args=[one.id])
    sending.start()
    target.wait_for(1)
    with away(postgres, database_url):
        target.answer_the_slow()
    sending.join()
    told.send_all()
    assert [one.result.value for one in told.stored()] == ["sent"]
    assert len(target.received) == 1


def test_a_target_that_hangs_holds_one_job_up(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url, PROVIDER, {**PROVIDER, "name": "B", "repository": "b/b"})
    told.end(1, "failed", provider="A")
    told.end(2, "failed", provider="B")
    assert told.count("procrastinate_jobs", "lock = 'notify url URL'") == 2


def test_what_was_taken_and_could_not_be_noted_comes_again_with_the_same_id(
    pool: ConnectionPool[Any], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(pool, target.url)
    told.end(1, "failed")
    [one] = told.stored()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the process ended here")

    with monkeypatch.context() as patched:
        patched.setattr(notifications, "finish", fail)
        with pytest.raises(RuntimeError):
            told.notifier.messenger.send(one.id)
    told.notifier.messenger.send(one.id)
    assert [json.loads(received.body)["id"] for received in target.received] == [str(one.id)] * 2
    assert told.stored()[0].result.value == "sent"


def test_old_ones_are_deleted_and_what_is_broken_is_remembered(
    pool: ConnectionPool[Any], target: Target
) -> None:
    told = Told(pool, target.url)
    told.end(1, "failed", consumer="C")
    told.end(2, "passed", consumer="D")
    told.execute("UPDATE notifications SET created_at = created_at - interval '31 days'")
    told.execute("UPDATE told_outcomes SET changed_at = changed_at - interval '31 days'")
    told.notifier.delete_old()
    assert (told.count("notifications"), told.count("notified_runs"), told.count("told_outcomes")) == (
        0,
        0,
        1,
    )
    told.execute("DELETE FROM runs")
    told.end(3, "passed", consumer="C")
    assert told.titles() == ["A: 1 pact healed"]


BRANCHES = {"branches": ["main", "feature/*"]}
CHECKOUT = {
    "name": "A",
    "repository": "a/b",
    "checkout": {"url": "https://git.example/a/b", "command": "serve"},
}


def let_pass(told: Told, days: int) -> None:
    """Have some days pass for what was told, and the history be deleted."""
    told.execute("DELETE FROM runs")
    for table in ("told_outcomes", "newest_versions"):
        told.execute(f"UPDATE {table} SET seen_at = seen_at - interval '{days} days'")
    told.execute(f"UPDATE told_outcomes SET changed_at = changed_at - interval '{days} days'")
    told.notifier.delete_old()


def test_what_is_known_of_a_branch_ends_a_year_after_its_last_run(
    pool: ConnectionPool[Any], target: Target
) -> None:
    told = Told(pool, target.url, CHECKOUT, **BRANCHES)
    told.end(1, "failed", provider_branch="feature/1", provider_version="a" * 40)
    told.end(2, "failed", branch="feature/2", provider_version="b" * 40)
    told.end(3, "failed", provider_branch="main", provider_version="c" * 40)
    told.end(4, "error", provider_branch="feature/3", provider_version="d" * 40, error_kind="provider-down")
    let_pass(told, 364)
    assert (told.count("told_outcomes"), told.count("newest_versions")) == (4, 4)
    let_pass(told, 2)
    assert (told.count("told_outcomes"), told.count("newest_versions")) == (0, 0)


@pytest.mark.parametrize("branch", ["main", "feature/1"])
def test_what_goes_on_to_fail_is_told_once_however_long_that_takes(
    pool: ConnectionPool[Any], target: Target, branch: str
) -> None:
    told = Told(pool, target.url, CHECKOUT, **BRANCHES)
    told.end(1, "passed", provider_branch=branch, provider_version="a" * 40)
    told.end(2, "failed", provider_branch=branch, provider_version="b" * 40)
    for number in range(3, 9):
        let_pass(told, 300)
        # what is older is deployed somewhere, and says nothing of the branch
        told.end(number + 50, "passed", provider_branch=branch, provider_version="a" * 40, hours=90)
        told.end(number, "failed", provider_branch=branch, provider_version="b" * 40)
        told.notifier.delete_old()
    assert told.titles() == ["A: 1 pact broken"]
    let_pass(told, 300)
    told.end(9, "passed", provider_branch=branch, provider_version="c" * 40)
    assert told.titles() == ["A: 1 pact broken", "A: 1 pact healed"]


def test_what_is_known_stays_while_somebody_looks_at_it(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url, **BRANCHES)
    told.end(1, "failed", provider_branch="feature/1")
    with told.pool.connection() as connection:
        connection.execute("DELETE FROM runs")
        connection.execute("UPDATE told_outcomes SET seen_at = now() - interval '400 days'")
        connection.commit()
        connection.execute("SELECT 1 FROM told_outcomes FOR UPDATE")
        told.notifier.delete_old()
    assert told.count("told_outcomes") == 1


def test_a_broker_that_is_away_holds_it_up_for_a_while_only(
    pool: ConnectionPool[Any], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_branches, "ASK_SECONDS", 0.1)
    told = Told(pool, target.url, consumer_branches=None)
    told.end(1, "failed")
    assert told.titles() == []
    told.execute("UPDATE notable_runs SET noted_at = noted_at - interval '16 minutes'")
    told.notifier.look_around()
    assert told.titles() == ["A: 1 pact broken"]


def test_a_version_that_comes_while_the_broker_is_asked_is_asked_for_too(
    pool: ConnectionPool[Any], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(pool, target.url, consumer_branches=None)
    asked: list[set[tuple[str, str]]] = []

    def answer(_: object, versions: set[tuple[str, str]], __: object) -> dict[tuple[str, str], bool]:
        asked.append(set(versions))
        if len(asked) == 1:
            told.end(2, "failed", looks=False, consumer="D", consumer_version="of a feature")
        return {(consumer, version): version == "of main" for consumer, version in versions}

    monkeypatch.setattr(notifier, "versions_that_count", answer)
    told.end(1, "failed", consumer="C", consumer_version="of main")
    told.notifier.look("A")
    assert [change["consumer"] for one in told.stored() for change in one.content["changes"]] == ["C"]
    assert asked == [{("C", "of main")}, {("D", "of a feature")}]
    assert told.count("notable_runs") == 0


@pytest.mark.parametrize("seconds", [0, 60])
def test_two_that_look_at_a_pact_of_which_nothing_was_told_do_so_one_after_the_other(
    pool: ConnectionPool[Any], target: Target, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    told = Told(pool, target.url, interval_seconds=seconds)
    other = threading.Thread(target=told.notifier.look, args=["A"])
    store = told_outcomes.store

    def meanwhile(*arguments: Any) -> None:
        monkeypatch.setattr(told_outcomes, "store", store)
        told.end(2, "passed", looks=False)
        other.start()
        waits = "datname = current_database() AND wait_event_type = 'Lock'"
        wait_until(
            lambda: not other.is_alive() or told.count("pg_stat_activity", waits), "the other one looked"
        )
        store(*arguments)

    monkeypatch.setattr(told_outcomes, "store", meanwhile)
    told.end(1, "failed")
    other.join()
    if seconds:  # the messages keep their distance, and a job looks after that
        assert told.titles() == ["A: 1 pact broken"]
        assert told.count("procrastinate_jobs", "task_name = 'notice-changes' AND scheduled_at > now()") > 0
        told.execute("UPDATE notifications SET created_at = created_at - interval '2 minutes'")
        told.notifier.look("A")
    assert told.titles() == ["A: 1 pact broken", "A: 1 pact healed"]
    told.end(3, "passed")
    assert len(told.titles()) == 2


def test_a_message_is_part_of_the_trace_of_its_run(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, target.url)
    told.end(1, "passed")
    told.end(2, "failed", trace=ABOVE.traceparent)
    with kept_spans() as kept:
        told.send_all()
    request, telling = kept
    assert (telling.name, telling.parent_id) == ("tell of a change", ABOVE.span_id)
    assert (request.name, request.parent_id) == ("POST", telling.span_id)


def test_a_message_that_is_not_taken_is_a_span_that_failed(pool: ConnectionPool[Any], target: Target) -> None:
    told = Told(pool, f"{target.url}/status/404")
    told.end(1, "passed")
    told.end(2, "failed", trace=ABOVE.traceparent)
    with kept_spans() as kept:
        told.send_all()
    request, telling = kept
    assert (request.name, telling.name) == ("POST", "tell of a change")
    assert request.error is not None
    assert request.error == telling.error
    assert "answered 404" in request.error
