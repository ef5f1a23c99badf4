"""Missed dispatches: pacts that lack a result, although no webhook asks for it (any more), are queued.

A pact that can't be verified, whatever the provider does, is not queued again; see `HOPELESS`. Another one that was
tried already, and still has no result, is not queued again each time: after its first run an hour must have passed,
after its second two, then four, and so on, up to a day. So neither a provider that can't be started nor a result that a
broker doesn't take is tried on and on, and both heal without anybody's help.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlsplit

from app.config.provider import CheckoutProvider, RelayedProvider
from app.dispatch import Dispatch, InvalidDispatch, check, consumer_of
from app.provider.version import VersionUnknown, is_same
from app.queue import jobs
from app.records import deliveries, history
from app.records.deliveries import Accepted, IncomingDelivery, Source
from app.records.run import UNSTORABLE, RunReason
from broker.client import BrokerClient
from broker.client.for_verification import content_of
from broker.client.missing_results import MissingResult, ProviderVersion, Questions
from broker.events import WebhookEvent
from broker.http.errors import BrokerError
from broker.http.waits import RetryPlan
from verifier.commit_id import is_commit_id
from verifier.errors import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from uuid import UUID

    from psycopg import Connection

    from app.config.provider import ProviderSettings, VerifiedProvider
    from app.config.settings import Settings
    from app.records.history import EarlierRun
    from broker.http.access import BrokerAccess

    Connect: TypeAlias = Callable[[], AbstractContextManager[Connection[Any]]]

RETRY_SECONDS = 10.0
"""For how long one request to the broker is tried."""
TRIED_AGAIN = RetryPlan.doubling(3600.0, 24 * 3600.0)
REMEMBERED_DAYS = 30
HOPELESS = frozenset({ErrorKind.PACT_UNUSABLE.value, UNSTORABLE})
"""The kinds of error of runs that would end the same each time, until the consumer publishes another pact."""


class State(StrEnum):
    """What was done about a pact that lacks a result."""

    QUEUED = "queued"
    WOULD_QUEUE = "would be queued"
    UNDER_WAY = "under way"
    """A run of it waits, runs or publishes."""
    TRIED = "tried"
    """A run of it has ended, too short a time ago to try again."""
    UNUSABLE = "can't be verified"
    """A run of it has found that, and another one would too."""


@dataclass(frozen=True)
class MissedDispatch:
    """A pact that lacks a result, and what was done about it.

    Attributes:
        provider: The provider whose result is missing.
        consumer: The pact's consumer.
        consumer_version: The consumer's version that has the pact.
        pact_url: The pact's URL.
        provider_version: The provider's version that lacks a result; None for any.
        why: The reason why that version matters.
        state: What was done.
        run: The run that was made for it, or that it is left to.
        wait: The seconds until it is queued again, if it was tried.
    """

    provider: str
    consumer: str
    consumer_version: str
    pact_url: str
    provider_version: str | None
    why: str
    state: State
    run: UUID | None = None
    wait: float | None = None


@dataclass
class Reconciliation:
    """What the broker and the database told.

    Attributes:
        pacts: The number of pacts that were looked at.
        missed: The pacts that lack a result.
        notes: What can't be queued, and why.
        problems: What could not be asked, and why.
        broker_away: Whether the broker could not be asked at all.
    """

    pacts: int = 0
    missed: list[MissedDispatch] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    broker_away: bool = False

    @property
    def queued(self) -> list[MissedDispatch]:
        """Those for which a run was made."""
        return [dispatch for dispatch in self.missed if dispatch.state == State.QUEUED]


def reconcile(
    settings: Settings,
    access: BrokerAccess,
    connect: Connect,
    *,
    providers: Sequence[ProviderSettings] | None = None,
    consumer_version: tuple[str, str] | None = None,
    dry_run: bool = False,
) -> Reconciliation:
    """Ask the broker what lacks a result, and queue it.

    Args:
        settings: The configuration.
        access: The broker.
        connect: Opens a connection to the receiver's database, as a context manager.
        providers: The providers whose pacts are asked for; all of them unless given.
        consumer_version: A consumer and its version, whose pacts alone are asked for, whether they matter or not; they
            are queued although they were tried before, since somebody asks for them.
        dry_run: Whether nothing is queued.

    Returns:
        What was found. A provider that could not be asked for is a problem in it, and doesn't keep the others from
        being asked for; a broker that is away does.
    """
    report = Reconciliation()
    with BrokerClient(access, retry_time=RETRY_SECONDS) as client:
        for provider in settings.providers if providers is None else providers:
            if isinstance(provider, RelayedProvider):
                report.notes.append(
                    f"{provider.name}: is not looked at, its dispatches are passed on to GitHub"
                )
                continue
            began = time.monotonic()
            try:
                missing = list(_missing(client, provider, report, consumer_version))
            except (BrokerError, VersionUnknown) as error:
                report.problems.append(f"{provider.name}: {error}")
                if isinstance(error, BrokerError) and error.transient:
                    report.broker_away = True
                    break
                continue
            if missing:
                asked_for = consumer_version is not None
                with connect() as connection:
                    report.missed += _queue_what_is_due(
                        connection, provider, missing, began=began, asked_for=asked_for, dry_run=dry_run
                    )
    return report


def _missing(
    client: BrokerClient,
    provider: VerifiedProvider,
    report: Reconciliation,
    consumer_version: tuple[str, str] | None,
) -> Iterator[MissingResult]:
    """Find the pacts that lack a result of one provider.

    Raises:
        BrokerError: The broker could not be asked.
        VersionUnknown: The provider that runs doesn't tell its version.
    """
    questions = Questions(client, provider.name)
    if consumer_version is None:
        pacts = questions.pacts()
    else:
        pact = questions.pact_of(*consumer_version)
        pacts = [] if pact is None else [pact]
    report.pacts += len(pacts)
    if not pacts:
        return
    for version in _versions(questions, provider, report):
        for pact in questions.lacking(pacts, version):
            missing = MissingResult(pact, version)
            try:
                check(_dispatch(provider, missing))
            except InvalidDispatch as error:
                report.notes.append(
                    f"{provider.name}: a pact with {pact.consumer[:100]!r} can't be queued: {error}"
                )
            else:
                yield missing


def _versions(
    questions: Questions, provider: VerifiedProvider, report: Reconciliation
) -> list[ProviderVersion]:
    """Return the versions that need results: the one that runs, or those that can be checked out and matter."""
    if not isinstance(provider, CheckoutProvider):
        return [ProviderVersion(_running_version(provider), provider.branch, "the version that runs")]
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


def _running_version(provider: VerifiedProvider) -> str | None:
    try:
        tls = provider.tls(os.environ)
    except ValueError as error:
        raise VersionUnknown(f"{error} (client_key_password)", retryable=True) from error
    return provider.running_version(tls)


def _queue_what_is_due(
    connection: Connection[Any],
    provider: VerifiedProvider,
    missing: Sequence[MissingResult],
    *,
    began: float,
    asked_for: bool,
    dry_run: bool,
) -> list[MissedDispatch]:
    """Queue the pacts that lack a result, those of one version of the provider in one run.

    Left out are those of which a run is under way, or has just ended and nobody asks for it. One that has got its
    result since `began`, when the broker was about to be asked, lacks none any more.
    """
    with connection.transaction():
        history.lock_reconciliation(connection)  # two at once would both find that there is no run
        earlier = {
            consumer: history.earlier_runs(connection, provider.name, consumer, days=REMEMBERED_DAYS)
            for consumer in {one.pact.consumer for one in missing}
        }
        asked_ago = time.monotonic() - began
        missing = [
            one
            for one in missing
            if not any(
                run.is_published
                and run.age is not None
                and run.age <= asked_ago
                and _is_about(run, provider, one)
                for run in earlier[one.pact.consumer]
            )
        ]
        found = [
            _as_it_stands(earlier[one.pact.consumer], provider, one, asked_for=asked_for) for one in missing
        ]
        if dry_run:
            return found
        due: dict[ProviderVersion, list[MissingResult]] = defaultdict(list)
        for one, dispatch in zip(missing, found, strict=True):
            if dispatch.state is State.WOULD_QUEUE:
                due[one.version].append(one)
        queued = {version: _queue(connection, provider, pacts) for version, pacts in due.items()}
    return [
        replace(dispatch, state=State.QUEUED, run=queued[one.version])
        if dispatch.state is State.WOULD_QUEUE
        else dispatch
        for one, dispatch in zip(missing, found, strict=True)
    ]


def _as_it_stands(
    earlier: Sequence[EarlierRun], provider: VerifiedProvider, missing: MissingResult, *, asked_for: bool
) -> MissedDispatch:
    """Return a pact that lacks a result, and whether it is due to be queued, by the runs of its consumer."""
    past = [run for run in earlier if _is_about(run, provider, missing)]
    parents = {run.parent_id for run in past}
    past = [run for run in past if run.id not in parents]  # each attempt counts once
    under_way = next((run for run in past if run.is_open), None)
    if under_way is not None:
        return _missed(provider, missing, State.UNDER_WAY, run=under_way.id)
    if asked_for:
        past = []
    if past and past[0].error_kind in HOPELESS:
        return _missed(provider, missing, State.UNUSABLE, run=past[0].id)
    if past:
        wait = TRIED_AGAIN.wait_after(len(past)) or 0.0
        wait -= min(run.age or 0.0 for run in past)
        if wait > 0:
            return _missed(provider, missing, State.TRIED, run=past[0].id, wait=wait)
    return _missed(provider, missing, State.WOULD_QUEUE)


def _dispatch(provider: VerifiedProvider, missing: MissingResult, *others: MissingResult) -> Dispatch:
    checkout = isinstance(provider, CheckoutProvider)
    sha = missing.version.number if checkout else None
    return Dispatch(
        repository=provider.repository,
        event_type=WebhookEvent.REQUIRING_VERIFICATION,
        pact_url=None if others else missing.pact.url,
        sha=sha.lower() if sha else None,
        branch=missing.version.branch if checkout else None,
        pact_urls=tuple(one.pact.url for one in (missing, *others)) if others else (),
    )


def _queue(connection: Connection[Any], provider: VerifiedProvider, missing: Sequence[MissingResult]) -> UUID:
    dispatch = _dispatch(provider, *missing)
    delivery = IncomingDelivery(
        Source.RECONCILE,
        sender="reconcile",
        repository=dispatch.repository,
        event_type=dispatch.event_type,
        payload={"event_type": dispatch.event_type, "client_payload": dispatch.payload},
    )
    accepted = deliveries.accept(
        connection,
        delivery,
        dispatch,
        provider=provider.name,
        lock=jobs.lock_of(provider.name, parallel=provider.parallel),
        reason=RunReason.RECONCILED,
    )
    assert isinstance(accepted, Accepted)  # noqa: S101 - none of this source repeats another one
    return accepted.run_id


def _is_about(run: EarlierRun, provider: VerifiedProvider, missing: MissingResult) -> bool:
    """Tell whether a run is about the same content and the same version of the provider."""
    version = missing.version.number
    if run.pact_url is None:
        urls = run.pact_urls
        consumer = missing.pact.consumer
        if urls is not None and not any(
            consumer_of(url) == consumer and _is_of(url, None, missing) for url in urls
        ):
            return False
    elif not _is_of(run.pact_url, run.consumer_version, missing):
        return False
    if version is None:
        return run.sha is None
    if run.sha is not None:
        return is_same(run.sha, version)
    # It asked for no version: it is about the one that runs.
    if run.provider_version:
        return is_same(run.provider_version, version)
    return not isinstance(provider, CheckoutProvider)


def _is_of(pact_url: str, consumer_version: str | None, missing: MissingResult) -> bool:
    """Tell whether a pact has the content that lacks a result."""
    pact, content = missing.pact, content_of(pact_url)
    if content is not None:
        return content == pact.content
    by_version = urlsplit(pact_url).path.endswith(f"/version/{quote(pact.consumer_version, safe='')}")
    return by_version or consumer_version == pact.consumer_version


def _missed(
    provider: VerifiedProvider,
    missing: MissingResult,
    state: State,
    *,
    run: UUID | None = None,
    wait: float | None = None,
) -> MissedDispatch:
    pact, version = missing.pact, missing.version
    return MissedDispatch(
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
