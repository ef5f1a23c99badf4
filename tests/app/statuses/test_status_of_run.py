"""What a run means for the status of its commit; plain values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from app.records.commit_statuses import CommitState, CommitStatus
from app.records.run import Run
from app.statuses.status_of_run import status_of

SHA = "0123456789" * 4
OTHER = "f" * 40


def run(**values: Any) -> Run:
    """A run that is under way, but for some values."""
    fields: dict[str, Any] = dict.fromkeys(Run.__dataclass_fields__)
    fields.update(
        id=uuid4(),
        reason="dispatched",
        status="running",
        attempt=1,
        publishing="none",
        consumer="Storefront",
        sha=SHA,
    )
    fields.update(created_at=datetime.now(UTC), pact_url="http://broker/p", provider="Products")
    return Run(**{**fields, **values})


def finished(outcome: str, publishing: str = "published", **values: Any) -> Run:
    return run(status="finished", outcome=outcome, publishing=publishing, interactions=3, **values)


def status(run: Run, version: str | None = None) -> CommitStatus:
    found = status_of(run, version)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("it", "state", "description"),
    [
        (run(), "pending", "The pact with Storefront is being verified"),
        (run(status="waiting", attempt=2), "pending", "The pact with Storefront is being verified"),
        (finished("passed", consumer_version="2.1"), "success", "3 interactions of Storefront 2.1 passed"),
        (
            finished("failed", failed_interactions=1),
            "failure",
            "1 of 3 interactions of Storefront failed",
        ),
        (
            finished("failed", failed_interactions=1, pending=True),
            "success",
            "1 of 3 interactions of Storefront failed; the pact is pending, so that doesn't count",
        ),
        (finished("error", "none", error="no such pact"), "error", "Could not verify: no such pact"),
        (run(status="cancelled"), "error", "The verification was cancelled"),
    ],
)
def test_each_state_of_a_run_has_its_status(it: Run, state: str, description: str) -> None:
    assert status(it) == CommitStatus(SHA, "pact/Storefront", CommitState(state), description)


def test_a_result_that_the_broker_does_not_have_is_no_success() -> None:
    assert status(finished("passed", "pending")).state == "pending"
    refused = status(finished("passed", "refused", publish_error="409 Conflict"))
    assert refused.state == "error"
    assert "409 Conflict" in refused.description


def test_a_run_that_has_not_begun_or_that_another_one_answers_has_none() -> None:
    assert status_of(run(status="waiting", attempt=0), None) is None
    assert status_of(run(status="cancelled", attempt=0), None) is None
    assert status_of(run(status="cancelled", error_kind="superseded"), None) is None


@pytest.mark.parametrize("sha", [None, "0123456", "release-7"])
def test_only_a_full_commit_id_gets_a_status(sha: str | None) -> None:
    assert status_of(run(sha=sha), None) is None
    assert status_of(run(sha=sha), "v1.2.3") is None


def test_the_commit_is_the_one_that_was_verified() -> None:
    assert status(run(sha="0123456"), SHA.upper()).sha == SHA
    assert status(run(sha=None), SHA).sha == SHA
    assert status(finished("passed", sha=None, provider_version=SHA), OTHER).sha == SHA
    assert status(finished("passed", provider_version=SHA[:8])).sha == SHA
    assert status(run(sha="fedcba9876" * 4), SHA).sha == "fedcba9876" * 4


def test_a_result_for_a_version_that_is_no_commit_sets_nothing() -> None:
    assert status_of(finished("passed", provider_version="v1.2.3"), None) is None


def test_without_a_consumer_there_is_no_context() -> None:
    assert status_of(run(consumer=None), None) is None


def test_texts_keep_to_one_line_and_to_the_limits() -> None:
    long = status(finished("error", "none", error="line\n\x1b[31m" + "x" * 500, consumer="C\n" + "y" * 300))
    assert len(long.description) == 140
    assert long.description.endswith("...")
    assert len(long.context) == 255
    assert long.description.isprintable()
    assert long.context.isprintable()
