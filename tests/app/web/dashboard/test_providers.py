"""The pages of providers: the list, one with its results, and what is done to it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.config.settings import Settings
from app.records import provider_looks
from app.records.run_changes import RunChanges
from app.web.application import create_app
from app.web.metrics import PREFIX
from tests.app.web.dashboard.test_deliveries import dispatch, id_of, text_of
from tests.app.web.dashboard.test_signing_in import READER, form_token, receiver_of, sign_in
from tests.support.history_rows import add_history

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool
    from werkzeug.test import TestResponse

API = {"Authorization": "Bearer a-token-for-reading-the-api"}


def post(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    return client.post(path, data={"form_token": form_token(client), **fields})


def kept(pool: ConnectionPool[Any]) -> list[tuple[str, ...]]:
    with pool.connection() as connection:
        rows = connection.execute("SELECT who, action, provider FROM actions ORDER BY id").fetchall()
    return [tuple(row) for row in rows]


def with_providers(client: FlaskClient, *names: str, **more: Any) -> FlaskClient:
    """A client of the same receiver with other providers."""
    providers = [
        {
            "name": name,
            "repository": f"acme/p{number}",
            "base_url": "http://127.0.0.1:1",
            "version": "1",
            **more,
        }
        for number, name in enumerate(names)
    ]
    settings = Settings.model_validate(
        {"broker": {"url": "http://broker.example.org"}, "providers": providers}
    )
    other = create_app(replace(receiver_of(client), settings=settings)).test_client()
    sign_in(other)
    return other


def names_in(client: FlaskClient, path: str = "/providers") -> list[str]:
    page = client.get(path)
    assert page.status_code == 200, page.text
    return re.findall(r'class="first"><a href="/providers/[^"]+">([^<]+)</a>', page.text)


def test_the_list_has_configured_providers_and_those_of_the_history(
    client: FlaskClient, database_url: str
) -> None:
    sign_in(client)
    add_history(database_url, runs=20)
    assert names_in(client) == ["A", *(f"Provider {number}" for number in range(10))]
    assert client.get("/providers").text.count("not in the configuration</td>") == 10
    assert names_in(client, "/providers?q=PROVIDER+3") == ["Provider 3"]
    assert names_in(client, "/providers?q=a/b") == ["A"]
    assert len(names_in(client, "/providers?state=history")) == 10
    assert "No provider is like that" in client.get("/providers?q=nothing").text


def test_a_thousand_providers_are_paged(client: FlaskClient) -> None:
    many = with_providers(client, *(f"P{number:04}" for number in range(1000)))
    seen, path = [], "/providers"
    for _ in range(2):
        seen += names_in(many, path)
        following = re.search(r'href="([^"]+)" rel="next"', many.get(path).text)
        assert following is not None
        path = following[1].replace("&amp;", "&")
    assert seen == [f"P{number:04}" for number in range(100)]
    assert len(many.get("/providers").text) < 100_000


@pytest.mark.parametrize("name", ["a/b", "a//b", "x/pause", "<script>alert(1)</script>", "ü ?&#%25", "a\\b"])
def test_a_name_may_hold_any_character(client: FlaskClient, name: str) -> None:
    strange = with_providers(client, name)
    path = re.search(r'class="first"><a href="([^"]+)"', strange.get("/providers").text)
    assert path is not None
    page = strange.get(path[1])
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    answer = post(strange, f"{path[1]}/pause")
    assert (answer.status_code, answer.headers["Location"]) == (303, path[1])
    assert "Resume" in strange.get(path[1]).text
    assert "Paused:" in strange.get("/").text


def test_a_provider_shows_its_configuration_without_secrets(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVIDER_TOKEN", "s3cret-of-the-provider")
    one = with_providers(
        client,
        "A",
        headers={"Authorization": {"env": "PROVIDER_TOKEN"}, "X-Literal": "in-clear-text"},
        branch="main",
        consumer_version_selectors=[{"mainBranch": True}],
        states_setup_url="http://127.0.0.1:1/states?access_token=s3cret-of-the-states",
    )
    text = text_of(one, "/providers/A")
    assert "runs already" in text
    assert "headers.Authorization from the variable PROVIDER_TOKEN" in text
    assert "s3cret" not in text
    assert "in-clear-text" not in text
    assert "memory_limit 1024 MB" in text
    assert "consumer_version_selectors mainBranch = yes" in text
    assert client.get("/providers/nobody").status_code in {401, 404}
    assert one.get("/providers/nobody").status_code == 404


def test_the_matrix_has_the_latest_result_of_each_consumer_and_version(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    sign_in(client)
    with pool.connection() as connection:
        for age, consumer, version, outcome in (
            (5, "C", "1", "failed"),
            (4, "C", "1", "passed"),
            (3, "D", "1", "failed"),
            (2, "C", "2", "failed"),
        ):
            connection.execute(
                """
                INSERT INTO runs (id, key, provider, repository, event_type, reason, pact_url, consumer,
                    consumer_version, status, outcome, provider_version, publishing, created_at, finished_at)
                VALUES (gen_random_uuid(), %(key)s, 'A', 'a/b', 'pact_changed', 'dispatched', 'http://b.example.org',
                    %(consumer)s, 'c1', 'finished', %(outcome)s, %(version)s, 'published',
                    now() - %(age)s * interval '1 hour', now())
                """,
                {"key": f"k{age}", "consumer": consumer, "version": version, "outcome": outcome, "age": age},
            )
    page = client.get("/providers/A").text
    table = page[page.index('aria-labelledby="results"') : page.index("</table>")]
    rows = re.findall(r'<th scope="row">.*?</tr>', table, re.DOTALL)
    found = [re.findall(r'badge (\w+)"|\u2013', row) for row in rows]
    assert found == [["failed", "failed", "passed"], ["failed", "", "failed"]]
    assert re.findall(r'title="(\w+)"', table[: table.index("</thead>")]) == ["2", "1"]


def test_pausing_and_resuming_is_said_everywhere_and_kept(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    sign_in(client)
    assert post(client, "/providers/A/pause").status_code == 303
    post(client, "/providers/A/pause")
    assert dispatch(client).status_code == 204
    for page in ("/", "/runs", "/deliveries", "/providers", "/queue", "/system", "/providers/A"):
        assert "Paused:" in client.get(page).text, page
    assert "Paused by me" in text_of(client, "/providers/A")
    assert names_in(client, "/providers?state=paused") == ["A"]
    ready = client.get("/readyz", headers=API).json
    assert ready is not None
    assert ready["details"][0].startswith("me has paused the provider 'A' at ")
    assert "/providers/A (1 run now)" in ready["details"][0]
    assert ready["queue"]["paused"] == 1
    assert ready["queue"]["oldest_waiting_seconds"] == 0
    assert f"{PREFIX}_runs_paused 1.0" in client.get("/metrics", headers=API).text
    assert "paused" not in client.get("/readyz").text

    assert post(client, "/providers/A/resume").status_code == 303
    assert post(client, "/providers/A/resume").status_code == 303
    assert "Paused" not in client.get("/providers/A").text
    assert kept(pool) == [("me", "pause", "A"), ("me", "resume", "A")]


def test_why_a_provider_is_paused_is_asked_for_kept_and_shown(client: FlaskClient) -> None:
    sign_in(client)
    assert 'name="reason" maxlength="500"' in client.get("/providers/A").text
    assert post(client, "/providers/A/pause", reason="a new <database> \N{BIRD}").status_code == 303
    page = client.get("/providers/A")
    assert "a new &lt;database&gt; \N{BIRD}" in page.text
    assert "pause a new <database> \N{BIRD}" in " ".join(text_of(client, "/system").split())
    assert "Give another reason" in page.text
    assert post(client, "/providers/A/pause", reason="it moves").status_code == 303
    assert "it moves" in text_of(client, "/providers/A")
    assert post(client, "/providers/A/pause", reason="a new <database> \N{BIRD}").status_code == 303
    document = client.get("/api/providers", headers=API).json
    assert document is not None
    assert document["items"][0]["pause_reason"] == "a new <database> \N{BIRD}"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "\N{BIRD}" * 501, "\0"])
def test_a_reason_of_any_form_pauses_the_provider(client: FlaskClient, reason: str) -> None:
    sign_in(client)
    assert post(client, "/providers/A/pause", reason=reason).status_code == 303
    assert "Paused by me" in text_of(client, "/providers/A")


def test_a_run_that_waits_for_its_paused_provider_is_no_run_after_an_error(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    sign_in(client)
    post(client, "/providers/A/pause")
    delivery = id_of(dispatch(client))
    with pool.connection() as connection:
        row = connection.execute(
            "SELECT id, job_id FROM runs WHERE id = (SELECT run_id FROM deliveries WHERE id = %s)",
            [delivery],
        ).fetchone()
        assert row is not None
        run_id, job_id = row
        assert RunChanges().begin(connection, run_id, job_id, "worker", providers=["A"]) is None
        why = RunChanges().not_begun(
            connection, run_id, job_id, providers=["A"], wait=60, longest_pause=3600, lock=lambda _: None
        )
        assert why is not None
    run = text_of(client, f"/runs/{run_id}")
    assert "Waiting, since its provider is paused me has paused the provider" in run
    assert "until its provider is resumed" in run
    for page in ("/", "/runs", "/queue", f"/runs/{run_id}"):
        text = text_of(client, page)
        assert "after an error" not in text, page
        assert "next attempt" not in text, page


def test_nothing_is_done_by_a_forged_form_or_by_those_who_only_read(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    sign_in(client)
    for what in ("pause", "resume", "look"):
        assert client.post(f"/providers/A/{what}", data={"form_token": "0" * 40}).status_code == 403
    sign_in(client, READER)
    page = client.get("/providers/A").text
    assert "Pause" not in page
    assert "Look now" not in page
    assert post(client, "/providers/A/pause").status_code == 403
    assert kept(pool) == []


def test_a_look_is_left_to_a_worker_and_its_answer_shown_with_its_age(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    sign_in(client)
    assert "Nobody has asked the broker yet" in client.get("/providers/A").text
    assert post(client, "/providers/A/look").headers["Location"] == "/providers/A#missing"
    post(client, "/providers/A/look")
    assert "A worker is asking the broker, since me asked for it just now" in text_of(client, "/providers/A")
    with pool.connection() as connection:
        jobs = connection.execute("SELECT task_name, args FROM procrastinate_jobs").fetchall()
        assert jobs == [("look", {"provider": "A"})]
        look = provider_looks.get(connection, "A")
        assert look is not None
        missing = {
            "consumer": "<b>C</b>",
            "consumer_version": "1.2",
            "provider_version": None,
            "why": "the version that runs",
            "state": "tried",
            "run": None,
            "wait": 600.0,
        }
        delivery = {
            "consumer": "C",
            "event": "contract_published",
            "at": "2026-11-27T15:12:53+00:00",
            "status": "failure",
            "answer": 404,
            "error": None,
        }
        webhook = {
            "uuid": "u-1",
            "description": "to the receiver",
            "scope": "provider A",
            "url": "http://receiver.example.org/repos/a/b/dispatches",
            "events": ["contract_published"],
            "enabled": False,
            "deliveries": [delivery],
        }
        found = {
            "pacts": 2,
            "missing": [missing],
            "more_missing": 0,
            "notes": [],
            "problems": [],
            "webhooks": [webhook],
        }
        check = {
            "id": "delivery",
            "status": "broken",
            "found": "was answered with 404",
            "todo": "run <it>",
            "link": "it was",
        }
        chain = {
            "pact": {"consumer": "C", "consumer_version": "1.2", "provider": "A"},
            "checks": [{**check, "id": "pact", "status": "ok", "todo": ""}, check],
            "first_broken": "delivery",
        }
        found["doctor"] = {"chains": [chain], "first_broken": check, "pacts_left_out": 3}
        provider_looks.answer(connection, look, found)
    text = text_of(client, "/providers/A")
    assert "1 pact of 2 that matter lacks a result. The broker was asked just now" in text
    assert "again in 10 min at the earliest" in text
    assert "answered with 404" in text
    assert 'title="2026-11-27 15:12:53 UTC"' in client.get("/providers/A").text
    assert "disabled" in text
    assert "First broken link: delivery. was answered with 404 To fix it: run <it>" in text
    assert "Not looked at, besides: 3 pacts" in text
    assert "<b>C" not in client.get("/providers/A").text

    post(client, "/providers/A/look", queue="yes")
    text = text_of(client, "/providers/A")
    assert "Below is what it said before" in text
    assert "1 pact of 2" in text
    assert kept(pool) == [("me", "reconcile", "A")]
    assert post(client, "/providers/nobody/look").status_code == 404


def test_who_looks_at_a_refused_delivery_of_a_paused_provider_sees_both(client: FlaskClient) -> None:
    sign_in(client)
    post(client, "/providers/A/pause")
    refused = id_of(dispatch(client, token="wrong"))
    assert "Paused:" in client.get(f"/deliveries/{refused}").text
