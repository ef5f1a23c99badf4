"""SIGHUP: a process takes its configuration anew; or it stops, where the signal says that its terminal is gone."""

from __future__ import annotations

import os
import signal

_ignored = False


def hold_hangups() -> None:
    """Outlive SIGHUP from now on, while the process starts: it looks whether there is another configuration at the end.

    What this process starts has the signal's default again.
    """
    global _ignored  # noqa: PLW0603 - there is one signal
    _ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # as `nohup` has it
    signal.signal(signal.SIGHUP, lambda *_: None)


class Terminal:
    """The terminal that controls this process, if one does."""

    def __init__(self) -> None:
        self._was_there = _is_there()

    @property
    def is_gone(self) -> bool:
        """Whether there was one when the process started, and is none any more: then a process ends at SIGHUP.

        One that was started to outlive its terminal goes on, and is not told.
        """
        return self._was_there and not _ignored and not _is_there()


def _is_there() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
