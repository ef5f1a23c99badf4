"""The receiver that a worker belongs to, as `doctor` asks one: its answers are those of its own database."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.queue.state import QueueState
from app.receiver_client import Health
from app.records import history, notifications, runs

if TYPE_CHECKING:
    from app.intake.missed import Connect
    from app.records.run import RunStatus

MOST = 50
"""The newest runs and deliveries that are looked at."""


class OwnReceiver:
    """Answers as a receiver does that is asked over HTTP.

    Args:
        connect: Opens a connection to the database, as a context manager.
        base_url: Where the receiver listens, if it is known.
        stalled_seconds: After so long without a heartbeat a worker is dead.
    """

    token = "none is needed"  # noqa: S105 - nobody is asked who could check it

    def __init__(self, connect: Connect, *, base_url: str | None, stalled_seconds: float) -> None:
        self._connect = connect
        self._stalled_seconds = stalled_seconds
        self.base_url = base_url or "RECEIVER_URL"

    def health(self) -> Health:
        """Return what `/readyz` would say."""
        with self._connect() as connection:
            state = QueueState.read(connection, stalled_seconds=self._stalled_seconds)
        problems = () if state.workers else ("no worker is alive",)
        return Health(not problems, problems, state.workers, state.waiting)

    def deliveries(self, repository: str) -> list[dict[str, Any]]:
        """Return the newest deliveries for a repository, newest first."""
        with self._connect() as connection:
            page = history.page_of_deliveries(connection, {"repository": repository}, limit=MOST, after=None)
        return [_document(one) for one in page.items]

    def runs(self, provider: str, consumer: str) -> list[dict[str, Any]]:
        """Return the newest runs for a provider and a consumer, newest first."""
        return self._runs({"provider": provider, "consumer": consumer})

    def runs_for_every_pact(self, provider: str, status: RunStatus) -> list[dict[str, Any]]:
        """Return the runs for every pact of a provider that have a status."""
        return [
            run
            for run in self._runs({"provider": provider, "status": status})
            if run["pact_url"] is None and run["parent_id"] is None
        ]

    def run(self, number: str) -> dict[str, Any]:
        """Return a run; nothing is known of one that was deleted meanwhile."""
        with self._connect() as connection:
            found = runs.get(connection, UUID(number))
        return {} if found is None else _document(found)

    def notifications(self, provider: str) -> list[dict[str, Any]]:
        """Return the latest message about a provider to each of those who are told of its changes."""
        with self._connect() as connection:
            found = notifications.latest_of_targets(connection, provider)
        return [_document(one) for one in found.values()]

    def _runs(self, filters: dict[str, str]) -> list[dict[str, Any]]:
        with self._connect() as connection:
            page = history.page_of_runs(connection, filters, limit=MOST, after=None)
        return [_document(run) for run in page.items]


def _document(record: Any) -> dict[str, Any]:
    """Return what the API would have of a record, as far as `doctor` reads it."""
    return {name: _value(value) for name, value in vars(record).items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return str(value) if isinstance(value, UUID) else value
