"""What SIGTERM and SIGINT interrupt, and what they don't."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from app.process.signals import Stopped, heard, interruptible, stop_no_more, stoppable

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


def send(number: int) -> None:
    """Send this process a signal, whose handler is called before the next statement."""
    os.kill(os.getpid(), number)


@SIGNALS
def test_the_first_signal_ends_the_block_and_no_other_one_its_cleaning_up(number: signal.Signals) -> None:
    done = []
    with stoppable():
        try:
            send(number)
            done.append("went on")
        finally:
            send(signal.SIGTERM)
            send(signal.SIGINT)
            done.append("cleaned up")
    assert done == ["cleaned up"]


@SIGNALS
def test_a_signal_after_the_block_interrupts_nothing(number: signal.Signals) -> None:
    with stoppable():
        pass
    send(number)
    with interruptible():
        pass
    send(number)


@SIGNALS
def test_a_signal_may_be_told_to_who_has_called(number: signal.Signals) -> None:
    with pytest.raises(Stopped), interruptible():
        send(number)


@SIGNALS
def test_what_has_to_come_to_its_end_is_not_interrupted(number: signal.Signals) -> None:
    done = []
    with stoppable():
        stop_no_more()
        send(number)
        done.append("came to its end")
    assert done == ["came to its end"]


def test_an_event_loop_hears_signals_which_do_nothing_once_it_is_closed() -> None:
    async def hear() -> list[str]:
        came, both = [], asyncio.Event()

        def come(name: str) -> None:
            came.append(name)
            if len(came) == 2:
                both.set()

        handlers: dict[int, Callable[[], object]] = {
            signal.SIGTERM: lambda: come("terminate"),
            signal.SIGHUP: lambda: come("hang up"),
        }
        with heard(asyncio.get_running_loop(), handlers):
            for number in handlers:
                send(number)
            await both.wait()
        return came

    assert sorted(asyncio.run(hear())) == ["hang up", "terminate"]
    for number in (signal.SIGTERM, signal.SIGHUP):
        send(number)
    assert signal.set_wakeup_fd(-1) == -1
