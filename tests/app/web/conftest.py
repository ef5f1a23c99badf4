"""The receiver's application on a real database, served in this process."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from app.config.settings import Settings
from app.database.connections import open_pool
from app.intake.credentials import Tokens
from app.web.application import create_app
from app.web.context import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

TOKENS = {
    "TOKENS": "broker:a-token-of-the-broker,team:a-token-of-another-team@a/other",
    "API_TOKENS": "me:a-token-for-reading-the-api,grafana:a-token-that-only-reads@read-only",
}

WEBHOOK_SECRET = "the-secret-of-the-webhook"


@pytest.fixture
def pool(patient_database_url: str) -> Iterator[ConnectionPool[Any]]:
    with open_pool(patient_database_url, size=2) as opened:
        yield opened


@pytest.fixture
def client(pool: ConnectionPool[Any]) -> Iterator[FlaskClient]:
    """A client of a receiver whose one provider is `A`, with the repository `a/b`."""
    provider = {"name": "A", "repository": "a/b", "base_url": "http://127.0.0.1:1", "version": "1"}
    settings = Settings.model_validate(
        {"broker": {"url": "http://broker.example.org/base"}, "providers": [provider]}
    )
    tokens, api_tokens = Tokens("TOKENS", TOKENS), Tokens("API_TOKENS", TOKENS, for_api=True)
    with closing(Receiver(settings, pool, tokens, api_tokens, WEBHOOK_SECRET)) as receiver:
        yield create_app(receiver).test_client()
