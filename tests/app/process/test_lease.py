"""A lease ends work that nobody may go on with, and nothing else."""

from __future__ import annotations

import threading

from app.process.lease import LeaseWatch, end_of_lease, now


def test_work_ends_with_its_lease() -> None:
    ended = threading.Event()
    watch = LeaseWatch(ended.set)
    watch.extend(now() + 0.05)
    with watch.working():
        assert ended.wait(60)


def test_a_lease_that_has_passed_ends_what_begins() -> None:
    ended = threading.Event()
    watch = LeaseWatch(ended.set)
    watch.extend(-float("inf"))
    assert not ended.is_set()  # there is nothing to end yet
    with watch.working():
        assert ended.wait(60)


def test_work_is_ended_in_the_midst_by_a_shorter_lease() -> None:
    ended = threading.Event()
    watch = LeaseWatch(ended.set)
    with watch.working():
        watch.extend(now() + 3600.0)
        assert not ended.is_set()
        watch.extend(-float("inf"))
        assert ended.wait(60)


def test_a_lease_is_shorter_than_the_time_after_which_others_take_over() -> None:
    assert end_of_lease(100.0, 10.0) == 108.0
