"""What the page of a consumer and a provider reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.records import history, pair_history
from app.records.pair_history import MOST_ANSWERS, by_branch, streak_of
from app.records.run_filters import SHOWN

if TYPE_CHECKING:
    from psycopg import Connection

    from app.records.pair_history import Answer, Streak
    from app.records.run import Run

MOST_RUNS = 30
"""So many runs are listed; the list of runs has the others."""
MOST_BRANCHES = 20
MOST_BARS = 60
"""So many outcomes are in the chart."""


@dataclass(frozen=True)
class Branch:
    """What a branch of the provider makes of the pact.

    Attributes:
        name: Its name; None of versions that have none.
        latest: The latest run, which may have ended with an error.
        streak: Since when it has been so; None if no run has passed or failed.
    """

    name: str | None
    latest: Answer
    streak: Streak | None


@dataclass(frozen=True)
class Pair:
    """A consumer and a provider.

    Attributes:
        runs: The latest runs, newest first, those that wait and run among them.
        branches: The provider's branches; the first one is that of the configuration, or else that of the newest run.
        others: How many more branches there are.
        bars: The latest outcomes, oldest first.
        is_whole: Whether all runs were looked through.
    """

    runs: list[Run]
    branches: list[Branch]
    others: int
    bars: list[Answer]
    is_whole: bool


def read(connection: Connection[Any], provider: str, consumer: str, *, branch: str | None) -> Pair:
    """Read what there is of a consumer and a provider.

    Args:
        connection: The open connection.
        provider: The provider's name.
        consumer: The consumer's name.
        branch: The provider's branch that is shown first.
    """
    filters = {"provider": provider, "consumer": consumer, "pacts": SHOWN}
    page = history.page_of_runs(connection, filters, limit=MOST_RUNS, after=None)
    answers = pair_history.answers(connection, provider, consumer)
    branches = [
        Branch(name, told[0], streak_of(told))
        for name, told in sorted(by_branch(answers).items(), key=lambda found: found[0] != branch)
    ]
    return Pair(
        page.items,
        branches[:MOST_BRANCHES],
        max(0, len(branches) - MOST_BRANCHES),
        answers[:MOST_BARS][::-1],
        len(answers) < MOST_ANSWERS,
    )
