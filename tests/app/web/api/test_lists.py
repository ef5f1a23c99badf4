"""The filters of the list of runs, and its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.records import history, run_filters
from tests.support.run_rows import add_run, id_of

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

READING = {"Authorization": "Bearer a-token-for-reading-the-api"}


def listed(client: FlaskClient, **parameters: str) -> list[int]:
    answer = client.get("/api/runs", query_string=parameters, headers=READING)
    assert answer.status_code == 200, answer.text
    return [int(run["id"][-12:]) for run in answer.get_json()["items"]]


@pytest.mark.parametrize("rare", [run_filters.RARE, 1, 0])
def test_each_filter_finds_what_it_means(
    client: FlaskClient, pool: ConnectionPool[Any], monkeypatch: pytest.MonkeyPatch, rare: int
) -> None:
    monkeypatch.setattr(run_filters, "RARE", rare)
    add_run(pool, 1, reason="reconciled", consumer_version="0f3c9a7", branch="main")
    add_run(
        pool, 2, sha="0f3c" + "0" * 36, provider_branch="main", error="The provider is NOT ready: 100% sure"
    )
    add_run(pool, 3, pact_url=None, consumer=None, consumer_version=None, hours=30)
    add_run(pool, 4, parent_id=id_of(3), consumer="Web_shop", consumer_version="0f3%", hours=30)

    assert listed(client) == [1, 2, 4, 3]  # of the same time the higher id is first
    assert listed(client, reason="reconciled") == [1]
    assert listed(client, branch="main") == [1, 2]
    assert listed(client, version="0f3c") == [1, 2]
    assert listed(client, version="0f3%") == [4]
    assert listed(client, version="0f_c") == []
    assert listed(client, version="\\") == []
    assert listed(client, since="90min") == [1]
    assert listed(client, since="24h") == [1, 2]
    assert listed(client, until="24h") == [4, 3]
    assert listed(client, parent=id_of(3)) == [4]
    assert listed(client, pacts="hidden") == [1, 2, 3]
    assert listed(client, pacts="shown") == [1, 2, 4, 3]
    assert listed(client, text="not READY") == [2]
    assert listed(client, text="100%") == [2]
    assert listed(client, text="web_") == [4]
    assert listed(client, text="http://b", branch="main") == [1, 2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("since", "yesterday"),
        ("until", ""),
        ("reason", "x"),
        ("parent", "urn:uuid:00000000-0000-4000-8000-000000000003"),
        ("pacts", "1"),
        ("text", "x" * 101),
        ("version", "\0"),
    ],
)
def test_what_can_not_be_a_value_is_named(client: FlaskClient, name: str, value: str) -> None:
    answer = client.get("/api/runs", query_string={name: value}, headers=READING)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.get_json()["errors"]] == [name]


def test_a_text_is_looked_for_in_some_runs_at_once_until_there_are_no_more(
    client: FlaskClient, pool: ConnectionPool[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_SEARCHED", 3)
    for index in range(1, 9):
        add_run(pool, index, error="a needle" if index in {2, 8} else None)
    url, pages = "/api/runs?text=needle", []
    while url:
        answer = client.get(url, headers=READING).get_json()
        pages.append([int(run["id"][-12:]) for run in answer["items"]])
        url = answer["next"]
    assert pages == [[2], [], [8]]
    # a page that is full ends at its last run, and not at the last one that was searched
    answer = client.get("/api/runs?text=http://b/x&limit=2", headers=READING).get_json()
    assert [run["id"] for run in answer["items"]] == [id_of(1), id_of(2)]
    answer = client.get(answer["next"], headers=READING).get_json()
    assert [run["id"] for run in answer["items"]] == [id_of(3), id_of(4)]
    assert run_filters.MOST_SEARCHED > 3
