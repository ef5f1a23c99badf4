"""The waits of those who go on sending wrong credentials."""

from __future__ import annotations

from app.intake import wrong_credentials
from app.intake.wrong_credentials import (
    FORGIVEN_SECONDS,
    FREE,
    LONGEST_SECONDS,
    STEP_SECONDS,
    WrongCredentials,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_are_answered_at_once_and_further_ones_wait_longer_and_longer() -> None:
    wrong = WrongCredentials(Clock())
    assert [wrong.seconds_to_wait("192.0.2.1") for _ in range(FREE)] == [0.0] * FREE
    waits = [wrong.seconds_to_wait("192.0.2.1") for _ in range(100)]
    assert waits[:3] == [STEP_SECONDS, 2 * STEP_SECONDS, 3 * STEP_SECONDS]
    assert waits[-1] == max(waits) == LONGEST_SECONDS


def test_other_addresses_do_not_wait() -> None:
    wrong = WrongCredentials(Clock())
    for _ in range(100):
        wrong.seconds_to_wait("192.0.2.1")
    assert wrong.seconds_to_wait("192.0.2.2") == 0.0


def test_they_are_forgiven_with_time() -> None:
    clock = Clock()
    wrong = WrongCredentials(clock)
    for _ in range(100):
        wrong.seconds_to_wait("192.0.2.1")
    clock.now += FORGIVEN_SECONDS * 100
    assert wrong.seconds_to_wait("192.0.2.1") == 0.0


def test_only_so_many_addresses_are_remembered() -> None:
    wrong = WrongCredentials(Clock())
    for number in range(wrong_credentials.MOST_ADDRESSES + 10):
        wrong.seconds_to_wait(f"address {number}")
    assert len(wrong) == wrong_credentials.MOST_ADDRESSES
