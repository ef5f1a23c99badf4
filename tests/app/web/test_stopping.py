"""A process that is to stop serves those who ask, and does not wait for those who might ask again."""

from __future__ import annotations

import select
import signal
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.support.processes import TIME_LIMIT
from tests.support.receiver import API_TOKEN, TOKEN, ReceiverProcess, configuration

if TYPE_CHECKING:
    from pathlib import Path

ASK = f"GET /api/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_TOKEN}\r\n\r\n".encode()
DISPATCH = b'{"event_type": "pact_changed"}'
BEGIN = (
    f"POST /repos/acme/products/dispatches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    f"Content-Type: application/json\r\nContent-Length: {len(DISPATCH)}\r\n\r\n"
).encode()


def answer_of(client: socket.socket) -> bytes:
    """Receive an answer whose connection stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65536)
    return head


def rest_of(client: socket.socket) -> bytes:
    """Receive all until the end of the connection."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def test_at_a_stop_only_connections_without_a_request_are_ended_at_once(
    tmp_path: Path, database_url: str
) -> None:
    config = configuration(
        "http://127.0.0.1:1", {"base_url": "http://127.0.0.1:1", "version": "1"}, server={"processes": 1}
    )
    with (
        ReceiverProcess(tmp_path, config, command="web", database_url=database_url) as web,
        ExitStack() as stack,
    ):

        def connected() -> socket.socket:
            port = urlsplit(web.url).port
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=TIME_LIMIT))

        # the one of which nothing is sent would be the first to end by a deadline
        older, asking, new, kept = (connected() for _ in range(4))
        asking.sendall(BEGIN + DISPATCH[:5])
        kept.sendall(ASK)
        assert b"200 OK" in answer_of(kept)  # and the others are accepted
        assert web.process is not None
        web.process.send_signal(signal.SIGTERM)

        assert kept in select.select([older, kept], [], [], TIME_LIMIT)[0]
        assert kept.recv(1) == b""
        new.sendall(ASK)
        asking.sendall(DISPATCH[5:])
        answer = rest_of(new)
        assert b"200 OK" in answer
        assert b"Connection: close" in answer
        assert b"422 UNPROCESSABLE" in rest_of(asking)
        older.close()
        assert web.process.wait(TIME_LIMIT) == 0
        assert "rror" not in web.output()
