"""The page of a run, which commit statuses and the results in the broker link to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response
from jinja2 import PackageLoader

from app.records import deliveries, pact_runs, run_log, runs
from app.records.run import SUPERSEDED, Publishing, RunStatus
from app.web.context import database
from broker.http.answer_headers import policy_of_page
from verifier.report.amounts import count
from verifier.report.html import SCRIPT_SOURCE, page
from verifier.report.interface import Findings, publication, summary
from verifier.verification import Outcome, PublishedResult, Verification, VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from app.records.run import Run

WORDS = {
    RunStatus.WAITING: "Waiting for a worker",
    RunStatus.RUNNING: "Running",
    RunStatus.FINISHED: "Finished",
    RunStatus.CANCELLED: "Cancelled",
}
MOST_DELIVERIES = 20
"""Deliveries that the page of a run shows."""

POLICY = policy_of_page("'unsafe-inline'", SCRIPT_SOURCE)
"""The page has its style and its script within it, and widths in the bar of its outcomes."""

blueprint = Blueprint("run", __name__)
_templates = PackageLoader("app.web.dashboard.run", ".")


@blueprint.get("/runs/<uuid:run_id>")
def show_run(run_id: UUID) -> Response:
    """Answer with the page of a run: what was asked for, its result, and its log."""
    with database() as connection:
        run = runs.get(connection, run_id)
        if run is None:
            text = "There is no run of this id: it may have been deleted (retention.days).\n"
            return Response(text, 404, mimetype="text/plain")
        log = run_log.text_of_log(connection, run_id)
        verification = runs.verification_of(connection, run_id)
        pacts = pact_runs.of_parent(connection, run_id)
        newest = deliveries.newest_of_run(connection, run_id, limit=MOST_DELIVERIES)
    word = WORDS[run.status]
    if run.status is RunStatus.WAITING and run.retry_at is not None:
        word = "Waiting for the next attempt"
    if run.error_kind == SUPERSEDED:
        word = "Replaced by a later run"
    findings = _findings(run, verification)
    done = run.status.ended and run.publishing is not Publishing.PENDING
    html = page(
        findings,
        _templates,
        template="run.html.jinja",
        filters={"moment": _utc},
        run=run,
        pacts=[(member, _word_of(member, run)) for member in pacts],
        deliveries=newest,
        log=log,
        word=word,
        done=done,
        # what is said of a verification is said of a run once it has one
        summary=_summary(run, pacts, findings) if done and run.outcome else word,
        publication=_publication(run, findings),
    )
    return Response(html, mimetype="text/html", headers={"Content-Security-Policy": POLICY})


def _publication(run: Run, findings: Findings) -> str:
    """Return what became of the result, or will, in a sentence."""
    if run.publishing is Publishing.PENDING:
        why = f": {run.publish_error}. It is tried again by itself" if run.publish_error else ""
        return f"Not published yet{why}"
    if run.status is RunStatus.CANCELLED:
        return _publication_of_cancelled(run)
    if not run.status.ended:
        return "None yet: the pact is still to be verified"
    if run.is_for_all_pacts:
        return "One for each pact"
    if run.outcome is None:
        return "None from here: the dispatch was passed on to GitHub, whose workflow verifies the pact"
    return publication(findings)


def _publication_of_cancelled(run: Run) -> str:
    if run.is_for_all_pacts:
        return "One for each pact that was verified before the run was cancelled"
    return f"None: {'a later run answers it' if run.error_kind == SUPERSEDED else 'the run was cancelled'}"


def _summary(run: Run, pacts: Sequence[Run], findings: Findings) -> str:
    """Return the outcome of a run that has one, in a sentence."""
    if not run.is_for_all_pacts:
        return summary(findings)
    pacts = [member for member in pacts if member.provider_version == run.provider_version]
    if run.outcome is Outcome.FAILED:
        failed = sum(member.outcome is Outcome.FAILED and not member.pending for member in pacts)
        return f"Failed: {failed} of {count(len(pacts), 'pact')}"
    return f"Passed: {count(len(pacts), 'pact')}" if run.outcome is Outcome.PASSED else "Could not verify"


def _consumer(run: Run) -> str:
    if run.is_for_all_pacts:
        return "Every pact" if run.pact_urls is None else count(len(run.pact_urls), "pact")
    return run.consumer or ""


def _word_of(member: Run, whole: Run) -> str:
    """Return what became of one of the pacts of a run, in a few words."""
    word = str(member.outcome)
    if whole.provider_version is not None and member.provider_version != whole.provider_version:
        word += f" with {member.provider_version}"  # a newer commit was asked for before the run had ended
    if member.pending and member.outcome is Outcome.FAILED:
        word += ", pending"
    if member.publishing is Publishing.PENDING:
        word += ", not published yet"
    return word + (", not published" if member.publishing is Publishing.REFUSED else "")


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"


def _findings(run: Run, saved: dict[str, Any] | None) -> Findings:
    if saved is not None:
        verification = Verification.from_dict(saved)
    else:
        error = VerificationError(run.error_kind or "", run.error) if run.error else None
        verification = Verification(
            id=str(run.id),
            pact_url=run.pact_url or "",
            started_at=run.started_at or run.created_at,
            consumer=_consumer(run),
            provider_version=run.provider_version,
            provider=run.provider,
            error=error,
        )
    published = (
        PublishedResult(run.result_url, run.outcome is Outcome.PASSED, run.provider_version or "")
        if run.result_url
        else None
    )
    return Findings(
        verification,
        publishing=run.publishing is not Publishing.NONE,
        published=published,
        publish_error=run.publish_error if published is None else None,
    )
