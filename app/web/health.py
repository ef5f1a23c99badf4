"""What those who watch over the receiver ask: is the process up, is the whole ready."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response

from app.queue.state import QueueState
from app.web.context import database, receiver
from app.web.problem import Problem, answer

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Say that this process is up; nothing else is asked."""
    return answer({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Say whether a dispatch would be carried out now: the database is there, and a worker is alive."""
    try:
        with database() as connection:
            state = QueueState.read(connection, stalled_seconds=receiver().settings.worker.stalled_seconds)
    except Problem as problem:
        return answer(
            {"ready": False, "problems": ["the database is away"], "queue": None}, 503, problem.headers
        )
    problems = (
        [] if state.workers else ["no worker is alive: dispatches are accepted and queued, and none is run"]
    )
    return answer(
        {"ready": not problems, "problems": problems, "queue": asdict(state)}, 503 if problems else 200
    )
