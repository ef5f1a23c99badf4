"""What the engine does on a system that lacks something of Linux: macOS, and Linux without /proc."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from verifier import child_process, confinement, landlock, undumpable
from verifier.engine import memory
from verifier.engine.spawn import SpawnedChild
from verifier.provider import port

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """As code sees macOS: another platform, and no call of Linux's that would do anything sensible."""

    def no_call(*_: Any, **__: Any) -> Any:
        raise AssertionError("a call of the C library that is Linux's alone")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", no_call)


@pytest.mark.process
def test_the_child_gets_a_group_of_its_own_where_no_session_can_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = os.posix_spawn

    def without_sessions(*arguments: Any, setsid: bool = False, **options: Any) -> int:
        if setsid:
            raise NotImplementedError("setsid unavailable on this platform")
        return real(*arguments, **options)

    monkeypatch.setattr(os, "posix_spawn", without_sessions)
    with SpawnedChild() as child:
        assert os.getpgid(child.pid) == child.pid
        assert os.getsid(child.pid) == os.getsid(0)
    assert child.returncode == -signal.SIGKILL


@pytest.mark.usefixtures("macos")
def test_nothing_of_linux_is_called_elsewhere() -> None:
    undumpable.become_undumpable()
    landlock.is_available.cache_clear()
    try:
        assert not landlock.is_available()
    finally:
        landlock.is_available.cache_clear()
    memory._limit_data(1)


@pytest.mark.process
@pytest.mark.usefixtures("macos")
def test_a_provider_is_started_without_landlock() -> None:
    started = confinement.Confinement(apart=True).start(["true"])
    assert started.wait() == 0


def test_without_proc_the_memory_is_watched_by_what_the_process_ever_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "_STATM", tmp_path / "statm")
    most = memory.resident_bytes()
    assert most > 10 * 2**20
    with memory.limited_memory(2 * most, 1, lambda: None):
        pass


def test_a_group_that_only_has_a_zombie_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """MacOS answers EPERM for it, where Linux finds it."""

    def refused(_group: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "killpg", refused)
    assert not child_process.signal_group(1, 0)


def test_without_proc_nobody_says_whose_a_listener_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(port, "Path", lambda name: tmp_path / name.lstrip("/"))
    assert port.listeners(80) is None
