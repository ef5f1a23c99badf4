"""`/healthz` and `/readyz`, served in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.config.settings import Settings
from app.database.connections import open_pool
from app.dispatch import Dispatch
from app.intake.credentials import Tokens
from app.records import runs
from app.web.application import create_app
from app.web.context import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

BROKER = "http://broker.example.org/base"


@pytest.fixture
def pool(database_url: str) -> Iterator[ConnectionPool[Any]]:
    with open_pool(database_url, size=2) as opened:
        yield opened


@pytest.fixture
def client(pool: ConnectionPool[Any]) -> FlaskClient:
    provider = {"name": "A", "repository": "a/b", "base_url": "http://127.0.0.1:1", "version": "1"}
    settings = Settings.model_validate({"broker": {"url": BROKER}, "providers": [provider]})
    tokens = Tokens("TOKENS", {})
    return create_app(Receiver(settings=settings, pool=pool, tokens=tokens, api_tokens=tokens)).test_client()


def test_a_process_that_is_up_says_so(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_a_provider_that_runs_wait_for_and_that_is_not_configured_is_named(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    assert client.get("/readyz").get_json()["details"] == []
    for provider in ("A", "Removed"):
        pact = f"{BROKER}/pacts/provider/{provider}/consumer/C/latest"
        with pool.connection() as connection:
            runs.request(connection, provider, Dispatch("a/b", "pact_changed", pact), lock=None)
    [detail] = client.get("/readyz").get_json()["details"]
    assert "'Removed'" in detail
    assert "not in the configuration" in detail
