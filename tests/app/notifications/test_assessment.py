"""A change is what differs from what was told before; what says nothing of a contract is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from app.config.notify import NotifySettings
from app.config.provider_table import read_provider
from app.notifications.assessment import Assessment
from app.notifications.lines import line_of
from app.records.told_outcomes import Standing
from tests.support.worker_parts import a_run
from verifier.verification import Outcome

if TYPE_CHECKING:
    from app.records.run import Run

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUNNING = read_provider({"name": "P", "repository": "a/p", "base_url": "http://127.0.0.1:1", "version": "1"})


def run(minutes: float, outcome: str | None, consumer: str = "C", **values: Any) -> Run:
    """A run that was asked for some minutes after noon, and has ended."""
    at = NOON + timedelta(minutes=minutes)
    values = {"status": "finished", "consumer_version": "1", "provider_version": "9", **values}
    return a_run(
        outcome=outcome,
        consumer=consumer,
        created_at=at,
        started_at=at,
        failed_interactions=1,
        interactions=3,
        **values,
    )


def changes(
    *runs: Run, told: list[Standing] | None = None, later: float = 0, feature: tuple[str, ...] = ()
) -> list[tuple[str, str, bool]]:
    """The changes of runs, an hour being what an outage takes: event, consumer, and whether it is over."""
    assessment = Assessment(
        {one.key: one for one in told or ()},
        before=lambda run, line: Standing("P", run.consumer or "", line),
        counts=lambda run: run.consumer_version not in feature,
    )
    for one in runs:
        assessment.take(one, "")
    found = assessment.end(NOON + timedelta(minutes=later - 60))
    return [(change.event.value, change.consumer, change.over) for change in found]


def standing(answer: str | None, **values: Any) -> Standing:
    return Standing("P", "C", "", Outcome(answer) if answer else None, asked_at=NOON, **values)


PASSED, FAILED = standing("passed"), standing("failed")
OUTAGE = standing("passed", error_since=NOON, error_run_id=uuid4(), told_of_error=True)


@pytest.mark.parametrize(
    ("told", "runs", "expected"),
    [
        ([], [run(1, "passed")], []),
        ([], [run(1, "failed")], ["broken"]),
        ([PASSED], [run(1, "passed")], []),
        ([PASSED], [run(1, "failed")], ["broken"]),
        ([FAILED], [run(1, "failed")], []),
        ([FAILED], [run(1, "passed")], ["healed"]),
        # flapping between two looks
        ([PASSED], [run(1, "failed"), run(2, "passed")], []),
        ([FAILED], [run(1, "passed"), run(2, "failed")], []),
        ([PASSED], [run(1, "failed"), run(2, "passed"), run(3, "failed")], ["broken"]),
        ([], [run(1, "failed"), run(2, "passed")], []),
        # an earlier run that ends later
        ([PASSED], [run(-1, "failed")], []),
        # nobody's pact is broken by these
        ([PASSED], [run(1, "failed", pending=True)], []),
        ([PASSED], [run(1, None, status="cancelled", error_kind="superseded")], []),
        ([PASSED], [run(1, None, status="cancelled")], []),
        ([PASSED], [run(1, None, status="running")], []),
        ([PASSED], [run(1, "error", error_kind="provider-unreachable")], []),
        # what comes to nothing heals nothing
        ([FAILED], [run(1, "error"), run(2, "failed")], []),
        ([FAILED], [run(1, "failed", pending=True)], []),
    ],
)
def test_a_change_is_what_differs_from_what_was_told(
    told: list[Standing], runs: list[Run], expected: list[str]
) -> None:
    assert [event for event, _, _ in changes(*runs, told=told)] == expected


def test_the_branch_of_a_consumer_that_is_not_merged_breaks_and_heals_nothing() -> None:
    assert changes(run(1, "failed", consumer_version="feature"), told=[PASSED], feature=("feature",)) == []
    assert changes(run(1, "passed", consumer_version="feature"), told=[FAILED], feature=("feature",)) == []
    # without a change nobody is asked of which branch a version is
    assert changes(run(1, "failed", consumer_version="feature"), told=[FAILED], feature=("feature",)) == []


def test_an_outage_is_told_after_an_hour_once_and_its_end() -> None:
    failing = run(1, "error", error="the provider is down")
    assert changes(failing, told=[PASSED], later=60) == []
    assert changes(failing, told=[PASSED], later=61) == [("unverifiable", "C", False)]
    # also while it is tried again and again
    waiting = run(1, None, status="waiting", failures=4, error_kind="provider-unreachable")
    assert changes(waiting, told=[PASSED], later=61) == [("unverifiable", "C", False)]
    assert changes(run(200, "error"), told=[OUTAGE], later=500) == []
    assert changes(run(1, "passed"), told=[OUTAGE]) == [("unverifiable", "C", True)]
    assert changes(run(1, "failed"), told=[OUTAGE]) == [("broken", "C", False)]
    assert changes(run(1, "failed"), told=[replace(OUTAGE, answer=Outcome.FAILED)]) == [
        ("unverifiable", "C", True)
    ]


@pytest.mark.parametrize("kind", ["paused-provider", "unknown-provider", "superseded"])
def test_what_waits_for_people_is_no_outage(kind: str) -> None:
    waiting = run(1, None, status="waiting", failures=4, error_kind=kind)
    assert changes(waiting, told=[PASSED], later=500) == []


def every_pact(minutes: float, outcome: str | None, **values: Any) -> Run:
    return run(minutes, outcome, consumer=None, pact_url=None, **values)  # type: ignore[arg-type]


def test_a_run_for_every_pact_shows_what_its_pacts_do() -> None:
    told = [PASSED, replace(FAILED, consumer="D"), replace(PASSED, consumer="E")]
    members = [
        run(1, "failed", "C"),
        run(1, "passed", "C", consumer_version="2"),  # the worst one of a consumer counts
        run(1, "passed", "D"),
        run(1, "failed", "E", consumer_version="feature"),
        run(1, "passed", "E"),
        run(1, "failed", "F", pending=True),
        run(1, "failed", "G", provider_version="8"),  # of an attempt for another commit
    ]
    assessment = Assessment(
        {one.key: one for one in told},
        before=lambda run, line: Standing("P", run.consumer or "", line),
        counts=lambda run: run.consumer_version != "feature",
    )
    assessment.take(every_pact(1, "failed"), "", members)
    found = [(change.event.value, change.consumer) for change in assessment.end(NOON)]
    assert found == [("broken", "C"), ("healed", "D")]


def test_every_pact_can_not_be_verified_where_none_was() -> None:
    assert changes(every_pact(1, "error", error_kind="checkout-failed"), later=61) == [
        ("unverifiable", "", False)
    ]
    told = [replace(OUTAGE, consumer="", answer=None)]
    assert changes(every_pact(5, "passed"), told=told) == [("unverifiable", "", True)]
    # any pact that is verified shows that the provider can be
    assert changes(run(5, "passed", "D"), told=told) == [("unverifiable", "", True)]


def test_a_dispatch_that_github_has_is_no_outage_any_more() -> None:
    assert changes(run(1, None), told=[OUTAGE]) == [("unverifiable", "C", True)]
    assert changes(run(1, None), told=[PASSED]) == []


@pytest.mark.parametrize(
    ("branches", "branch", "line"),
    [
        (None, None, ""),
        (None, "main", ""),
        (None, "master", ""),
        (None, "feature", None),
        (("release/*",), "release/1", "release/1"),
        (("release/*",), "main", None),
        (("release/*",), None, None),
        (("main", "release/*"), "main", ""),
        (("main",), None, ""),
        (("*",), "feature", "feature"),
        (("*",), None, ""),
    ],
)
def test_a_line_is_the_main_branch_or_one_that_is_configured(
    branches: tuple[str, ...] | None, branch: str | None, line: str | None
) -> None:
    assert line_of(RUNNING, NotifySettings(branches=branches), branch) == line


def test_the_main_branch_is_the_configured_one() -> None:
    provider = read_provider({**RUNNING.model_dump(), "branch": "trunk-of-ours"})
    assert line_of(provider, NotifySettings(), "trunk-of-ours") == ""
    assert line_of(provider, NotifySettings(), "main") is None
    assert line_of(provider, NotifySettings(), None) == ""
