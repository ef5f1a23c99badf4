"""A run of many pacts: one that can't be verified doesn't keep the others from it, and no stranger is verified."""

from __future__ import annotations

import gc
import json
import shlex
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, LoopbackServer, Received, Reply
from verifier.engine.process import Engine
from verifier.errors import UsageError
from verifier.many.request import ManyRequest
from verifier.many.run import verify_many
from verifier.progress import Progress
from verifier.provider.port import free_port
from verifier.request import LEAST_MEMORY, ProviderUnderTest, VerificationRequest

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from verifier.many.fetching import PlannedPact
    from verifier.report.run_findings import RunFindings
    from verifier.verification import Verification

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
SERVE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever(0.05)
"""
SLEEP_ONCE = """
import os, pathlib, sys, time
slept = pathlib.Path("slept")
if not slept.exists():
    slept.touch()
    time.sleep(60)
exec(sys.argv[1])
"""
"""A provider that never listens the first time, and doesn't end either."""


class Notices(Progress):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def notice(self, text: str) -> None:
        self.texts.append(text)


def files(folder: Path, *paths: str) -> tuple[str, ...]:
    """Write a pact for each path, which is to answer 201."""
    found = []
    for number, path in enumerate(paths):
        one = http_interaction(request={"method": "GET", "path": path}, response={"status": 201})
        file = folder / f"{number}.json"
        consumer = {"consumer": {"name": f"Consumer {number}"}}
        file.write_text(json.dumps(pact_document(one, **consumer)), encoding="utf-8")
        found.append(str(file))
    return tuple(found)


def verified(
    provider: ProviderUnderTest,
    pacts: tuple[str, ...],
    progress: Progress | None = None,
    timeout: float = 600,
) -> RunFindings:
    template = VerificationRequest(pact_url=pacts[0], provider=provider, timeout=timeout)
    with Engine() as engine:
        return verify_many(ManyRequest(template, pacts), engine, progress)


def outcomes(findings: RunFindings) -> list[str]:
    """Return the outcome of each pact, or the kind of its error."""
    found = (pact.verification for pact in findings.pacts)
    return [str(one.error.kind if one.error else one.outcome) for one in found]


@LINUX
def test_another_listener_is_not_verified_for_a_provider_that_does_not_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results are published before the provider is stopped, so it must be known before."""
    notices = Notices()
    command = shlex.join([sys.executable, "-c", SLEEP_ONCE, SERVE])
    with Loopback(Reply(200)) as other:
        ports = [other.port]
        monkeypatch.setattr(
            "verifier.provider.process.free_port", lambda: ports.pop() if ports else free_port()
        )
        findings = verified(
            ProviderUnderTest(command=command, folder=tmp_path), files(tmp_path, "/a", "/b"), notices
        )
    assert outcomes(findings) == ["passed", "passed"]
    [notice] = notices.texts
    assert f"another process listens on port {other.port}" in notice


class Flood(LoopbackServer):
    """Answers 201, with many bytes where the path says so."""

    def serve(self, handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(201)
        handler.send_header("Content-Type", "text/plain")
        handler.end_headers()
        left = 1024 * 1024 * 1024 if handler.path.startswith("/flood") else 0
        try:
            while left > 0:
                left -= handler.wfile.write(b"x" * 262_144)
        except OSError:
            pass  # nobody reads any more


def test_what_is_amiss_with_how_all_pacts_are_verified_is_said_once() -> None:
    one: dict[str, object] = http_interaction(
        request={"method": "GET", "path": "/a"}, response={"status": 201}
    )
    one["providerStates"] = [{"name": "there are things"}]
    pact = Reply(body=json.dumps(pact_document(one)).encode())
    notices = Notices()
    with Loopback(pact) as broker, Loopback(Reply(201)) as server, Engine() as engine:
        urls = tuple(f"{broker.url}/pacts/{number}" for number in range(3))
        template = VerificationRequest(
            pact_url=urls[0],
            provider=ProviderUnderTest(base_url=server.url),
            provider_version="1",
            publish=True,
        )
        verify_many(ManyRequest(template, urls), engine, notices)
    [said] = [text for text in notices.texts if "nothing sets them up" in text]
    assert said.endswith("; said once for all pacts")


def test_what_is_given_away_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What earlier tests have left is collected here, too. pytest keeps an exception that comes of that until the test
    # has ended, and with it the frames that it was raised below, and all that is in them.
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    kept: list[weakref.ref[Verification]] = []
    there: list[int] = []

    def keep(_: PlannedPact, verification: Verification) -> None:
        kept.append(weakref.ref(verification))
        gc.collect()
        there.append(sum(one() is not None for one in kept))

    with Loopback(Reply(201)) as server, Engine() as engine:
        pacts = files(tmp_path, "/a", "/b", "/c")
        template = VerificationRequest(pacts[0], provider=ProviderUnderTest(base_url=server.url))
        findings = verify_many(ManyRequest(template, pacts), engine, keep=keep)
    assert there == [1, 1, 1]
    assert (findings.pacts, findings.planned) == ((), 3)


@LINUX
def test_an_engine_that_ended_at_one_pact_is_replaced_for_the_others(tmp_path: Path) -> None:
    with Flood() as server:
        provider = ProviderUnderTest(base_url=server.url, memory_limit=LEAST_MEMORY, request_timeout=60)
        findings = verified(provider, files(tmp_path, "/a", "/flood", "/b"))
    assert outcomes(findings) == ["passed", "out-of-memory", "passed"]


def test_when_time_is_out_the_rest_is_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timeout = 600
    now, is_over = time.monotonic, threading.Event()
    monkeypatch.setattr(time, "monotonic", lambda: now() + (timeout if is_over.is_set() else 0))

    def answer(request: Received) -> Reply:
        if request.path == "/b":  # time is out once it is asked for, however long the first one took
            is_over.set()
        return Reply(201, hang=request.path == "/b")

    with Loopback(answer) as server:
        provider = ProviderUnderTest(base_url=server.url, request_timeout=3600)
        findings = verified(provider, files(tmp_path, "/a", "/b", "/c"), timeout=timeout)
        asked = {request.path for request in server.received}
    assert outcomes(findings) == ["passed", "timed-out", "timed-out"]
    assert "/c" not in asked


def test_a_pact_that_is_none_and_a_plugin_that_is_missing_leave_the_others(tmp_path: Path) -> None:
    pacts = files(tmp_path, "/a", "/b")
    none = tmp_path / "none.json"
    none.write_text("[]", encoding="utf-8")
    needy = tmp_path / "needy.json"
    plugin = {"pactSpecification": {"version": "4.0"}, "plugins": [{"name": "nobody-has-it", "version": "1"}]}
    document = pact_document({**http_interaction(), "type": "Synchronous/HTTP"}, metadata=plugin)
    needy.write_text(json.dumps(document), encoding="utf-8")
    gone = str(tmp_path / "gone.json")
    with Loopback(Reply(201)) as server:
        order = (str(none), pacts[0], str(needy), gone, pacts[1])
        findings = verified(ProviderUnderTest(base_url=server.url), order)
    assert outcomes(findings) == ["not-a-pact", "passed", "engine-failed", "pact-unavailable", "passed"]


def test_state_handlers_that_can_not_be_loaded_are_a_mistake_and_no_outage(tmp_path: Path) -> None:
    states = tmp_path / "states.py"
    states.write_text("def handlers(:", encoding="utf-8")
    with Loopback(Reply(201)) as server:
        provider = ProviderUnderTest(base_url=server.url, states_file=(str(states), "handlers"))
        with pytest.raises(UsageError):
            verified(provider, files(tmp_path, "/a", "/b"))


def test_the_run_ends_at_the_first_pact_that_is_not_passed_if_that_is_wanted(tmp_path: Path) -> None:
    with Loopback(lambda request: Reply(500 if request.path == "/b" else 201)) as server:
        provider = ProviderUnderTest(base_url=server.url, ends_at_first=True)
        findings = verified(provider, files(tmp_path, "/a", "/b", "/c"))
        asked = [request.path for request in server.received]
    assert outcomes(findings) == ["passed", "failed", "not-reached"]
    assert "/c" not in asked
