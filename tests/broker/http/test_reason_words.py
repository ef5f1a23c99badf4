"""Reasons of the system's errors are told in words, by one function."""

from __future__ import annotations

import ast
import errno
import socket
from pathlib import Path

import pytest

from broker.http.limited_request import send_request
from broker.http.limits import Limits
from broker.http.no_reply import NoReply, TooSlow
from broker.http.quick_status import quick_status
from broker.http.reason import no_whole_answer, why
from tests.support.loopback import Loopback, Reply, closed_port
from tests.support.paths import ROOT

SYSTEM = {"OSError", "ConnectionError", "ConnectionRefusedError", "FileNotFoundError", "PermissionError"}


@pytest.mark.parametrize(
    "ask", [lambda url: send_request("GET", url, limits=Limits(5, 100)), lambda url: quick_status(url, 5)]
)
def test_a_refused_connection_is_said_in_words(ask: object) -> None:
    with pytest.raises(NoReply) as raised:
        ask(f"http://127.0.0.1:{closed_port()}/")  # type: ignore[operator]
    assert str(raised.value) == "it refused the connection"


def test_other_reasons_have_no_numbers_of_the_system() -> None:
    with pytest.raises(OSError, match="Errno") as missing:
        Path("/nowhere").read_text(encoding="utf-8")
    with pytest.raises(OSError, match="Errno") as unknown:
        socket.getaddrinfo("no-such-host.invalid", 80)
    assert why(missing.value) == "No such file or directory"
    assert "Errno" not in why(unknown.value)
    assert why(ConnectionResetError(errno.ECONNRESET, "x")) == "it reset the connection"
    assert why(OSError(errno.ENOSPC, "")) == "No space left on device"
    assert why(OSError("without a number")) == "without a number"
    assert why(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")) == "it is not UTF-8 text"
    assert why(ValueError()) == "ValueError"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(60.0, "60"), (2, "2"), (0.3, "0.3"), (1.2345, "1.2"), (0.01, "0.1"), (12.7, "13")]
)
def test_a_limit_is_told_in_whole_seconds_or_with_one_decimal(seconds: float, shown: str) -> None:
    assert no_whole_answer(seconds) == f"no whole answer within {shown} s"


def test_the_limit_that_was_set_is_told_and_not_what_was_left_of_it() -> None:
    with Loopback(Reply(hang=True)) as server:
        with pytest.raises(TooSlow, match=r"^no whole answer within 30 s$"):
            send_request("GET", server.url, limits=Limits(0.0987, 100, stated=30.0))
        with pytest.raises(TooSlow, match=r"^no whole answer within 2 s$"):
            quick_status(server.url, 0.0987, stated=2.0)


def test_no_message_has_an_error_of_the_system_as_it_is() -> None:
    found = []
    for folder in ("app", "broker", "verifier"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ExceptHandler) and node.name and _catches_systems(node):
                    found += [f"{path.relative_to(ROOT)}:{line}" for line in _shown(node)]
    assert found == []


def _catches_systems(handler: ast.ExceptHandler) -> bool:
    caught = [] if handler.type is None else ast.walk(handler.type)
    return any(isinstance(one, ast.Name) and one.id in SYSTEM for one in caught)


def _shown(handler: ast.ExceptHandler) -> list[int]:
    """Give the lines in which the error is made a text as it is."""

    def is_error(node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == handler.name

    lines = []
    for node in ast.walk(handler):
        if isinstance(node, ast.FormattedValue) and is_error(node.value):
            lines.append(node.lineno)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str":
            lines += [node.lineno for argument in node.args if is_error(argument)]
    return lines
