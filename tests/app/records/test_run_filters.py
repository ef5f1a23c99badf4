"""What a text of a filter means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.records.run_filters import moment_of

NOW = datetime(2026, 11, 27, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90min", NOW - timedelta(minutes=90)),
        ("24h", NOW - timedelta(days=1)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-11-26", datetime(2026, 11, 26, tzinfo=UTC)),
        ("2026-11-26T10:30", datetime(2026, 11, 26, 10, 30, tzinfo=UTC)),
        ("2026-11-26T10:30:05Z", datetime(2026, 11, 26, 10, 30, 5, tzinfo=UTC)),
        ("2026-11-26T10:30+02:00", datetime(2026, 11, 26, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_a_day_or_how_long_ago(text: str, meant: datetime) -> None:
    assert moment_of(text, NOW) == meant


def test_until_a_day_means_until_its_end() -> None:
    assert moment_of("2026-11-26", NOW, end=True) == datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "24",
        "h",
        "-1h",
        "999999d",
        "2026-13-01",
        "0001-01-01T00:00+14:00",
        "٣h",
        "2026-11-26T25:00",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="how long ago"):
        moment_of(text, NOW)
    with pytest.raises(ValueError, match="how long ago"):
        moment_of("9999-12-31", NOW, end=True)
