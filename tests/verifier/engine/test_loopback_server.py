"""The server that the core asks: it outlives whatever one request brings, and ends when it is told to."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import closing
from typing import BinaryIO

import pytest

from verifier.engine.loopback_server import LoopbackServer


def first_line(request: BinaryIO) -> bytes | None:
    line = request.readline()
    if line == b"fail\n":
        raise ValueError("no such request")
    return line or None


def asked(server: LoopbackServer, line: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


def test_each_request_is_answered_on_its_connection() -> None:
    with closing(LoopbackServer("test", first_line)) as server:
        assert [asked(server, line) for line in (b"one\n", b"two\n")] == [b"one\n", b"two\n"]


def test_request_without_an_answer_has_its_connection_closed() -> None:
    with closing(LoopbackServer("test", first_line)) as server:
        assert asked(server, b"") == b""
        assert asked(server, b"one\n") == b"one\n"


def test_request_that_can_not_be_answered_is_told_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda _kind, error, _trace: told.append(str(error)))
    with closing(LoopbackServer("test", first_line)) as server:
        assert asked(server, b"fail\n") == b""
        assert asked(server, b"one\n") == b"one\n"
    assert told == ["no such request"]


def test_client_that_gives_up_ends_nothing() -> None:
    read, gone = threading.Event(), threading.Event()

    def large(request: BinaryIO) -> bytes | None:
        if request.readline() == b"one\n":
            return b"one\n"
        read.set()
        gone.wait(60)
        return b"x" * 2**24

    with closing(LoopbackServer("test", large)) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(b"large\n")
            assert read.wait(60)
        gone.set()
        assert asked(server, b"one\n") == b"one\n"


def test_close_waits_for_the_request_that_is_being_answered() -> None:
    read, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def slow(request: BinaryIO) -> bytes | None:
        request.readline()
        read.set()
        go_on.wait(60)
        done.set()
        return None

    server = LoopbackServer("test", slow)
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(b"one\n")
        assert read.wait(60)
        closing_it = threading.Thread(target=server.close)
        closing_it.start()
        assert not done.is_set()
        go_on.set()
        closing_it.join(60)
        assert not closing_it.is_alive()
        assert done.is_set()
    with pytest.raises(ConnectionRefusedError):
        asked(server, b"one\n")
