"""The waits between tries."""

from __future__ import annotations

import time

import pytest

from broker.http.errors import BrokerUnreachable
from broker.http.waits import ENOUGH_SECONDS, RetryPlan, Waits


@pytest.mark.parametrize(
    ("plan", "waits"),
    [
        (RetryPlan((1, 5)), [1, 5, None]),
        (RetryPlan(()), [None]),
        (RetryPlan((1, 5), 11), [1, 5, 5, 5, None]),
        (RetryPlan.doubling(3, 10), [3, 6, 10, 10]),
    ],
)
def test_a_plan_has_a_wait_for_each_failure_until_it_gives_up(
    plan: RetryPlan, waits: list[float | None]
) -> None:
    assert [plan.wait_after(failures) for failures in range(1, len(waits) + 1)] == waits


def test_time_that_has_passed_counts_in_the_place_of_the_waits() -> None:
    assert RetryPlan((1,), 60).wait_after(1000, elapsed=59) == 1
    assert RetryPlan((1,), 60).wait_after(1, elapsed=61) is None


def test_what_the_other_side_asks_for_is_the_least() -> None:
    assert RetryPlan((1,)).wait_after(1, at_least=30) == 30
    assert RetryPlan((60,)).wait_after(1, at_least=30) == 60
    assert RetryPlan(()).wait_after(1, at_least=30) is None


def test_no_try_begins_that_a_deadline_would_cut_short() -> None:
    unavailable = BrokerUnreachable("503")
    waits = Waits(60, time.monotonic() + ENOUGH_SECONDS + 0.2, pytest.fail)
    with pytest.raises(BrokerUnreachable) as raised:
        waits.wait_after(unavailable)
    assert raised.value is unavailable
