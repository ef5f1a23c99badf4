"""The routes of the page of the queue: what waits for what, in which order, and the workers."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flask import Blueprint, g, redirect, request

from app.queue import jobs
from app.records import actions
from app.records.actions import ActionKind
from app.records.run_changes import RunChanges
from app.web.context import database, link, receiver
from app.web.dashboard.queue.query import read, read_provider
from app.web.dashboard.rendering import show
from app.web.paging import Filter
from app.web.problem import Fault, HttpProblem

if TYPE_CHECKING:
    from flask import Response

TASKS = {
    jobs.PUBLISH: "Publish results again",
    jobs.STATUS: "Set statuses of commits",
    jobs.NOTICE_CHANGES: "Look for changes to tell people of",
    jobs.SEND_NOTIFICATION: "Tell people of changes",
}
"""What the tasks of short jobs are called."""

blueprint = Blueprint("queue", __name__)


@blueprint.get("/queue")
def show_queue() -> Response:
    """Answer with the page, or with that of one provider's runs that wait."""
    if request.args.get("provider"):
        return _show_provider(request.args["provider"])
    settings = receiver().settings

    def values() -> dict[str, Any]:
        with database() as connection:
            queue = read(
                connection, stalled_seconds=settings.worker.stalled_seconds, limits=settings.runs_at_once
            )
        return {"queue": queue, "tasks": TASKS, "own_version": version("pact-dispatch")}

    return show("queue/queue.html.jinja", values, topics=("runs",))


@blueprint.post("/queue/start-now")
def start_now() -> Response:
    """Start a run that waits for its next attempt, and lead to its page."""
    try:
        run_id = UUID(request.form.get("run", ""))
    except ValueError:
        raise HttpProblem.invalid(Fault(field="run", message="must be the id of a run")) from None
    with database() as connection:
        run = RunChanges().start_now(connection, run_id)
        if run is None:
            raise HttpProblem(
                409, "the run does not wait for its next attempt any more: its page says where it stands"
            )
        actions.add(connection, g.viewer.doer, ActionKind.START_NOW, provider=run.provider, run_id=run_id)
    return redirect(link(f"/runs/{run_id}"), 303)  # type: ignore[return-value]


def _show_provider(given: str) -> Response:
    try:
        provider = Filter("provider").read(given)
    except ValueError as error:
        raise HttpProblem.invalid(Fault(field="provider", message=str(error))) from error

    def values() -> dict[str, Any]:
        with database() as connection:
            return {"provider": provider, "queue": read_provider(connection, provider)}

    return show("queue/provider.html.jinja", values, topics=(f"provider {provider}",))
