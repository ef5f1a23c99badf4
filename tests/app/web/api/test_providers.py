"""Providers by the API: which there are, and pausing one."""

from __future__ import annotations

import gzip
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from app.config.settings import Settings
from app.intake.credentials import Tokens
from app.web.application import create_app
from app.web.context import Receiver
from tests.app.web.conftest import TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

OPERATOR = {"Authorization": "Bearer a-token-for-reading-the-api"}
READER = {"Authorization": "Bearer a-token-that-only-reads"}
A = {
    "name": "A",
    "repository": "a/b",
    **dict.fromkeys(("paused_at", "paused_by", "pause_reason", "outcome", "ended_at")),
    **dict.fromkeys(("waiting", "running", "broken"), 0),
}


def test_a_provider_is_paused_and_resumed_and_it_is_kept_who_did_it(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    listed = client.get("/api/providers", headers=READER).json
    assert listed == {"items": [A], "next": None}
    assert client.post("/api/providers/A/pause", headers=READER).status_code == 403
    assert client.post("/api/providers/B/pause", headers=OPERATOR).status_code == 404
    assert client.post("/api/providers/B/resume", headers=OPERATOR).status_code == 404
    changes = []
    for reason in ("?reason=a%20first", "?reason=a%20new%20%00<env>", ""):
        paused = client.post(f"/api/providers/A/pause{reason}", headers=OPERATOR)
        assert paused.status_code == 200
        assert paused.json is not None
        document = dict(paused.json)
        changes.append(document.pop("change"))
    assert (document["paused_by"], document["pause_reason"]) == (
        "me",
        "a new \N{REPLACEMENT CHARACTER}<env>",
    )
    listed = client.get("/api/providers", headers=READER).json
    assert listed == {"items": [document], "next": None}
    for _ in range(2):
        resumed = client.post("/api/providers/A/resume", headers=OPERATOR).json
        assert resumed is not None
        assert resumed["paused_at"] is None
        changes.append(resumed["change"])
    assert changes == ["paused", "reason", None, "resumed", None]
    with pool.connection() as connection:
        kept = connection.execute(
            "SELECT who, via, action, provider, reason FROM actions ORDER BY id"
        ).fetchall()
    assert kept == [
        ("me", "api", "pause", "A", "a first"),
        ("me", "api", "pause", "A", "a new \N{REPLACEMENT CHARACTER}<env>"),
        ("me", "api", "resume", "A", None),
    ]


def test_the_list_is_compressed_for_whom_takes_that(client: FlaskClient) -> None:
    plain = client.get("/api/providers", headers=READER)
    small = client.get("/api/providers", headers={**READER, "Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert gzip.decompress(small.data) == plain.data


@pytest.fixture
def crowded(pool: ConnectionPool[Any]) -> Iterator[FlaskClient]:
    """A client of a receiver with 450 providers, some with odd names."""
    names = [f"Provider {number:04}" for number in range(447)] + ["\N{BIRD}/?&#", "%25", "a b"]
    providers = [
        {"name": name, "repository": f"a/b{number}", "base_url": "http://127.0.0.1:1", "version": "1"}
        for number, name in enumerate(names)
    ]
    settings = Settings.model_validate(
        {
            "broker": {"url": "http://broker.example.org/base"},
            "server": {"public_url": "https://receiver.example.org/x"},
            "providers": providers,
        }
    )
    tokens, api_tokens = Tokens("TOKENS", TOKENS), Tokens("API_TOKENS", TOKENS, for_api=True)
    with closing(Receiver(settings, pool, tokens, api_tokens)) as receiver:
        yield create_app(receiver).test_client()


def walked(client: FlaskClient, path: str) -> list[list[str]]:
    pages = []
    while path:
        page = client.get(path, headers=READER)
        assert page.status_code == 200
        assert len(page.data) < 100 * 1024
        document = page.get_json()
        pages.append([one["name"] for one in document["items"]])
        path = (document["next"] or "").removeprefix("https://receiver.example.org/x")
    return pages


@pytest.mark.parametrize(("query", "longest"), [("", 200), ("?limit=200", 200), ("?limit=90", 90)])
def test_the_pages_of_the_list_have_each_provider_once_by_its_name(
    crowded: FlaskClient, query: str, longest: int
) -> None:
    assert crowded.post("/api/providers/a b/pause", headers=OPERATOR).status_code == 200
    pages = walked(crowded, f"/api/providers{query}")
    names = [name for page in pages for name in page]
    assert len(names) == len(set(names)) == 450
    assert names == sorted(names)
    assert {len(page) for page in pages[:-1]} == {longest}


def test_a_provider_that_is_paused_and_no_longer_configured_stands_in_its_page(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    with pool.connection() as connection:
        connection.execute("INSERT INTO paused_providers (provider, paused_by) VALUES ('B', 'me')")
    assert walked(client, "/api/providers?limit=1") == [["A"], ["B"]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=%F0%9F%90%A6", "cursor"),
        ("cursor=_w==", "cursor"),
        ("limit=1&limit=2", "limit"),
        ("paused=true", "paused"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"/api/providers?{query}", headers=READER)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]
