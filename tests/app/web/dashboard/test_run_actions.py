"""What people do to a run on its page: each is done once, is kept with who did it, and says why it can't be done."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from app.web.application import create_app
from tests.app.web.dashboard.test_run import PACT, READING, TOKEN, add_run, page_of, text_of
from tests.support.examples import FAILED, verification

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool
    from werkzeug.test import TestResponse

READER = "a-token-that-only-reads"
REFUSED = "publishing = 'refused', publish_error = 'it answered 409', publish_attempts = 1"


def sign_in(client: FlaskClient, token: str = TOKEN) -> str:
    """Sign in; gives the form token."""
    client.post("/sign-in", data={"token": token})
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', client.get("/").text)
    assert found is not None
    return found[1]


def act(client: FlaskClient, run_id: UUID, action: str, form_token: str) -> TestResponse:
    return client.post(f"/runs/{run_id}/{action}", data={"form_token": form_token})


def one(pool: ConnectionPool[Any], query: str, *values: Any) -> Any:
    with pool.connection() as connection:
        return connection.execute(query.encode(), values).fetchone()


def done(pool: ConnectionPool[Any]) -> list[Any]:
    with pool.connection() as connection:
        found = connection.execute("SELECT who, action, via, run_id, outcome_id FROM actions ORDER BY id")
        return list(found.fetchall())


def test_a_run_is_cancelled_once_and_it_is_said_who_did_it(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    form_token = sign_in(client)
    run_id = add_run(pool)
    for _ in range(2):
        answer = act(client, run_id, "cancel", form_token)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/runs/{run_id}")
    assert one(pool, "SELECT status FROM runs") == ("cancelled",)
    assert one(pool, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'") == (0,)
    assert done(pool) == [("me", "cancel", "dashboard", run_id, None)]
    html = page_of(client, run_id)
    assert "me cancelled it" in text_of(html)
    assert f'action="/runs/{run_id}/run-again"' in html
    assert f'action="/runs/{run_id}/cancel"' not in html


def test_a_run_that_runs_is_told_to_stop(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    form_token = sign_in(client)
    run_id = add_run(pool, "status = 'running', attempt = 1")
    for _ in range(2):
        assert act(client, run_id, "cancel", form_token).status_code == 303
    assert len(done(pool)) == 1
    assert "Being cancelled" in page_of(client, run_id)


def test_by_the_api_it_is_kept_too(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    run_id = add_run(pool)
    for status in (200, 200):
        assert client.post(f"/api/runs/{run_id}/cancel", headers=READING).status_code == status
    body = {"event_type": "pact_changed", "client_payload": {"pact_url": PACT}}
    sent = client.post(
        "/repos/a/b/dispatches", json=body, headers={"Authorization": "Bearer a-token-of-the-broker"}
    )
    delivery = sent.headers["X-GitHub-Request-Id"]
    again = client.post(f"/api/deliveries/{delivery}/redeliver", headers=READING).get_json()
    assert done(pool) == [
        ("me", "cancel", "api", run_id, None),
        ("me", "redeliver", "api", UUID(again["run_id"]), UUID(again["id"])),
    ]
    assert "me cancelled it by the API" in text_of(page_of(client, run_id))


def test_a_run_runs_again_as_a_delivery_and_a_run_of_its_own(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    form_token = sign_in(client)
    run_id = add_run(pool, "status = 'finished', outcome = 'failed'", sha="abc1234", branch="main")
    answer = act(client, run_id, "run-again", form_token)
    assert answer.status_code == 303
    new_id = UUID(answer.headers["Location"].rpartition("/")[2])
    assert new_id != run_id
    assert (
        act(client, run_id, "run-again", form_token).headers["Location"] == f"/runs/{new_id}"
    )  # a second click
    columns = "SELECT reason, pact_url, sha, branch, event_type, provider, status FROM runs WHERE id = %s"
    assert one(pool, columns, new_id) == (
        "redelivered",
        PACT,
        "abc1234",
        "main",
        "pact_changed",
        "A",
        "waiting",
    )
    assert one(
        pool, "SELECT source, sender, status, payload -> 'client_payload' ->> 'pact_url' FROM deliveries"
    ) == (*("redelivery", "me", 204, PACT),)
    assert one(pool, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'") == (2,)
    [action] = done(pool)
    assert action == ("me", "run-again", "dashboard", run_id, new_id)
    assert f'me</b> had it run again: <a href="/runs/{new_id}">' in page_of(client, run_id)
    assert f'me had <a href="/runs/{run_id}">an earlier run</a> run again' in page_of(client, new_id)


def test_two_clicks_at_once_are_one(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    pool.resize(6, 6)
    form_token = sign_in(client)
    ended = add_run(pool, f"status = 'finished', outcome = 'failed', attempt = 1, {REFUSED}")
    waiting = add_run(pool)
    cookie = client.get_cookie("pact_dispatch_session")
    assert cookie is not None

    def click(asked: tuple[UUID, str]) -> tuple[int, str | None]:
        other = client.application.test_client()
        other.set_cookie("pact_dispatch_session", cookie.value)
        answer = act(other, *asked, form_token)
        return answer.status_code, answer.headers.get("Location")

    for asked in ((ended, "run-again"), (waiting, "cancel"), (ended, "publish-again")):
        with ThreadPoolExecutor(4) as threads:
            answers = set(threads.map(click, [asked] * 4))
        assert {status for status, _ in answers} == {303}, answers
        assert len(answers) == 1
    assert one(pool, "SELECT count(*) FROM runs WHERE reason = 'redelivered'") == (1,)
    assert one(pool, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'publish'") == (1,)


@pytest.mark.parametrize(
    "dispatch", [{"pact_urls": (PACT, f"{PACT}/2")}, {}, {"event_type": "push", "sha": "a" * 40}]
)
def test_a_run_for_every_pact_runs_again_as_a_whole_and_one_of_its_pacts_by_itself(
    client: FlaskClient, pool: ConnectionPool[Any], dispatch: dict[str, Any]
) -> None:
    form_token = sign_in(client)
    asked = {"event_type": "provider_changed", "pact_url": None, **dispatch}
    parent = add_run(pool, "status = 'finished', outcome = 'failed'", **asked)
    new = act(client, parent, "run-again", form_token).headers["Location"].rpartition("/")[2]
    assert one(pool, "SELECT pact_url, pact_urls FROM runs WHERE id = %s", new) == (
        *(None, list(asked.get("pact_urls", ())) or None),
    )
    member = add_run(
        pool,
        "status = 'finished', outcome = 'failed', parent_id = %s, event_type = %s",
        None,
        parent,
        asked["event_type"],
    )
    new = act(client, member, "run-again", form_token).headers["Location"].rpartition("/")[2]
    assert one(pool, "SELECT pact_url, event_type, parent_id FROM runs WHERE id = %s", new) == (
        *(PACT, "pact_changed", None),
    )


def test_what_can_not_be_done_is_said(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    form_token = sign_in(client)
    waiting = add_run(pool)
    passed = add_run(pool, "status = 'finished', outcome = 'passed', publishing = 'published'")
    unknown = add_run(pool, "status = 'finished', outcome = 'error', provider = 'Gone'")
    moved = add_run(pool, "status = 'finished', repository = 'a/gone'")
    other = add_run(
        pool, "status = 'finished', pact_url = 'http://elsewhere.example.org/pacts/provider/A/consumer/C'"
    )
    for run_id, action, status, words in (
        (waiting, "run-again", 409, "the run has not ended: it is waiting"),
        (waiting, "publish-again", 409, "there is no result that could be published again"),
        (passed, "cancel", 409, "the run is finished: there is nothing to cancel"),
        (passed, "publish-again", 409, "the broker has the result already"),
        (unknown, "run-again", 409, "Gone is not among the providers of the configuration any more"),
        (unknown, "publish-again", 409, "the run has no result that could be published"),
        (moved, "run-again", 422, "no provider has that one"),
        (other, "run-again", 422, "is not on the configured Pact Broker"),
        *(
            (uuid4(), action, 404, "it may have been deleted")
            for action in ("cancel", "run-again", "publish-again")
        ),
    ):
        answer = act(client, run_id, action, form_token)
        assert (answer.status_code, words in answer.text) == (status, True), (action, answer.text)
    assert done(pool) == []


@pytest.mark.parametrize("action", ["cancel", "run-again", "publish-again"])
def test_nobody_else_does_it(client: FlaskClient, pool: ConnectionPool[Any], action: str) -> None:
    run_id = add_run(pool)
    assert act(client, run_id, action, "").status_code == 401
    assert client.post(f"/runs/{run_id}/{action}", headers=READING).status_code == 403  # no form of ours
    form_token = sign_in(client, READER)
    assert act(client, run_id, action, form_token).status_code == 403
    assert f'action="/runs/{run_id}/' not in client.get(f"/runs/{run_id}").text
    assert client.get(f"/runs/{run_id}/{action}").status_code == 405
    assert one(pool, "SELECT status FROM runs") == ("waiting",)
    assert done(pool) == []


def test_a_result_that_was_refused_is_published_again(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    form_token = sign_in(client)
    run_id = add_run(pool, REFUSED, verification(FAILED, consumer="C"))
    assert f'action="/runs/{run_id}/publish-again"' in client.get(f"/runs/{run_id}").text
    assert act(client, run_id, "publish-again", form_token).status_code == 303
    job = one(
        pool,
        "SELECT task_name, queue_name, args, scheduled_at FROM procrastinate_jobs ORDER BY id DESC LIMIT 1",
    )
    assert job == ("publish", "chores", {"run_id": str(run_id), "attempt": 1}, None)
    assert one(pool, "SELECT publishing, publish_attempts FROM runs") == ("pending", 1)
    # the one that waits for its next try is made to try at once
    with pool.connection() as connection:
        connection.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour', priority = -9"
        )
    assert act(client, run_id, "publish-again", form_token).status_code == 303
    assert one(
        pool, "SELECT count(*), max(scheduled_at) FROM procrastinate_jobs WHERE task_name = 'publish'"
    ) == (*(1, None),)
    assert "me had its result published again" in text_of(page_of(client, run_id))


def test_all_results_of_a_run_for_every_pact_are_published_again(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    form_token = sign_in(client)
    parent = add_run(
        pool, "status = 'finished', publishing = 'refused'", event_type="provider_changed", pact_url=None
    )
    for publishing in ("refused", "published", "refused", "none"):
        add_run(
            pool,
            "status = 'finished', attempt = 1, parent_id = %s, publishing = %s",
            None,
            parent,
            publishing,
        )
    assert act(client, parent, "publish-again", form_token).status_code == 303
    assert one(pool, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'publish'") == (2,)
    assert one(pool, "SELECT publishing FROM runs WHERE id = %s", parent) == (
        "none",
    )  # it is noted anew at the end


def test_a_payload_that_was_passed_on_is_not_made_up(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    receiver = client.application.extensions["receiver"]
    settings = type(receiver.settings).model_validate(
        {
            "broker": {"url": "http://broker.example.org/base"},
            "providers": [{"name": "A", "repository": "a/b", "relay": True}],
        }
    )
    relaying = create_app(replace(receiver, settings=settings)).test_client()
    form_token = sign_in(relaying)
    run_id = add_run(pool, "status = 'finished'", client_payload={"pact_url": PACT, "more": "x"})
    answer = act(relaying, run_id, "run-again", form_token)
    new = answer.headers["Location"].rpartition("/")[2]
    assert one(pool, "SELECT client_payload FROM relays WHERE run_id = %s", new) == (
        {"pact_url": PACT, "more": "x"},
    )
    gone = add_run(pool, "status = 'finished'", client_payload={"pact_url": PACT, "token": "**********"})
    with pool.connection() as connection:
        connection.execute("UPDATE relays SET redacted = true WHERE run_id = %s", [gone])
    answer = act(relaying, gone, "run-again", form_token)
    assert answer.status_code == 409
    assert "Send the webhook again" in answer.text
