"""How each provider stands: what waits and runs, and how its latest run ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from psycopg import Connection

OPEN = """
SELECT provider, count(*) FILTER (WHERE status = 'waiting'), count(*) FILTER (WHERE status = 'running')
FROM runs WHERE status IN ('waiting', 'running') AND provider = ANY(%(names)s::text[]) GROUP BY provider
"""
RESULTS = """
SELECT provider, (array_agg(outcome ORDER BY ended_at DESC))[1], max(ended_at), count(*) FILTER (WHERE broken)
FROM latest_results WHERE provider = ANY(%(names)s::text[]) GROUP BY provider
"""


@dataclass(frozen=True)
class Standing:
    """How a provider stands.

    Attributes:
        waiting: How many of its runs wait.
        running: How many of them run.
        outcome: The outcome of the run that ended last; None if there is none.
        ended_at: When that was known.
        broken: With how many consumers its contract is broken.
    """

    waiting: int = 0
    running: int = 0
    outcome: str | None = None
    ended_at: datetime | None = None
    broken: int = 0


def standings(connection: Connection[Any], providers: Iterable[str]) -> dict[str, Standing]:
    """Return how those of some providers stand that have runs or results, by their names."""
    names = {"names": list(providers)}
    found = {
        provider: Standing(waiting, running)
        for provider, waiting, running in connection.execute(OPEN, names).fetchall()
    }
    for provider, outcome, ended_at, broken in connection.execute(RESULTS, names).fetchall():
        known = found.get(provider, Standing())
        found[provider] = replace(known, outcome=outcome, ended_at=ended_at, broken=broken)
    return found
