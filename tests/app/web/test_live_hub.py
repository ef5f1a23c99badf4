"""Open pages are told of a change one after another, since each of them asks for its new content then."""

from __future__ import annotations

import pytest

from app.web.live_hub import LATE_SECONDS, LONGEST_GAP, PAGES_PER_SECOND, Turns


def test_pages_are_told_one_after_another() -> None:
    turns = Turns()
    waits = [turns.seconds_to_wait(100.0) for _ in range(250)]
    assert waits == pytest.approx([number / PAGES_PER_SECOND for number in range(250)])


def test_a_page_that_is_told_alone_does_not_wait() -> None:
    turns = Turns()
    assert turns.seconds_to_wait(100.0) == 0
    assert turns.seconds_to_wait(200.0) == 0


def test_pages_are_told_more_slowly_while_the_process_is_late() -> None:
    turns = Turns()
    for _ in range(100):
        turns.note_delay(LATE_SECONDS * 2)
    turns.seconds_to_wait(100.0)
    assert turns.seconds_to_wait(100.0) == pytest.approx(LONGEST_GAP)
    for _ in range(100):
        turns.note_delay(0.001)
    turns.seconds_to_wait(200.0)
    assert turns.seconds_to_wait(200.0) == pytest.approx(1 / PAGES_PER_SECOND)
