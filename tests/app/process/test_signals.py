"""What SIGTERM and SIGINT interrupt, and what they don't."""

from __future__ import annotations

import os
import signal

import pytest

from app.process.signals import Stopped, interruptible, stop_no_more, stoppable

SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


def send(number: signal.Signals) -> None:
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
