"""The recovery of what no worker carries out any more: jobs of dead workers, and runs without a job.

A worker is dead if there was no heartbeat of it for `stalled_seconds`, by the database's clock, and if this process saw
no other one for half of that, by its own clock: neither a clock that was set, nor a database that was away, makes all
workers dead at once. One that lives and is cut off has ended its runs by then; see `app.process.lease`.

One worker at a time recovers them, under an advisory lock: two could reset a job that has already started again. Of the
runs that wait it looks at some thousands at a time, and goes on with the next ones (`app.records.runs_without_job`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from app.queue import jobs, stalled, turns
from app.records.runs_without_job import Round

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from psycopg import Connection

    from app.config.sections import WorkerSettings
    from app.records.run_changes import RunChanges

_ADVISORY_LOCK = 0x70616374_0001
"""Any number that nobody else uses: "pact" in ASCII, and which of our locks it is."""
SEEN_SHARE = 0.5
"""For how much of `stalled_seconds` a worker's last heartbeat must stay the same before its jobs are taken up."""
FORGET_SECONDS = 600.0
"""How long a dead worker is listed, by the database's clock: workers may start anew more often than that."""


class Recovery:
    """The recovery of one worker process.

    Args:
        runs: The changes of runs.
        settings: After how long a worker is dead, and the waits between attempts.
        lock_of: Returns the lock of a provider's runs.
        clock: Returns seconds.
    """

    def __init__(
        self,
        runs: RunChanges,
        settings: WorkerSettings,
        lock_of: Callable[[str], str | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runs = runs
        self._settings = settings
        self._lock_of = lock_of
        self._clock = clock
        self._unattended: set[int] = set()
        self._seen: dict[tuple[int, datetime], float] = {}
        self._round = Round()

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
            seconds = self._settings.stalled_seconds
            self._seen = {
                heartbeat: self._seen.get(heartbeat, self._clock())
                for heartbeat in stalled.heartbeats(connection)
                if heartbeat[0] not in alive
            }
            dead = self._silent_for(SEEN_SHARE * seconds)
            queued = stalled.requeue(
                connection,
                stalled_seconds=seconds,
                dead=dead,
                forgotten=unattended & self._unattended,
            )
            stalled.forget(connection, dead, seconds=max(FORGET_SECONDS, seconds))
            self._unattended = unattended
            jobs.promote_due(connection)
            turns.mend(connection)
            without_job = self._round.find(connection)
            for run in without_job:
                self._runs.adopt(
                    connection,
                    run,
                    lock_of=self._lock_of,
                    publish_plan=self._settings.publish_retry_plan,
                )
            return queued, len(without_job)

    def _silent_for(self, seconds: float) -> list[int]:
        """Return the ids of the workers whose last heartbeat has been the same for so long."""
        end = self._clock() - seconds
        return [worker for (worker, _), since in self._seen.items() if since <= end]
