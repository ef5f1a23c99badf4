"""The page of a run in each of its states, and the way to it without a token."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.dispatch import Dispatch
from app.records import run_changes
from tests.support.browser import Browser, needs_chromium
from tests.support.examples import FAILED, PASSED, verification
from tests.support.loopback import Loopback, Reply

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

PACT = "http://broker.example.org/base/pacts/provider/A/consumer/C/latest"
TOKEN = "a-token-for-reading-the-api"
READING = {"Authorization": f"Bearer {TOKEN}"}
BEFORE = "error_kind = 'provider-not-ready', error = 'nothing answered at http://127.0.0.1:1', attempt = 1"
VERIFIED = "outcome = 'failed', verified_at = now(), provider_version = '1.4.0'"
OF_A_RESULT = ("Could not verify", "Nothing was published", "Verified", "Nothing is known about the contract")


def test_a_run_for_every_pact_lists_what_became_of_each(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    changed = Dispatch("a/b", "provider_changed", None, None, "main")
    with pool.connection() as connection:
        parent, _ = run_changes.request(connection, "A", changed, lock=None)
        for consumer, outcome, pending, version in (
            ("F", "failed", False, "0"),  # before a newer commit was asked for
            ("C", "passed", False, "1"),
            ("<D>", "failed", False, "1"),
            ("E", "failed", True, "1"),
        ):
            asked = Dispatch("a/b", "pact_changed", PACT, None, consumer)
            run_id, _ = run_changes.request(connection, "A", asked, lock=None)
            connection.execute(
                "UPDATE runs SET parent_id = %s, pending = %s, consumer = %s, consumer_version = '7', outcome = %s, "
                "status = 'finished', publishing = 'pending', finished_at = now(), provider_version = %s "
                "WHERE id = %s",
                [parent, pending, consumer, outcome, version, run_id],
            )
        connection.execute(
            "UPDATE runs SET status = 'finished', outcome = 'failed', finished_at = now(), provider_version = '1' "
            "WHERE id = %s",
            [parent],
        )
    page = client.get(f"/runs/{parent}", headers=READING).text
    for text in (
        "<strong>Failed: 1 of 3 pacts</strong>",
        "Every pact",
        "<b>failed with 0, not published yet</b>",
        "<b>passed, not published yet</b>",
        "<b>failed, pending, not published yet</b>",
        "&lt;D&gt; 7",
        "One for each pact",
    ):
        assert text in page
    member = client.get(f"/api/runs/{parent}", headers=READING).get_json()["pacts"][0]["run_id"]
    page = client.get(f"/runs/{member}", headers=READING).text
    assert f'<a href="{parent}">the run for every pact</a>' in page


@pytest.mark.parametrize(
    ("change", "said", "not_said"),
    [
        ("status = 'waiting'", ["Waiting for a worker", "None yet: the pact is still"], OF_A_RESULT),
        ("status = 'running', attempt = 1", ["Running", "None yet: the pact is still"], OF_A_RESULT),
        (
            f"status = 'waiting', retry_at = now(), {BEFORE}",
            ["Waiting for the next attempt", "The attempt before ended with an error", "nothing answered at"],
            OF_A_RESULT,
        ),
        (
            f"status = 'running', {BEFORE}",
            ["Running", "The attempt before ended with an error"],
            OF_A_RESULT,
        ),
        (
            "status = 'cancelled', finished_at = now()",
            ["Cancelled", "None: the run was cancelled"],
            OF_A_RESULT,
        ),
        (
            f"status = 'cancelled', finished_at = now(), {BEFORE}, outcome = NULL, publishing = 'none'",
            ["Cancelled", "None: the run was cancelled", "nothing answered at"],
            OF_A_RESULT,
        ),
        (
            "status = 'cancelled', finished_at = now(), error_kind = 'superseded', error = 'run 7 answers it'",
            ["Replaced by a later run", "None: a later run answers it", "run 7 answers it"],
            OF_A_RESULT,
        ),
        (
            f"status = 'finished', publishing = 'pending', {VERIFIED}, publish_error = 'it answered 503'",
            ["Finished", "Not published yet: it answered 503. It is tried again"],
            ("Nothing was published",),
        ),
        (
            f"status = 'finished', outcome = 'error', finished_at = now(), {BEFORE}",
            ["Could not verify", "Nothing was published", "Nothing is known about the contract"],
            ("The attempt before",),
        ),
        (
            "status = 'finished', outcome = NULL, finished_at = now()",
            ["Finished", "passed on to GitHub"],
            OF_A_RESULT,
        ),
    ],
)
def test_each_state_says_what_is_so_and_nothing_that_is_not_yet(
    client: FlaskClient, pool: ConnectionPool[Any], change: str, said: list[str], not_said: tuple[str, ...]
) -> None:
    with pool.connection() as connection:
        run_changes.request(connection, "A", Dispatch("a/b", "pact_changed", PACT), lock=None)
        connection.execute(f"UPDATE runs SET {change}".encode())
    [run] = client.get("/api/runs", headers=READING).get_json()["items"]
    page = client.get(f"/runs/{run['id']}", headers=READING).get_data(as_text=True)
    text = page.partition("</style>")[2]
    assert [part for part in said if part not in text] == []
    assert [part for part in not_said if f">{part}" in text] == []
    title = page.partition("<title>")[2].partition("</title>")[0]
    assert title.startswith(said[0])


@needs_chromium
def test_a_browser_filters_the_page_under_the_receivers_policy(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    names = ("</script><script>document.title='owned'</script>", "another")
    found = verification(PASSED, *(replace(FAILED, description=name, reason=name) for name in names))
    with pool.connection() as connection:
        run_changes.request(connection, "A", Dispatch("a/b", "pact_changed", PACT), lock=None)
        connection.execute(
            f"UPDATE runs SET status = 'finished', {VERIFIED}, verification = %s".encode(),
            [json.dumps(found.to_dict())],
        )
    [run] = client.get("/api/runs", headers=READING).get_json()["items"]
    page = client.get(f"/runs/{run['id']}", headers=READING)
    with Loopback(Reply(body=page.get_data(), headers=dict(page.headers))) as server, Browser() as browser:
        browser.open(server.url)
        assert len(browser.texts("details[data-outcome]")) == 2
        browser.click(".filter input[type=search]")
        browser.write("another")
        assert len(browser.texts("details[data-outcome]")) == 1
        assert browser.complaints == []
        assert browser.value("document.title").startswith("Failed: 2 of 3")


def test_a_delivery_is_headed_by_its_status(client: FlaskClient) -> None:
    headers = {"Authorization": "Bearer a-token-of-the-broker"}
    body = {"event_type": "pact_changed", "client_payload": {"pact_url": PACT}}
    assert client.post("/repos/a/b/dispatches", json=body, headers=headers).status_code == 204
    [run] = client.get("/api/runs", headers=READING).get_json()["items"]
    page = client.get(f"/runs/{run['id']}", headers=READING).get_data(as_text=True)
    deliveries = page.partition("<h2>Deliveries</h2>")[2]
    assert '<b class="passed">204 accepted</b>' in deliveries
    assert run["deliveries"][0] in deliveries


def test_who_follows_the_link_of_a_result_is_told_what_is_asked_for(client: FlaskClient) -> None:
    page = {"Accept": "text/html"}
    answer = client.get("/runs/3f1c9f5e-0000-4000-8000-000000000000", headers=page, follow_redirects=True)
    assert answer.mimetype == "text/html"
    text = answer.get_data(as_text=True)
    assert "PACT_DISPATCH_API_TOKENS" in text
    assert "Whoever runs this receiver" in text


@pytest.mark.parametrize("path", ["/api/runs", "/metrics", "/runs/3f1c9f5e-0000-4000-8000-000000000000"])
def test_a_token_may_come_as_the_password_wherever_one_is_needed(client: FlaskClient, path: str) -> None:
    def answer(password: str) -> int:
        basic = base64.b64encode(f"anybody:{password}".encode()).decode()
        return client.get(path, headers={"Authorization": f"Basic {basic}"}).status_code

    assert answer(TOKEN) == (404 if path.startswith("/runs/") else 200)
    assert answer("another-token-of-nobody") == 401
    for nonsense in ("ÿ", "!!!", "", "AA=", "ÿ" * 5000):
        headers = {"Authorization": f"Basic {nonsense}"}
        assert client.get(path, headers=headers).status_code == 401, nonsense


def test_a_browser_that_is_logged_in_changes_nothing_by_it(client: FlaskClient) -> None:
    """A browser sends the password along by itself, whichever page asks for the request."""
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    path = "/api/runs/3f1c9f5e-0000-4000-8000-000000000000/cancel"
    assert client.post(path, headers={"Authorization": f"Basic {basic}"}).status_code == 401
    assert client.post(path, headers=READING).status_code == 404
