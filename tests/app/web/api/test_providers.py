"""Providers by the API: which there are, and pausing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

OPERATOR = {"Authorization": "Bearer a-token-for-reading-the-api"}
READER = {"Authorization": "Bearer a-token-that-only-reads"}


def test_a_provider_is_paused_and_resumed_and_it_is_kept_who_did_it(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    listed = client.get("/api/providers", headers=READER).json
    assert listed == {"items": [{"name": "A", "repository": "a/b", "paused_at": None, "paused_by": None}]}
    assert client.post("/api/providers/A/pause", headers=READER).status_code == 403
    assert client.post("/api/providers/B/pause", headers=OPERATOR).status_code == 404
    assert client.post("/api/providers/B/resume", headers=OPERATOR).status_code == 404
    for _ in range(2):
        paused = client.post("/api/providers/A/pause", headers=OPERATOR)
        assert paused.status_code == 200
        assert paused.json is not None
        assert paused.json["paused_by"] == "me"
    listed = client.get("/api/providers", headers=READER).json
    assert listed == {"items": [paused.json]}
    for _ in range(2):
        resumed = client.post("/api/providers/A/resume", headers=OPERATOR).json
        assert resumed is not None
        assert resumed["paused_at"] is None
    with pool.connection() as connection:
        kept = connection.execute("SELECT who, via, action, provider FROM actions ORDER BY id").fetchall()
    assert kept == [("me", "api", "pause", "A"), ("me", "api", "resume", "A")]
