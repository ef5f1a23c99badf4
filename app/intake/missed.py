"""Missed dispatches: pacts that lack a result, although no webhook asked for it (any more), are queued.

A pact that was tried already, and still has no result, is not queued again on each look: after its first run an hour
must have passed, after its second two, then four, and so on, up to a day. So neither a provider that can't be started
nor a result that a broker doesn't take is tried on and on, and both heal without anybody's help.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlsplit

from psycopg.rows import class_row

from app.config.provider import CheckoutProvider, RelayedProvider
from app.dispatch import Dispatch
from app.provider.version import VersionUnknown, is_same
from app.queue import jobs
from app.records import deliveries
from app.records.deliveries import Arrival
from broker.client import BrokerClient
from broker.client.missing_results import MissingResult, ProviderVersion, Questions, content_of
from broker.events import WebhookEvent
from broker.http.errors import BrokerError
from broker.http.waits import RetryPlan
from verifier.commit_id import is_commit_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from uuid import UUID

    from psycopg import Connection

    from app.config.provider import ProviderSettings, VerifiedProvider
    from app.config.settings import Settings
    from broker.http.access import BrokerAccess

    Connect: TypeAlias = Callable[[], AbstractContextManager[Connection[Any]]]

RETRY_SECONDS = 10.0
"""How long one question to the broker is tried."""
TRIED_AGAIN = RetryPlan.doubling(3600.0, 24 * 3600.0)
REMEMBERED_DAYS = 30
MOST_RUNS = 1000

QUEUED, WOULD_QUEUE, UNDER_WAY, TRIED = "queued", "would be queued", "under way", "tried"

_ADVISORY_LOCK = 0x70616374_0003


@dataclass(frozen=True)
class Finding:
    """A pact that lacks a result, and what was done about it.

    Attributes:
        provider: whose result.
        consumer: of the pact.
        consumer_version: that has the pact.
        pact_url: the pact.
        provider_version: that lacks a result; None for any.
        why: that version matters.
        state: `queued`, `would be queued`, `under way` (a run of it waits, runs or publishes), or `tried` (it is too
            early to try again).
        run: that was made for it, or that it is left to.
        wait: the seconds until it is queued again, of one that was tried.
    """

    provider: str
    consumer: str
    consumer_version: str
    pact_url: str
    provider_version: str | None
    why: str
    state: str
    run: UUID | None = None
    wait: float | None = None


@dataclass
class Report:
    """What one look found.

    Attributes:
        findings: the pacts that lack a result.
        notes: what can't be queued, and why.
        problems: what could not be looked at, and why.
        broker_away: whether the broker could not be asked at all.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    broker_away: bool = False

    @property
    def queued(self) -> list[Finding]:
        """Those for which a run was made."""
        return [finding for finding in self.findings if finding.state == QUEUED]


@dataclass(frozen=True)
class _Past:
    """A run that may be about the same pact and version."""

    id: UUID
    pact_url: str
    sha: str | None
    consumer_version: str | None
    provider_version: str | None
    is_open: bool
    age: float | None


def reconcile(
    settings: Settings,
    access: BrokerAccess,
    connect: Connect,
    *,
    providers: Sequence[ProviderSettings] | None = None,
    dry_run: bool = False,
) -> Report:
    """Ask the broker what lacks a result, and queue it.

    Args:
        settings: the configuration.
        access: the broker.
        connect: gives a connection to the receiver's database, for a short while.
        providers: to look at; all of them unless given.
        dry_run: only say what would be queued.

    Returns:
        What was found. A provider that could not be looked at is a problem in it, and doesn't hold up the others; a
        broker that is away does.
    """
    report = Report()
    with BrokerClient(access, retry_time=RETRY_SECONDS) as client:
        for provider in settings.providers if providers is None else providers:
            if isinstance(provider, RelayedProvider):
                report.notes.append(
                    f"{provider.name}: is not looked at, its dispatches are passed on to GitHub"
                )
                continue
            try:
                missing = list(_missing(client, provider, report))
            except (BrokerError, VersionUnknown) as error:
                report.problems.append(f"{provider.name}: {error}")
                if isinstance(error, BrokerError) and error.transient:
                    report.broker_away = True
                    break
                continue
            if missing:
                with connect() as connection:
                    report.findings += [
                        _deal_with(connection, provider, one, dry_run=dry_run) for one in missing
                    ]
    return report


def _missing(client: BrokerClient, provider: VerifiedProvider, report: Report) -> Iterator[MissingResult]:
    """Find what lacks a result of one provider.

    Raises:
        BrokerError: the broker could not be asked.
        VersionUnknown: the provider that runs doesn't tell its version.
    """
    questions = Questions(client, provider.name)
    pacts = questions.pacts()
    if not pacts:
        return
    for version in _versions(questions, provider, report):
        for pact in pacts:
            if questions.lacks(pact, version):
                yield MissingResult(pact, version)


def _versions(questions: Questions, provider: VerifiedProvider, report: Report) -> list[ProviderVersion]:
    """Give the versions that shall have results: the one that runs, or those that can be checked out and matter."""
    if not isinstance(provider, CheckoutProvider):
        return [ProviderVersion(provider.running_version(), provider.branch, "the version that runs")]
    branch = provider.checkout.default_branch or provider.branch
    found = questions.versions(branch)
    usable = [version for version in found if is_commit_id(version.number or "")]
    report.notes += [
        f"{provider.name}: the version {version.number!r} ({version.why}) is no commit id, so it can't be checked out"
        for version in found
        if version not in usable
    ]
    # nothing was ever published: what the default branch has now is the first version
    return usable if found else [ProviderVersion(None, branch, "no version of it is in the broker yet")]


def _deal_with(
    connection: Connection[Any], provider: VerifiedProvider, missing: MissingResult, *, dry_run: bool
) -> Finding:
    """Queue one that lacks a result, unless a run of it is under way, or was just tried."""
    with connection.transaction():
        # two looks at once would both find that there is no run
        connection.execute("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": _ADVISORY_LOCK})
        past = [run for run in _runs(connection, provider, missing) if _is_about(run, provider, missing)]
        under_way = next((run for run in past if run.is_open), None)
        if under_way is not None:
            return _finding(provider, missing, UNDER_WAY, run=under_way.id)
        if past:
            wait = TRIED_AGAIN.wait_after(len(past)) or 0.0
            wait -= min(run.age or 0.0 for run in past)
            if wait > 0:
                return _finding(provider, missing, TRIED, run=past[0].id, wait=wait)
        if dry_run:
            return _finding(provider, missing, WOULD_QUEUE)
        return _finding(provider, missing, QUEUED, run=_queue(connection, provider, missing))


def _queue(connection: Connection[Any], provider: VerifiedProvider, missing: MissingResult) -> UUID:
    checkout = isinstance(provider, CheckoutProvider)
    sha = missing.version.number if checkout else None
    dispatch = Dispatch(
        repository=provider.repository,
        event_type=WebhookEvent.REQUIRING_VERIFICATION,
        pact_url=missing.pact.url,
        sha=sha.lower() if sha else None,
        branch=missing.version.branch if checkout else None,
    )
    payload = {"pact_url": dispatch.pact_url, "sha": dispatch.sha, "branch": dispatch.branch}
    arrival = Arrival(
        "reconcile",
        Arrival.new_id(),
        sender="reconcile",
        repository=dispatch.repository,
        event_type=dispatch.event_type,
        payload={
            "event_type": dispatch.event_type,
            "client_payload": {name: value for name, value in payload.items() if value is not None},
        },
    )
    run_id, _ = deliveries.accept(
        connection,
        arrival,
        dispatch,
        provider=provider.name,
        lock=jobs.lock_of(provider.name, parallel=provider.parallel),
        reason="reconciled",
    )
    return run_id


def _runs(connection: Connection[Any], provider: VerifiedProvider, missing: MissingResult) -> list[_Past]:
    """Read the runs for a provider and a consumer, newest first; those under way before all others."""
    with connection.cursor(row_factory=class_row(_Past)) as cursor:
        return cursor.execute(
            """
            SELECT id, pact_url, sha, consumer_version, provider_version,
                status IN ('waiting', 'running') OR publishing = 'pending' AS is_open,
                extract(epoch FROM now() - finished_at)::double precision AS age
            FROM runs
            WHERE provider = %(provider)s AND consumer = %(consumer)s
              AND (status IN ('waiting', 'running') OR publishing = 'pending'
                   OR finished_at > now() - %(days)s * interval '1 day')
              AND error_kind IS DISTINCT FROM 'superseded'
            ORDER BY is_open DESC, created_at DESC LIMIT %(most)s
            """,
            {
                "provider": provider.name,
                "consumer": missing.pact.consumer,
                "days": REMEMBERED_DAYS,
                "most": MOST_RUNS,
            },
        ).fetchall()


def _is_about(run: _Past, provider: VerifiedProvider, missing: MissingResult) -> bool:
    """Tell whether a run is about the same content and the same version of the provider."""
    pact, wanted = missing.pact, missing.version.number
    content = content_of(run.pact_url)
    by_version = urlsplit(run.pact_url).path.endswith(f"/version/{quote(pact.consumer_version, safe='')}")
    if content != pact.content and not (
        content is None and (by_version or run.consumer_version == pact.consumer_version)
    ):
        return False
    if wanted is None:
        return run.sha is None
    if run.sha is not None:
        return is_same(run.sha, wanted)
    # it asked for no version: it is about the one that it met, or will meet
    if run.provider_version:
        return is_same(run.provider_version, wanted)
    return not isinstance(provider, CheckoutProvider)


def _finding(
    provider: VerifiedProvider,
    missing: MissingResult,
    state: str,
    *,
    run: UUID | None = None,
    wait: float | None = None,
) -> Finding:
    pact, version = missing.pact, missing.version
    return Finding(
        provider=provider.name,
        consumer=pact.consumer,
        consumer_version=pact.consumer_version,
        pact_url=pact.url,
        provider_version=version.number,
        why=version.why,
        state=state,
        run=run,
        wait=wait,
    )
