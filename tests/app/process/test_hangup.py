"""SIGHUP means that the terminal is gone where there was one, and is no reason to stop otherwise."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from app.process import hangup
from app.process.hangup import Terminal, hold_hangups

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("first", "there", "is_gone"),
    [
        (signal.SIG_DFL, [True, False], True),
        (signal.SIG_DFL, [True, True], False),
        (signal.SIG_DFL, [False, False], False),
        (signal.SIG_IGN, [True, False], False),
    ],
    ids=["closed", "still there", "a service", "nohup"],
)
def test_a_terminal_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, first: signal.Handlers, there: list[bool], *, is_gone: bool
) -> None:
    signal.signal(signal.SIGHUP, first)
    hold_hangups()
    assert callable(signal.getsignal(signal.SIGHUP))
    monkeypatch.setattr(hangup, "_is_there", lambda: there.pop(0))
    assert Terminal().is_gone is is_gone
