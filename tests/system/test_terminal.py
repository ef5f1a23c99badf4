"""No stranger writes to the operator's terminal: each command on a terminal, amid hostile requests and answers."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.support.loopback import Loopback, Reply
from tests.support.processes import BIN, TIME_LIMIT
from tests.support.receiver import TOKEN, configuration, wait_until
from tests.support.running import OURS

if TYPE_CHECKING:
    from pathlib import Path

ESCAPE = "\x1b]52;c;Y2F0IC9ldGMvcGFzc3dk\x07\x1b[2J\x9b2J\x7f\u202e\u2028\u2066"
"""Writes to the clipboard, clears the screen, turns the direction of what follows."""
HOSTILE = f"{ESCAPE}\r\n2026-01-01T00:00:00Z [info     ] a line of its own"
QUOTED = "%1b%5d52;c;Y2F0%07%1b%5b2J%c2%9b2J%7f%e2%80%ae%e2%80%a8%0d%0a"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class OnTerminal:
    """A command on a terminal of its own; keeps what it writes there."""

    def __init__(
        self, folder: Path, *arguments: object, program: str = "pact-dispatch", **variables: str
    ) -> None:
        self._folder = folder
        self._command = [str(BIN / program), *map(str, arguments)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self._environment = kept | {"TERM": "xterm-256color", "COLUMNS": "500"} | variables
        self._written = bytearray()

    def __enter__(self) -> Self:
        self._reader, writer = pty.openpty()
        self.process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            env=self._environment,
            cwd=self._folder,
            start_new_session=True,
        )
        os.close(writer)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(TIME_LIMIT)
        self._thread.join(TIME_LIMIT)
        os.close(self._reader)

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._reader, 65536)
            except OSError:  # Linux: the last writer has closed it
                return
            if not part:
                return
            self._written += part

    @property
    def text(self) -> str:
        """What it has written, with plain line ends."""
        return self._written.decode(errors="surrogateescape").replace("\r\n", "\n")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until it has written something."""
        found: re.Match[str] = wait_until(
            lambda: re.search(pattern, self.text), pattern, context=lambda: self.text
        )
        return found

    def end(self) -> str:
        """Wait for its end, and return what it has written."""
        self.process.wait(TIME_LIMIT)
        self._thread.join(TIME_LIMIT)
        return self.text


def assert_harmless(text: str) -> None:
    lines = COLOUR.sub("", text).split("\n")
    assert [line for line in lines if not line.replace("\t", " ").isprintable()] == []
    assert [line for line in lines if line.startswith("2026-01-01T00:00:00Z")] == []


def send_raw(url: str, request: bytes) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=TIME_LIMIT) as connection:
        connection.sendall(request)
        with suppress(ConnectionResetError):  # it has not read all of it
            while connection.recv(65536):
                pass


def post(path: str, *headers: str, body: bytes = b"{}") -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "Content-Type: application/json", *headers, "", ""]).encode("latin-1") + body


def test_a_stranger_writes_nothing_to_the_console_of_serve(tmp_path: Path, database_url: str) -> None:
    config = tmp_path / "pact-dispatch.toml"
    config.write_text(configuration("http://127.0.0.1:1", {"base_url": "http://127.0.0.1:1", "version": "1"}))
    arguments = ("serve", "--config", config, "--data-dir", tmp_path / "data", "--bind", "127.0.0.1:0")
    secrets = {
        "PACT_DISPATCH_TOKENS": f"broker:{TOKEN}",
        "PACT_DISPATCH_WEBHOOK_SECRET": "x" * 20,
        "DATABASE_URL": database_url,
    }
    hostile = {"event_type": ESCAPE[:90], "client_payload": {"pact_url": HOSTILE, "sha": HOSTILE}}
    body = json.dumps(hostile).encode()
    with OnTerminal(tmp_path, *arguments, **secrets) as serve:
        url = serve.wait_for(r"listening on (http://\S+)")[1]
        for headers in ((), (f"Authorization: Bearer {TOKEN}",), ("Authorization: Bearer \x9b2J",)):
            for path in (f"/repos/{QUOTED}/x/dispatches", "/repos/acme/products/dispatches"):
                send_raw(url, post(path, "User-Agent: a\x9b2J", *headers, body=body))
        send_raw(url, post("/repos/\x1b]0;x\x07/products/dispatches", "User-Agent: \x1b[2J"))
        send_raw(url, post("/github/events", "X-GitHub-Event: \x1b[2J\x9b2J", "X-Hub-Signature-256: \x1b[2J"))
        send_raw(url, post("/github/events", f"X-GitHub-Delivery: {QUOTED}\x9b2J", "X-GitHub-Event: ping"))
        send_raw(url, b"\x1b[2J\x9b2J / HTTP/1.1\r\n\r\n")
        send_raw(url, b"GET /\x1b[2J HTTP/9\x1b[2J\r\nA\x1b[2J: \x9b2J\r\n\r\n")
        serve.wait_for("refused")
    assert_harmless(serve.text)


def test_a_stranger_writes_nothing_to_the_console_of_the_broker(tmp_path: Path) -> None:
    arguments = (
        "broker",
        "--bind",
        "127.0.0.1:0",
        "--database",
        tmp_path / "b.sqlite3",
        "--log-level",
        "debug",
    )
    with OnTerminal(tmp_path, *arguments) as broker:
        url = broker.wait_for(r"listening on (http://[^\s,]+)")[1]
        send_raw(url, post(f"/pacticipants/{QUOTED}", "User-Agent: a\x9b2J", "Referer: \x9b2J"))
        send_raw(url, post("/\x1b]0;x\x07\x9b2J", "User-Agent: \x9b2J"))
        send_raw(url, b"\x1b[2J\x9b2J / HTTP/1.1\r\n\r\n")
        broker.wait_for("POST /pacticipants")
    assert_harmless(broker.text)


HOSTILE_CONFIGURATION = f"""
[broker]
url = "BROKER"
[[providers]]
name = {json.dumps("P" + ESCAPE[:40])}
repository = "acme/products"
base_url = "http://127.0.0.1:1"
version = "1"
branch = {json.dumps(ESCAPE)}
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("check-config", "--config", "hostile.toml"),
        ("check-config", "--config", "plain.toml"),
        ("check-config", "--config", "plain.toml", "--online"),
        ("check-config", "--config", f"no{HOSTILE}.toml"),
        ("reconcile", "--config", "plain.toml", "--data-dir", "data", "--dry-run"),
        ("doctor", "--pact-broker-base-url", "BROKER", "--provider", "Products"),
        ("doctor", "--pact-broker-base-url", "BROKER", "--provider", HOSTILE, "--receiver", "BROKER"),
        ("webhooks", "list", "--pact-broker-base-url", "BROKER"),
        ("webhooks", "show", "--pact-broker-base-url", "BROKER", "S0meUUIDS0meUUIDS0meUU"),
        ("webhooks", "test", "--pact-broker-base-url", "BROKER", "S0meUUIDS0meUUIDS0meUU"),
        ("webhooks", "list", "--pact-broker-base-url", "BROKER", "--output", "yaml"),
        ("webhooks", "list", f"--{HOSTILE}"),
        ("setup", "--pact-broker-base-url", "BROKER", "--provider", HOSTILE, "--receiver", "BROKER"),
        ("nothing-of-this-name" + HOSTILE,),
        ("serve", "--config", "hostile.toml", "--bind", f"1{HOSTILE}"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]).encode("ascii", "ignore").decode()[:24],
)
def test_no_command_passes_escapes_on(arguments: tuple[str, ...], tmp_path: Path) -> None:
    webhook: dict[str, Any] = {
        "uuid": ESCAPE,
        "description": HOSTILE,
        "events": [{"name": HOSTILE}],
        "createdAt": HOSTILE,
        "request": {
            "method": HOSTILE,
            "url": HOSTILE,
            "headers": {HOSTILE: HOSTILE},
            "body": {HOSTILE: [HOSTILE]},
        },
        "name": HOSTILE,
        "number": HOSTILE,
        "error": HOSTILE,
        "message": HOSTILE,
        "errors": [HOSTILE],
        "_links": {
            "pb:webhooks": [{"href": "URL/webhooks/1", "name": HOSTILE, "title": HOSTILE}],
            "self": {"href": HOSTILE},
        },
        "_embedded": {"webhooks": [], "pacticipants": [{"name": HOSTILE}]},
    }
    replies = [Reply(200, webhook), Reply(200, webhook), Reply(422, webhook), Reply(400, HOSTILE)]
    with Loopback(replies) as broker:
        webhook["_links"]["pb:webhooks"][0]["href"] = f"{broker.url}/webhooks/1"
        (tmp_path / "hostile.toml").write_text(HOSTILE_CONFIGURATION.replace("BROKER", broker.url))
        plain = configuration(broker.url, {"base_url": "http://127.0.0.1:1", "version": "1"})
        (tmp_path / "plain.toml").write_text(plain)
        given = [argument.replace("BROKER", broker.url) for argument in arguments]
        with OnTerminal(tmp_path, *given, PACT_BROKER_TOKEN="a-token-of-the-broker") as command:
            text = command.end()
    assert text.strip()
    assert "Traceback" not in text
    assert_harmless(text)


def test_verify_passes_no_escapes_on(tmp_path: Path) -> None:
    pact = {
        "consumer": {"name": HOSTILE},
        "provider": {"name": HOSTILE},
        "interactions": [
            {
                "description": HOSTILE,
                "providerStates": [{"name": HOSTILE}],
                "request": {"method": "GET", "path": "/"},
                "response": {"status": 200, "body": {HOSTILE[:50]: HOSTILE}},
            }
        ],
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }
    (tmp_path / "pact.json").write_text(json.dumps(pact))
    noise = f"import os, sys; os.write(1, {HOSTILE.encode()!r} + b'\\n'); "
    server = "from http.server import *; HTTPServer(('', int(sys.argv[1])), SimpleHTTPRequestHandler).serve_forever()"
    (tmp_path / "provider.py").write_text(noise + server)
    options = ("--provider-command", "python3 provider.py {port}", "-v", "--wait", "60")
    with OnTerminal(tmp_path, "pact.json", *options, program="verify") as command:
        text = command.end()
    assert "provider |" in text
    assert_harmless(text)


@pytest.mark.parametrize("program", ["verify", "pact-dispatch"])
def test_the_help_is_coloured_on_a_terminal_alone(program: str, tmp_path: Path) -> None:
    with OnTerminal(tmp_path, "--help", program=program, COLUMNS="80") as command:
        coloured = command.end()
    plain = subprocess.run(
        [str(BIN / program), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80"},
    ).stdout
    assert COLOUR.search(coloured)
    assert "\x1b" not in plain
    assert COLOUR.sub("", coloured) == plain
    for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with OnTerminal(tmp_path, "--help", program=program, **{"COLUMNS": "80", **variables}) as command:
            assert command.end() == plain
