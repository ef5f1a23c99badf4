"""An interruption comes once, within the block that it is for, and waits for what may not be torn apart."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.killable import wait_until
from verifier.child_process import signal_group
from verifier.confinement import UNCONFINED, Confinement
from verifier.engine.process import Engine
from verifier.interruption import (
    held,
    interruptible,
    is_interrupted,
    put_off_interruption,
    released,
    take_interruption,
)
from verifier.landlock import is_available
from verifier.provider.process import StartedProvider
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TERM = signal.SIGTERM
STUBBORN = (
    f"{sys.executable} -c 'import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); "
    "time.sleep(600)'"
)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes that are started."""
    processes: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen.__init__

    def note(popen: subprocess.Popen[bytes], *args: Any, **options: Any) -> None:
        start(popen, *args, **options)
        processes.append(popen)

    monkeypatch.setattr(subprocess.Popen, "__init__", note)
    yield processes
    for each in processes:
        each.kill()
        each.wait()


def hang() -> None:
    """Be interrupted, and go on for long."""
    signal.raise_signal(TERM)
    threading.Event().wait(60)
    pytest.fail("it has waited")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_where_python_ignores_exceptions_is_not_lost(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    kept = [threading.Event()]
    reference = weakref.ref(kept[0], lambda _: signal.raise_signal(number))

    def let_go_and_wait() -> None:
        kept.clear()
        threading.Event().wait(60)

    with interruptible(), pytest.raises(KeyboardInterrupt):
        let_go_and_wait()
    assert reference() is None
    assert signal.getsignal(number) is before


def test_such_an_interruption_does_not_come_after_the_block() -> None:
    before = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[0] > 0
    kept = [threading.Event()]
    reference = weakref.ref(kept[0], lambda _: signal.raise_signal(TERM))
    with pytest.raises(KeyboardInterrupt), interruptible():
        kept.clear()
    assert reference() is None
    assert (signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[0] > 0) == before


def test_a_second_signal_interrupts_nothing() -> None:
    done = []
    with interruptible():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(TERM)
        signal.raise_signal(TERM)
        signal.raise_signal(signal.SIGINT)
        done.append(True)
    assert done


def test_an_interruption_waits_for_the_end_of_what_is_held() -> None:
    done = []

    def work() -> None:
        with held():
            with held():
                signal.raise_signal(TERM)
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            assert is_interrupted()
            done.append("outer")

    with interruptible():
        with pytest.raises(KeyboardInterrupt):
            work()
        assert not is_interrupted()
    assert done == ["inner", "outer"]


def test_it_does_not_wait_for_what_hangs() -> None:
    with interruptible(), pytest.raises(KeyboardInterrupt), held(0.05):
        hang()


def test_what_is_held_may_be_interrupted_where_it_says_so() -> None:
    done = []
    with interruptible(), held():
        with pytest.raises(KeyboardInterrupt), released():
            hang()
        done.append("held")
    assert done == ["held"]


def test_an_interruption_that_came_before_is_raised_where_it_may_be() -> None:
    with interruptible(), held():
        signal.raise_signal(TERM)
        with pytest.raises(KeyboardInterrupt), released():
            pytest.fail("it has waited")


def test_an_interruption_can_be_taken_and_put_off() -> None:
    with interruptible():
        with held():
            assert not take_interruption()
            signal.raise_signal(TERM)
            assert take_interruption()
        with pytest.raises(KeyboardInterrupt), held():
            put_off_interruption()


def test_another_thread_holds_nothing() -> None:
    holding, over = threading.Event(), threading.Event()

    def hold() -> None:
        with held(), released(), held():
            holding.set()
            over.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert holding.wait(60)
        with interruptible(), pytest.raises(KeyboardInterrupt):
            hang()
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("how", ["direct", "apart"])
def test_a_provider_that_is_just_starting_is_stopped(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[bytes]]
) -> None:
    if how == "apart" and not is_available():
        pytest.skip("this kernel has no Landlock")
    # where the process is there, and nobody but this call knows of it
    owner, name = (subprocess.Popen, "__init__") if how == "direct" else (ThreadPoolExecutor, "shutdown")
    method = getattr(owner, name)

    def interrupted(*args: Any, **options: Any) -> None:
        method(*args, **options)
        signal.raise_signal(TERM)

    monkeypatch.setattr(owner, name, interrupted)
    confinement = UNCONFINED if how == "direct" else Confinement(apart=True)
    provider = ProviderUnderTest(command="sleep 600", folder=tmp_path, confinement=confinement)
    with interruptible(), pytest.raises(KeyboardInterrupt), Engine() as engine:
        verify(VerificationRequest(str(tmp_path / "missing.json"), provider=provider), engine=engine)
    [popen] = started
    assert popen.returncode == -TERM


def test_a_provider_that_is_just_being_killed_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setattr("verifier.provider.process.STOP_SECONDS", 0.0)

    def interrupted(group: int, number: int) -> bool:
        if number == signal.SIGKILL:
            signal.raise_signal(TERM)
        return signal_group(group, number)

    monkeypatch.setattr("verifier.provider.process.signal_group", interrupted)
    with interruptible(), pytest.raises(KeyboardInterrupt), StartedProvider(STUBBORN, tmp_path) as provider:
        wait_until(lambda: bool(provider.output()), "it ignores SIGTERM")
    [popen] = started
    assert popen.returncode == -signal.SIGKILL


def test_an_interruption_hurries_the_end_of_a_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setattr("verifier.provider.process.STOP_SECONDS", 3600.0)
    lives = StartedProvider._group_lives

    def interrupted(provider: StartedProvider) -> bool:
        signal.raise_signal(TERM)
        return lives(provider)

    monkeypatch.setattr(StartedProvider, "_group_lives", interrupted)
    with interruptible(), pytest.raises(KeyboardInterrupt), StartedProvider(STUBBORN, tmp_path) as provider:
        wait_until(lambda: bool(provider.output()), "it ignores SIGTERM")
    [popen] = started
    assert popen.returncode == -signal.SIGKILL
