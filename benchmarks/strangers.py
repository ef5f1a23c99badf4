"""How soon a valid dispatch is answered while thousands of strangers hold connections, in each of their ways."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests
from rich.table import Table

from tests.support.receiver import REPOSITORY, TOKEN, ReceiverProcess, configuration
from tests.support.slow_clients import SLOW_WAYS, SlowClients

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from rich.console import Console

STRANGERS = 2000
LIMIT_SECONDS = 1.0
"""By when a valid dispatch is answered."""
GIVEN_UP_SECONDS = 10.0
"""After how long the sender of a dispatch gives up."""


def measure(place: Path, console: Console, *, number: int, dispatches: int) -> list[dict[str, Any]]:
    """Send valid dispatches, each on a connection of its own, while so many strangers are there.

    Args:
        place: A folder for the receiver.
        console: Where the figures are shown.
        number: The number of strangers.
        dispatches: The number of dispatches for each of the ways.
    """
    provider = {"base_url": "http://127.0.0.1:1", "version": "1"}
    secret = {"PACT_DISPATCH_WEBHOOK_SECRET": "a-secret-of-the-webhooks"}
    figures: list[dict[str, Any]] = []
    with ReceiverProcess(
        place, configuration("http://broker.example.org", provider), command="web", environment=secret
    ) as web:
        for name in SLOW_WAYS:
            with _strangers(int(web.url.rsplit(":", 1)[1]), name, number):
                taken = [_dispatch(web.url, f"{name}-{one}") for one in range(dispatches)]
            answered = sorted(seconds for seconds in taken if seconds is not None)
            figures.append(
                {
                    "way": name,
                    "strangers": number,
                    "dispatches": dispatches,
                    "answered": len(answered),
                    "median_ms": answered[len(answered) // 2] * 1000 if answered else None,
                    "slowest_ms": answered[-1] * 1000 if answered else None,
                    "reached": len(answered) == dispatches and answered[-1] < LIMIT_SECONDS,
                }
            )
    table = Table(
        "strangers' way",
        "answered",
        "median",
        "slowest",
        "",
        title=f"A valid dispatch, among {number} slow connections",
    )
    for figure in figures:
        table.add_row(
            figure["way"],
            f"{figure['answered']} of {dispatches}",
            *(
                f"{figure[key]:.0f} ms" if figure[key] is not None else "-"
                for key in ("median_ms", "slowest_ms")
            ),
            f"limit {LIMIT_SECONDS:g} s: {'ok' if figure['reached'] else 'NOT ok'}",
        )
    console.print(table)
    return figures


def _dispatch(url: str, consumer: str) -> float | None:
    """Send a dispatch, and return the seconds until its 204; None if it got none."""
    pact_url = (
        f"http://broker.example.org/pacts/provider/Products/consumer/{consumer.replace(' ', '-')}/version/1"
    )
    began = time.perf_counter()
    try:
        answer = requests.post(
            f"{url}/repos/{REPOSITORY}/dispatches",
            json={"event_type": "pact_changed", "client_payload": {"pact_url": pact_url}},
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=GIVEN_UP_SECONDS,
        )
    except requests.RequestException:
        return None
    taken = time.perf_counter() - began
    time.sleep(0.1)
    return taken if answer.status_code == 204 else None


@contextmanager
def _strangers(port: int, name: str, number: int) -> Iterator[None]:
    """Have strangers in a process of their own; all of them have come once when the block begins."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_hold, args=(theirs, port, name, number))
    process.start()
    try:
        ours.recv()
        yield
    finally:
        ours.send(None)
        process.join()


def _hold(pipe: Connection, port: int, name: str, number: int) -> None:
    with SlowClients(port, SLOW_WAYS[name], number) as clients:
        end = time.monotonic() + 20
        while clients.connected < number and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(1)
        pipe.send(None)
        pipe.recv()
