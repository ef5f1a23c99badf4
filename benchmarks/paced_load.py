"""Dispatches at a steady rate, and the changes that a worker makes to their runs, in a process of their own.

Each dispatch is sent at its time, on a connection of its own as brokers do, whether or not those before are answered.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import psycopg

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINE = "10:00:00.000 GET /products/1 answered 200"
WORKER = (
    "UPDATE runs SET status = 'running', attempt = 1, started_at = now(), worker = 'benchmark' WHERE id = %(id)s",
    f"INSERT INTO run_log_chunks (run_id, first_line, lines, text) VALUES (%(id)s, 0, 1, '{_LINE}')",
    "UPDATE runs SET outcome = 'passed', publishing = 'pending', verified_at = now() WHERE id = %(id)s",
    "UPDATE runs SET status = 'finished', publishing = 'published', finished_at = now() WHERE id = %(id)s",
    "DELETE FROM procrastinate_jobs WHERE id = %(job)s",
)
"""What a worker stores of a run, in the order of its transactions."""
WORKER_SECONDS = 0.25
"""How often the waiting runs are taken."""


class Answered(NamedTuple):
    """The answer to a dispatch.

    Attributes:
        at: When it came, by the monotonic clock.
        seconds: How long after the time at which the dispatch was to be sent.
        status: The status.
    """

    at: float
    seconds: float
    status: int


def send(
    port: int,
    token: str,
    *,
    providers: int,
    per_second: float,
    seconds: float,
    conninfo: str,
) -> list[Answered]:
    """Send dispatches, and return their answers.

    Args:
        port: The port of the web side.
        token: A token that may dispatch.
        providers: How many there are; each dispatch is for the next one.
        per_second: How many are sent in a second.
        seconds: For how long.
        conninfo: The database, in which the runs of these dispatches come to their end.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_send, port, token, providers, per_second, seconds, conninfo).result()


def _send(
    port: int, token: str, providers: int, per_second: float, seconds: float, conninfo: str
) -> list[Answered]:
    return asyncio.run(_send_all(port, token, providers, per_second, seconds, conninfo))


async def _send_all(
    port: int, token: str, providers: int, per_second: float, seconds: float, conninfo: str
) -> list[Answered]:
    began, run = time.monotonic(), time.time_ns()
    work = asyncio.create_task(asyncio.to_thread(_work, conninfo, f"%/pact-version/{run}-%", began + seconds))
    sent = []
    for number in range(int(per_second * seconds)):
        due = began + number / per_second
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        provider = f"Provider {number % providers + 1:04}"
        sent.append(asyncio.create_task(_dispatch(port, token, provider, f"{run}-{number}", due)))
    answered = await asyncio.gather(*sent)
    await work
    return answered


async def _dispatch(port: int, token: str, provider: str, version: str, due: float) -> Answered:
    url = f"http://broker.example.org/pacts/provider/{quote(provider)}/consumer/Consumer%20037/pact-version/{version}"
    payload = {"event_type": "pact_changed", "client_payload": {"pact_url": url}}
    body = json.dumps(payload).encode()
    repository = f"acme/{provider.lower().replace(' ', '-')}"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST /repos/{repository}/dispatches HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    answer = await reader.readline()
    at = time.monotonic()
    writer.close()
    return Answered(at, at - due, int(answer.split()[1]))


def _work(conninfo: str, pacts: str, until: float) -> None:
    """Bring the waiting runs of these pacts to their end, as a worker does."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while time.monotonic() < until:
            time.sleep(WORKER_SECONDS)
            waiting: Sequence[Any] = connection.execute(
                "SELECT id, job_id FROM runs WHERE status = 'waiting' AND pact_url LIKE %s", [pacts]
            ).fetchall()
            for run_id, job_id in waiting:
                for statement in WORKER:
                    connection.execute(statement.encode(), {"id": run_id, "job": job_id})
