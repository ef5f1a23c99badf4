"""Clients that send one dispatch after another, each on a connection of its own and in a process of its own."""

from __future__ import annotations

import json
import math
import multiprocessing
import socket
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier


@dataclass(frozen=True)
class Sent:
    """The outcome: requests per second, and the time of one in milliseconds."""

    clients: int
    per_second: float
    p50_ms: float
    p99_ms: float


BROKER = "http://broker.example.org"


def hammer(port: int, path: str, token: str, clients: int, seconds: float, *, broker: str = BROKER) -> Sent:
    """Send different dispatches for so many seconds, of pacts on a broker.

    Raises:
        AssertionError: One was not answered with 204.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(clients)
    with ProcessPoolExecutor(clients, context, initializer=_wait_at, initargs=(barrier,)) as pool:
        jobs = [pool.submit(_send, port, path, token, client, seconds, broker) for client in range(clients)]
        taken = sorted(time for job in jobs for time in job.result())
    return Sent(
        clients,
        len(taken) / seconds,
        statistics.median(taken) * 1000,
        taken[math.ceil(len(taken) * 0.99) - 1] * 1000,
    )


_start: list[Barrier] = []


def _wait_at(barrier: Barrier) -> None:
    _start.append(barrier)


def _send(port: int, path: str, token: str, client: int, seconds: float, broker: str) -> list[float]:
    """Send from one client, once all have started, and return the time of each request in seconds."""
    taken, number, run = [], 0, time.time_ns()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _start[0].wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            number += 1
            consumer = f"Consumer{client}-{run}-{number}"
            url = f"{broker}/pacts/provider/Products/consumer/{consumer}/version/1"
            body = json.dumps({"event_type": "pact_changed", "client_payload": {"pact_url": url}}).encode()
            head = (
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            began = time.perf_counter()
            connection.sendall(head.encode() + body)
            answer = b""
            while b"\r\n\r\n" not in answer:  # a 204 has no body
                piece = connection.recv(65536)
                assert piece, "the connection was closed"
                answer += piece
            taken.append(time.perf_counter() - began)
            assert answer.startswith(b"HTTP/1.1 204 "), answer[:300]
    return taken
