"""Runs as text for people."""

from __future__ import annotations

import io

from app.commands.runs.rendering import write_list, write_run

RUN = {
    "id": "11111111-1111-1111-1111-111111111111",
    "status": "finished",
    "outcome": "passed",
    "created_at": "2026-11-27T09:59:00Z",
    "started_at": "2026-11-27T10:00:00Z",
    "finished_at": "2026-11-27T10:00:03.5Z",
}


def test_a_list_says_how_long_each_run_took() -> None:
    stream = io.StringIO()
    write_list([RUN, {**RUN, "finished_at": None, "status": "running"}], stream)
    heads, ended, running = stream.getvalue().splitlines()
    place = heads.index("TOOK")
    assert ended[place:].startswith("3.5 s")
    assert not running[place:].strip().startswith("3.5")


def test_a_run_says_how_long_it_took() -> None:
    stream = io.StringIO()
    write_run(RUN, None, stream)
    assert "took" in stream.getvalue()
    assert "3.5 s\n" in stream.getvalue()
