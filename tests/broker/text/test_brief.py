from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis.strategies import text

from broker.text.brief import LONGEST_VERSION, ago, short_version

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMMIT_ID = "2f3c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "just now"),
        (0.9, "just now"),
        (-0.9, "just now"),
        (42.9, "42 s ago"),
        (60, "1 min ago"),
        (3599.9, "59 min ago"),
        (3600, "1 h ago"),
        (86399, "23 h ago"),
        (86400, "1 day ago"),
        (2 * 86400, "2 days ago"),
        (30 * 86400, "1 month ago"),
        (364 * 86400, "12 months ago"),
        (800 * 86400, "2 years ago"),
        (-90, "in 1 min"),
        (-3 * 86400, "in 3 days"),
    ],
)
def test_a_moment_is_told_by_its_distance(seconds: float, expected: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0.0", "1.0.0"),
        (COMMIT_ID, "2f3c9d1e"),
        (COMMIT_ID[:12], "2f3c9d1e"),
        ("1" * 40, "11111111"),
        (f"1.0.0+{COMMIT_ID}", "1.0.0+2f3c9d1e"),
        (f"main-{COMMIT_ID}.2", "main-2f3c9d1e.2"),
        ("20261127134032", "20261127134032"),
        ("deadbeefdeadbeefcafe-facade", "deadbeef-facade"),
        ("feature-of-a-rather-long-name-1234567", "feature-of-a-ra…-1234567"),
        ("", ""),
    ],
)
def test_a_version_is_shortened_where_it_tells_least(version: str, expected: str) -> None:
    assert short_version(version) == expected


@given(text())
def test_no_version_is_long(version: str) -> None:
    assert len(short_version(version)) <= LONGEST_VERSION
