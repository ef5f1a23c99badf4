"""The page of the queue: what waits for what, in which order, and who works."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from app.dispatch import Dispatch
from app.queue import jobs, workers
from app.records import actions, run_changes, runs
from app.records.run import Failure
from app.records.run_changes import RunChanges
from tests.app.web.dashboard.test_runs import page_of, words_of
from tests.app.web.dashboard.test_signing_in import READER, form_token, sign_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

CHANGES = RunChanges()
AWAY = Failure("provider-not-ready", "the provider <i>is</i> away")


def request(pool: ConnectionPool[Any], consumer: str, provider: str = "A") -> UUID:
    pact = f"http://broker.example.org/base/pacts/provider/{provider}/consumer/{consumer}/latest"
    lock = jobs.lock_of(provider, parallel=False)
    with pool.connection() as connection:
        return run_changes.request(connection, provider, Dispatch("a/b", "pact_changed", pact), lock=lock)[0]


def begin(pool: ConnectionPool[Any], run_id: UUID, worker: int | None = None) -> None:
    with pool.connection() as connection:
        run = runs.get(connection, run_id)
        assert run is not None
        assert run.job_id is not None
        connection.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE id = %s",
            [worker, run.job_id],
        )
        assert CHANGES.begin(connection, run_id, run.job_id, "host:7")


def retry_later(pool: ConnectionPool[Any], run_id: UUID) -> None:
    begin(pool, run_id)
    with pool.connection() as connection:
        run = runs.get(connection, run_id)
        assert run is not None
        connection.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [run.job_id])
        lock = jobs.lock_of(run.provider, parallel=False)
        assert CHANGES.try_again(connection, run, AWAY, wait=600, lock=lock)


def rows_of(page: str) -> list[str]:
    """Return the words of the rows of what waits."""
    waits = page.partition("What waits</h2>")[2]
    return [words_of(row) for row in re.findall(r'<tr id="[^"]+">(.*?)</tr>', waits, re.DOTALL)]


def test_an_empty_queue_without_a_worker_says_what_to_do(client: FlaskClient) -> None:
    words = words_of(page_of(client, "/queue"))
    assert "No worker is alive" in words
    assert "No run waits." in words


def test_it_says_what_each_provider_waits_for_in_the_order_of_the_workers(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    retry_later(pool, request(pool, "Late", "Later"))
    busy = request(pool, "Shop", "Busy")
    for consumer in ("Next", "Other"):
        request(pool, consumer, "Busy")
    request(pool, "Web", "Free")
    request(pool, "App", "Held")
    retry_later(pool, request(pool, "One", "Two"))
    request(pool, "Other", "Two")
    with pool.connection() as connection:
        row = connection.execute("SELECT worker_id FROM procrastinate_register_worker_v1()").fetchone()
        assert row is not None
        workers.register(connection, [row[0]], name="host:7", version="0.0.1", concurrency=3)
        connection.execute("INSERT INTO paused_providers (provider, paused_by) VALUES ('Held', 'ann')")
    begin(pool, busy, row[0])

    page = page_of(client, "/queue")
    free, held, two, waits, later = rows_of(page)
    assert two.startswith("Two 2 runs 1 for the next attempt a worker Other , queued just now")
    assert free.startswith("Free 1 run a worker Web , queued just now")
    assert held.startswith("Held 1 run paused by ann, just now App")
    assert waits.startswith("Busy 2 runs running Shop , began just now Next , queued")
    assert later.startswith(
        "Later 1 run the next attempt Late , next attempt in 9 min the provider <i>is</i>"
    )
    assert "Start now" in later
    assert "Start now" not in free
    assert "<i>is</i>" not in page
    words = words_of(page)
    assert "host:7 0.0.1 not that of this page just now" in words
    assert "Shop of Busy , began just now (1 of 3 runs at once)" in words
    assert f'action="/runs/{busy}/cancel"' not in page

    shown = words_of(page_of(client, "/queue?provider=Busy"))
    assert "running Shop , began just now" in shown
    assert re.search(r"1 Next queued.*2 Other queued", shown)
    assert "No run of Nobody waits" in page_of(client, "/queue?provider=Nobody")
    assert "provider must be a text" in page_of(client, "/queue?provider=%00", 422)


def test_of_a_later_attempt_it_says_which_one_it_is_and_when_that_began(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    run_id = request(pool, "Shop")
    retry_later(pool, run_id)
    with pool.connection() as connection:
        row = connection.execute("SELECT worker_id FROM procrastinate_register_worker_v1()").fetchone()
        assert row is not None
        workers.register(connection, [row[0]], name="host:7", version="0.0.1", concurrency=3)
    begin(pool, run_id, row[0])
    with pool.connection() as connection:
        connection.execute("UPDATE runs SET started_at = now() - interval '31 min'")
        connection.execute("UPDATE run_moments SET at = now() - interval '31 min' WHERE attempt = 1")
        connection.execute("UPDATE run_moments SET at = now() - interval '5 min 5 s' WHERE attempt = 2")
    request(pool, "Next")
    for path in ("/queue", "/queue?provider=A", "/runs"):
        words = words_of(page_of(client, path))
        assert "attempt 2 began 5 min ago" in words, path
        assert "31 min" not in words
    assert (
        words_of(page_of(client, "/queue")).count("attempt 2 began 5 min ago") == 2
    )  # of the worker, of the provider


def test_a_run_that_waits_for_its_next_attempt_is_started_by_those_who_may(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    run_id = request(pool, "C")
    retry_later(pool, run_id)
    sign_in(client, READER)
    assert "Start now" not in client.get("/queue").text
    form = {"run": str(run_id), "form_token": form_token(client, "/queue")}
    assert client.post("/queue/start-now", data=form).status_code == 403

    sign_in(client)
    form["form_token"] = form_token(client, "/queue")
    assert client.post("/queue/start-now", data={**form, "form_token": "forged"}).status_code == 403
    answer = client.post("/queue/start-now", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/runs/{run_id}")
    with pool.connection() as connection:
        run = runs.get(connection, run_id)
        assert run is not None
        assert run.retry_at is None
        [done] = actions.of_run(connection, run_id)
        assert (done.action, done.who, done.provider) == ("start-now", "me", "A")
    answer = client.post("/queue/start-now", data=form)
    assert answer.status_code == 409
    assert "does not wait for its next attempt any more" in answer.text
    assert client.post("/queue/start-now", data={**form, "run": "x"}).status_code == 422
    assert client.post("/queue/start-now", data={**form, "run": str(uuid4())}).status_code == 409


def test_results_that_are_published_again_are_shown_with_their_time(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    run_id = request(pool, "C")
    begin(pool, run_id)
    with pool.connection() as connection:
        run = runs.get(connection, run_id)
        assert run is not None
        passed = {"outcome": "passed", "provider_version": "1", "interactions": [], "consumer": "C"}
        run = CHANGES.verified(connection, run, passed, publish=True)
        assert run is not None
        CHANGES.not_published(connection, run, Failure("broker-away", "the broker answered 503"), wait=120)
    words = words_of(page_of(client, "/queue"))
    assert "Publish results again 0 0 1 in 1 min" in words
    assert "C of A , in 1 min the broker answered 503" in words


def test_what_waits_of_many_providers_stays_small(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    with pool.connection() as connection:
        connection.execute(
            "INSERT INTO runs (id, key, provider, repository, event_type, reason, pact_url, consumer, status) "
            "SELECT gen_random_uuid(), n::text, 'Provider ' || greatest(1, n - 100), 'a/b', 'pact_changed', "
            "'dispatched', 'http://b/x', 'Consumer ' || n, 'waiting' FROM generate_series(1, 160) AS n"
        )
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args) SELECT 'runs', 'verify', "
            "'provider ' || provider, jsonb_build_object('run_id', id) FROM runs"
        )
        connection.execute(
            "UPDATE runs SET job_id = job.id FROM procrastinate_jobs job WHERE runs.id = (args ->> 'run_id')::uuid"
        )
    page = page_of(client, "/queue")
    assert len(rows_of(page)) == 50
    assert "the first 50 of 60 providers" in page
    assert len(page) < 100_000
    page = page_of(client, "/queue?provider=Provider%201")
    assert page.count('<tr id="run-') == 60
    assert "These are the first 60 of 101" in page
    assert len(page) < 100_000
