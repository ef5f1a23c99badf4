"""The messages between the engine and its child: what was sent is what is read, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.examples import FAILED, PASSED, http_interaction, pact_document
from verifier.engine.protocol import (
    BrokenMessage,
    Done,
    Failed,
    Guard,
    Job,
    Note,
    Ready,
    Results,
    decode_command,
    decode_event,
    encode,
)
from verifier.pact_document import parse_pact
from verifier.transport import Transport

if TYPE_CHECKING:
    from verifier.engine.protocol import Command, Event

PACT = parse_pact(pact_document(http_interaction("one \N{SNOWMAN}\nline"), http_interaction("two")))


@pytest.mark.parametrize(
    "command",
    [
        Guard(None),
        Guard(4711),
        Job(PACT, (1,), None),
        Job(
            PACT,
            (0, 1),
            "http://127.0.0.1:1",
            transports=(Transport("message", 1, "/m"), Transport("grpc", 2)),
            headers=(("X-A", "1"), ("X-A", "2")),
            states_url="http://127.0.0.1:1/_states",
            states_teardown=True,
            states_file=("states.py", "handlers"),
            jobs=3,
            request_timeout=0.5,
        ),
    ],
)
def test_command_is_read_as_it_was_sent(command: Command) -> None:
    line = encode(command)
    assert line.index(b"\n") == len(line) - 1
    assert decode_command(line) == command


@pytest.mark.parametrize(
    "event", [Ready(), Results((PASSED, FAILED)), Note("two\nlines"), Done(), Failed("why")]
)
def test_event_is_read_as_it_was_sent(event: Event) -> None:
    line = encode(event)
    assert line.index(b"\n") == len(line) - 1
    assert decode_event(line) == event


BROKEN = [
    b"",
    b"\n",
    b"not JSON\n",
    b"\xff\xfe\n",
    b"[" * 100_000,
    b"5\n",
    b"[]\n",
    b"null\n",
    b"{}\n",
    b'{"type": null}\n',
    b'{"type": ["Ready"]}\n',
    b'{"type": "Finished"}\n',
]


@pytest.mark.parametrize(
    "line",
    [
        *BROKEN,
        b'{"type": "Note"}\n',
        b'{"type": "Note", "text": 5}\n',
        b'{"type": "Failed", "message": null}\n',
        b'{"type": "Results"}\n',
        b'{"type": "Results", "results": {}}\n',
        b'{"type": "Results", "results": [5]}\n',
        b'{"type": "Results", "results": [{}]}\n',
        encode(Results((PASSED,))).replace(b'"passed"', b'"perhaps"'),
        encode(Results((FAILED,))).replace(b'"attribute"', b'"attributes"'),
        encode(Guard(None)),
    ],
)
def test_line_that_is_no_event_is_broken(line: bytes) -> None:
    with pytest.raises(BrokenMessage):
        decode_event(line)


@pytest.mark.parametrize(
    "line",
    [
        *BROKEN,
        b'{"type": "Guard"}\n',
        b'{"type": "Guard", "group": "4711"}\n',
        b'{"type": "Job"}\n',
        encode(Job(PACT, (0,), None)).replace(b'"pact"', b'"pacts"'),
        encode(Job(PACT, (0,), None)).replace(b'"interactions"', b'"actions"'),
        encode(Job(PACT, (0,), None)).replace(b'"indexes": [0]', b'"indexes": 0'),
        encode(Done()),
    ],
)
def test_line_that_is_no_command_is_broken(line: bytes) -> None:
    with pytest.raises(BrokenMessage):
        decode_command(line)


def test_what_is_no_json_value_is_not_sent() -> None:
    unusable: Any = object()
    with pytest.raises(TypeError):
        encode(Note(unusable))
