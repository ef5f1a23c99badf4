"""What the list of runs reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.records import history, pact_runs, run_moments
from app.records.run import Publishing, RunStatus
from app.records.run_filters import HIDDEN, SHOWN, TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from psycopg import Connection

    from app.records.history import Place
    from app.records.pact_runs import PactCount
    from app.records.run import Run

OF_A_PACT = frozenset({"consumer", "pact_url", "version", "parent", TEXT})
"""The filters of those who look for a pact: with one of them each pact of a run for every pact has a row of its own."""
MOST_NEWER = 100
"""So many newer runs are counted."""


@dataclass(frozen=True)
class Row:
    """A run as the list shows it.

    Attributes:
        run: The run.
        pacts: What became of its pacts, if it is for every pact and some have an outcome.
        began: When its latest attempt has begun, if it runs.
    """

    run: Run
    pacts: PactCount | None
    began: datetime | None = None

    @property
    def remark(self) -> str | None:
        """What its outcome alone would hide."""
        if self.run.publishing is Publishing.REFUSED:
            return "not published"
        if self.run.publishing is Publishing.PENDING and self.run.status.ended:
            return "not published yet"
        return "pending" if self.run.pending and self.run.outcome == "failed" else None

    @property
    def error(self) -> str | None:
        """Why it has no answer, or its result was not taken."""
        return self.run.error or self.run.publish_error

    @property
    def took(self) -> float | None:
        """The seconds from the start of its first attempt to its end; None if it has not ended or never begun."""
        if self.run.finished_at is None or self.run.started_at is None:
            return None
        return max(0.0, (self.run.finished_at - self.run.started_at).total_seconds())


@dataclass(frozen=True)
class RunList:
    """A page of the list.

    Attributes:
        rows: Its runs, newest first.
        start: The place of the first one.
        end: The place after which the next page begins; None if this is the last one.
        newer: How many runs have come since the first page was shown.
    """

    rows: list[Row]
    start: Place | None
    end: Place | None
    newer: int


def with_pacts_chosen(filters: Mapping[str, str]) -> dict[str, str]:
    """Return filters that say whether the pacts of runs for every pact have rows of their own.

    They don't unless somebody looks for a pact: a push may have dozens.
    """
    return {"pacts": SHOWN if OF_A_PACT & filters.keys() else HIDDEN, **filters}


def read(
    connection: Connection[Any],
    filters: Mapping[str, str],
    *,
    limit: int,
    after: Place | None,
    top: Place | None,
) -> RunList:
    """Read a page of the list.

    Args:
        connection: The open connection.
        filters: Its filters.
        limit: How many runs it has at most.
        after: The place after which it begins; None for the first page.
        top: The place of the newest run when the first page was shown; None if that is not known.
    """
    page = history.page_of_runs(connection, filters, limit=limit, after=after)
    counts = pact_runs.counts_of(connection, [run.id for run in page.items if run.is_for_all_pacts])
    newer = 0
    if after is not None and top is not None and TEXT not in filters:
        newer = history.newer_runs(connection, filters, than=top, most=MOST_NEWER)
    first = page.items[0] if page.items else None
    running = [run for run in page.items if run.status is RunStatus.RUNNING]
    begins = run_moments.begins(connection, running) if running else {}
    return RunList(
        [Row(run, counts.get(run.id), begins.get(run.id, run.started_at)) for run in page.items],
        None if first is None else history.Place(first.created_at, first.id),
        page.end,
        newer,
    )
