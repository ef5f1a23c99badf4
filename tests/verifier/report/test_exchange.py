"""What was sent and what came, in the reports."""

from __future__ import annotations

import shlex

from verifier.report.exchange import LONGEST_COMMAND, answer_in_a_line, curl, written
from verifier.verification import Exchange, HttpMessage

GET = HttpMessage(
    "GET /things?a=b HTTP/1.1", (("host", "localhost:8080"), ("accept", "*/*"), ("x-a", "it's")), ""
)


def test_the_command_has_what_the_request_is_about() -> None:
    assert shlex.split(curl(Exchange(GET, None))) == [
        "curl", "-i", "http://localhost:8080/things?a=b", "-H", "x-a: it's"
    ]  # fmt: skip
    post = HttpMessage("POST / HTTP/1.1", (("host", "a"), ("content-length", "2")), "$(id)")
    assert shlex.split(curl(Exchange(post, None))) == ["curl", "-i", "http://a/", "--data-raw", "$(id)"]
    delete = HttpMessage("DELETE / HTTP/1.1", (("host", "a"),), "")
    assert shlex.split(curl(Exchange(delete, None))) == ["curl", "-i", "-X", "DELETE", "http://a/"]


def test_a_command_that_nobody_would_read_is_cut() -> None:
    assert len(curl(Exchange(HttpMessage("POST / HTTP/1.1", (), "x" * 5000), None))) == LONGEST_COMMAND


def test_the_answer_on_a_line() -> None:
    assert answer_in_a_line(Exchange(GET, None)) == "nothing"
    assert answer_in_a_line(Exchange(GET, HttpMessage("HTTP/1.1 204 No Content", (), ""))) == "204 No Content"
    assert answer_in_a_line(Exchange(GET, HttpMessage("", (), "SSH-2.0\n"))) == "what is no HTTP  SSH-2.0"


def test_a_message_is_written_as_it_came() -> None:
    assert written(HttpMessage("HTTP/1.1 200 OK", (("A", "b"),), "c\nd")) == "HTTP/1.1 200 OK\nA: b\n\nc\nd"
