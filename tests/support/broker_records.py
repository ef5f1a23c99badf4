"""Pacts published to the embedded broker, and what it has recorded of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.processes import EmbeddedBroker


def publish(broker: EmbeddedBroker, document: dict[str, Any], consumer: str, version: str = "1") -> str:
    """Publish a pact of another consumer, with content of its own; gives the URL that a webhook would have."""
    interactions = [
        {**each, "description": f"{each['description']} ({consumer})"} for each in document["interactions"]
    ]
    document = {**document, "consumer": {"name": consumer}, "interactions": interactions}
    broker.publish(document, version, branch="main")
    path = f"/pacts/provider/{document['provider']['name']}/consumer/{consumer}/version/{version}"
    return f"{broker.url}{path}"


def results(broker: EmbeddedBroker, pact_url: str) -> dict[str, Any] | None:
    """Ask the broker for the latest result of a pact."""
    links = broker.get(pact_url).json()["_links"]
    answer = broker.get(links["pb:latest-verification-results"]["href"])
    document: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
    return document


def count_results(broker: EmbeddedBroker, pact_url: str) -> int:
    """Count the results that were recorded for a pact's content."""
    sha = broker.get(pact_url).json()["_links"]["pb:pact-version"]["href"].rsplit("/", 1)[1]
    with closing(sqlite3.connect(broker.database)) as database:
        [count] = database.execute(
            "SELECT count(*) FROM verification_results JOIN pact_versions ON pact_versions.id = pact_version_id "
            "WHERE sha = ?",
            [sha],
        ).fetchone()
    return int(count)
