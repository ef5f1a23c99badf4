"""Values of any length and form, in every place of a request; the application is served in this process."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from app.dispatch import MAX_URL
from app.records.deliveries import LONGEST

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

BROKER = "http://broker.example.org/base"
PACT = f"{BROKER}/pacts/provider/A/consumer/C/latest"
DISPATCHING = {"Authorization": "Bearer a-token-of-the-broker"}
READING = {"Authorization": "Bearer a-token-for-reading-the-api"}


def noise(length: int, letters: str = "abcdefghijklmnopqrstuvwxyz0123456789") -> str:
    """Give a text that no compression makes short enough for an index."""
    return "".join(random.Random(length).choices(letters, k=length))


def far(length: int) -> str:
    """Give one whose characters have four bytes each."""
    return noise(length, "".join(map(chr, range(0x20000, 0x20400))))


def dispatch(client: FlaskClient, pact_url: str = PACT, **payload: Any) -> Any:
    body = {"event_type": "pact_changed", "client_payload": {"pact_url": pact_url, **payload}}
    content = json.dumps(body, ensure_ascii=pact_url.isascii()).encode()
    return client.post(
        "/repos/a/b/dispatches", data=content, content_type="application/json", headers=DISPATCHING
    )


@pytest.mark.parametrize("make", [noise, far])
def test_the_longest_url_of_a_pact_is_stored_shown_and_found(client: FlaskClient, make: Any) -> None:
    longest = f"{PACT}?{make(MAX_URL - len(PACT) - 1)}"
    assert dispatch(client, longest).status_code == 204
    assert dispatch(client, PACT).status_code == 204

    [run] = [
        run for run in client.get("/api/runs", headers=READING).get_json()["items"] if run["pact_url"] != PACT
    ]
    assert run["pact_url"] == longest
    for asked in (longest, PACT):
        found = client.get("/api/runs", query_string={"pact_url": asked}, headers=READING).get_json()["items"]
        assert [one["pact_url"] for one in found] == [asked]
    beginning = client.get("/api/runs", query_string={"pact_url": longest[:600]}, headers=READING)
    assert beginning.get_json()["items"] == []


NAME = "must be 1 to 255 printable characters, and more than dots"


@pytest.mark.parametrize(
    ("payload", "field", "why"),
    [
        (
            {"pact_url": f"{PACT}?{noise(MAX_URL)}"},
            "pact_url",
            f"must have no more than {MAX_URL} characters",
        ),
        ({"pact_url": PACT.replace("/C/", f"/{noise(6000)}/")}, "pact_url", NAME),
        ({"pact_url": PACT.replace("/C/", f"/{noise(256)}/")}, "pact_url", NAME),
        ({"pact_url": PACT.replace("/A/", f"/{noise(256)}/")}, "pact_url", NAME),
        ({"pact_url": PACT.replace("/C/", f"/{quote(far(256))}/")}, "pact_url", NAME),
        ({"pact_url": PACT.replace("/C/", "/%2e%2E/")}, "pact_url", NAME),
        ({"branch": ".."}, "branch", NAME),
        ({"branch": "."}, "branch", NAME),
        ({"branch": " . "}, "branch", NAME),
        ({"branch": noise(256)}, "branch", NAME),
        ({"branch": "a\nb"}, "branch", NAME),
        ({"branch": "\ud800"}, "branch", NAME),
        ({"sha": ".."}, "sha", NAME),
        ({"sha": "a\nb"}, "sha", NAME),
        ({"sha": noise(256)}, "sha", NAME),
        ({"sha": noise(60_000)}, "sha", NAME),
    ],
)
def test_a_value_that_is_too_long_or_means_another_place_is_refused_by_its_field(
    client: FlaskClient, payload: dict[str, str], field: str, why: str
) -> None:
    answer = dispatch(client, **payload)

    assert answer.status_code == 422
    [error] = answer.get_json()["errors"]
    assert error["field"] == f"client_payload.{field}"
    assert why in error["message"]
    [delivery] = client.get("/api/deliveries", headers=READING).get_json()["items"]
    assert (delivery["status"], delivery["refusal"]) == (422, "invalid")


@pytest.mark.parametrize("name", [f"{'.' * 3}x", "feature/..", "x" * 255, "日本語"])
def test_other_branches_are_taken(client: FlaskClient, name: str) -> None:
    assert dispatch(client, sha="a" * 40, branch=name).status_code == 204


@pytest.mark.parametrize("make", [noise, far])
def test_a_refusal_is_stored_and_shown_whatever_its_request_says(client: FlaskClient, make: Any) -> None:
    client.post(
        f"/repos/{quote(make(600))}/{quote(make(700))}/dispatches",
        json={"event_type": make(5000)},
        headers={**DISPATCHING, "User-Agent": noise(6000)},
    )

    [delivery] = client.get("/api/deliveries", headers=READING).get_json()["items"]
    assert (delivery["status"], delivery["refusal"]) == (404, "unknown-repository")
    assert delivery["detail"].startswith("no provider has the repository ")
    assert delivery["address"] == "127.0.0.1"
    assert {name: len(delivery[name]) for name in ("repository", "user_agent")} == {
        "repository": LONGEST["repository"],
        "user_agent": LONGEST["user_agent"],
    }
    query = {"repository": delivery["repository"]}
    assert client.get("/api/deliveries", query_string=query, headers=READING).get_json()["items"] == [
        delivery
    ]


@pytest.mark.parametrize(
    ("path", "name", "longest"),
    [
        ("runs", "provider", 255),
        ("runs", "consumer", 255),
        ("runs", "repository", 140),
        ("runs", "pact_url", MAX_URL),
        ("deliveries", "refusal", 255),
        ("deliveries", "repository", 140),
    ],
)
def test_a_filter_has_the_bound_of_its_field(client: FlaskClient, path: str, name: str, longest: int) -> None:
    for text, status in ((far(longest), 200), (far(longest + 1), 422), ("", 422), ("a\0", 422)):
        answer = client.get(f"/api/{path}", query_string={name: text}, headers=READING)
        assert answer.status_code == status
        if status == 422:
            assert [error["field"] for error in answer.get_json()["errors"]] == [name]


def test_every_text_of_an_index_is_bounded(pool: ConnectionPool[Any]) -> None:
    """A row of an index has room for 2,704 bytes: each text that is part of one has a bound where it enters."""
    bounds = {
        "deliveries": {
            "refusal": "our own word",
            "repository": "LONGEST",
            "github_id": "its beginning",
            "sender": "LONGEST",
        },
        "runs": {
            "key": "a hash",
            "status": "our own word",
            "outcome": "our own word",
            "provider": "of the configuration",
            "branch": "a name",
            "consumer": "a name",
            "repository": "of the configuration",
            "pact_url": "its beginning",
            "reason": "our own word",
            "provider_branch": "a name",
            "consumer_version": "its beginning",
            "provider_version": "its beginning",
            "sha": "a name",
            "error_kind": "our own word",
        },
        "commit_statuses": {"repository": "of the configuration", "sha": "a commit id", "context": "255"},
        "housekeeping": {"name": "our own word"},
        "totals": {"name": "our own word", "labels": "of the configuration, and our own words"},
        "schema_versions": {"name": "our own word"},
        "signing_keys": {"name": "our own word"},
        "paused_providers": {"provider": "of the configuration"},
        "provider_looks": {"provider": "of the configuration"},
        "latest_results": {"provider": "of the configuration", "consumer": "a name"},
        "hourly_outcomes": {"outcome": "our own word"},
        "sightings": {"name": "our own word"},
        "run_moments": {"name": "our own word"},
        "queue_turns": {"line": "of a provider of the configuration"},
        "notable_runs": {"provider": "of the configuration"},
        "told_outcomes": {"provider": "of the configuration", "consumer": "a name", "line": "a name"},
        "newest_versions": {"provider": "of the configuration", "line": "a name"},
        "told_refusals": {"provider": "of the configuration", "reason": "our own word"},
        "notifications": {"provider": "of the configuration"},
    }
    with pool.connection() as connection:
        rows = connection.execute(
            """
            SELECT table_.relname, attribute.attname
            FROM pg_index
            JOIN pg_class AS table_ ON table_.oid = indrelid AND table_.relnamespace = 'public'::regnamespace
            JOIN pg_depend ON objid = indexrelid AND refobjid = indrelid AND refobjsubid > 0
            JOIN pg_attribute AS attribute ON attrelid = indrelid AND attnum = refobjsubid
            WHERE atttypid IN ('text'::regtype, 'jsonb'::regtype, 'varchar'::regtype)
              AND table_.relname NOT LIKE 'procrastinate%'
            """
        ).fetchall()
    found: dict[str, set[str]] = {}
    for table, column in rows:
        found.setdefault(table, set()).add(column)
    partial = {
        "deliveries": {"source"},
        "runs": {"publishing"},
        "commit_statuses": {"result", "state"},
        "notifications": {"result"},
    }
    for table, columns in found.items():
        assert columns - partial.get(table, set()) <= set(bounds[table]), table
