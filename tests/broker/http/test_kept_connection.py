"""Requests on kept connections."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from broker.http import kept_connection
from broker.http.kept_connection import KeptConnections
from broker.http.limits import Limits
from tests.support.loopback import LoopbackServer

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler


class Apart(LoopbackServer):
    """Sends the head of each answer and its body apart, and keeps who asked."""

    protocol_version = "HTTP/1.1"

    def __init__(self) -> None:
        super().__init__()
        self.clients: list[int] = []

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        self.clients.append(handler.client_address[1])
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can acknowledge at once")
@pytest.mark.parametrize(("is_acknowledged", "connections"), [(True, 1), (False, 3)])
def test_a_connection_is_kept_where_that_costs_no_time(
    is_acknowledged: bool,  # noqa: FBT001
    connections: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept_connection, "IS_ACKNOWLEDGED_AT_ONCE", is_acknowledged)
    with Apart() as server:
        kept = KeptConnections(Limits(60, 1000))
        for body in (b"one", b"two", b"three"):
            assert kept.post(server.url, body, {}).content == body
    assert len(set(server.clients)) == connections
