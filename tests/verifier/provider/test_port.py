"""Another process on the provider's port is never verified as the provider."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, Received, Reply, closed_port
from verifier.errors import CannotVerify, PortTaken
from verifier.progress import Progress
from verifier.provider.port import HIGHEST, LOWEST, free_port, is_listened_on, listeners
from verifier.provider.process import StartedProvider
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.verification import Outcome
from verifier.verifying.provider_session import PORT_TRIES

if TYPE_CHECKING:
    from verifier.verification import Verification

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a listener is")

SERVE = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()
class Server(http.server.HTTPServer):
    allow_reuse_address = False
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever(0.05)
"""
"""A provider that answers with a status, and fails if its port is in use."""
INTRUDER = """
import os, pathlib, subprocess, sys, time
import http.client
port, intruder = os.environ["PORT"], pathlib.Path("intruder")
if not intruder.exists():
    process = subprocess.Popen([sys.executable, "-c", sys.argv[1], "200"], start_new_session=True)
    intruder.write_text(str(process.pid))
    while True:
        try:
            http.client.HTTPConnection("127.0.0.1", int(port)).request("GET", "/")
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
"""
"""Start the server of the first argument outside of this process group, the first time, and wait until it listens."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    document = pact_document(
        http_interaction(request={"method": "GET", "path": "/"}, response={"status": 201})
    )
    (tmp_path / "pact.json").write_text(json.dumps(document))
    return tmp_path


def command(code: str, *arguments: str) -> str:
    return shlex.join([sys.executable, "-c", code, *arguments])


class Notices(Progress):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def notice(self, text: str) -> None:
        self.texts.append(text)


def verified(folder: Path, provider_command: str, progress: Progress | None = None) -> Verification:
    provider = ProviderUnderTest(command=provider_command, folder=folder)
    return verify(VerificationRequest(str(folder / "pact.json"), provider), progress)


def ready_alone(request: Received) -> Reply:
    """Answer a health check, and no interaction before the provider has found that it can't listen."""
    return Reply(hang=request.headers.get("user-agent") != "pact-dispatch")


def take_ports(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Have providers told to use these ports, and then free ones."""
    left = list(ports)
    monkeypatch.setattr("verifier.provider.process.free_port", lambda: left.pop(0) if left else free_port())


def test_port_is_free_and_outside_of_those_that_the_system_hands_out() -> None:
    port = free_port()
    assert LOWEST <= port <= HIGHEST
    assert not is_listened_on(port)
    if sys.platform == "linux":
        first, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        assert port < int(first)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])
def test_port_on_which_somebody_listens_is_not_free(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        try:
            listener.bind((host, 0))
        except OSError:
            pytest.skip(f"{host} does not exist here")
        listener.listen()
        taken, other = listener.getsockname()[1], closed_port()
        assert is_listened_on(taken)
        offsets = [taken - LOWEST, other - LOWEST]
        monkeypatch.setattr("secrets.randbelow", lambda _: offsets.pop(0))
        assert free_port() == other


@LINUX
def test_listener_that_accepts_nobody_at_the_moment_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.provider.port.CONNECT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as busy, ExitStack() as waiting:
        with suppress(TimeoutError):  # its queue is full then
            while True:
                waiting.enter_context(socket.create_connection(busy.getsockname(), timeout=0.1))
        assert is_listened_on(busy.getsockname()[1])


@LINUX
def test_listener_is_known_by_its_user() -> None:
    with Loopback(Reply()) as server:
        assert listeners(server.port) == {os.geteuid()}
        server.stop()  # which gives the port to nobody else
        assert listeners(server.port) == set()


def test_provider_whose_port_was_taken_gets_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other listener would break the contract; the provider honours it."""
    notices = Notices()
    with Loopback(ready_alone) as other:
        take_ports(monkeypatch, other.port)
        verification = verified(folder, command(SERVE, "201"), notices)
    assert verification.outcome == Outcome.PASSED, verification.error
    [notice] = notices.texts
    assert f"another process listens on its port {other.port}" in notice


def test_other_listener_that_honours_the_contract_is_not_taken_for_the_provider(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(Reply(201)) as other:
        take_ports(monkeypatch, other.port)
        verification = verified(folder, command(SERVE, "200"))
    assert verification.outcome == Outcome.FAILED, verification.error
    assert len(verification.interactions) == 1


def test_listener_that_takes_the_port_while_the_provider_starts_is_not_verified(folder: Path) -> None:
    """Nothing is replaced here: the command itself lets another process take its port, the first time."""
    try:
        verification = verified(folder, command(INTRUDER + SERVE.replace("sys.argv[1]", "201"), SERVE))
        assert verification.outcome == Outcome.PASSED, verification.error
    finally:
        os.kill(int((folder / "intruder").read_text()), signal.SIGKILL)


def test_port_that_is_taken_again_and_again_is_an_outage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(ready_alone) as other:
        take_ports(monkeypatch, *[other.port] * PORT_TRIES)
        verification = verified(folder, command(SERVE, "201"))
    assert verification.outcome == Outcome.ERROR
    assert verification.error is not None
    assert verification.error.kind == "provider-not-ready"
    assert verification.error.retryable
    assert "address already in use" in verification.error.output.lower()
    assert verification.interactions == ()


@LINUX
def test_other_listener_is_not_verified_for_a_provider_that_stays_without_a_port(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.provider.process.RELEASE_SECONDS", 0.1)
    with Loopback(Reply(201)) as other:
        take_ports(monkeypatch, *[other.port] * PORT_TRIES)
        verification = verified(folder, command("import time; time.sleep(60)"))
    assert verification.error is not None
    assert "not known which of them was verified" in verification.error.message


@LINUX
def test_listener_of_this_user_that_outlives_the_provider_is_not_the_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.provider.process.RELEASE_SECONDS", 0.1)
    with Loopback(Reply()) as other:
        take_ports(monkeypatch, other.port)
        with StartedProvider(command("import time; time.sleep(60)"), tmp_path) as provider:
            provider.stop()
            with pytest.raises(PortTaken, match=f"still listens on port {other.port}"):
                provider.check_port()


@pytest.mark.parametrize("users", [None, {0}])
def test_listener_that_may_be_a_container_is_noted(
    users: set[int] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.provider.process.RELEASE_SECONDS", 0.1)
    monkeypatch.setattr("verifier.provider.process.listeners", lambda _: users)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with Loopback(Reply()) as other:
        take_ports(monkeypatch, other.port)
        with StartedProvider(command("import time; time.sleep(60)"), tmp_path) as provider:
            provider.stop()
            assert f"port {other.port} after the provider was stopped" in provider.check_port()[0]


def test_port_of_a_provider_that_was_stopped_is_released(tmp_path: Path) -> None:
    with StartedProvider(command(SERVE, "200"), tmp_path) as provider:
        provider.stop()
        assert provider.check_port() == []


@pytest.mark.parametrize("code", ["import sys; sys.exit(3)", "import sys; sys.exit(0)"])
def test_provider_that_ends_for_another_reason_is_not_started_again(code: str, folder: Path) -> None:
    starts = folder / "starts"
    counted = f"open({str(starts)!r}, 'a').write('x'); {code}"
    verification = verified(folder, command(counted))
    assert verification.error is not None
    assert verification.error.kind == "provider-died"
    assert starts.read_text() == "x"


def test_port_taken_is_worth_another_try_later() -> None:
    error = PortTaken("taken")
    assert isinstance(error, CannotVerify)
    assert error.retryable
