"""The messages between a worker and its children."""

from __future__ import annotations

import pytest

from app.records.run import Failure
from app.worker.protocol import (
    AttemptRequest,
    LogLine,
    NotAMessage,
    Ready,
    SpansEnded,
    Verified,
    from_line,
    to_line,
)
from broker.http.access import BrokerAccess
from broker.http.tls import Tls
from broker.traces.spans import FinishedSpan
from tests.support.worker_parts import a_run, passed

SPAN = FinishedSpan(
    "GET", "client", "0a" * 16, "0b" * 8, None, 1, 2, {"http.response.status_code": 200}, "no"
)


@pytest.mark.parametrize(
    "message",
    [Ready(), LogLine("a line"), Failure("timed-out", "late", output="x"), Verified(passed(a_run()))],
)
def test_a_message_arrives_as_it_was_sent(message: Ready | LogLine | Failure | Verified) -> None:
    assert from_line(to_line(message)) == message


def test_spans_arrive_as_they_were_sent() -> None:
    found = from_line(to_line(SpansEnded((SPAN,))))
    assert isinstance(found, SpansEnded)
    assert found.spans == (SPAN._replace(links=[]),)  # type: ignore[arg-type]


def test_a_message_can_be_stored() -> None:
    assert from_line(to_line(LogLine("half \ud800 a pair, and \0"))) == LogLine("half ? a pair, and \ufffd")


@pytest.mark.parametrize(
    "line",
    [
        *("", "{", "[]", "{}", '{"type": "log"}', '{"type": "verified", "verification": {}}'),
        *('{"type": "spans", "spans": [1]}', '{"type": "spans", "spans": [["GET"]]}'),
    ],
)
def test_what_is_no_message_is_refused(line: str) -> None:
    with pytest.raises(NotAMessage):
        from_line(line)


def test_a_request_arrives_as_it_was_sent_and_shows_no_secret() -> None:
    request = AttemptRequest(
        "http://b/p",
        {"name": "P"},
        BrokerAccess(
            "http://b", token="s3cret-token", aliases=["http://c"], tls=Tls("ca", "crt", "key", "s3cret-2")
        ),
        "/data",
        secrets=("s3cret",),
        tls=Tls("ca", "crt", "key", "s3cret-3", checks=False),
    )
    assert AttemptRequest.from_line(request.to_line()).to_line() == request.to_line()
    assert AttemptRequest.from_line(request.to_line()).broker == request.broker
    assert AttemptRequest.from_line(request.to_line()).tls == request.tls
    assert "s3cret" not in repr(request)
    assert request.redaction().text("s3cret-token s3cret-2") == "*** ***"
