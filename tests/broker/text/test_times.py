"""Times from elsewhere are read by one rule, whatever form they have."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from broker.text.times import read_time
from tests.support.paths import ROOT

LAST = datetime(2026, 12, 31, 21, 59, 59, tzinfo=UTC)
OWN_TABLES = {"pages/rendering.py", "pacts/lists.py", "storage/branches_and_tags.py", "http/hal.py"}
"""Modules of the embedded broker that show the times of its own tables."""


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-31 21:59:59 UTC",
        "2026-12-31 23:59:59 +0200",
        "2026-12-31 23:59:59 +02:00",
        "2026-12-31T23:59:59+02:00",
        "2026-12-31T23:59:59+0200",
        "2026-12-31T23:59:59 +02",
        "2026-12-31T19:29:59-0230",
        "2026-12-31T21:59:59Z",
        "2026-12-31T21:59:59z",
        "2026-12-31 21:59:59 gmt",
        " 2026-12-31T21:59:59 ",
    ],
)
def test_each_form_that_is_in_use_is_read(text: str) -> None:
    assert read_time(text) == LAST


def test_a_fraction_and_a_date_alone_are_read() -> None:
    assert read_time("2026-12-31T21:59:59.25Z") == LAST.replace(microsecond=250000)
    assert read_time("2026-12-31") == datetime(2026, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "soon",
        "2026-13-31 23:59:59 UTC",
        "0001-01-01 00:00:00 +1400",
        "9999-12-31T23:59:59-23:59",
        "1969-12-31T23:59:59Z",
        "2026-12-31T21:59:59 CET",
        "2026-12-31T21:59:59Z" + " " * 100_000,
    ],
)
def test_what_is_no_time_is_none(text: object) -> None:
    assert read_time(text) is None


def test_times_from_elsewhere_are_read_nowhere_else() -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in ("app", "broker", "verifier")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"fromisoformat|strptime|parsedate", path.read_text(encoding="utf-8"))
    }
    assert found - {f"broker/embedded/{name}" for name in OWN_TABLES} == {"broker/text/times.py"}
