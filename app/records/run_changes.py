"""Runs: one execution of a dispatch by a worker, from waiting to finished.

Each change of state is one statement that names the state that it starts from; an attempt that is no longer the latest
one (its worker was frozen, and another one has taken the run up) changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID, uuid4

from psycopg.errors import UniqueViolation

from app.database.storable import storable_text
from app.queue import jobs
from app.records import pact_runs, pauses, relays, run_spans
from app.records.pact_runs import set_job, values_of
from app.records.pause_change import PauseChange
from app.records.run import (
    INTERNAL_ERROR,
    PAUSED_PROVIDER,
    SUPERSEDED,
    UNKNOWN_PROVIDER,
    Failure,
    Publishing,
    Run,
    RunReason,
    RunStatus,
)
from app.records.run_trace import RunTrace
from app.records.runs import COLUMNS, get, select_one
from broker.http.waits import RetryPlan
from broker.traces.spans import link_to
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from psycopg import Connection

    from app.dispatch import Dispatch
    from verifier.verification import Outcome


LOST_JOB_RETRIES = RetryPlan((10, 30, 60, 180, 600), 3 * 3600.0)
"""The waits of a run whose job is lost again and again, since nothing can be stored of it."""


def request(
    connection: Connection[Any],
    provider: str,
    dispatch: Dispatch,
    *,
    lock: str | None,
    reason: RunReason = RunReason.DISPATCHED,
) -> tuple[UUID, bool]:
    """Have a dispatch carried out: by a run that waits already, or by a new one.

    A run that waits for its next attempt is started at once: something has changed, perhaps what it waits for. One for
    every pact, that waits, is carried out at the commit that was asked for last.

    Returns:
        The run's id, and whether it was waiting already.
    """
    run_id, order = uuid4(), dispatch.push_order
    row = connection.execute(
        """
        INSERT INTO runs (id, key, provider, repository, event_type, reason, pact_url, pact_urls,
            consumer, sha, branch, status, pushed_at, pushed_before, trace, job_id)
        VALUES (%(id)s, %(key)s, %(provider)s, %(repository)s, %(event_type)s, %(reason)s, %(pact_url)s,
                %(pact_urls)s, %(consumer)s, %(sha)s, %(branch)s, 'waiting',
                CASE WHEN %(is_push)s THEN coalesce(%(pushed_at)s::timestamptz, now()) END, %(pushed_before)s,
                %(trace)s, nextval('procrastinate_jobs_id_seq'))
        ON CONFLICT (key) WHERE status = 'waiting' DO UPDATE SET retry_at = NULL, sha = excluded.sha,
            failures = CASE WHEN runs.sha IS DISTINCT FROM excluded.sha THEN 0 ELSE runs.failures END,
            pushed_at = greatest(runs.pushed_at, excluded.pushed_at), pushed_before = excluded.pushed_before
        RETURNING id, job_id, trace
        """,
        {
            "id": run_id,
            "key": _key_of(provider, dispatch, latest_counts=reason is RunReason.DISPATCHED),
            "provider": provider,
            "repository": dispatch.repository,
            "event_type": dispatch.event_type,
            "reason": reason,
            "pact_url": dispatch.pact_url,
            "pact_urls": list(dispatch.pact_urls) or None,
            "consumer": dispatch.consumer,
            "sha": dispatch.sha,
            "branch": dispatch.branch,
            "is_push": order is not None,
            "pushed_at": order and order.at,
            "pushed_before": order and order.before,
            "trace": None if (trace := RunTrace.of_current()) is None else trace.to_text(),
        },
    ).fetchone()
    assert row is not None  # noqa: S101 - the statement always returns one
    found, job_id, stored_trace = row
    if found != run_id:
        if (trace := RunTrace.from_text(stored_trace)) is not None:
            link_to(trace.context)
        if job_id is not None:
            jobs.hasten(connection, job_id)
        return found, True
    if dispatch.client_payload is not None:
        relays.add(connection, run_id, dispatch.client_payload)
    jobs.add_run(connection, job_id, run_id, lock)
    return run_id, False


class RunChanges:
    """The changes of runs. Each one is told to a follower, in its own transaction.

    The first argument of each method is the open connection; the caller commits.

    Args:
        follow: Called with the connection and a run that has changed: it may store what follows from that.
    """

    def __init__(self, follow: Callable[[Connection[Any], Run], None] | None = None) -> None:
        self._follow = follow

    def begin(
        self,
        connection: Connection[Any],
        run_id: UUID,
        job_id: int,
        worker: str,
        *,
        providers: Collection[str] | None = None,
        trace: RunTrace | None = None,
    ) -> Run | None:
        """Start an attempt.

        A run that was running already was left behind by a worker that is gone: this is its next attempt. One that
        belongs to no trace gets the one given.

        Returns:
            The run; None if it isn't to be run by this job (any more), if its provider is not among those given, or if
            that is paused. A result that is only to be published doesn't wait for the provider.
        """
        return self._change(
            connection,
            """
            status = 'running', attempt = attempt + 1, worker = %(worker)s, retry_at = NULL,
            started_at = coalesce(started_at, now()), error = NULL, error_kind = NULL, error_output = NULL,
            outcome = CASE WHEN publishing = 'pending' THEN outcome END, trace = coalesce(trace, %(trace)s)
            """,
            """
            job_id = %(job)s AND status IN ('waiting', 'running') AND NOT cancel_requested
            AND (%(providers)s::text[] IS NULL OR provider = ANY(%(providers)s::text[]))
            AND (publishing = 'pending'
                 OR NOT EXISTS (SELECT 1 FROM paused_providers AS paused WHERE paused.provider = runs.provider))
            """,
            id=run_id,
            job=job_id,
            worker=worker,
            providers=None if providers is None else list(providers),
            trace=None if trace is None else trace.to_text(),
        )

    def not_begun(
        self,
        connection: Connection[Any],
        run_id: UUID,
        job_id: int,
        *,
        providers: Collection[str],
        wait: float,
        longest_pause: float,
        lock: Callable[[str], str | None],
    ) -> Failure | None:
        """Note why an attempt could not begin: its run was cancelled, or its provider is unknown here or paused.

        Args:
            connection: The open connection.
            run_id: The run.
            job_id: The job that would have begun it.
            providers: The providers that are known here.
            wait: For how many seconds a run of an unknown provider goes on waiting, at least.
            longest_pause: After how many seconds a run of a paused provider is looked at again, if nobody resumes it.
            lock: Returns the lock of a provider's runs.

        Returns:
            Why the run goes on waiting, which is its error then; None if it doesn't.
        """
        if self.cancelled(connection, run_id):
            return None
        run = get(connection, run_id)
        if run is None or run.job_id != job_id or run.status.ended:
            return None
        if run.provider not in providers:
            failure = Failure(UNKNOWN_PROVIDER, f"there is no provider {run.provider!r} in the configuration")
            seconds = wait
        elif (pause := pauses.held(connection, run.provider)) is not None:
            failure, seconds = Failure(PAUSED_PROVIDER, str(pause)), longest_pause
        else:  # it was resumed meanwhile
            self._requeue(connection, run, None, wait=0.0, lock=lock(run.provider))
            return None
        return (
            failure
            if self._requeue(connection, run, failure, wait=seconds, lock=lock(run.provider))
            else None
        )

    def go_on(
        self, connection: Connection[Any], providers: Collection[str], kind: str = UNKNOWN_PROVIDER
    ) -> int:
        """Start the runs that have waited for their providers: for being known, unless another kind is given.

        Returns:
            How many there are.
        """
        job_ids = connection.execute(
            """
            UPDATE runs SET retry_at = NULL, error = NULL, error_kind = NULL
            WHERE status = 'waiting' AND error_kind = %(kind)s AND provider = ANY(%(providers)s)
            RETURNING job_id
            """,
            {"kind": kind, "providers": list(providers)},
        ).fetchall()
        for (job_id,) in sorted(job_ids, key=lambda row: row[0] or 0):
            if job_id is not None:
                jobs.hasten(connection, job_id)
        return len(job_ids)

    def pause(
        self, connection: Connection[Any], provider: str, who: str, reason: str | None
    ) -> PauseChange | None:
        """Pause a provider; where another reason takes the place of a former one, the runs that wait say it, too.

        Returns:
            What has changed; see `pauses.add`.
        """
        changed = pauses.add(connection, provider, who, reason)
        if changed is PauseChange.REASON:
            connection.execute(
                """
                UPDATE runs SET error = %(error)s WHERE id IN (
                    SELECT id FROM runs WHERE status = 'waiting' AND provider = %(provider)s AND error_kind = %(kind)s
                    FOR UPDATE SKIP LOCKED)
                """,
                {
                    "error": str(pauses.of(connection, provider)),
                    "provider": provider,
                    "kind": PAUSED_PROVIDER,
                },
            )
        return changed

    def resume(self, connection: Connection[Any], provider: str) -> bool:
        """End the pause of a provider, and start the runs that have waited for that.

        Returns:
            False if it is not paused.
        """
        if not pauses.remove(connection, provider):
            return False
        self.go_on(connection, [provider], PAUSED_PROVIDER)
        return True

    def start_now(self, connection: Connection[Any], run_id: UUID) -> Run | None:
        """Start a run that waits for its next attempt, as far as its provider is free.

        Returns:
            The run; None if it doesn't wait for its next attempt (any more).
        """
        run = select_one(
            connection,
            "UPDATE runs SET retry_at = NULL WHERE id = %(id)s AND status = 'waiting' AND retry_at IS NOT NULL "
            "RETURNING {columns}",
            id=run_id,
        )
        if run is not None and run.job_id is not None:
            jobs.hasten(connection, run.job_id)
        return run

    def verified(
        self, connection: Connection[Any], run: Run, verification: dict[str, Any], *, publish: bool
    ) -> Run | None:
        """Store a verification in its saved form. The run is finished, unless the result is to be published.

        Returns:
            The run as it now is; None if this attempt is not the latest one.
        """
        return self._change_attempt(
            connection,
            run,
            """
            verification = %(verification)s, outcome = %(outcome)s, verified_at = now(),
            consumer = coalesce(nullif(%(consumer)s, ''), consumer), consumer_version = %(consumer_version)s,
            provider_version = %(provider_version)s, provider_branch = %(provider_branch)s,
            interactions = %(interactions)s, failed_interactions = %(failed)s, publishing = %(publishing)s,
            error = %(error)s, error_kind = %(error_kind)s, error_output = %(error_output)s,
            status = %(status)s, finished_at = CASE WHEN %(status)s = 'finished' THEN now() END
            """,
            "status = 'running'",
            status=RunStatus.RUNNING if publish else RunStatus.FINISHED,
            publishing=Publishing.PENDING if publish else Publishing.NONE,
            **values_of(verification),
        )

    def verified_one(
        self,
        connection: Connection[Any],
        parent: Run,
        verification: dict[str, Any],
        run_id: UUID,
        *,
        pending: bool,
    ) -> Run | None:
        """Store the verification of one of the pacts that a run is for; see `app.records.pact_runs.add`."""
        run = pact_runs.add(connection, parent, verification, run_id, pending=pending)
        if run is not None and self._follow is not None:
            self._follow(connection, run)
        return run

    def verified_all(
        self,
        connection: Connection[Any],
        run: Run,
        members: Sequence[Run],
        outcome: Outcome,
        failure: Failure | None,
    ) -> None:
        """Note that a run for every pact has ended.

        Args:
            connection: The open connection.
            run: The run.
            members: The runs of its pacts.
            outcome: What their outcomes make.
            failure: Why it isn't known; None if it is.
        """
        last = members[-1] if members else None
        self._change_attempt(
            connection,
            run,
            """
            status = 'finished', outcome = %(outcome)s, error = %(error)s, error_kind = %(kind)s,
            provider_version = %(version)s, provider_branch = %(branch)s,
            interactions = %(interactions)s, failed_interactions = %(failed)s,
            verified_at = now(), finished_at = now()
            """,
            "status = 'running'",
            outcome=outcome,
            error=storable_text(failure.message) if failure else None,
            kind=failure.kind if failure else None,
            version=last and last.provider_version,
            branch=last and last.provider_branch,
            interactions=sum(member.interactions or 0 for member in members),
            failed=sum(member.failed_interactions or 0 for member in members),
        )

    def published(self, connection: Connection[Any], run: Run, result_url: str) -> None:
        """Note that the broker has confirmed the result, and that the run is finished."""
        self._change_attempt(
            connection,
            run,
            """
            publishing = 'published', result_url = %(url)s, publish_error = NULL,
            error = NULL, error_kind = NULL, publish_attempts = publish_attempts + 1,
            status = 'finished', finished_at = now()
            """,
            "publishing = 'pending'",
            url=result_url,
        )

    def not_published(
        self, connection: Connection[Any], run: Run, failure: Failure, *, wait: float | None
    ) -> None:
        """Note that the broker did not accept the result.

        The run is finished, so that its provider is free. A job tries again after `wait` seconds; none does if that is
        None.
        """
        changed = self._change_attempt(
            connection,
            run,
            """
            publishing = %(publishing)s, publish_error = %(error)s,
            publish_attempts = publish_attempts + 1,
            status = 'finished', finished_at = coalesce(finished_at, now()),
            error = %(error)s, error_kind = %(kind)s
            """,
            "publishing = 'pending'",
            publishing=Publishing.REFUSED if wait is None else Publishing.PENDING,
            error=storable_text(failure.message),
            kind=failure.kind,
        )
        if changed and wait is not None:
            set_job(connection, run.id, jobs.defer_publish(connection, run.id, run.attempt, wait=wait))

    def publish_again(self, connection: Connection[Any], run: Run) -> None:
        """Have a result published now that the broker has not taken, by the job that waits for that or by a new one."""
        changed = self._change_attempt(
            connection,
            run,
            "publishing = 'pending'",
            "status = 'finished' AND publishing IN ('pending', 'refused')",
        )
        if changed is None:
            return
        if run.parent_id is not None:
            pact_runs.reopen_parent(connection, run.parent_id)
        if (
            run.publishing is Publishing.PENDING
            and run.job_id is not None
            and jobs.is_open(connection, run.job_id)
        ):
            jobs.hasten(connection, run.job_id, queue=jobs.CHORES)
        else:
            set_job(connection, run.id, jobs.defer_publish(connection, run.id, run.attempt))

    def finish(self, connection: Connection[Any], run: Run) -> None:
        """Note that a run is done that has no result."""
        self._change_attempt(
            connection, run, "status = 'finished', finished_at = now()", "status = 'running'"
        )

    def fail(self, connection: Connection[Any], run: Run, failure: Failure) -> None:
        """Note that a run has no answer, for good."""
        self._change_attempt(
            connection,
            run,
            """
            status = 'finished', finished_at = now(), outcome = 'error', error = %(message)s,
            error_kind = %(kind)s, error_output = %(output)s, retry_at = NULL,
            publishing = CASE publishing WHEN 'pending' THEN 'none' ELSE publishing END
            """,
            "status = %(status)s",
            status=run.status,
            message=storable_text(failure.message),
            kind=failure.kind,
            output=storable_text(failure.output) or None,
        )

    def try_again(
        self, connection: Connection[Any], run: Run, failure: Failure | None, *, wait: float, lock: str | None
    ) -> bool:
        """Put a run back into the queue.

        Args:
            connection: The open connection.
            run: The attempt that came to nothing.
            failure: Why, which is counted; None if the run was handed back and nothing failed.
            wait: The seconds before it may start.
            lock: Its provider's.

        Returns:
            False if there is no need: a run that was asked for meanwhile will answer the same, this one was cancelled
            meanwhile, or this attempt is not the latest one. The first two end this run.
        """
        if self._requeue(connection, run, failure, wait=wait, lock=lock, failed=failure is not None):
            return True
        # one that waits is cancelled at once: others may join it until then, and must not be lost
        self.cancelled(connection, run.id)
        return False

    def cancel(self, connection: Connection[Any], run_id: UUID) -> Run | None:
        """Cancel a run that waits, or have one that runs stopped.

        Returns:
            The run, whatever became of it; None if there is none.
        """
        run = self._change(
            connection,
            """
            cancel_requested = true,
            status = CASE WHEN status = 'waiting' THEN 'cancelled' ELSE status END,
            finished_at = CASE WHEN status = 'waiting' THEN now() ELSE finished_at END
            """,
            "status IN ('waiting', 'running')",
            id=run_id,
        )
        if run is None:
            return get(connection, run_id)
        if run.job_id is not None:
            jobs.cancel(connection, run.job_id)
        return run

    def cancelled(self, connection: Connection[Any], run_id: UUID) -> bool:
        """Note that a run was stopped because it was cancelled.

        Returns:
            Whether it was: one that is stopped because its worker stops wasn't.
        """
        changed = self._change(
            connection,
            """
            status = 'cancelled', finished_at = now(),
            publishing = CASE publishing WHEN 'pending' THEN 'none' ELSE publishing END
            """,
            "status IN ('waiting', 'running') AND cancel_requested",
            id=run_id,
        )
        return changed is not None

    def adopt(
        self,
        connection: Connection[Any],
        run: Run,
        *,
        lock_of: Callable[[str], str | None],
        publish_plan: RetryPlan,
    ) -> None:
        """Give a job to a run that is waiting, running or to be published, and has none.

        Its job is gone since something went wrong that could not be noted. That is a failure like others: it is
        counted, and waited for.
        """
        if not run.status.ended and run.cancel_requested:
            self.cancelled(connection, run.id)
        elif run.status.ended:
            failure = Failure(
                INTERNAL_ERROR, "what came of publishing could not be stored; see the worker's log"
            )
            wait = publish_plan.wait_after(run.publish_attempts + 1)
            self.not_published(connection, run, failure, wait=wait)
        else:
            self._adopt_open(
                connection, run, LOST_JOB_RETRIES.wait_after(run.failures + 1), lock_of(run.provider)
            )

    def _adopt_open(
        self, connection: Connection[Any], run: Run, wait: float | None, lock: str | None
    ) -> None:
        if wait is None:
            message = (
                f"what came of {count(run.failures + 1, 'attempt')} could not be stored; see the worker's log"
            )
            self.fail(connection, run, Failure(INTERNAL_ERROR, message))
            return
        job_id = jobs.defer_run(connection, run.id, lock, wait=wait)
        connection.execute(
            "UPDATE runs SET job_id = %(job)s, failures = failures + 1 WHERE id = %(id)s",
            {"job": job_id, "id": run.id},
        )

    def _requeue(
        self,
        connection: Connection[Any],
        run: Run,
        failure: Failure | None,
        *,
        wait: float,
        lock: str | None,
        failed: bool = False,
    ) -> bool:
        """Have a run wait, with a new job; False if it isn't what it was any more, or another one waits already."""
        message = storable_text(failure.message) if failure else None
        try:
            with connection.transaction():
                changed = self._change_attempt(
                    connection,
                    run,
                    """
                    status = 'waiting', error = %(message)s, error_kind = %(kind)s,
                    error_output = %(output)s, outcome = CASE publishing WHEN 'pending' THEN outcome END,
                    failures = failures + %(failed)s,
                    retry_at = CASE WHEN %(retry_in)s > 0 THEN now() + %(retry_in)s * interval '1 second' END
                    """,
                    "status = %(status)s AND NOT cancel_requested",
                    status=run.status,
                    message=message,
                    kind=failure.kind if failure else None,
                    output=storable_text(failure.output) or None if failure else None,
                    failed=int(failed),
                    # when somebody resumes a provider isn't known
                    retry_in=0.0 if failure is not None and failure.kind == PAUSED_PROVIDER else wait,
                )
                if changed is None:
                    return False
                set_job(connection, run.id, jobs.defer_run(connection, run.id, lock, wait=wait))
        except UniqueViolation:
            self._supersede(connection, run, failure)
            return False
        return True

    def _supersede(self, connection: Connection[Any], run: Run, failure: Failure | None) -> None:
        """End a run that would wait again, since another one waits already that answers it.

        Nobody needs an answer of this one any more: it is no failure, but cancelled.
        """
        row = connection.execute(
            "SELECT id, sha FROM runs WHERE key = %(key)s AND status = 'waiting'", {"key": run.key}
        ).fetchone()
        later = f"run {row[0]}" if row else "a later run"
        if row and row[1] and row[1] != run.sha:
            why = f"Commit {row[1][:12]} was asked for meanwhile: {later} verifies it"
        else:
            why = f"The same was asked for again meanwhile: {later} answers it"
        ended = f"The last attempt ended with: {failure.message}" if failure else "Its worker was stopped"
        self._change_attempt(
            connection,
            run,
            """
            status = 'cancelled', finished_at = now(), outcome = NULL, error = %(message)s, error_kind = %(kind)s,
            error_output = NULL, retry_at = NULL,
            publishing = CASE publishing WHEN 'pending' THEN 'none' ELSE publishing END
            """,
            "status = %(status)s",
            status=run.status,
            message=storable_text(f"{why}, so this run is not tried again. {ended}"),
            kind=SUPERSEDED,
        )

    def _change_attempt(
        self,
        connection: Connection[Any],
        run: Run,
        changes: LiteralString,
        state: LiteralString,
        **values: Any,
    ) -> Run | None:
        """Change the run if this attempt is the latest one, and the run is in the state."""
        state = "attempt = %(attempt)s AND " + state
        return self._change(connection, changes, state, id=run.id, attempt=run.attempt, **values)

    def _change(
        self, connection: Connection[Any], changes: LiteralString, state: LiteralString, **values: Any
    ) -> Run | None:
        query = f"UPDATE runs SET {changes} WHERE id = %(id)s AND {state} RETURNING {COLUMNS}"  # noqa: S608 - constants
        run = select_one(connection, query, **values)
        if run is not None:
            run_spans.note_end(run)
            if self._follow is not None:
                self._follow(connection, run)
        return run


def _key_of(provider: str, dispatch: Dispatch, *, latest_counts: bool) -> str:
    """Return what is the same for dispatches that ask for the same: provider, pact, commit and its branch.

    Of changes of a branch the latest one counts, so that it makes no difference which commit it is, but that there is
    one does: without, the default branch is verified. The whole payload counts where it is passed on: nothing of it may
    get lost.
    """
    sha: str | bool | None = dispatch.sha
    if dispatch.pact_url is None and dispatch.branch is not None and latest_counts:
        sha = sha is not None
    asked = json.dumps([provider, dispatch.pact_url, sha, dispatch.branch, *dispatch.pact_urls])
    if dispatch.client_payload is not None:
        asked += json.dumps([dispatch.event_type, dispatch.client_payload])
    return hashlib.sha256(asked.encode()).hexdigest()
