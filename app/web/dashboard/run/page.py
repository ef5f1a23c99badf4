"""The page of a run, which commit statuses and the results in the broker link to, and what can be downloaded of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, redirect, request
from markupsafe import escape

from app.intake import run_actions
from app.intake.redelivery import NotDeliverable
from app.intake.refusal import Refusal
from app.intake.run_actions import NoSuchRun, NotDone
from app.records import (
    actions,
    commit_statuses,
    deliveries,
    notifications,
    relays,
    run_log,
    run_moments,
    runs,
)
from app.records.actions import ActionKind
from app.records.run import PAUSED_PROVIDER, Publishing, RunStatus
from app.records.run_findings import findings_of
from app.records.run_links import SHARED
from app.web.context import database, link, receiver, run_links
from app.web.dashboard.rendering import address, show
from app.web.dashboard.run import query
from app.web.dashboard.run.commit_link import commit_link
from app.web.dashboard.run.timeline import attempts, timeline
from app.web.dashboard.run.try_yourself import command_for
from app.web.dashboard.run.words import outcome_of
from app.web.problem import Fault, HttpProblem
from broker.http.answer_headers import policy_of_page
from verifier.report.failures import failures
from verifier.report.html import SCRIPT_SOURCE, STYLE_SOURCE
from verifier.report.html import page as report_page
from verifier.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from psycopg import Connection
    from werkzeug.wrappers import Response as AnyResponse

    from app.records.run import Run

MOST_DELIVERIES = 10
"""Deliveries that the page of a run shows."""
MOST_TOLD = 10
"""Messages to people that it shows."""
LOG_CHARACTERS = 12 * 1024
"""The end of the log that the page shows."""
ROOM = 36_000
"""The characters, as HTML, of failures that are shown as a whole; the report has the others."""
MOST_HEADLINES = 25
"""Further failures that are named."""
LONGEST_DIFF = 60
LONGEST_COMMAND = 1000
LONGEST_TEXT = 1500
"""The characters of a line of a comparison, and of a request or response, at most."""
SHOWN_OPEN = 3
SHOWN_ALIKE = 20

MOST_PAGES = 10_000
"""Of the pacts of a run."""

blueprint = Blueprint("run", __name__)


@blueprint.get("/runs/<uuid:run_id>")
def show_run(run_id: UUID) -> Response:
    """Answer with the page of a run: its outcome, what happened to it, and its log.

    Raises:
        HttpProblem: There is none, or the database is away.
    """
    with database() as connection:
        run = _run(connection, run_id)
        is_done = run.status.ended and run.publishing is not Publishing.PENDING
    by_link: bool = g.viewer.sees_one_run
    # who has followed a link is told nothing: the page looks for itself, as long as there is something to come
    topics = () if by_link and is_done else _topics(run)
    response = show("run/run.html.jinja", lambda: _values(run_id, by_link=by_link), topics=topics)
    if by_link:
        response.headers["X-Robots-Tag"] = "noindex"
    return response


@blueprint.get("/runs/<uuid:run_id>/report")
def download_report(run_id: UUID) -> Response:
    """Answer with the HTML report of a run's verification, which has every interaction, as a file to keep."""
    with database() as connection:
        run = _run(connection, run_id)
        saved = _saved(connection, run_id)
    try:
        verification = Verification.from_dict(saved)
    except ValueError as error:
        raise HttpProblem(409, f"no report can be made of the run: {error}") from error
    findings = findings_of(
        verification, run.publishing, result_url=run.result_url, publish_error=run.publish_error
    )
    response = Response(report_page(findings), mimetype="text/html")
    response.headers["Content-Disposition"] = f'attachment; filename="verification-{run_id}.html"'
    response.headers["Content-Security-Policy"] = policy_of_page(STYLE_SOURCE, SCRIPT_SOURCE)
    return response


@blueprint.post("/runs/<uuid:run_id>/cancel")
def cancel_run(run_id: UUID) -> AnyResponse:
    """Cancel a run, and lead back to its page.

    Raises:
        HttpProblem: There is none, or it is finished.
    """
    with _acting() as connection:
        run_actions.cancel(connection, run_id, g.viewer.doer)
    return redirect(link(f"/runs/{run_id}"), 303)


@blueprint.post("/runs/<uuid:run_id>/run-again")
def run_again(run_id: UUID) -> AnyResponse:
    """Have the dispatch of a run carried out again, and lead to the run that does it.

    Raises:
        HttpProblem: There is none, or it can't be carried out again.
    """
    with _acting() as connection:
        new_id = run_actions.run_again(
            connection,
            receiver().settings,
            run_id,
            g.viewer.doer,
            user_agent=request.headers.get("User-Agent"),
        )
    return redirect(link(f"/runs/{new_id}"), 303)


@blueprint.post("/runs/<uuid:run_id>/publish-again")
def publish_again(run_id: UUID) -> AnyResponse:
    """Have the result of a run published that the broker has not taken, and lead back to its page.

    Raises:
        HttpProblem: There is none, or no such result.
    """
    with _acting() as connection:
        run_actions.publish_again(connection, run_id, g.viewer.doer)
    return redirect(link(f"/runs/{run_id}"), 303)


@contextmanager
def _acting() -> Iterator[Connection[Any]]:
    """Open a connection for an action, and turn what stands against it into the answer that says so."""
    try:
        with database() as connection:
            yield connection
    except NoSuchRun:
        raise HttpProblem.not_found("run") from None
    except (NotDone, NotDeliverable) as error:
        raise HttpProblem(409, str(error)) from error
    except Refusal as refusal:
        faults = tuple(Fault(field=error.field, message=error.message) for error in refusal.errors)
        raise HttpProblem(422, f"it would be refused: {refusal.detail}", faults) from refusal


def _run(connection: Connection[Any], run_id: UUID) -> Run:
    run = runs.get(connection, run_id)
    if run is None:
        raise HttpProblem.not_found("run")
    return run


def _saved(connection: Connection[Any], run_id: UUID) -> dict[str, Any]:
    saved = runs.verification_of(connection, run_id)
    if saved is None:
        raise HttpProblem(
            404, "the run has no verification: it has not verified a pact by itself, or not yet"
        )
    return saved


def _fitting(log: str) -> str:
    """Return the end of a log that has room on the page, from the beginning of a line."""
    size = len(escape(log))
    if size <= LOG_CHARACTERS * 1.5:
        return log
    end = log[-int(len(log) * LOG_CHARACTERS / size) :]
    return end.partition("\n")[2] or end


def _topics(run: Run) -> tuple[str, ...]:
    """Return what the page of a run is told of; the pacts of a run for every pact are runs of its provider."""
    topics = (f"run {run.id}", f"log {run.id}")
    return (*topics, f"provider {run.provider[:500]}") if run.is_for_all_pacts else topics


def _values(run_id: UUID, *, by_link: bool) -> dict[str, Any]:
    """Return what the template shows; whoever has followed a shared link sees nothing of it that is of other runs."""
    settings = receiver().settings
    with database() as connection:
        run = _run(connection, run_id)
        interactions = query.interactions_of(connection, run_id)
        page = min(max(1, request.args.get("page", 1, type=int)), MOST_PAGES)
        members = query.members_of(connection, run, page=page) if run.is_for_all_pacts else None
        if members is not None and not members.shown and members.all:
            page = members.pages
            members = query.members_of(connection, run, page=page)
        log, log_is_whole = run_log.end_of_log(connection, run_id, LOG_CHARACTERS)
        moments = run_moments.of_run(connection, run_id)
        statuses = commit_statuses.of_run(connection, run_id)
        relay = relays.of_run(connection, run_id)
        told = () if by_link else notifications.of_run(connection, run_id, most=MOST_TOLD)
        done = actions.of_run(connection, run_id)
        again_of = actions.that_led_to(connection, ActionKind.RUN_AGAIN, run_id)
        newest = deliveries.newest_of_run(connection, run_id, limit=MOST_DELIVERIES)
        breakage = query.breakage_of(connection, run)

    def run_link(of: UUID, path: str = "", **parameters: object) -> str:
        if by_link:
            parameters[SHARED] = run_links().signature_of(of)
        return address(f"/runs/{of}{path}", **parameters)

    shown = _fitting(log)
    unmet = interactions.unmet if interactions is not None else ()
    return {
        "run": run,
        "run_link": run_link,
        "is_paused": run.error_kind == PAUSED_PROVIDER,
        "again_of": again_of,
        "outcome": outcome_of(run, interactions, members),
        "interactions": interactions,
        "failures": failures(unmet),
        "members": members,
        "members_page": page,
        "steps": timeline(run, moments, statuses, relay, told),
        "attempts": attempts(run, moments),
        "log": shown,
        "log_is_whole": log_is_whole and shown == log,
        "actions": done,
        "deliveries": newest,
        "breakage": breakage,
        "command": command_for(run, interactions, None if by_link else settings),
        "commit": commit_link(run, settings),
        "trace_url": settings.server.page_of_trace(run.trace_context),
        "can_cancel": not run.status.ended and not run.cancel_requested,
        "can_publish": run.status is RunStatus.FINISHED
        and run.publishing in {Publishing.PENDING, Publishing.REFUSED},
        "room": ROOM,
        "most_headlines": MOST_HEADLINES,
        "longest_diff": LONGEST_DIFF,
        "longest_command": LONGEST_COMMAND,
        "longest_text": LONGEST_TEXT,
        "shown_open": SHOWN_OPEN,
        "shown_alike": SHOWN_ALIKE,
    }
