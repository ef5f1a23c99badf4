"""The parts of a worker that follow its configuration: all of them are made from one, and replaced together.

What is under way goes on with the parts that it began with, so that no run sees two configurations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from app.notifications.notifier import Notifier
from app.process.environment import child_environment
from app.records.run_changes import RunChanges
from app.records.run_links import RunLinks
from app.records.signing_keys import dashboard_key
from app.statuses.status_setter import StatusSetter
from app.worker.child_input import ChildInputs
from app.worker.chores import chores_of, completion, look_around, look_at_broker, reconciliation
from app.worker.executor import Executor, lock_of
from app.worker.look_jobs import LookJobs
from app.worker.publisher import Publisher
from app.worker.recovery import Recovery
from app.worker.relay import Relay
from app.worker.token_expiry import note_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from psycopg import Connection
    from psycopg_pool import ConnectionPool

    from app.config.settings import Settings
    from app.database.threads import DatabaseThreads
    from app.github.client import GitHub
    from app.records.run import Run
    from app.worker.child_pool import Children
    from app.worker.chores import Chore
    from app.worker.look_jobs import Diagnose
    from broker.http.access import BrokerAccess
    from verifier.confinement import Account


@dataclass(frozen=True)
class WorkerConfiguration:
    """What a worker is configured with.

    Attributes:
        settings: The configuration file.
        access: The broker.
        environment: Of this process, where secrets of providers are.
        accounts: Those that providers' commands run as, by the provider's name; that of this process for others.
        github: Sets commit statuses, and is relayed to; None where neither is configured.
        diagnose: Returns what `doctor` finds of a provider, for its page; None where it isn't asked.
        formerly_hidden: The variables of secrets that earlier configurations have named: no reload takes them out of
            the environment.
    """

    settings: Settings
    access: BrokerAccess
    environment: Mapping[str, str]
    accounts: Mapping[str, Account]
    github: GitHub | None = None
    diagnose: Diagnose | None = None
    formerly_hidden: frozenset[str] = frozenset()

    @property
    def hidden(self) -> frozenset[str]:
        """The variables of secrets of providers and targets, with those of earlier configurations."""
        return (
            self.settings.variables_of_providers | self.settings.variables_of_targets | self.formerly_hidden
        )

    def after(self, former: WorkerConfiguration) -> WorkerConfiguration:
        """Return this configuration as it is for a process that has gone by another one."""
        return replace(self, formerly_hidden=former.hidden)

    def environment_of_children(self) -> dict[str, str]:
        """Return the environment, without the receiver's own secrets and those of all providers."""
        return child_environment(self.environment, names=self.hidden)


@dataclass(frozen=True)
class Parts:
    """The parts that are made from one configuration.

    Attributes:
        settings: The configuration.
        changes: The changes of runs.
        statuses: The commit statuses.
        notifier: The notifications of changes of outcome.
        publisher: Publishes results.
        executor: Carries out the attempts of runs.
        looks: Carries out the looks at providers.
        recovery: Takes up what nobody carries out.
        chores: What is done now and then.
    """

    settings: Settings
    changes: RunChanges
    statuses: StatusSetter
    notifier: Notifier
    publisher: Publisher
    executor: Executor
    looks: LookJobs
    recovery: Recovery
    chores: tuple[Chore, ...]


@dataclass(frozen=True)
class PartsMaker:
    """Makes these parts, for one process.

    Attributes:
        name: The worker's name.
        data_dir: Where checkouts are.
        pool: The pool of connections to the database.
        database: The same for coroutines.
        children: The child processes that verify.
    """

    name: str
    data_dir: Path
    pool: ConnectionPool[Any]
    database: DatabaseThreads
    children: Children

    async def make(self, configuration: WorkerConfiguration) -> Parts:
        """Make the parts.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        settings, access, github = configuration.settings, configuration.access, configuration.github
        if github is not None:
            github.watch_token(partial(note_token, self.pool))
        key = await self.database.call(dashboard_key) if settings.server.share_links else None
        page_of = RunLinks(settings.server, key).page_of
        statuses = StatusSetter(settings, github, page_of)
        notifier = Notifier(settings, access, self.pool, configuration.environment, page_of)

        def follow(connection: Connection[Any], run: Run) -> None:
            statuses.follow(connection, run)
            notifier.follow(connection, run)

        changes = RunChanges(follow)
        publisher = Publisher(
            self.database,
            changes,
            access,
            plan=settings.worker.publish_retry_plan,
            log_bytes=settings.retention.log_kilobytes * 1024,
        )
        executor = Executor(
            settings,
            database=self.database,
            changes=changes,
            children=self.children,
            publisher=publisher,
            worker=self.name,
            inputs=ChildInputs(
                settings, access, self.data_dir, configuration.environment, configuration.accounts, page_of
            ),
            relay=None if github is None else Relay(settings, github, self.database, changes).carry_out,
        )
        return Parts(
            settings=settings,
            changes=changes,
            statuses=statuses,
            notifier=notifier,
            publisher=publisher,
            executor=executor,
            looks=LookJobs(settings, access, self.pool, configuration.diagnose),
            recovery=Recovery(changes, settings.worker, partial(lock_of, settings)),
            chores=(
                *chores_of(settings, self.database.call),
                *completion(self.database.call, publisher.complete),
                *reconciliation(settings, access, self.pool.connection),
                *look_at_broker(access, self.database.call),
                *look_around(notifier),
            ),
        )
