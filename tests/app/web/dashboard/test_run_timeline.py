"""What happened to a run, step by step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from app.records.commit_statuses import StoredStatus
from app.records.run_moments import Moment
from app.web.dashboard.run.timeline import attempts, timeline
from tests.support.worker_parts import a_run

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def a_status(result: str, **values: Any) -> StoredStatus:
    given: dict[str, Any] = dict.fromkeys(StoredStatus.__dataclass_fields__)
    given.update(run_id=uuid4(), context="pact/C", state="failure", result=result, latest=True)
    return StoredStatus(**{**given, **values})


def test_each_step_tells_how_long_it_took() -> None:
    run = a_run(
        status="finished",
        outcome="failed",
        publishing="published",
        attempt=2,
        created_at=at(0),
        started_at=at(1),
        verified_at=at(34),
        finished_at=at(35.5),
    )
    moments = [
        Moment(1, "started", at(1), "host:1"),  # type: ignore[arg-type]
        Moment(1, "provider-ready", at(2), None),  # type: ignore[arg-type]
        Moment(1, "ended", at(3), "the provider died"),  # type: ignore[arg-type]
        Moment(2, "started", at(13), "host:2"),  # type: ignore[arg-type]
        Moment(2, "checked-out", at(23), None),  # type: ignore[arg-type]
        Moment(2, "provider-ready", at(24), None),  # type: ignore[arg-type]
    ]
    steps = timeline(run, moments, [a_status("set", finished_at=at(36))], None)
    assert [(step.name, step.seconds) for step in steps] == [
        ("Accepted, queued", None),
        ("Started", 13),
        ("Checked out", 10),
        ("Provider ready", 1),
        ("Verified", 10),
        ("Published", 1.5),
        ("Status set", 0.5),
    ]
    assert [(one.number, one.worker, one.end) for one in attempts(run, moments)] == [
        (2, "host:2", "The pact failed."),
        (1, "host:1", "the provider died"),
    ]


def test_what_is_under_way_or_went_wrong_says_so() -> None:
    def last(
        *, statuses: tuple[StoredStatus, ...] = (), relay: dict[str, Any] | None = None, **values: Any
    ) -> tuple[str, str]:
        step = timeline(a_run(created_at=at(0), **values), [], statuses, relay)[-1]
        return f"{step.name}: {step.detail}", step.state.value

    assert last(status="waiting") == ("Waiting: for a worker", "under way")
    assert last(status="waiting", retry_at=at(9)) == ("Waiting: for its next attempt", "under way")
    assert last(status="running", started_at=at(1))[1] == "under way"
    assert last(status="cancelled", finished_at=at(1)) == ("Cancelled: ", "wrong")
    assert last(status="finished", publishing="refused", publish_error="409") == (
        "Not published: 409",
        "wrong",
    )
    pending: dict[str, Any] = {"status": "finished", "publishing": "pending"}
    assert last(**pending, publish_error="503") == ("Published: not yet: 503", "under way")
    relay = {"repository": "a/b", "event_type": "pact_changed", "relayed_at": at(1)}
    assert last(status="finished", relay=relay) == ("Passed on to GitHub: a/b as pact_changed", "done")
    refused = a_status("refused", error="the token may not")
    assert last(status="finished", statuses=(refused,)) == (
        "Status not set: pact/C: failure: the token may not",
        "wrong",
    )
    assert last(status="finished", statuses=(a_status("waiting"),))[1] == "under way"


def test_an_attempt_whose_worker_went_away_is_told_from_one_that_was_handed_back() -> None:
    run = a_run(attempt=3, created_at=at(0), outcome=None)
    moments = [
        Moment(1, "started", at(1), "host:1"),  # type: ignore[arg-type]
        Moment(2, "started", at(2), "host:2"),  # type: ignore[arg-type]
        Moment(2, "ended", at(3), None),  # type: ignore[arg-type]
        Moment(3, "started", at(4), "host:3"),  # type: ignore[arg-type]
    ]
    assert [one.end for one in attempts(run, moments)] == [
        "It runs.",
        "It was handed back, since its worker stopped.",
        "Its worker went away.",
    ]
