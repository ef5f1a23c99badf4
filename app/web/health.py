"""The routes of those who watch over the receiver: is the process up, would a dispatch be carried out."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import quote

from flask import Blueprint, Response, request
from pydantic import Field

from app.queue.state import QueueState
from app.records import pauses, runs
from app.web.context import check_api_token, database, receiver
from app.web.problem import Document, Fault, HttpProblem, answer
from verifier.report.amounts import count

MOST_PAUSED = 20
"""The paused providers that are told of."""
MOST_WORKERS = 1000
"""The most workers that can be asked for."""

blueprint = Blueprint("health", __name__)


class Health(Document):
    """The process is up."""

    status: Literal["ok"]


class Readiness(Document):
    """Whether a dispatch would be carried out now."""

    ready: bool
    problems: list[str]
    details: Annotated[
        list[str], Field(description="What keeps some runs waiting, while others are carried out.")
    ] = Field(default_factory=list)
    queue: Annotated[
        QueueState | None, Field(description="With one of the API's tokens alone, as `details`.")
    ] = None


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer that this process is up; nothing else is asked."""
    return answer(Health(status="ok"))


@blueprint.get("/readyz")
def readyz() -> Response:
    """Answer whether a dispatch would be carried out now: the database is there, and a worker is alive.

    The parameter `workers` says how many must be. With 0 it is whether this process would accept a dispatch, for what
    decides whether it gets any: without a worker, dispatches are kept. Somebody with one of the API's tokens is told
    what waits and why, too.
    """
    needed = _needed_workers()
    settings = receiver().settings
    is_known = "Authorization" in request.headers
    if is_known:
        check_api_token()
    try:
        with database() as connection:
            if not needed and not is_known:  # asked every few seconds, by each proxy
                connection.execute("SELECT 1")
                return answer(Readiness(ready=True, problems=[]))
            state = QueueState.read(connection, stalled_seconds=settings.worker.stalled_seconds)
            unknown = runs.waiting_for_unknown_providers(
                connection, [provider.name for provider in settings.providers]
            )
            paused = pauses.with_waiting(connection, limit=MOST_PAUSED) if is_known else []
    except HttpProblem as problem:
        away = Readiness(ready=False, problems=["the database is away"])
        return answer(away, problem.status, problem.headers)
    problems = []
    if needed and not state.workers:
        problems.append("no worker is alive: dispatches are accepted and queued, and none is run")
    elif state.workers < needed:
        problems.append(f"fewer than {count(needed, 'worker')} are alive: {state.workers}")
    status = 503 if problems else 200
    if not is_known:
        return answer(Readiness(ready=not problems, problems=problems), status)
    details = [
        f"runs wait for the provider {name!r}, which is not in the configuration: configure it, or cancel them"
        for name in unknown
    ]
    details += [
        f"{held}, on the page {settings.server.address(f'/providers/{quote(held.provider, safe=str())}')} "
        f"({count(held.waiting, 'run')} now)"
        for held in paused
    ]
    readiness = Readiness(ready=not problems, problems=problems, details=details, queue=state)
    return answer(readiness, status)


def _needed_workers() -> int:
    given = request.args.getlist("workers")
    if not given:
        return 1
    if len(given) > 1 or re.fullmatch(r"[0-9]{1,4}", given[0]) is None or int(given[0]) > MOST_WORKERS:
        raise HttpProblem.invalid(
            Fault(field="workers", message=f"must be a number from 0 to {MOST_WORKERS}, given once")
        )
    return int(given[0])
