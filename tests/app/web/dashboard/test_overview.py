"""The overview: what needs attention with its cause and one thing to do, each provider, and how runs ended."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from app.records import counters, processes, sightings
from app.records.processes import Kind, ProcessState
from app.records.sightings import Seen
from app.web.dashboard.overview.chart import HEIGHT, chart_of
from app.web.dashboard.overview.query import PER_PAGE, RESULTS_OF_PROVIDER
from tests.support.history_rows import add_history
from tests.support.shown import words_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

TOKEN = "a-token-for-reading-the-api"
HOSTILE = "<script>alert(1)</script> / ../ \"'&`x`"
DEFAULTS: dict[str, Any] = {
    "provider": "A",
    "consumer": "Shop",
    "repository": "a/b",
    "event_type": "pact_changed",
    "reason": "dispatched",
    "pact_url": "http://broker.example.org/base/pacts/provider/A/consumer/Shop/latest",
    "status": "finished",
}


@pytest.fixture
def database(pool: ConnectionPool[Any]) -> Iterator[Connection[Any]]:
    with pool.connection() as connection:
        connection.autocommit = True
        yield connection
        connection.autocommit = False


@pytest.fixture
def signed_in(client: FlaskClient) -> FlaskClient:
    client.post("/sign-in", data={"token": TOKEN})
    return client


def add_run(database: Connection[Any], **values: Any) -> UUID:
    """Add a run; times are seconds from now."""
    run_id = uuid4()
    row = {**DEFAULTS, "id": run_id, "key": str(run_id), **values}
    if row["status"] == "finished":
        row.setdefault("outcome", "passed")
        row.setdefault("finished_at", 0)
    for name in ("created_at", "finished_at", "verified_at", "retry_at"):
        if name in row:
            row[name] = datetime.now(UTC) + timedelta(seconds=row[name])
    columns, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    database.execute(f"INSERT INTO runs ({columns}) VALUES ({places})".encode(), row)
    return run_id


def refuse(database: Connection[Any], reason: str, number: int = 1, *, seconds: float = 0) -> None:
    database.execute(
        "INSERT INTO deliveries (id, received_at, source, sender, status, refusal, detail) "
        "SELECT gen_random_uuid(), now() - %(seconds)s * interval '1 s', 'api', 'broker', 422, %(reason)s, 'so it is' "
        "FROM generate_series(1, %(number)s)",
        {"reason": reason, "number": number, "seconds": seconds},
    )


def add_worker(database: Connection[Any]) -> None:
    for _ in range(2):
        database.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")


def attention(client: FlaskClient) -> list[str]:
    """The lines of what needs attention: their text, and where their link leads."""
    page = client.get("/")
    assert page.status_code == 200, page.text
    found = re.findall(r'<ul class="attention">(.*?)</ul>', page.text, re.DOTALL)
    assert bool(found) != ("Nothing needs attention." in page.text)
    return [
        words_in(line) + " -> " + html.unescape(re.findall(r'href="([^"]*)"', line)[-1])
        for line in re.findall(r"<li.*?</li>", "".join(found), re.DOTALL)
    ]


def test_with_a_worker_and_nothing_else_nothing_needs_attention(
    signed_in: FlaskClient, database: Connection[Any]
) -> None:
    [line] = attention(signed_in)
    assert line.startswith("No worker is alive. Dispatches are accepted and queued")
    assert line.endswith("-> /queue")
    add_worker(database)
    add_run(database)
    assert attention(signed_in) == []


def test_a_broken_contract_is_there_until_it_passes_again(
    signed_in: FlaskClient, database: Connection[Any]
) -> None:
    add_worker(database)
    failed = {
        "outcome": "failed",
        "failed_interactions": 2,
        "provider_version": "f" * 40,
        "provider_branch": "main",
    }
    add_run(database, **failed, consumer_version="7", created_at=-60)
    [line] = attention(signed_in)
    assert "A breaks its contract with Shop. just now 2 interactions failed" in line
    assert "version ffffffff of main with version 7 of Shop." in line
    assert line.endswith("-> /pairs?provider=A&consumer=Shop")
    # what can't be verified is no other answer
    run = add_run(database, outcome="error", error="nothing answered at `/health`", created_at=-40)
    [broken, line] = attention(signed_in)
    assert broken.startswith("A breaks")
    assert "A could not be verified for Shop. just now Nothing answered at /health" in line
    assert line.endswith(f"-> /runs/{run}")
    add_run(database, created_at=-20)
    assert attention(signed_in) == []
    # a pending pact breaks nothing, and a failure of an earlier run doesn't count
    add_run(database, outcome="failed", pending=True, consumer="Other")
    add_run(database, outcome="failed", created_at=-30)
    assert attention(signed_in) == []


def test_what_the_broker_does_not_take_is_told_until_there_is_a_later_answer(
    signed_in: FlaskClient, database: Connection[Any]
) -> None:
    add_worker(database)
    pending = {"publishing": "pending", "publish_error": "503 Service Unavailable"}
    for number in range(3):
        add_run(database, **pending, consumer=f"C{number}")
    refused = add_run(
        database, publishing="refused", publish_error="409: there is another result", created_at=-60
    )
    lines = attention(signed_in)
    assert "The broker does not take the result of A for Shop." in lines[0]
    assert "409: there is another result" in lines[0]
    assert lines[0].endswith(f"-> /runs/{refused}")
    assert "The broker has not taken 3 results of A yet; that is tried again by itself." in lines[1]
    assert "503 Service Unavailable" in lines[1]
    add_run(database, publishing="published")
    assert len(attention(signed_in)) == 1


def test_runs_that_wait_tell_what_for(signed_in: FlaskClient, database: Connection[Any]) -> None:
    add_worker(database)
    waiting = {"status": "waiting", "error": "nothing answers", "error_kind": "provider-not-ready"}
    run = add_run(database, **waiting, retry_at=600)
    add_run(database, **waiting, retry_at=1200)
    unknown = {
        "status": "waiting",
        "provider": "Gone",
        "error_kind": "unknown-provider",
        "error": "there is no",
    }
    add_run(database, **unknown)
    database.execute(
        "INSERT INTO paused_providers (provider, paused_by, reason) VALUES ('A', 'ann', 'it moves')"
    )
    unconfigured, after_error, paused = attention(signed_in)
    assert "1 run waits for Gone, which is not in the configuration." in unconfigured
    assert unconfigured.endswith("-> /runs?provider=Gone&status=waiting")
    assert "2 runs of A wait after an error. the next attempt in 9 min Nothing answers" in after_error
    assert after_error.endswith(f"-> /runs/{run}")
    assert (
        "A is paused. since just now Its runs are accepted, and wait. It was paused by ann: it moves."
        in paused
    )
    assert paused.endswith("-> /providers/A")


def test_a_webhook_is_broken_whose_dispatches_reconcile_alone_finds(
    signed_in: FlaskClient, database: Connection[Any]
) -> None:
    add_worker(database)
    add_run(database, created_at=-120)
    run = add_run(database, reason="reconciled", created_at=-60)
    [line] = attention(signed_in)
    assert line.startswith("The webhook of A is broken.")
    assert "1 run of the last 7 days" in line
    assert line.endswith("-> /providers/A")
    # a dispatch that came while it waited
    database.execute(
        "INSERT INTO deliveries (id, source, status, run_id) VALUES (gen_random_uuid(), 'api', 204, %s)",
        [run],
    )
    assert attention(signed_in) == []
    database.execute("DELETE FROM deliveries")
    assert len(attention(signed_in)) == 1
    add_run(database)
    assert attention(signed_in) == []


def test_refusals_are_grouped_by_reason_and_say_how_to_mend_them(
    signed_in: FlaskClient, database: Connection[Any]
) -> None:
    add_worker(database)
    refuse(database, "unknown-repository", 12)
    refuse(database, "not-json", seconds=7200)
    refuse(database, "bad-token", seconds=90000)
    first, second = attention(signed_in)
    assert first.startswith("12 deliveries were refused in the last 24 hours: unknown-repository.")
    assert "No provider has this repository. To fix it: Correct the repository" in first
    assert first.endswith("-> /deliveries?refusal=unknown-repository")
    assert second.startswith("1 delivery was refused in the last 24 hours: not-json. the last one 2 h ago")
    assert signed_in.get("/").text.count("so it is") == 5


def test_the_workers_tell_of_the_broker_and_of_the_token(
    signed_in: FlaskClient, database: Connection[Any]
) -> None:
    add_worker(database)
    assert "not asked yet" in signed_in.get("/").text
    sightings.note(database, Seen.BROKER, {"error": "nobody listens at `http://broker`"})
    soon = datetime.now(UTC) + timedelta(days=3, minutes=1)
    sightings.note(database, Seen.GITHUB_TOKEN, {"expires": soon.isoformat()})
    broker, token = attention(signed_in)
    assert broker.startswith(
        "The broker at http://broker.example.org/base does not answer the workers. tried just now"
    )
    assert token.startswith("The token for GitHub expires soon. expires in 3 days")
    sightings.note(database, Seen.BROKER, {"error": None})
    sightings.note(database, Seen.GITHUB_TOKEN, {"expires": (soon - timedelta(days=9)).isoformat()})
    [token] = attention(signed_in)
    assert token.startswith("The token for GitHub has expired. expired 5 days ago")
    for expires in (None, (soon + timedelta(days=90)).isoformat()):
        sightings.note(database, Seen.GITHUB_TOKEN, {"expires": expires})
        assert attention(signed_in) == []
    assert "answers</b> the broker" in signed_in.get("/").text


def test_a_configuration_that_was_refused_is_told_until_a_later_one_is_taken(
    signed_in: FlaskClient, database: Connection[Any]
) -> None:
    add_worker(database)
    ids = [uuid4(), uuid4(), uuid4()]
    mistake = f"/etc/pact-dispatch.toml: providers[1].name: {HOSTILE}"

    def note(number: int, refused: str | None) -> None:
        state = ProcessState(Kind.WORKER, f"machine{number}:7", "1.0.0", "abc", 5.0, refused=refused)
        processes.note(database, ids[number], state)

    for number, refused in enumerate((None, mistake, mistake)):
        note(number, refused)
    [line] = attention(signed_in)
    assert line.startswith("A change of the configuration was refused: 2 processes kept what they had.")
    assert (
        "Worker machine1:7: /etc/pact-dispatch.toml: providers[1].name: <script>alert(1)</script> /" in line
    )
    assert "then pact-dispatch reload" in line
    assert line.endswith("-> /system")
    note(1, None)
    assert "refused: 1 process kept what it had." in attention(signed_in)[0]
    database.execute("UPDATE receiver_processes SET heard_at = heard_at - interval '2 minutes'")  # it is gone
    assert attention(signed_in) == []


def test_statuses_that_github_does_not_take_are_told(
    signed_in: FlaskClient, database: Connection[Any]
) -> None:
    add_worker(database)
    run = add_run(database)
    for result in ("refused", "given-up", "set"):
        database.execute(
            "INSERT INTO commit_statuses (run_id, repository, sha, context, state, description, result, error, "
            "finished_at) VALUES (%s, 'a/b', 'abc', 'pact/C', 'success', 'd', %s, 'GitHub answered 404', now())",
            [run, result],
        )
    [line] = attention(signed_in)
    assert "GitHub has not taken 2 statuses of commits of a/b. just now GitHub answered 404" in line
    assert line.endswith("-> /system#statuses")


def test_no_kind_of_trouble_pushes_the_others_away(signed_in: FlaskClient, database: Connection[Any]) -> None:
    add_worker(database)
    for number in range(40):
        add_run(database, outcome="failed", consumer=f"C{number}")
        add_run(database, outcome="error", provider=f"P{number}")
        refuse(database, f"reason-{number}")
    lines = attention(signed_in)
    assert len(lines) == 51
    assert lines[5].endswith("-> /runs?outcome=failed")
    assert "39 more</summary>" in signed_in.get("/").text


def test_each_provider_is_there_with_its_outcomes_and_what_waits(
    signed_in: FlaskClient, database: Connection[Any]
) -> None:
    add_run(database, consumer="Till", publishing="refused", created_at=-90, finished_at=-20)
    add_run(database, consumer="Shop", publishing="published", created_at=-5, finished_at=-1)
    add_run(
        database,
        consumer="Till",
        outcome="failed",
        publishing="published",
        created_at=-12,
        finished_at=-3,
    )
    add_run(database, status="waiting", created_at=-7300)
    add_run(database, status="running")
    for number in range(RESULTS_OF_PROVIDER + 3):
        add_run(database, provider="Zoo", consumer=f"C{number:02}")
    page = signed_in.get("/").text
    a, zoo = page[page.index('data-label="Provider"') :].split('data-label="Provider"')[1:3]
    assert a.index("Till") < a.index("Shop")
    assert 'href="/pairs?provider=A&amp;consumer=Till"' in a
    assert '<span class="badge failed">Till<span class="unseen"> failed</span></span>' in a
    assert 'href="/runs?provider=A&amp;status=waiting">1</a>' in a
    assert 'href="/runs?provider=A&amp;status=running">1</a>' in a
    assert "2 h ago" in a
    assert "6.5 s<br>" in a
    assert "95 % within 8.8 s" in a
    assert "not configured" in zoo
    assert "and 3 more" in zoo
    assert zoo.count("badge passed") == RESULTS_OF_PROVIDER


def test_many_providers_have_pages_and_a_search(signed_in: FlaskClient, database: Connection[Any]) -> None:
    for number in range(PER_PAGE + 2):
        add_run(database, provider=f"Provider {number:03}")
    add_run(database, provider="zz", outcome="failed")
    names = re.findall(r'data-label="Provider".*?href="/providers/([^"]+)"', signed_in.get("/").text)
    assert len(names) == PER_PAGE
    assert names[:2] == ["zz", "Provider%20000"]
    page = signed_in.get("/?page=2").text
    assert "Page 2 of 2" in page
    assert names[0] not in re.findall(r'href="/providers/([^"]+)"', page.split('id="providers"')[1])
    for strange in ("99999", "0", "-1", "x", "9" * 40):
        assert signed_in.get(f"/?page={strange}").status_code == 200
    found = signed_in.get("/?q=PROVIDER+00").text
    assert "10 providers;" in found
    assert "No provider has a name like that." in signed_in.get("/?q=nothing").text


def test_what_others_have_written_is_text(signed_in: FlaskClient, database: Connection[Any]) -> None:
    names = {"provider": HOSTILE, "consumer": HOSTILE}
    add_run(database, **names, outcome="failed", provider_version=HOSTILE, provider_branch=HOSTILE)
    add_run(database, **names, status="waiting", error=HOSTILE, error_kind="x")
    sightings.note(database, Seen.BROKER, {"error": HOSTILE})
    refuse(database, HOSTILE)
    page = signed_in.get("/", query_string={"q": HOSTILE}).text
    assert "<script>alert" not in page
    assert "style=" not in page
    assert html.escape("<script>alert(1)</script>") in page


def test_the_charts_have_every_run_that_ended_and_a_table_beside(
    signed_in: FlaskClient, database: Connection[Any], database_url: str
) -> None:
    add_history(database_url, runs=50)
    add_history(database_url, runs=20, days=3)
    counters.add_up(database)
    add_run(database, outcome="failed")
    page = signed_in.get("/").text
    assert 'aria-label="The last 24 hours: 30 passed, 11 failed, 10 could not verify.' in page
    assert 'aria-label="The last 30 days: 42 passed, 15 failed, 14 could not verify.' in page
    assert page.count("As a table") == 2


def test_a_chart_shows_the_smallest_part_and_none_beyond_its_top() -> None:
    last = datetime(2026, 5, 1, 12, tzinfo=UTC)
    step = timedelta(hours=1)
    counted = {(last, "passed"): 100_000, (last, "failed"): 1, (last - step, "error"): 3}
    chart = chart_of(counted, last=last, step=step, number=24, form="%H:%M")
    assert len(chart.columns) == 24
    *_, before, newest = chart.columns
    assert (before.name, newest.name) == ("11:00", "12:00")
    assert newest.text == "12:00: 100000 passed, 1 failed"
    assert before.text == "11:00: 3 could not verify"
    assert all(part.height >= 1 and 0 <= part.y <= HEIGHT for part in newest.parts + before.parts)
    assert chart.totals == {"passed": 100_000, "failed": 1, "error": 3}
    assert chart_of({}, last=last, step=step, number=30, form="%H:%M").most == 0
