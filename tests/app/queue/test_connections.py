"""How many connections to the database a worker has at most, as docs/scaling.md calculates with."""

from __future__ import annotations

import re

from app.queue.consumer import CHORES_AT_ONCE, CONNECTIONS
from tests.support.paths import DOCS

LISTENERS = 2
"""Procrastinate listens for each queue on a connection of its own."""


def test_the_documented_connections_of_a_worker_are_those_of_its_pools() -> None:
    document = (DOCS / "scaling.md").read_text(encoding="utf-8")
    [beside] = re.findall(r"each `worker`: `worker\.concurrency` \+ (\d+)", document)
    assert int(beside) == CHORES_AT_ONCE + CONNECTIONS + LISTENERS
    assert f"(16 + {beside}) |" in document
    assert 2 * 2 * (8 + 1) + 15 * (16 + int(beside)) == int(
        re.findall(r"\| (\d+): `max_connections", document)[0]
    )
