"""The page of a run: what it says in each state, and how it stays small."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from app.dispatch import Dispatch
from app.records import run_changes
from tests.support.examples import ERROR, FAILED, PASSED, PENDING_FAILED, verification
from tests.support.shown import words_in
from verifier.verification import Exchange, HttpMessage, Mismatch

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

    from verifier.verification import Verification

PACT = "http://broker.example.org/base/pacts/provider/A/consumer/C/latest"
TOKEN = "a-token-for-reading-the-api"
READING = {"Authorization": f"Bearer {TOKEN}"}
HOSTILE = "</pre><script>alert(1)</script>'\"${x}\n`id` \u202e"
BEFORE = "error_kind = 'provider-not-ready', error = 'nothing answered at http://127.0.0.1:1', attempt = 1"
VERIFIED = "outcome = 'failed', verified_at = now(), provider_version = '1.4.0'"
OF_A_RESULT = ("Could not verify", "nothing was published", "Verified", "Nothing is known about the contract")


def add_run(
    pool: ConnectionPool[Any],
    change: str = "",
    found: Verification | None = None,
    *values: Any,
    **dispatch: Any,
) -> UUID:
    """Store a run, and change it; gives its id."""
    asked = replace(Dispatch("a/b", "pact_changed", PACT, branch=uuid4().hex), **dispatch)
    with pool.connection() as connection:
        run_id, _ = run_changes.request(connection, "A", asked, lock=None)
        if found is not None:
            counts = {
                "i": len(found.interactions),
                "f": sum(one.outcome == "failed" for one in found.interactions),
            }
            connection.execute(
                "UPDATE runs SET verification = %(v)s, consumer = %(c)s, interactions = %(i)s, "
                "failed_interactions = %(f)s, status = 'finished', outcome = %(o)s, attempt = 1, "
                "started_at = now(), verified_at = now(), "
                "finished_at = now(), provider_version = %(p)s WHERE id = %(id)s",
                {
                    **counts,
                    "v": json.dumps(found.to_dict()),
                    "c": found.consumer,
                    "o": found.outcome,
                    "p": found.provider_version,
                    "id": run_id,
                },
            )
        if change:
            connection.execute(f"UPDATE runs SET {change} WHERE id = %s".encode(), [*values, run_id])
    return run_id


def page_of(client: FlaskClient, run_id: UUID, query: str = "") -> str:
    answer = client.get(f"/runs/{run_id}{query}", headers=READING)
    assert answer.status_code == 200, answer.text
    return answer.text


def text_of(html: str) -> str:
    return words_in(html.partition("<main")[2])


@pytest.mark.parametrize(
    ("change", "said", "not_said"),
    [
        ("status = 'waiting'", ["Waiting for a worker", "It is queued"], OF_A_RESULT),
        ("status = 'running', attempt = 1", ["Running", "The pact is being verified"], OF_A_RESULT),
        (
            f"status = 'waiting', retry_at = now(), {BEFORE}",
            [
                "Waiting for the next attempt",
                "The attempt before ended with an error: nothing answered at",
                "Start now",
            ],
            OF_A_RESULT,
        ),
        (
            "status = 'waiting', retry_at = now(), error_kind = 'paused-provider', error = 'ann has paused it'",
            ["Waiting, since its provider is paused", "ann has paused it."],
            (*OF_A_RESULT, "The attempt before", "It is tried again", "Start now"),
        ),
        (
            "status = 'waiting', retry_at = now(), error_kind = 'unknown-provider', error = 'there is no provider A'",
            ["Waiting for its provider", "there is no provider A. It starts as soon as"],
            (*OF_A_RESULT, "The attempt before"),
        ),
        ("status = 'running', attempt = 2", ["Running", "This is attempt 2"], OF_A_RESULT),
        ("status = 'running', cancel_requested = true", ["Being cancelled", "told to stop"], OF_A_RESULT),
        (
            "status = 'cancelled', finished_at = now()",
            ["Cancelled", "Nothing was verified"],
            ("Could not verify", "Verified in"),
        ),
        (
            f"status = 'cancelled', finished_at = now(), {BEFORE}, outcome = NULL, publishing = 'none'",
            ["Cancelled", "nothing answered at", "Nothing was verified"],
            OF_A_RESULT[2:],
        ),
        (
            "status = 'cancelled', finished_at = now(), error_kind = 'superseded', error = 'run 7 answers it'",
            ["Replaced by a later run", "run 7 answers it."],
            OF_A_RESULT,
        ),
        (
            f"status = 'finished', publishing = 'pending', {VERIFIED}, publish_error = 'it answered 503'",
            ["Failed", "The broker has not taken the result yet: it answered 503. It is tried again"],
            ("nothing was published",),
        ),
        (
            f"status = 'finished', publishing = 'refused', {VERIFIED}, publish_error = 'it answered 409'",
            ["Failed", "The result was not published: it answered 409. Fix that"],
            (),
        ),
        (
            f"status = 'finished', outcome = 'error', finished_at = now(), {BEFORE}",
            ["Could not verify", "nothing was published", "Why there is no result", "nothing answered at"],
            ("The attempt before",),
        ),
        (
            "status = 'finished', outcome = NULL, finished_at = now()",
            ["Passed on to GitHub", "Its workflow verifies the pact"],
            OF_A_RESULT,
        ),
    ],
)
def test_each_state_says_what_is_so_and_nothing_that_is_not_yet(
    client: FlaskClient, pool: ConnectionPool[Any], change: str, said: list[str], not_said: tuple[str, ...]
) -> None:
    html = page_of(client, add_run(pool, change))
    text = text_of(html)
    assert [part for part in said if part not in text] == []
    assert [part for part in not_said if part in text] == []
    assert html.partition("<title>")[2].startswith(said[0])


def test_what_did_not_pass_comes_first_with_its_request_states_and_difference(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    exchange = Exchange(
        HttpMessage("GET /products/7 HTTP/1.1", (), ""), HttpMessage("HTTP/1.1 200 OK", (), "{}")
    )
    found = verification(PASSED, PENDING_FAILED, ERROR, replace(FAILED, exchange=exchange), consumer="C")
    html = page_of(client, add_run(pool, "", found))
    text = text_of(html)
    assert "Failed: 1 of 4 interactions" in text
    assert "What did not pass (3 of 4 interactions)" in text
    assert (
        text.index("the price") < text.index("a lost one") < text.index("a wish") < text.index("Passed (1)")
    )
    assert "given a product exists (id: 7)" in text
    assert '<th scope="row">$.price</th>' in html
    assert (
        '<td class="gone" data-of="expected">34.9</td><td class="come" data-of="answered">&#34;34.90&#34;'
        in html
    )
    assert "curl -i http://localhost/products/7" in text
    assert "style=" not in html
    assert "<script>" not in html


def test_a_hostile_run_is_text(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    name = HOSTILE
    one = replace(
        FAILED,
        description=name,
        request=name,
        states=(name,),
        reason=name,
        mismatches=(Mismatch("body", name, name, name, name),),
    )
    found = verification(replace(PASSED, description=name), one, consumer=name, notes=(name,))
    run_id = add_run(
        pool,
        "error = %s, publish_error = %s, publishing = 'refused', result_url = %s, pact_url = %s, consumer_version = %s",
        found,
        *(name, name, f"javascript:alert(1){name}", f"javascript:{name}", name),
    )
    html = page_of(client, run_id)
    assert "<script>alert" not in html
    assert 'href="javascript' not in html
    command = re.search(r'id="command-to-try" tabindex="0">(.*?)</pre>', html, re.DOTALL)
    assert command is not None


def test_the_command_to_try_is_one_word_for_each_value(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    url = "http://broker.example.org/base/pacts/provider/A/consumer/it's $(id) `x`/latest"
    run_id = add_run(
        pool, "", verification(PASSED, replace(FAILED, description="it's (a) $PRICE"), consumer="C")
    )
    with pool.connection() as connection:
        connection.execute("UPDATE runs SET pact_url = %s", [url])
    html = page_of(client, run_id)
    shown = re.search(r'id="command-to-try" tabindex="0">(.*?)</pre>', html, re.DOTALL)
    assert shown is not None
    command = shown[1].replace("&#39;", "'").replace("&#34;", '"').replace("&amp;", "&")
    assert shlex.split(command) == [
        *("verify", "--pact-url", url, "--provider", "A", "--provider-base-url", "http://127.0.0.1:1"),
        *("--filter-description", r"^it's \(a\) \$PRICE$"),
    ]
    assert 'data-copy="command-to-try"' in html


def test_the_command_to_try_is_for_the_very_pact_that_was_verified(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    content = "http://broker.example.org/base/pacts/provider/A/consumer/C/pact-version/5d9c1/metadata/Y3Y9NDI"
    for publish_url, tried in (
        (f"{content}/verification-results", content),
        ("http://broker.example.org/publish", PACT),
        (None, PACT),
    ):
        links = {} if publish_url is None else {"publish": publish_url}
        html = page_of(client, add_run(pool, "", verification(PASSED, links=links)))
        assert f"verify --pact-url {tried} --provider A" in text_of(html)
    assert f"verify --pact-url {PACT} --provider A" in text_of(page_of(client, add_run(pool)))


def test_a_page_stays_small_whatever_the_verification_has(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    body = "x" * 4000
    exchange = Exchange(HttpMessage("POST /a HTTP/1.1", (), body), HttpMessage("HTTP/1.1 200 OK", (), body))
    results = [
        replace(
            FAILED,
            description=f"failed {number} {body[:500]}",
            exchange=exchange,
            mismatches=tuple(
                Mismatch("body", f"$.{number}.{place}", body, f"{body}{place}\n" * 2, body)
                for place in range(5)
            ),
        )
        for number in range(100)
    ]
    results += [replace(PASSED, description=f"passed {number} {body[:1000]}") for number in range(500)]
    found = verification(*results, consumer="C")
    run_id = add_run(pool, "", found)
    with pool.connection() as connection:
        connection.execute(
            "INSERT INTO run_log_chunks SELECT %s, n, 1, repeat('<', 15000) FROM generate_series(0, 20) AS n",
            [run_id],
        )
    html = page_of(client, run_id)
    assert len(html.encode()) < 100_000
    text = text_of(html)
    assert "Failed: 100 of 600 interactions" in text
    assert "40 more did not pass" in text
    assert "... and 450 more" in text
    assert "This is its end. The whole log" in text
    assert len(client.get(f"/api/runs/{run_id}/log", headers=READING).text) > 300_000
    report = client.get(f"/runs/{run_id}/report", headers=READING)
    assert "attachment" in report.headers["Content-Disposition"]
    assert "failed 99" in report.text
    saved = client.get(f"/api/runs/{run_id}/verification", headers=READING).get_json()
    assert len(saved["interactions"]) == 600


def test_a_verification_that_another_version_saved_does_no_harm(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    odd = json.dumps(
        {"schema_version": 99, "interactions": [{"outcome": "failed"}, {"outcome": "passed"}, {}, 7, None]}
    )
    run_id = add_run(pool, "status = 'finished', outcome = 'failed', verification = %s", None, odd)
    assert "Failed: 1 of 2 interactions" in text_of(page_of(client, run_id))
    assert client.get(f"/runs/{run_id}/report", headers=READING).status_code == 409
    assert client.get(f"/runs/{uuid4()}/report", headers=READING).status_code == 404
    assert client.get(f"/runs/{add_run(pool)}/report", headers=READING).status_code == 404


def test_a_run_for_every_pact_lists_what_became_of_each(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    parent = add_run(pool, event_type="provider_changed", pact_url=None)
    members = {}
    for consumer, outcome, pending, version in (
        ("F", "failed", False, "0"),  # before a newer commit was asked for
        ("C", "passed", False, "1"),
        ("<D>", "failed", False, "1"),
        ("E", "failed", True, "1"),
    ):
        members[consumer] = add_run(
            pool,
            "parent_id = %s, pending = %s, consumer = %s, consumer_version = '7', outcome = %s, status = 'finished', "
            "interactions = 3, failed_interactions = 1, publishing = 'pending', finished_at = now(), "
            "provider_version = %s",
            None,
            *(parent, pending, consumer, outcome, version),
        )
    text = text_of(page_of(client, parent))
    assert "4 pacts verified so far" not in text
    with pool.connection() as connection:
        connection.execute(
            "UPDATE runs SET status = 'finished', outcome = 'failed', finished_at = now(), provider_version = '1' "
            "WHERE id = %s",
            [parent],
        )
    html = page_of(client, parent)
    text = text_of(html)
    assert "Every pact → A" in text
    assert "Failed: 1 of 3 pacts" in text
    assert "9 interactions in all, 3 of them failed. 4 results not published yet" in text
    places = [html.index(f'id="member-{members[name]}"') for name in ("<D>", "C", "E", "F")]
    assert places == sorted(places)
    assert "&lt;D&gt;" in html
    assert "with 0 , before a newer commit was asked for" in text
    html = page_of(client, members["C"])
    assert f'<a href="/runs/{parent}">the run for every pact</a>' in html
    assert 'id="log"' not in html


def test_the_pacts_of_a_run_are_shown_page_by_page(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    parent = add_run(
        pool, "status = 'finished', outcome = 'failed'", event_type="provider_changed", pact_url=None
    )
    with pool.connection() as connection:
        connection.execute(
            "INSERT INTO runs (id, key, provider, repository, event_type, reason, status, outcome, consumer, pact_url, "
            "parent_id, error) SELECT gen_random_uuid(), 'k' || n, 'A', 'a/b', 'changed', 'dispatched', "
            "'finished', 'error', 'Consumer ' || lpad(n::text, 3, '0') || repeat('x', 200), 'http://b', %s, "
            "repeat('<', 900) FROM generate_series(1, 120) AS n",
            [parent],
        )
    html = page_of(client, parent)
    assert "Pacts (120)" in html
    assert "Page 1 of 3" in html
    assert len(html.encode()) < 150_000
    assert f'href="/runs/{parent}?page=2"' in html
    for page, first in (
        ("2", "051"),
        ("3", "101"),
        ("999999999999999999999999", "101"),
        ("-7", "001"),
        ("x", "001"),
    ):
        shown = re.findall(r"Consumer (\d+)", text_of(page_of(client, parent, f"?page={page}")))
        assert shown[0] == first, page


def test_a_broken_pair_says_since_when(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    runs = {}
    for number, (version, outcome) in enumerate(
        (("1", "failed"), ("2", "passed"), ("3", "failed"), ("4", "failed"))
    ):
        runs[version] = add_run(
            pool,
            "status = 'finished', consumer = 'C', provider_version = 'p', consumer_version = %s, outcome = %s, "
            "created_at = now() + %s * interval '1 minute'",
            None,
            *(version, outcome, number),
        )
    assert "No run of C and A that passed is kept from before" in text_of(page_of(client, runs["1"]))
    assert "Broken since" not in page_of(client, runs["2"])
    assert "Broken since this run. Before that, 2 with p passed" in text_of(page_of(client, runs["3"]))
    html = page_of(client, runs["4"])
    assert f'<a href="/runs/{runs["3"]}">' in html
    assert f'<a href="/runs/{runs["2"]}">' in html


def test_a_delivery_is_headed_by_its_status(client: FlaskClient) -> None:
    headers = {"Authorization": "Bearer a-token-of-the-broker"}
    body = {"event_type": "pact_changed", "client_payload": {"pact_url": PACT}}
    assert client.post("/repos/a/b/dispatches", json=body, headers=headers).status_code == 204
    [run] = client.get("/api/runs", headers=READING).get_json()["items"]
    html = page_of(client, run["id"])
    assert '<span class="badge passed">204 accepted</span>' in html
    assert f'href="/deliveries/{run["deliveries"][0]}"' in html


def test_there_is_no_page_of_a_run_that_is_not_kept(client: FlaskClient) -> None:
    answer = client.get(f"/runs/{uuid4()}", headers=READING)
    assert answer.status_code == 404
    assert "retention.days" in answer.text
    assert client.get("/runs/nothing", headers=READING).status_code == 404


def test_what_is_asked_for_a_change_was_made_after_it(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    run_id = add_run(pool)

    def content(change: str) -> str:
        headers = {**READING, "HX-Request": "true", "X-Change": change}
        return client.get(f"/runs/{run_id}", headers=headers).text

    assert "Waiting for a worker" in content("a-1")
    with pool.connection() as connection:
        connection.execute("UPDATE runs SET status = 'running', attempt = 1")
    assert "Waiting for a worker" in content("a-1")  # what others who were told of the same have got
    assert "The pact is being verified" in content("a-2")
