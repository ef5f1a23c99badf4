"""The status that a run calls for: its commit, its context, its state and its description. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.provider.version import is_same
from app.records.commit_statuses import CommitState, CommitStatus
from app.records.run import SUPERSEDED, Publishing, RunStatus
from verifier.commit_id import is_full_commit_id
from verifier.report.amounts import count
from verifier.verification import Outcome

if TYPE_CHECKING:
    from app.records.run import Run

LONGEST_DESCRIPTION = 140
"""GitHub's limit."""
LONGEST_CONTEXT = 255


def status_of(run: Run, configured_version: str | None) -> CommitStatus | None:
    """Return the status that a run calls for.

    Args:
        run: The run as it now is.
        configured_version: The configured version of a provider that runs.

    Returns:
        None where there is none to set: the run has not begun, another one answers in its place, or its commit or its
        consumer is not known.
    """
    sha = _commit(run, configured_version)
    found = _state_and_description(run)
    if sha is None or found is None or not run.consumer:
        return None
    state, description = found
    context = _shortened(f"pact/{_line(run.consumer)}", LONGEST_CONTEXT)
    return CommitStatus(sha, context, state, _shortened(_line(description), LONGEST_DESCRIPTION))


def _commit(run: Run, configured_version: str | None) -> str | None:
    """Return the commit that was verified, or is about to be, if its full id is known."""
    if run.provider_version:
        candidates: list[str | None] = [run.provider_version]
        if run.sha and is_same(run.sha, run.provider_version):
            candidates.append(run.sha)
    elif run.sha:
        candidates = [run.sha]
        if configured_version and is_same(run.sha, configured_version):
            candidates.append(configured_version)
    else:
        candidates = [configured_version]
    commits = (candidate.lower() for candidate in candidates if candidate)
    return next((commit for commit in commits if is_full_commit_id(commit)), None)


def _state_and_description(run: Run) -> tuple[CommitState, str] | None:
    if run.attempt == 0 or run.error_kind == SUPERSEDED:
        return None
    match run.status, run.publishing:
        case RunStatus.WAITING | RunStatus.RUNNING, _:
            found = CommitState.PENDING, f"The pact with {run.consumer} is being verified"
        case RunStatus.CANCELLED, _:
            found = CommitState.ERROR, "The verification was cancelled"
        case _, Publishing.PENDING:
            found = (
                CommitState.PENDING,
                f"The pact with {run.consumer} is verified; the Pact Broker has not taken the result yet",
            )
        case _, Publishing.REFUSED:
            found = (
                CommitState.ERROR,
                f"Verified, but the Pact Broker did not accept the result: {run.publish_error}",
            )
        case _:
            return _result(run)
    return found


def _result(run: Run) -> tuple[CommitState, str] | None:
    pact = f"{run.consumer} {run.consumer_version}" if run.consumer_version else run.consumer
    interactions = count(run.interactions or 0, "interaction")
    match run.outcome:
        case Outcome.PASSED:
            return CommitState.SUCCESS, f"{interactions} of {pact} passed"
        case Outcome.FAILED:
            failed = f"{run.failed_interactions or 'Some'} of {interactions} of {pact} failed"
            if run.pending:
                return CommitState.SUCCESS, f"{failed}; the pact is pending, so that doesn't count"
            return CommitState.FAILURE, failed
        case Outcome.ERROR if run.pending and not run.weight:
            why = f"The pact is pending, so that it could not be verified doesn't count: {run.error}"
            return CommitState.SUCCESS, why
        case Outcome.ERROR:
            return CommitState.ERROR, f"Could not verify: {run.error}"
    return None


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3].rstrip() + "..."
