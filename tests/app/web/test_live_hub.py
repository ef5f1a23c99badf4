"""Open pages are told of a change one after another, since each of them asks for its new content then."""

from __future__ import annotations

import pytest

from app.web.live_hub import PAGES_PER_SECOND, Turns


def test_pages_are_told_one_after_another() -> None:
    turns = Turns()
    waits = [turns.seconds_to_wait(100.0) for _ in range(250)]
    assert waits == pytest.approx([number / PAGES_PER_SECOND for number in range(250)])


def test_a_page_that_is_told_alone_does_not_wait() -> None:
    turns = Turns()
    assert turns.seconds_to_wait(100.0) == 0
    assert turns.seconds_to_wait(200.0) == 0
