"""Interruptions of `verify` by a signal: they wait for the end of what may not be torn apart.

Code that starts something says so by `held`: an interruption in the midst of it would have nobody know what to stop.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AGAIN_SECONDS = 0.01
"""How soon an interruption comes again that Python has ignored."""
HOLD_SECONDS = 30.0
"""How long an interruption waits at most, so that a run that hangs can be ended."""


class _Interruption:
    """The interruption of this process; there is one at most.

    Attributes:
        came: Whether a signal has come.
        waits: Whether it is still to be raised.
        holds: How long it waits at most for the end of each `with held()` that is under way, the innermost last.
    """

    def __init__(self) -> None:
        self.came = False
        self.waits = False
        self.holds: tuple[float, ...] = ()

    def take(self) -> bool:
        """Return whether it is still to be raised, which it then is not any more."""
        waits, self.waits = self.waits, False
        return waits

    def happen(self) -> None:
        """Raise it, if it is still to be raised."""
        if self.take():
            raise KeyboardInterrupt


_interruption = _Interruption()


@contextmanager
def interruptible() -> Iterator[None]:
    """Stop a run at SIGTERM and SIGHUP as at Ctrl-C; a second signal does not interrupt the clean-up.

    What is ignored from the start stays so: `nohup` has a run outlive its terminal. An interruption that comes where
    Python ignores every exception, as in the callbacks of weak references that an import has, comes again. None comes
    after the block.
    """
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) != signal.SIG_IGN
    ]
    show = sys.unraisablehook
    alarm = _Alarm()
    _interruption.came = _interruption.waits = False

    # Signals are not set to SIG_IGN, which a provider would inherit that is just starting.
    def interrupt(*_: object) -> None:
        if not _interruption.came:
            _interruption.came = _interruption.waits = True
            now_or_later()

    def now_or_later(*_: object) -> None:
        if _interruption.holds:
            alarm.set(_interruption.holds[-1], lambda *_: _interruption.happen())
        else:
            _interruption.happen()

    def notice(ignored: sys.UnraisableHookArgs) -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt) and numbers:
            _interruption.waits = True
            alarm.set(AGAIN_SECONDS, now_or_later)
        else:
            show(ignored)

    with ExitStack() as stack:
        stack.callback(setattr, sys, "unraisablehook", show)
        sys.unraisablehook = notice
        for number in numbers:
            stack.callback(signal.signal, number, signal.signal(number, interrupt))
        stack.callback(alarm.put_back)
        stack.callback(_interruption.take)
        yield
        _interruption.happen()


class _Alarm:
    """The alarm clock of this process, which needs no thread: none can be started from a signal's handler."""

    def __init__(self) -> None:
        self._before = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
        self._is_set = False

    def set(self, seconds: float, handler: Callable[..., None]) -> None:
        self._is_set = True
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def put_back(self) -> None:
        if self._is_set:
            handler, timer = self._before
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, *timer)


@contextmanager
def held(seconds: float = HOLD_SECONDS) -> Iterator[None]:
    """Have an interruption wait for the end of the block, where it is raised.

    Only the main thread is interrupted by signals; in another one this does nothing.

    Args:
        seconds: How long it waits at most; then it is raised in the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _interruption.holds
    try:
        _interruption.holds = (*before, seconds)
        yield
    finally:
        _interruption.holds = before
        if not before:
            _interruption.happen()


@contextmanager
def released() -> Iterator[None]:
    """Let an interruption happen at once in the block, within a block of `held`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _interruption.holds
    try:
        _interruption.holds = ()
        _interruption.happen()
        yield
    finally:
        _interruption.holds = before


def is_interrupted() -> bool:
    """Return whether an interruption waits for the end of a block of `held`, which should hurry."""
    return _interruption.waits


def put_off_interruption() -> None:
    """Have an interruption that was caught be raised at the end of the block of `held` that is under way."""
    _interruption.waits = True


def take_interruption() -> bool:
    """Return whether one waits, and take it: it is not raised any more."""
    return _interruption.take()
