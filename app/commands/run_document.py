"""What the document of a run says, as a receiver's API gives it (no I/O)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.commands.runner import ExitCode
from app.records.run import SUPERSEDED, Publishing, RunStatus
from broker.http.json_values import objects_at, text_at
from broker.text.brief import ago
from broker.text.times import read_time
from verifier.report.amounts import seconds
from verifier.verification import Outcome


def has_ended(run: dict[str, Any]) -> bool:
    """Return whether the run is over, and the broker was told or won't be."""
    ended = run.get("status") in {RunStatus.FINISHED, RunStatus.CANCELLED}
    return ended and Publishing.PENDING not in _publishing(run)


def state_of(run: dict[str, Any]) -> str:
    """Return where a run stands, in a few words."""
    status, outcome, publishing = run.get("status"), run.get("outcome"), run.get("publishing")
    if status != RunStatus.FINISHED:
        if run.get("error_kind") == SUPERSEDED:
            return "replaced by a later run"
        if status == RunStatus.WAITING and run.get("retry_at"):
            return "waiting to try again"
        return (
            f"{status}, to be cancelled"
            if run.get("cancel_requested") and status == RunStatus.RUNNING
            else str(status)
        )
    if outcome is None:
        return "passed on to GitHub"
    if publishing == Publishing.PENDING:
        return f"{outcome}, being published"
    return f"{outcome}, not published" if publishing == Publishing.REFUSED else str(outcome)


def exit_code_of(run: dict[str, Any]) -> int:
    """Return the exit code that tells the outcome of a run that has ended, which is that of `verify`."""
    pacts = objects_at(run, "pacts") or []
    broken = [one for one in pacts if one.get("outcome") == Outcome.FAILED and not one.get("pending")]
    if any(_publishing_of(one) != Publishing.REFUSED for one in broken):
        return ExitCode.FAILED  # of many pacts, that is worse than that another result was not taken
    if Publishing.REFUSED in _publishing(run):
        return ExitCode.NOT_PUBLISHED
    if run.get("status") == RunStatus.CANCELLED or run.get("outcome") == Outcome.ERROR:
        return ExitCode.COULD_NOT
    return ExitCode.FAILED if run.get("outcome") == Outcome.FAILED else ExitCode.DONE


def _publishing(run: dict[str, Any]) -> set[str | None]:
    """Return where the result of a run stands, or those of all of its pacts."""
    return {_publishing_of(one) for one in (run, *(objects_at(run, "pacts") or []))}


def _publishing_of(run: dict[str, Any]) -> str | None:
    return text_at(run, "publishing")


def party(run: dict[str, Any], role: str) -> str:
    """Return the name and the version of a run's `consumer` or `provider`, as far as they are known."""
    return " ".join(str(run[key]) for key in (role, f"{role}_version") if run.get(key))


def deliveries_of(run: dict[str, Any]) -> list[str]:
    """Return the ids of the deliveries that asked for a run, the oldest first."""
    found = run.get("deliveries")
    return [str(one) for one in found] if isinstance(found, list) else []


def took(run: dict[str, Any]) -> str:
    """Return how long the last attempt of a run took, from its start to its end; "" before that."""
    started, finished = read_time(run.get("started_at")), read_time(run.get("finished_at"))
    return (
        "" if started is None or finished is None else seconds(max(0.0, (finished - started).total_seconds()))
    )


def age(moment: Any) -> str:
    """Return how long ago a moment of a document is, in words."""
    found = read_time(moment)
    return "" if found is None else ago(found, datetime.now(UTC))
