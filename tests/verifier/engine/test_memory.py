"""A provider whose answer is endless ends its verification, and neither the machine nor the contract."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import LoopbackServer
from verifier.engine.process import Engine
from verifier.errors import ErrorKind
from verifier.request import LEAST_MEMORY, ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.verification import Outcome

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from verifier.verification import Verification

ENDLESS = 1024 * 1024 * 1024
PART = b"x" * 262_144

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere only the most that was used is known"
)


class Flood(LoopbackServer):
    """Answers with as many bytes as the path says."""

    def serve(self, handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.end_headers()
        left = int(handler.path.rpartition("/")[2] or 0)
        try:
            while left > 0:
                left -= handler.wfile.write(PART[:left])
        except OSError:
            pass  # nobody reads any more


def verified(
    folder: Path, sizes: list[int], *, jobs: int = 1, memory_limit: int = LEAST_MEMORY
) -> Verification:
    interactions = [
        http_interaction(f"number {number}", request={"method": "GET", "path": f"/bytes/{size}"})
        for number, size in enumerate(sizes)
    ]
    file = folder / "pact.json"
    file.write_text(json.dumps(pact_document(*interactions)), encoding="utf-8")
    with Flood() as server, Engine() as engine:
        provider = ProviderUnderTest(
            base_url=server.url, jobs=jobs, memory_limit=memory_limit, request_timeout=60
        )
        return verify(VerificationRequest(str(file), provider), engine=engine)


@pytest.mark.parametrize("jobs", [1, 4])
def test_an_endless_answer_is_named_and_no_broken_contract(tmp_path: Path, jobs: int) -> None:
    found = verified(tmp_path, [10] * 7 + [ENDLESS] + [10] * 5, jobs=jobs)
    assert found.error is not None
    assert found.error.kind == ErrorKind.OUT_OF_MEMORY
    assert "at interaction 'number 7'" in found.error.message
    assert f"{LEAST_MEMORY} MB" in found.error.message
    assert not found.error.retryable
    assert found.outcome == Outcome.ERROR
    assert [result.outcome for result in found.interactions[:7]] == [Outcome.PASSED] * 7
    assert found.interactions[7].outcome == Outcome.ERROR


def test_a_large_answer_within_the_limit_is_compared(tmp_path: Path) -> None:
    found = verified(tmp_path, [8 * 1024 * 1024, 10], memory_limit=1024)
    assert [result.outcome for result in found.interactions] == [Outcome.PASSED, Outcome.PASSED]
