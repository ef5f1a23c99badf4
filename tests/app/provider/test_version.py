"""Which versions are the same."""

from __future__ import annotations

import pytest

from app.provider.version import is_same

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("asked", "runs", "same"),
    [
        (COMMIT, COMMIT, True),
        (COMMIT[:7], COMMIT.upper(), True),
        (COMMIT, COMMIT[:12], True),
        (COMMIT[:6], COMMIT, False),
        (COMMIT, f"{COMMIT[:39]}8", False),
        ("20240101", "20240101-rc1", False),
        ("20240101", "20240101", True),
        (COMMIT[:7], f"{COMMIT[:7]}-dirty", False),
    ],
)
def test_a_commit_may_be_shortened_and_no_other_version(asked: str, runs: str, *, same: bool) -> None:
    assert is_same(asked, runs) is same
