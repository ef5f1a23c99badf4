"""What workers look at now and then is noted for those who look at the dashboard."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.database.connections import open_pool
from app.records import sightings
from app.records.sightings import Seen
from app.worker.chores import look_at_broker
from app.worker.token_expiry import note_token
from broker.http.access import BrokerAccess
from tests.support.loopback import Loopback, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "the-secret-of-the-broker"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Reply(200, b'{"_links": {}}', {"Content-Type": "application/hal+json"}), None),
        (Reply(401, f'{{"error": "{SECRET}"}}'.encode(), {"Content-Type": "application/json"}), "401"),
        (Reply(503, b"", {}), "503"),
    ],
)
def test_it_is_noted_whether_the_broker_answers(database_url: str, answer: Reply, error: str | None) -> None:
    async def in_database(function: Callable[..., Any], *arguments: Any) -> Any:
        with psycopg.connect(database_url) as connection:
            return function(connection, *arguments)

    with Loopback(lambda _: answer) as server:
        [chore] = look_at_broker(BrokerAccess(server.url, token=SECRET), in_database)
        asyncio.run(chore.do())
    with psycopg.connect(database_url) as connection:
        found = sightings.read(connection)[Seen.BROKER].found["error"]
    assert found is None if error is None else error in found
    assert SECRET not in str(found)


def test_when_the_token_expires_is_noted_and_nothing_fails_where_it_cannot_be(database_url: str) -> None:
    expires = datetime(2999, 1, 1, tzinfo=UTC)
    with open_pool(database_url, size=1) as pool:
        for moment in (None, expires):
            assert note_token(pool, moment)
            with pool.connection() as connection:
                found = sightings.read(connection)[Seen.GITHUB_TOKEN].found
            assert found == {"expires": moment and moment.isoformat()}
        with pool.connection() as connection:
            connection.execute("DROP TABLE sightings")
        assert not note_token(pool, None)
