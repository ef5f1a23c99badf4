"""Clients that hold connections without proving who they are keep nobody from the receiver who can."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import requests

from tests.support.databases import reachable_folder
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import (
    REPOSITORY,
    TOKEN,
    ReceiverProcess,
    configuration,
    wait_until,
)
from tests.support.slow_clients import SLOW_WAYS, SlowClients

if TYPE_CHECKING:
    from collections.abc import Iterator

STRANGERS = 150
BOUND = 20
SETTINGS = f"""
[server]
processes = 1
anonymous_connections = {BOUND}
"""
SECRET = {"PACT_DISPATCH_WEBHOOK_SECRET": "a-secret-of-the-webhooks"}
PACT = "http://broker.example.org/pacts/provider/Products/consumer/C/version/1"


@pytest.fixture(scope="module")
def web() -> Iterator[ReceiverProcess]:
    provider = {"base_url": "http://127.0.0.1:1", "version": "1"}
    config = configuration("http://broker.example.org", provider) + SETTINGS
    with (
        reachable_folder() as folder,
        ReceiverProcess(folder, config, command="web", environment=SECRET) as started,
    ):
        yield started


def port_of(web: ReceiverProcess) -> int:
    return int(web.url.rsplit(":", 1)[1])


@pytest.mark.parametrize("way", SLOW_WAYS)
def test_who_has_a_token_is_answered_whatever_strangers_hold(web: ReceiverProcess, way: str) -> None:
    with SlowClients(port_of(web), SLOW_WAYS[way], STRANGERS) as clients:
        wait_until(lambda: clients.connected >= STRANGERS, "all of them have come")
        for number in range(3):
            answer = requests.post(
                f"{web.url}/repos/{REPOSITORY}/dispatches",
                json={
                    "event_type": "pact_changed",
                    "client_payload": {"pact_url": f"{PACT}-{len(way)}-{number}"},
                },
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=TIME_LIMIT,
            )
            assert answer.status_code == 204, answer.text
        if SLOW_WAYS[way].reads:  # who reads nothing doesn't notice
            wait_until(lambda: clients.cut_off > 0, "some of them are given up")


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/github/events", "", 401),
        ("/github/events", "X-Hub-Signature-256: sha1=0123\r\n", 401),
        (f"/repos/{REPOSITORY}/dispatches", "", 404),
        (f"/repos/{REPOSITORY}/dispatches", "Authorization: Bearer a-token-that-nobody-has\r\n", 401),
        ("/api/runs", "", 405),
        ("/nothing", "", 404),
    ],
)
def test_a_body_is_not_waited_for_that_nothing_is_done_with(
    web: ReceiverProcess, path: str, headers: str, status: int
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: receiver\r\n{headers}Content-Length: 60000\r\n\r\n{{"
    with socket.create_connection(("127.0.0.1", port_of(web)), timeout=TIME_LIMIT) as client:
        client.sendall(head.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = client.recv(4096)
            assert part, answer
            answer += part
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
