"""What needs attention, in words: what is wrong, why, and the one thing to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from app.github.token import days_left, has_expired
from app.intake.refusal_words import words_of
from app.records.sightings import Seen
from app.web.context import link
from app.web.dashboard.overview.troubles import MOST_LINES, MOST_ROWS
from app.web.dashboard.rendering import address, pair_link, provider_link
from broker.text.brief import short_version
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from app.web.dashboard.overview.query import Overview
    from app.web.dashboard.overview.troubles import BrokenPair, Refusals, Runs, Troubles

T = TypeVar("T")

FAILED, ERROR = "failed", "error"


@dataclass(frozen=True)
class Line:
    """Something that needs attention.

    Attributes:
        id: What it is about: the same for as long as it is there.
        kind: `failed` for what somebody waits for, `error` for all else.
        what: What is wrong, in a sentence.
        cause: Why.
        page: Where to go on, as a link.
        action: What is done there.
        at: Since when, or when it is tried again; None where that doesn't matter.
        before: What stands before that time.
        to_do: How to fix it, where the page doesn't say it; with `code`.
    """

    id: str
    kind: str
    what: str
    cause: str
    page: str
    action: str
    at: datetime | None = None
    before: str = ""
    to_do: str = ""


def lines_of(overview: Overview, broker_url: str, now: datetime) -> list[Line]:
    """Return what needs attention, the most urgent first."""
    troubles = overview.troubles
    return [
        *_of_the_receiver(overview, broker_url, now),
        *_of_contracts(troubles),
        *_of_results(troubles),
        *_of_runs(troubles),
        *_of_dispatches(troubles),
        *_of_people(troubles),
    ]


def _of_the_receiver(overview: Overview, broker_url: str, now: datetime) -> Iterator[Line]:
    """What keeps everything from being done."""
    if not overview.state.workers:
        yield Line(
            "no-worker",
            FAILED,
            "No worker is alive.",
            "Dispatches are accepted and queued, and none is run. Start `pact-dispatch worker` (or `serve`), or look "
            "at its log.",
            link("/queue"),
            "Look at the queue",
        )
    broker = overview.seen.get(Seen.BROKER)
    if broker is not None and broker.error:
        yield Line(
            "broker",
            FAILED,
            f"The broker at {broker_url} does not answer the workers.",
            broker.error,
            link("/system"),
            "See the configuration",
            broker.at,
            "tried",
        )
    if overview.refusing:
        first, number = overview.refusing[0], len(overview.refusing)
        who = f"{count(number, 'process')} kept what {'it' if number == 1 else 'they'} had"
        yield Line(
            "configuration",
            ERROR,
            f"A change of the configuration was refused: {who}.",
            f"{first.kind} {first.name}: {first.refused}",
            link("/system"),
            "See the processes",
            to_do="Correct it before anything starts anew, which would not start with it; then `pact-dispatch reload`, "
            "which tells every mistake.",
        )
    token = overview.seen.get(Seen.GITHUB_TOKEN)
    expires = token.expires if token is not None else None
    if expires is not None and days_left(expires, now) is not None:
        gone = has_expired(expires, now)
        yield Line(
            "token",
            FAILED if gone else ERROR,
            f"The token for GitHub {'has expired' if gone else 'expires soon'}.",
            "Statuses of commits are not set without it, and nothing is passed on. Make a new one with the same "
            "rights, and restart the workers with it.",
            link("/system"),
            "See the configuration",
            expires,
            "expired" if gone else "expires",
        )


def _of_contracts(troubles: Troubles) -> Iterator[Line]:
    """What consumers wait for."""
    for pair in _shown(troubles.broken):
        yield _broken(pair)
    if len(troubles.broken) == MOST_LINES:
        yield Line(
            "more-broken",
            FAILED,
            "More contracts are broken.",
            "The providers with a broken contract stand first in the list below.",
            address("/runs", outcome="failed"),
            "All runs that failed",
        )


def _broken(pair: BrokenPair) -> Line:
    failed = "" if pair.failed is None else f"{count(pair.failed, 'interaction')} failed, "
    version = f"version {short_version(pair.provider_version)}" if pair.provider_version else "a version"
    branch = f" of {pair.provider_branch}" if pair.provider_branch else ""
    other = (
        f" with version {short_version(pair.consumer_version)} of {pair.consumer}"
        if pair.consumer_version
        else ""
    )
    return Line(
        f"broken {pair.provider} {pair.consumer}",
        FAILED,
        f"{pair.provider} breaks its contract with {pair.consumer}.",
        f"{failed}{version}{branch}{other}.",
        pair_link(pair.consumer, pair.provider),
        "See since when",
        pair.at,
    )


def _of_results(troubles: Troubles) -> Iterator[Line]:
    """What was found, and the broker has not."""
    for runs in _shown(troubles.not_taken):
        yield Line(
            f"not-taken {runs.provider}",
            FAILED,
            f"The broker does not take {_results(runs)}.",
            runs.error or "",
            link(f"/runs/{runs.run_id}"),
            "Publish again",
            runs.at,
        )
    for runs in _shown(troubles.not_published):
        yield Line(
            f"not-published {runs.provider}",
            ERROR,
            f"The broker has not taken {_results(runs)} yet; that is tried again by itself.",
            runs.error or "",
            link(f"/runs/{runs.run_id}"),
            "See the run",
            runs.at,
            "since",
        )


def _of_dispatches(troubles: Troubles) -> Iterator[Line]:
    """What doesn't come, or isn't let in."""
    for lost in _shown(troubles.lost_webhooks):
        yield Line(
            f"webhook {lost.provider}",
            ERROR,
            f"The webhook of {lost.provider} is broken.",
            f"{count(lost.number, 'run')} of the last 7 days came from looking for pacts without a result "
            "(`reconcile`), and no dispatch has arrived since the last of them.",
            provider_link(lost.provider),
            "Examine it",
            lost.at,
        )
    for refusals in troubles.refusals:
        yield _refused(refusals)


def _refused(refusals: Refusals) -> Line:
    words = words_of(refusals.reason)
    number = (
        f"{MOST_ROWS} deliveries or more were"
        if refusals.number == MOST_ROWS
        else _deliveries(refusals.number)
    )
    return Line(
        f"refused {refusals.reason}",
        ERROR,
        f"{number} refused in the last 24 hours: {refusals.reason}.",
        words.meaning,
        address("/deliveries", refusal=refusals.reason),
        "See them",
        refusals.at,
        "the last one",
        words.to_do,
    )


def _of_runs(troubles: Troubles) -> Iterator[Line]:
    """What comes to nothing."""
    for runs in _shown(troubles.unknown):
        yield Line(
            f"unknown {runs.provider}",
            ERROR,
            f"{count(runs.number, 'run')} {_wait(runs)} for {runs.provider}, which is not in the configuration.",
            "Add the provider to the configuration and restart the workers, or cancel the runs.",
            address("/runs", provider=runs.provider, status="waiting"),
            "See them",
            runs.at,
            "since",
        )
    for runs in _shown(troubles.after_error):
        yield Line(
            f"after-error {runs.provider}",
            ERROR,
            f"{count(runs.number, 'run')} of {runs.provider} {_wait(runs)} after an error.",
            runs.error or "",
            link(f"/runs/{runs.run_id}"),
            "See the run",
            runs.at,
            "the next attempt",
        )
    for runs in _shown(troubles.not_verified):
        of = count(runs.number, "consumer") if runs.number > 1 else (runs.consumer or "every pact")
        yield Line(
            f"not-verified {runs.provider}",
            ERROR,
            f"{runs.provider} could not be verified for {of}.",
            runs.error or "",
            link(f"/runs/{runs.run_id}"),
            "See the run",
            runs.at,
        )
    for failed in _shown(troubles.statuses):
        yield Line(
            f"statuses {failed.repository}",
            ERROR,
            f"GitHub has not taken {'a status' if failed.number == 1 else f'{failed.number} statuses'} of commits of "
            f"{failed.repository}.",
            failed.error or "",
            link("/system") + "#statuses",
            "See them",
            failed.at,
        )


def _of_people(troubles: Troubles) -> Iterator[Line]:
    """What somebody holds back."""
    for pause in _shown(troubles.paused):
        why = f": {pause.reason}" if pause.reason else ""
        yield Line(
            f"paused {pause.provider}",
            ERROR,
            f"{pause.provider} is paused.",
            f"Its runs are accepted, and wait. It was paused by {pause.by}{why}.",
            provider_link(pause.provider),
            "Resume it there",
            pause.at,
            "since",
        )


def _results(runs: Runs) -> str:
    of = f"of {runs.provider}"
    return (
        f"the result {of} for {runs.consumer}" if runs.number == 1 else f"{count(runs.number, 'result')} {of}"
    )


def _wait(runs: Runs) -> str:
    return "waits" if runs.number == 1 else "wait"


def _deliveries(number: int) -> str:
    return f"{count(number, 'delivery')} {'was' if number == 1 else 'were'}"


def _shown(found: Sequence[T]) -> Sequence[T]:
    return found[: MOST_LINES - 1]
