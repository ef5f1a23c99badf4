"""The log of an attempt, read again into what a page shows of it."""

from __future__ import annotations

import pytest

from broker.embedded.deliveries.attempt import Attempt, attempt
from broker.embedded.pages.attempt_log import ShownAttempt, shown_attempt
from broker.embedded.webhooks.settings import WebhookSettings
from broker.embedded.webhooks.template import Template
from tests.support.loopback import Loopback, Reply, closed_port

OPEN = WebhookSettings(schemes=("http",), hosts=("127.0.0.1",), methods=("POST", "GET"))


def made(url: str, *, body: object = None, method: str = "POST") -> Attempt:
    template = Template(method, url, {"x-a": "b", "authorization": "Bearer secret"}, body, None, None)
    return attempt(template, {}, {}, {}, OPEN, uuid="u")


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"a": 1}, '{\n  "a": 1\n}'),
        ("two\nlines", "two\\nlines"),
        (None, "null"),
    ],
)
def test_the_request_and_the_answer_are_apart(body: object, shown: str) -> None:
    with Loopback(Reply(503, {"why": ["busy"]}, headers={"X-C": "d"})) as server:
        found = shown_attempt(made(f"{server.url}/hook", body=body).logs("Retrying webhook in 10 seconds"))
    assert found.status == "503 Service Unavailable"
    head, _, sent = found.request.partition("\n\n")
    assert head.startswith(f"POST {server.url}/hook\n")
    assert "x-a: b" in head
    assert "authorization: **********" in head
    assert sent == shown
    head, _, answered = found.answer.partition("\n\n")
    assert head.startswith("503 Service Unavailable\n")
    assert "x-c: d" in head
    assert answered == '{\n  "why": [\n    "busy"\n  ]\n}'
    assert (found.error, found.outcome) == ("", "Retrying webhook in 10 seconds")


def test_of_no_answer_it_says_why() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    found = shown_attempt(made(url, method="GET").logs("Webhook execution failed after 1 attempts"))
    assert (found.status, found.answer) == ("", "")
    assert found.request.startswith(f"GET {url}\n")
    assert "refused" in found.error
    assert "Error executing" not in found.error


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        ("", ShownAttempt("", "", "", "", "")),
        ("why\nit failed\n", ShownAttempt("", "", "", "why", "it failed")),
        ("[t] INFO: HTTP/1.1 200\n[t] INFO: x\n", ShownAttempt("200", "", "200", "", "x")),
        ("\x00\nINFO: HTTP/1.1 POST\n\n", ShownAttempt("", "", "", "\x00", "")),
    ],
)
def test_any_log_can_be_read(log: str, shown: ShownAttempt) -> None:
    assert shown_attempt(log) == shown


def test_what_a_target_answers_is_no_status() -> None:
    with Loopback(Reply(200, "HTTP/1.1 500 Broken")) as server:
        found = shown_attempt(made(server.url, body={}).logs("Successfully executed webhook"))
    assert found.status == "200 OK"
    assert found.answer.endswith("\n\nHTTP/1.1 500 Broken")
