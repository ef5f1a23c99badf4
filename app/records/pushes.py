"""The pushes to a branch: a run is for the newest one, in whatever order GitHub delivers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.dispatch import PushOrder
from app.records import runs
from app.records.run import RunStatus

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from app.dispatch import Dispatch


@dataclass(frozen=True)
class NewerPush:
    """A push that another one need not be carried out after: it is newer, or the same one.

    Attributes:
        run_id: Its run.
        run_waits: Whether that run has not begun yet.
        commit: The commit that the run is for.
        is_same: Whether it is the same push, which came by another delivery.
    """

    run_id: UUID
    run_waits: bool
    commit: str | None
    is_same: bool

    def told(self, dispatch: Dispatch) -> str:
        """Return why nothing is queued for a push, in a sentence."""
        run = f"run {self.run_id}"
        commit, branch = (dispatch.sha or "")[:12], dispatch.branch
        if self.is_same:
            return f"the push of {commit} to {branch} came before, by another delivery: {run} answers it"
        verifies = "verifies" if self.run_waits else "was queued for"
        return (
            f"the push of {commit} to {branch} is older than that of {(self.commit or '')[:12]}, which came before it: "
            f"{run} {verifies} the newer one, so nothing was queued for this one"
        )


def newer_push(connection: Connection[Any], provider: str, dispatch: Dispatch) -> NewerPush | None:
    """Return the push to the same branch that was accepted already, and that one of a dispatch is not newer than.

    Until the transaction ends, no other push to the branch is looked at: it then sees this one.

    Args:
        connection: The open connection, in the transaction that stores the dispatch.
        provider: The name of the provider.
        dispatch: What is asked for.

    Returns:
        The newer push; None if there is none, or the dispatch is for no commit of a push.
    """
    order = dispatch.push_order
    if order is None or dispatch.sha is None or dispatch.branch is None:
        return None
    values = {"provider": provider, "branch": dispatch.branch, "lock": f"pushes {provider} {dispatch.branch}"}
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0))", values)
    row = connection.execute(
        """
        SELECT id, status, sha, pushed_before, pushed_at FROM runs
        WHERE provider = %(provider)s AND branch = %(branch)s AND pushed_at IS NOT NULL
        ORDER BY pushed_at DESC, created_at DESC LIMIT 1
        """,
        values,
    ).fetchone()
    if row is None:
        return None
    run_id, status, *known = row
    latest = PushOrder(*known)
    if order.is_newer_than(latest) or not runs.kept(connection, run_id):
        return None
    return NewerPush(run_id, status == RunStatus.WAITING, latest.commit, order == latest)
