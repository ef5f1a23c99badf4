"""What failed, by its causes."""

from __future__ import annotations

from dataclasses import replace

from tests.support.examples import ERROR, FAILED, MANY_MISMATCHES, PASSED, PENDING_FAILED, PRICE
from verifier.report.failures import failure_of, failures, text_of
from verifier.report.interface import matched, shared_cause

STATUS = replace(PRICE, attribute="status", identifier="", expected="200", actual="500", description="")


def test_interactions_with_the_same_differences_share_a_cause() -> None:
    other = replace(FAILED, description="another", mismatches=(STATUS,))
    found = failures([FAILED, PASSED, other, FAILED, PENDING_FAILED])
    assert [len(failure.results) for failure in found] == [2, 1, 1]
    assert shared_cause(found[0]) == "2 interactions fail for the same cause:"


def test_an_outage_is_one_cause_whatever_was_asked_for() -> None:
    lost = [replace(ERROR, reason=f"refused (http://localhost:1/{n})") for n in range(3)]
    [found] = failures(lost)
    assert shared_cause(found) == "3 interactions can't be verified for the same cause:"
    assert found.in_a_line == "refused (http://localhost:1/0)"


def test_parts_without_a_difference_are_told() -> None:
    assert matched(failure_of(FAILED)) == "status and headers are as expected"
    assert matched(failure_of(replace(FAILED, mismatches=(PRICE, STATUS)))) == "headers are as expected"
    header = replace(PRICE, attribute="header", identifier="Vary")
    assert matched(failure_of(replace(FAILED, mismatches=(PRICE, header)))) == "status is as expected"
    assert failure_of(ERROR).matched == ()
    assert failure_of(replace(FAILED, kind="Asynchronous/Messages")).matched == ()


def test_differences_that_are_not_shown_are_counted() -> None:
    assert failure_of(MANY_MISMATCHES).in_a_line.endswith(", and 49900 more")
    assert list(text_of(failure_of(MANY_MISMATCHES)))[-1] == "... and 49900 more differences"
