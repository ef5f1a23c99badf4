"""The new content of open pages leaves a process most of its time, and no page waits for one that takes long."""

from __future__ import annotations

import threading

import pytest

from app.web.dashboard.share_of_time import LONGEST_REST, ShareOfTime


class Time:
    """A time that passes when something is made, or waited for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let time pass, and note for how long."""
        self.slept.append(seconds)
        self.now += seconds

    def make(self, seconds: float) -> str:
        """Let the time pass that something takes."""
        self.now += seconds
        return "made"


def test_after_something_is_made_the_rest_of_the_time_is_for_others() -> None:
    time = Time()
    share = ShareOfTime(0.25, at_once=1, clock=lambda: time.now, sleep=time.sleep)
    for _ in range(3):
        assert share.make(lambda: time.make(0.02)) == "made"
    assert time.slept == pytest.approx([0, 0.06, 0.06])
    time.now += 10  # nobody has asked for anything meanwhile
    share.make(lambda: time.make(0.02))
    assert time.slept[-1] == 0


def test_something_that_takes_very_long_and_fails_holds_up_others_for_a_second() -> None:
    time = Time()
    share = ShareOfTime(0.25, at_once=1, clock=lambda: time.now, sleep=time.sleep)

    def fail() -> None:
        time.now += 60
        raise ValueError("the database is away")

    with pytest.raises(ValueError, match="away"):
        share.make(fail)
    share.make(lambda: None)
    assert time.slept[-1] == LONGEST_REST


def test_what_takes_long_leaves_room_for_another() -> None:
    share = ShareOfTime(1.0, at_once=2)
    others = []
    made = threading.Event()

    def other() -> None:
        others.append(share.make(lambda: "another"))
        made.set()

    def takes_long() -> str:
        threading.Thread(target=other).start()
        assert made.wait(60)
        return "long"

    assert share.make(takes_long) == "long"
    assert others == ["another"]
