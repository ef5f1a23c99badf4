"""The recovery of what no worker carries out any more: jobs of dead workers, and runs without a job.

One worker at a time recovers all of them, under an advisory lock: two could reset a job that has already started again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.queue import jobs, stalled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from psycopg import Connection

    from app.config.sections import WorkerSettings
    from app.records.run_changes import RunChanges

_ADVISORY_LOCK = 0x70616374_0001
"""Any number that nobody else uses: "pact" in ASCII, and which of our locks it is."""


class Recovery:
    """The recovery of one worker process.

    Args:
        runs: The changes of runs.
        settings: After how long a worker is dead, and the waits between attempts.
        lock_of: Returns the lock of a provider's runs.
    """

    def __init__(
        self, runs: RunChanges, settings: WorkerSettings, lock_of: Callable[[str], str | None]
    ) -> None:
        self._runs = runs
        self._settings = settings
        self._lock_of = lock_of
        self._unattended: set[int] = set()

    def recover(
        self, connection: Connection[Any], *, alive: Collection[int] = (), running: Collection[int] = ()
    ) -> tuple[int, int]:
        """Put the jobs of dead workers back into the queue, and give runs without a job a new one.

        Args:
            connection: The open connection; the transaction is this function's.
            alive: The ids of the caller's own Procrastinate workers.
            running: The ids of the jobs that these carry out. Another job that the queue says they have taken was
                lost on its way, with the answer of a database that went away; it is put back when it is found twice.

        Returns:
            How many jobs were put back, and how many runs got a new one; 0 and 0 also while another worker recovers.
        """
        with connection.transaction():
            row = connection.execute(
                "SELECT pg_try_advisory_xact_lock(%(lock)s)", {"lock": _ADVISORY_LOCK}
            ).fetchone()
            if row is None or not row[0]:
                return 0, 0
            unattended = stalled.taken_by(connection, alive) - set(running) if alive else set()
            queued = stalled.requeue(
                connection,
                stalled_seconds=self._settings.stalled_seconds,
                alive=alive,
                forgotten=unattended & self._unattended,
            )
            self._unattended = unattended
            jobs.promote_due(connection)
            adopted = self._runs.adopt(
                connection,
                lock_of=self._lock_of,
                publish_plan=self._settings.publish_retry_plan,
            )
            return queued, adopted
