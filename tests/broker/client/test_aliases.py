"""Links and redirects to another address of a broker are followed at the one address, where credentials go alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from broker.client import BrokerClient
from broker.http.access import BrokerAccess
from broker.http.errors import OffOrigin, UnexpectedAnswer
from tests.support.loopback import Loopback, Received, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "s3cret-token"


@pytest.fixture
def alias() -> Iterator[Loopback]:
    """What is found at the broker's other address from here: somebody else, who must be sent nothing."""
    with Loopback(Reply(500)) as elsewhere:
        yield elsewhere
        assert elsewhere.received == []


def client(broker: Loopback, *aliases: str, path: str = "") -> BrokerClient:
    return BrokerClient(BrokerAccess(broker.url + path, token=TOKEN, aliases=aliases), retry_time=0.0)


def linked(*urls: str) -> dict[str, Any]:
    return {"_links": {"one": {"href": urls[0]}, "all": [{"href": url} for url in urls]}}


def test_links_under_an_alias_are_those_of_the_one_address(alias: Loopback) -> None:
    urls = (f"{alias.url}/app/pacts/a?b=c", f"{alias.url}/application/a", "/pacts/{name}")

    def answer(request: Received) -> Reply:
        return Reply(body=linked(*urls) if request.path == "/base/" else {"path": request.path})

    with Loopback(answer) as server, client(server, f"{alias.url}/app", path="/base") as broker:
        document = broker.index().document
        assert broker.link(document, "one") == f"{server.url}/base/pacts/a?b=c"
        assert broker.links(document, "all")[1] == urls[1]
        assert broker.get(urls[0]).document == {"path": "/base/pacts/a?b=c"}
        with pytest.raises(OffOrigin, match="name the other one"):
            broker.get(urls[1])
    assert {one.headers["authorization"] for one in server.received} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("status", [302, 307])
def test_redirects_and_locations_under_an_alias_are_followed_at_the_one_address(
    alias: Loopback, status: int
) -> None:
    def answer(request: Received) -> Reply:
        if request.path == "/here":
            return Reply(status, headers={"Location": f"{alias.url}/there"})
        return Reply(201, body={"path": request.path}, headers={"Location": f"{alias.url}/made"})

    with Loopback(answer) as server, client(server, alias.url) as broker:
        assert broker.get(f"{server.url}/here").document == {"path": "/there"}
        assert broker.put(f"{alias.url}/new", {}).location == f"{server.url}/made"


def test_a_redirect_to_itself_under_the_other_address_is_explained(alias: Loopback) -> None:
    with Loopback(lambda request: Reply(301, headers={"Location": alias.url + request.path})) as server:
        with (
            client(server, alias.url) as broker,
            pytest.raises(UnexpectedAnswer, match="where it answers") as error,
        ):
            broker.get(f"{server.url}/here")
        assert len(server.received) == 1
    assert "--pact-broker-alias" in str(error.value)


def test_a_redirect_from_an_alias_to_somebody_else_is_not_followed(alias: Loopback) -> None:
    with Loopback(Reply(302, headers={"Location": f"{alias.url}:1/x"})) as server, client(server) as broker:
        with pytest.raises(UnexpectedAnswer, match="not on the broker's origin"):
            broker.get(f"{server.url}/x")
        assert len(server.received) == 1
