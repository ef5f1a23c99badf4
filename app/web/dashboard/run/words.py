"""What is said of a run: its outcome in a sentence, and what became of its result. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.records.run import PAUSED_PROVIDER, SUPERSEDED, UNKNOWN_PROVIDER, Publishing, RunStatus
from verifier.report.amounts import count
from verifier.verification import Outcome

if TYPE_CHECKING:
    from app.records.run import Run
    from app.web.dashboard.run.query import Interactions, Members


@dataclass(frozen=True)
class Sentence:
    """The outcome of a run.

    Attributes:
        kind: The class of the look that it is shown in.
        text: The outcome in a few words.
        more: What else is to know, and what happens next.
    """

    kind: str
    text: str
    more: str = ""


def outcome_of(run: Run, interactions: Interactions | None, members: Members | None) -> Sentence:
    """Return where a run stands, or what its outcome is."""
    if run.status is RunStatus.CANCELLED:
        return _cancelled(run)
    if run.status is RunStatus.WAITING:
        return _waiting(run)
    if run.status is RunStatus.RUNNING and run.outcome is None:
        return _running(run, members)
    if run.outcome is None:
        return Sentence(
            "unknown", "Passed on to GitHub", "Its workflow verifies the pact, and publishes the result."
        )
    text = _text(run, interactions, members)
    return Sentence(run.outcome.value, text, publication(run))


def publication(run: Run) -> str:
    """Return what became of the result of a run that has an outcome, in a sentence."""
    if run.publishing is Publishing.PENDING:
        if run.publish_error:
            return f"The broker has not taken the result yet: {_stop(run.publish_error)} It is tried again by itself."
        return "The result is being published."
    if run.is_for_all_pacts:
        return {
            Publishing.PUBLISHED: "The broker has every result.",
            Publishing.REFUSED: "The broker did not take every result: those of the pacts say why.",
        }.get(
            run.publishing, "Each pact has a result of its own." if run.outcome is not Outcome.ERROR else ""
        )
    if run.publishing is Publishing.REFUSED:
        why = _stop(run.publish_error or "the broker did not take it")
        return f"The result was not published: {why} Fix that, then publish it again."
    if run.publishing is Publishing.PUBLISHED:
        found = f"The broker has the result, as {run.outcome}."
    elif run.outcome is Outcome.ERROR:
        found = "Nothing is known about the contract, and nothing was published."
    else:
        found = "The result was not published: the provider's version is not known."
    return found


def _cancelled(run: Run) -> Sentence:
    why = f"{_stop(run.error)} " if run.error else ""
    if run.error_kind == SUPERSEDED:
        return Sentence("unknown", "Replaced by a later run", why)
    if run.is_for_all_pacts:
        return Sentence("unknown", "Cancelled", "The pacts that were verified before have their results.")
    return Sentence("unknown", "Cancelled", f"{why}Nothing was verified, and nothing was published.")


def _waiting(run: Run) -> Sentence:
    if run.error_kind == PAUSED_PROVIDER:
        return Sentence("error", "Waiting, since its provider is paused", _stop(run.error or ""))
    if run.error_kind == UNKNOWN_PROVIDER:
        return Sentence(
            "error",
            "Waiting for its provider",
            f"{_stop(run.error or '')} It starts as soon as a worker has the provider in its configuration.",
        )
    if run.retry_at is not None:
        return Sentence(
            "error",
            "Waiting for the next attempt",
            f"The attempt before ended with an error: {_stop(run.error or '')}",
        )
    return Sentence("unknown", "Waiting for a worker", "It is queued, and starts by itself.")


def _running(run: Run, members: Members | None) -> Sentence:
    if run.cancel_requested:
        return Sentence("unknown", "Being cancelled", "Its worker was told to stop it.")
    if members is not None and members.all:
        more = f"{count(members.pacts, 'pact')} verified so far, {members.failed} of them failed."
        return Sentence("unknown", "Running", more)
    more = f"This is attempt {run.attempt}." if run.attempt > 1 else "The pact is being verified."
    return Sentence("unknown", "Running", more)


def _text(run: Run, interactions: Interactions | None, members: Members | None) -> str:
    if run.outcome is Outcome.ERROR:
        return "Could not verify"
    if members is not None:
        pacts = count(members.pacts, "pact")
        if run.outcome is not Outcome.FAILED:
            return f"Passed: {pacts}"
        return f"Failed: {members.failed} of {pacts}" + (
            f", and {members.errors} could not be verified" if members.errors else ""
        )
    total = interactions.total if interactions is not None else run.interactions
    if total is None:
        return str(run.outcome).capitalize()
    failed = interactions.failed if interactions is not None else run.failed_interactions or 0
    pending = interactions.pending if interactions is not None else 0
    if run.outcome is Outcome.FAILED:
        return f"Failed: {failed} of {count(total, 'interaction')}" + (
            ", in a pending pact" if run.pending else ""
        )
    return f"Passed: {count(total, 'interaction')}" + (
        f", {pending} of them pending and failing" if pending else ""
    )


def _stop(sentence: str) -> str:
    """Return a text that ends as a sentence does."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
