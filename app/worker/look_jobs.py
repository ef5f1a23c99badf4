"""The jobs that look at a provider in the broker, each in a thread: somebody has asked for it on a page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from app.database.failures import is_away
from app.intake import provider_look
from app.records import provider_looks

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from psycopg_pool import ConnectionPool

    from app.config.settings import Settings
    from app.intake.missed import Connect
    from app.intake.provider_look import Found
    from app.queue.consumer import TakenJob
    from broker.http.access import BrokerAccess

    Diagnose: TypeAlias = Callable[[str, Connect], dict[str, Any]]

MOST_LOSSES = 3
"""How many workers may end in such a job before nobody tries any more."""

log = structlog.get_logger("worker")


class LookJobs:
    """Carries these jobs out.

    Args:
        settings: The configuration.
        access: The broker.
        pool: The pool of connections to the database.
        diagnose: Returns what `doctor` finds of a provider; None where it isn't asked.
    """

    def __init__(
        self,
        settings: Settings,
        access: BrokerAccess,
        pool: ConnectionPool[Any],
        diagnose: Diagnose | None = None,
    ) -> None:
        self._settings = settings
        self._access = access
        self._pool = pool
        self._diagnose = diagnose

    async def carry_out(self, job: TakenJob, provider: str) -> None:
        """Look at a provider, and store what was found, whatever that is.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        await asyncio.to_thread(self._look, job, provider)

    def _look(self, job: TakenJob, name: str) -> None:
        with self._pool.connection() as connection:
            asked = provider_looks.get(connection, name)
        if asked is None or not asked.under_way:
            return
        provider = self._settings.provider_named(name)
        if provider is None:
            found = provider_look.failed(
                "the provider is not in the configuration of the worker that was to look"
            )
        elif job.losses >= MOST_LOSSES:
            found = provider_look.failed("the worker that looked ended meanwhile, several times")
        else:
            try:
                found = provider_look.look(
                    self._settings, self._access, self._pool.connection, provider, queues=asked.queues
                )
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("look failed", provider=name)
                found = provider_look.failed(
                    f"something went wrong in the worker, whose log says what: {type(error).__name__}"
                )
            else:
                self._add_diagnosis(name, found)
        with self._pool.connection() as connection:
            provider_looks.answer(connection, asked, dict(found))

    def _add_diagnosis(self, name: str, found: Found) -> None:
        if self._diagnose is None:
            return
        try:
            found["doctor"] = self._diagnose(name, self._pool.connection)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("doctor failed", provider=name)
            why = f"{type(error).__name__}: the worker's log says more"
            found["problems"].append(f"the chain of its pacts could not be examined: {why}")
