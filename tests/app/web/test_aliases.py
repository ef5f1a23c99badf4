"""Pacts under another address of the broker are taken, and kept with the one address."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from app.config.settings import Settings
from app.intake.credentials import Tokens
from app.web.application import create_app
from app.web.context import Receiver
from tests.app.web.conftest import TOKENS, WEBHOOK_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

HOME, ALIAS = "https://broker.example.org/app", "http://pact-broker.internal:9292/base"
PACT = "/pacts/provider/A/consumer/C/latest"


@pytest.fixture
def client(pool: ConnectionPool[Any]) -> Iterator[FlaskClient]:
    provider = {"name": "A", "repository": "a/b", "base_url": "http://127.0.0.1:1", "version": "1"}
    settings = Settings.model_validate({"broker": {"url": HOME, "aliases": [ALIAS]}, "providers": [provider]})
    tokens, api_tokens = Tokens("TOKENS", TOKENS), Tokens("API_TOKENS", TOKENS, for_api=True)
    with closing(Receiver(settings, pool, tokens, api_tokens, WEBHOOK_SECRET)) as receiver:
        yield create_app(receiver).test_client()


def status_of(client: FlaskClient, pact_url: str) -> int:
    return client.post(
        "/repos/a/b/dispatches",
        json={"event_type": "pact_changed", "client_payload": {"pact_url": pact_url}},
        headers={"Authorization": "Bearer a-token-of-the-broker"},
    ).status_code


def test_a_pact_is_kept_with_the_one_address(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    for url in (ALIAS + PACT, HOME + PACT, f"HTTP://Pact-Broker.internal:9292/base{PACT}"):
        assert status_of(client, url) == 204
    with pool.connection() as connection:
        assert connection.execute("SELECT pact_url FROM runs").fetchall() == [(HOME + PACT,)]


def test_a_delivery_that_is_carried_out_again_has_it_too(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    assert status_of(client, ALIAS + PACT) == 204
    with pool.connection() as connection:
        found = connection.execute("SELECT id FROM deliveries").fetchone()
        assert found is not None
    token = {"Authorization": "Bearer a-token-for-reading-the-api"}
    assert client.post(f"/api/deliveries/{found[0]}/redeliver", headers=token).status_code == 201
    with pool.connection() as connection:
        assert connection.execute("SELECT DISTINCT pact_url FROM runs").fetchall() == [(HOME + PACT,)]


@pytest.mark.parametrize(
    "base",
    [
        "http://pact-broker.internal:9292/basement",
        "http://pact-broker.internal:9292",
        "http://pact-broker.internal/base",
        "https://pact-broker.internal:9292/base",
        "http://ci:password@pact-broker.internal:9292/base",
        "http://pact-broker.internal:9292@evil.example.org/base",
        "http://pact-broker.internal:9292/base/%2e%2e",
    ],
)
def test_a_pact_that_only_looks_like_it_is_refused(client: FlaskClient, base: str) -> None:
    assert status_of(client, base + PACT) == 422
