"""How soon dispatches are accepted, and changes are seen, while hundreds of pages are open."""

from __future__ import annotations

import bisect
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rich.table import Table

from benchmarks.dashboard_pages import headers_of_session
from benchmarks.live_pages import open_pages
from benchmarks.paced_load import send
from tests.support.receiver import TOKEN

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.live_pages import Refreshed
    from tests.support.receiver import ReceiverProcess

PER_SECOND = 20.0
"""The dispatches in a second."""
SECONDS_AFTER = 5.0
"""For how long the pages stay open after the last dispatch."""
PAGES_OF_ALL = frozenset({"/", "/runs"})
"""The pages that every dispatch changes."""


def measure(
    web: ReceiverProcess, console: Console, paths: list[str], *, providers: int, seconds: float
) -> list[dict[str, Any]]:
    """Measure dispatches and changes with no page open, and with all.

    Args:
        web: The web side.
        console: Where the figures are shown.
        paths: The pages.
        providers: The number of providers.
        seconds: How long dispatches are sent.
    """
    figures = [_measure(web, some, providers, seconds) for some in ([], paths)]
    table = Table(
        "", *(str(figure["pages"]) for figure in figures), title=f"Open pages, {PER_SECOND:.0f} dispatches/s"
    )
    for name in figures[-1]:
        table.add_row(name, *(_shown(figure.get(name)) for figure in figures))
    console.print(table)
    return figures


def _measure(web: ReceiverProcess, paths: list[str], providers: int, seconds: float) -> dict[str, Any]:
    """Return what dispatches took, what pages were told, and what the web processes took for both."""
    port, processes, conninfo = (
        urlsplit(web.url).port,
        [child for child in web.descendants() if not child.children()],
        web.database_url,
    )
    assert port is not None
    assert conninfo is not None
    with open_pages(port, headers_of_session(web.url), paths) as found:
        used = [sum(process.cpu_times()[:2]) for process in processes]
        sent = send(
            port, TOKEN, providers=providers, per_second=PER_SECOND, seconds=seconds, conninfo=conninfo
        )
        used = [
            sum(process.cpu_times()[:2]) - before for process, before in zip(processes, used, strict=True)
        ]
        memory = [process.memory_info().rss / 1e6 for process in processes]
        time.sleep(SECONDS_AFTER)
    figures: dict[str, Any] = {
        "pages": len(paths),
        **_percentiles("dispatches", [answered.seconds * 1000 for answered in sent]),
        "not accepted": sum(answered.status != 204 for answered in sent),
        "CPU of the web processes": " + ".join(
            f"{one / seconds:.0%}" for one in sorted(used, reverse=True)[:2]
        ),
        "MB of the web processes": " + ".join(f"{one:.0f}" for one in sorted(memory, reverse=True)[:2]),
    }
    if paths:
        figures |= _told(found.refreshed, [answered.at for answered in sent], paths)
        figures |= {"failures": len(found.failures), "a failure": next(iter(found.failures), "")}
    return figures


def _told(refreshed: list[Refreshed], changes: list[float], paths: list[str]) -> dict[str, Any]:
    """Return how long after a change the pages of all runs were told of it, and showed it.

    A page is told of several changes at once: what counts is the oldest that it was not told of before.
    """
    last: dict[int, float] = {}
    told, shown = [], []
    for one in sorted(refreshed, key=lambda one: one.told):
        index = bisect.bisect(changes, last.get(one.page, changes[0] - 1))
        if index < len(changes) and changes[index] < one.told and paths[one.page] in PAGES_OF_ALL:
            told.append((one.told - changes[index]) * 1000)
            shown.append((one.shown - changes[index]) * 1000)
        last[one.page] = one.told
    content = [(one.shown - one.told) * 1000 for one in refreshed]
    return {
        "events": len(refreshed),
        "pages that had events": len(last),
        **_percentiles("from a change to its event", told),
        **_percentiles("from a change to the new content", shown),
        **_percentiles("from an event to the new content", content),
    }


def _percentiles(name: str, milliseconds: list[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    return {
        f"{name}, {part} ms": ordered[int(len(ordered) * share)]
        for part, share in (("p50", 0.5), ("p99", 0.99))
        if ordered
    }


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
