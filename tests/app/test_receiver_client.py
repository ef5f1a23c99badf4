"""Whatever answers in a receiver's place, its client says so in a sentence."""

from __future__ import annotations

import pytest

from app import receiver_client
from app.receiver_client import NoReceiver, ReceiverClient
from tests.support.loopback import Loopback, Reply


@pytest.mark.parametrize("address", ["http://\u2100/", "http://[::1", "//[x]"])
def test_a_next_page_at_what_is_no_address_is_no_receivers(address: str) -> None:
    with Loopback(Reply(body={"items": [{"id": "1"}], "next": address})) as server:
        client = ReceiverClient(server.url, "a-token-of-the-api")
        for ask in (client.page_of_runs, client.page_of_deliveries):
            with pytest.raises(NoReceiver, match="not as a receiver does"):
                ask({})
        with pytest.raises(NoReceiver, match="not as a receiver does"):
            client.providers()


def test_providers_of_which_there_is_no_end_are_no_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_client, "MOST_PAGES_OF_PROVIDERS", 5)
    page = {"items": [{"name": "A"}], "next": "/api/providers?cursor=QQ=="}
    with (
        Loopback(Reply(body=page)) as server,
        pytest.raises(NoReceiver, match="/api/providers does not end"),
    ):
        ReceiverClient(server.url, "a-token-of-the-api").providers()


def test_a_provider_is_there_once_though_an_older_process_knows_no_pages() -> None:
    a, b, c = ({"name": name} for name in "ABC")
    pages = [
        Reply(body={"items": [a, b], "next": "/api/providers?cursor=Qg=="}),
        Reply(body={"items": [a, b, c]}),
    ]
    with Loopback(pages) as server:
        assert ReceiverClient(server.url, "a-token-of-the-api").providers() == [a, b, c]
