"""The version that a provider tells, and which versions are the same."""

from __future__ import annotations

import pytest

from app.provider import version
from app.provider.version import VersionUnknown, ask, is_same
from broker.http.limits import Limits
from tests.support.raw_server import DRIPS, RawServer

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
        ("1.4.0", "1.4.0", True),
        ("1.4.0", "1.5.0", False),
        ("1.4.0-RC1", "1.4.0-rc1", False),
        (COMMIT[:7], f"{COMMIT[:7]}-dirty", False),
    ],
)
def test_a_commit_may_be_shortened_and_no_other_version(asked: str, runs: str, *, same: bool) -> None:
    assert is_same(asked, runs) is same


@pytest.mark.parametrize("drip", DRIPS)
def test_a_version_that_drips_is_unknown(monkeypatch: pytest.MonkeyPatch, drip: str) -> None:
    monkeypatch.setattr(version, "LIMITS", Limits(0.3, 1000))
    with (
        RawServer.dripping(drip) as provider,
        pytest.raises(VersionUnknown, match="no whole answer") as unknown,
    ):
        ask(provider.url, None)
    assert unknown.value.retryable


def test_a_flood_is_no_version() -> None:
    flood = RawServer(b"HTTP/1.1 200 OK\r\n\r\n", again=b"1" * 65536)
    with flood as provider, pytest.raises(VersionUnknown, match="more than 1 MiB"):
        ask(provider.url, None)
