"""The end of a run for every pact: when the broker has all results, it is asked what may be deployed now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from app.records import pact_runs
from app.records.run_log import RunLog, store_log, stored_chunks
from broker.text.redaction import Redaction
from verifier.many.deployability import environment_answers
from verifier.report.many.phrases import deployable
from verifier.report.run_findings import RunFindings

if TYPE_CHECKING:
    from uuid import UUID

    from app.worker.publisher import Database
    from broker.http.access import BrokerAccess

log = structlog.get_logger("worker")


async def complete(database: Database, access: BrokerAccess, parent_id: UUID, *, log_bytes: int) -> None:
    """Log what the broker says of the version of a run for every pact, if all of its results are published.

    Args:
        database: The database.
        access: The broker.
        parent_id: The run.
        log_bytes: The limit of a run's log.
    """
    run = await database.call(pact_runs.complete_parent, parent_id)
    if run is None or run.provider_version is None:
        return
    answers, problem = await asyncio.to_thread(
        environment_answers, access, run.provider, run.provider_version
    )
    findings = RunFindings(
        run.created_at, provider=run.provider, provider_version=run.provider_version, environments=answers
    )
    lines = [line for line in (deployable(findings), problem) if line]
    if not lines:
        return
    run_log = RunLog(log_bytes, await database.call(stored_chunks, run.id))
    for line in lines:
        run_log.add(Redaction(access.secrets).own(line))
    await database.call(store_log, run, run_log.update())
    log.info("results complete", run=str(run.id), publishing=run.publishing)
