"""Whatever answers in a receiver's place, its client says so in a sentence."""

from __future__ import annotations

import pytest

from app.receiver_client import NoReceiver, ReceiverClient
from tests.support.loopback import Loopback, Reply


@pytest.mark.parametrize("address", ["http://\u2100/", "http://[::1", "//[x]"])
def test_a_next_page_at_what_is_no_address_is_no_receivers(address: str) -> None:
    with Loopback(Reply(body={"items": [{"id": "1"}], "next": address})) as server:
        client = ReceiverClient(server.url, "a-token-of-the-api")
        for ask in (client.page_of_runs, client.page_of_deliveries):
            with pytest.raises(NoReceiver, match="not as a receiver does"):
                ask({})
