"""Waiting until the provider answers."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.support.loopback import Loopback, Received, Reply, closed_port
from tests.support.raw_server import RawServer
from verifier.errors import CannotVerify, ErrorKind
from verifier.provider import readiness
from verifier.provider.readiness import wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path


def alive() -> None:
    """Say that nothing speaks against waiting."""


def soon() -> float:
    return time.monotonic() + 60


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each health check the time that it takes where everything waits for a processor."""
    monkeypatch.setattr(readiness, "ANSWER_SECONDS", 60.0)


@pytest.mark.parametrize("status", [200, 204, 301, 401, 404, 405, 499])
def test_any_status_under_500_is_ready(status: int) -> None:
    with Loopback(Reply(status, headers={"Location": "http://127.0.0.1:1/"})) as provider:
        ready = wait_until_ready((provider.url,), "/", wait=60, deadline=soon(), check_alive=alive)
    assert ready == provider.url
    assert len(provider.received) == 1, "a redirect is an answer, and not followed"


def test_provider_that_answers_503_is_not_ready_until_it_changes() -> None:
    with Loopback([Reply(503), Reply(500), Reply(200)]) as provider:
        wait_until_ready((provider.url,), "/health", wait=60, deadline=soon(), check_alive=alive)
    assert [request.path for request in provider.received] == ["/health"] * 3


@pytest.mark.parametrize(
    ("base", "health_path", "path"),
    [("", "/", "/"), ("/api/", "/health?full=1", "/api/health?full=1"), ("/api", "health", "/api/health")],
)
def test_health_path_stands_below_the_base_url(base: str, health_path: str, path: str) -> None:
    with Loopback(Reply()) as provider:
        wait_until_ready((provider.url + base,), health_path, wait=60, deadline=soon(), check_alive=alive)
    assert provider.received[0].path == path


def test_the_candidate_that_answers_is_the_provider() -> None:
    with Loopback(Reply()) as provider:
        nobody = f"http://127.0.0.1:{closed_port()}"
        ready = wait_until_ready((nobody, provider.url), "/", wait=60, deadline=soon(), check_alive=alive)
    assert ready == provider.url


def not_ready(url: str, *, wait: float = 0.3, deadline: Callable[[], float] = soon) -> CannotVerify:
    with pytest.raises(CannotVerify, match="did not become ready") as error:
        wait_until_ready((url,), "/health", wait=wait, deadline=deadline(), check_alive=alive)
    assert error.value.kind == "provider-not-ready"
    assert error.value.retryable
    assert f"{url}/health" in str(error.value)
    return error.value


def test_nobody_there_is_not_ready() -> None:
    error = not_ready(f"http://127.0.0.1:{closed_port()}")
    assert "refused" in str(error)


def let_time_pass(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the time pass between two health checks, and none during one."""
    passed = [0.0]
    clock = SimpleNamespace(monotonic=lambda: sum(passed), sleep=lambda _: passed.append(seconds))
    monkeypatch.setattr(readiness, "time", clock)


def test_503_to_the_end_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    let_time_pass(monkeypatch, 20)
    with Loopback(Reply(503)) as provider:
        assert "it answered 503" in str(not_ready(provider.url, wait=60))
        assert len(provider.received) > 1


def test_a_check_that_was_cut_short_does_not_hide_what_was_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_time_pass(monkeypatch, 59.9)
    with Loopback([Reply(503), Reply(hang=True)]) as provider:
        assert "it answered 503" in str(not_ready(provider.url, wait=60))
        assert len(provider.received) > 1


def test_provider_that_hangs_is_not_ready() -> None:
    with Loopback(Reply(hang=True)) as provider:
        assert "no whole answer within" in str(not_ready(provider.url))


@pytest.mark.parametrize("drip", ["nothing", "status", "headers", "100 Continue"])
def test_provider_that_drips_is_not_ready(drip: str) -> None:
    with RawServer.dripping(drip) as provider:
        assert "no whole answer within" in str(not_ready(provider.url))


@pytest.mark.parametrize("drip", ["body", "body of a length", "size of a chunk"])
def test_the_body_of_a_health_check_is_not_read(drip: str) -> None:
    with RawServer.dripping(drip) as provider:
        wait_until_ready((provider.url,), "/", wait=50, deadline=soon(), check_alive=alive)


class Large(Loopback):
    """Answers with some megabytes, in pieces, and keeps what went wrong at that."""

    broken: OSError | None = None

    def __init__(self, certificate: Path | None) -> None:
        super().__init__(Reply(), certificate=certificate)
        self.ended = threading.Event()

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        self.take(Received(handler.command, handler.path, {}, body))
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(30):
                handler.wfile.write(b"x" * 100_000)
        except OSError as error:
            self.broken = error
        self.ended.set()


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_a_provider_is_listened_to_until_its_answer_ends(tmp_path: Path, *, is_tls: bool) -> None:
    certificate = tmp_path / "server.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    with Large(certificate if is_tls else None) as provider:
        wait_until_ready((provider.url,), "/", wait=50, deadline=soon(), check_alive=alive)
        assert provider.ended.wait(60)
        assert provider.broken is None


def test_deadline_of_the_run_ends_the_wait() -> None:
    error = not_ready(f"http://127.0.0.1:{closed_port()}", wait=50, deadline=lambda: time.monotonic() + 0.2)
    assert "before time ran out (--timeout)" in str(error)


def test_wait_ends_when_the_provider_is_gone() -> None:
    def gone() -> None:
        raise CannotVerify("it ended", kind=ErrorKind.PROVIDER_DIED)

    with pytest.raises(CannotVerify, match="it ended"):
        wait_until_ready(
            (f"http://127.0.0.1:{closed_port()}",), "/", wait=50, deadline=soon(), check_alive=gone
        )
