"""The spans of a child process: without secrets, and taken by its worker only as far as they are of the run."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from app.records import run_spans
from app.records.run_trace import RunTrace
from app.worker.connection import SPANS_AT_ONCE, WorkerConnection
from app.worker.protocol import SpansEnded, from_line
from broker.text.cut import CUT
from broker.text.redaction import Redaction
from broker.traces.spans import FinishedSpan
from tests.support.traces import ABOVE, kept_spans
from tests.support.worker_parts import a_run

if TYPE_CHECKING:
    from pathlib import Path

SPAN = FinishedSpan("a", "client", ABOVE.trace_id, "0b" * 8, ABOVE.span_id, 1, 2, {})


def test_a_child_sends_no_secret_of_its_provider(tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    worker = WorkerConnection(os.open(sent, os.O_CREAT | os.O_WRONLY))
    worker.redaction = Redaction(["s3cr3t-of-a-provider"])
    secret = "state s3cr3t-of-a-provider"
    worker.add(
        [SPAN._replace(name=secret, attributes={"pact.state": secret, "port": 1}, error=secret)]
        * (SPANS_AT_ONCE + 1)
    )
    worker._pipe.close()
    lines = sent.read_text(encoding="utf-8").splitlines()
    assert "s3cr3t" not in "".join(lines)
    messages = [from_line(line) for line in lines]
    assert [len(one.spans) for one in messages if isinstance(one, SpansEnded)] == [SPANS_AT_ONCE, 1]
    assert json.loads(lines[1])["spans"][0][0] == "state ***"


def test_what_a_provider_has_answered_shows_no_password_of_words_nor_half_of_one(tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    worker = WorkerConnection(os.open(sent, os.O_CREAT | os.O_WRONLY))
    worker.redaction = Redaction(["correct-horse-battery"])
    for answer in ("it has correct-horse-battery", "x" * 900 + f" correct-horse-bat{CUT}"):
        worker.add([SPAN._replace(error=answer)])
    worker._pipe.close()
    assert "horse" not in sent.read_text(encoding="utf-8")


def test_a_worker_takes_spans_of_the_run_and_not_too_many() -> None:
    run = a_run(trace=RunTrace(ABOVE).to_text(), attempt=2)
    other = SPAN._replace(trace_id="1a" * 16)
    with kept_spans() as kept:
        with run_spans.attempt(run):
            run_spans.add(run, [SPAN, other])
            assert kept == [SPAN]
            run_spans.add(run, [SPAN] * (run_spans.MOST_SPANS + 1))
            assert len(kept) == run_spans.MOST_SPANS
        run_spans.add(run, [SPAN])  # it came late
        assert len(kept) == run_spans.MOST_SPANS + 1  # with the attempt's own
