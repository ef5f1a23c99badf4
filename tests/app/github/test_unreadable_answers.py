"""Whatever answers in GitHub's place, a request ends in `GitHubAway` or `GitHubRefused`, with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.github.access import GitHubAccess
from app.github.answers import GitHubAway, GitHubRefused
from app.github.client import GitHub
from app.github.repository import GitHubRepository
from tests.support.loopback import Loopback, Received, Reply
from tests.support.raw_server import RawServer

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = "acme/products"
TOKEN = "github_pat_11AAAAAAA0123456789abcdef"
BODIES: list[Any] = [
    b"{",
    b"[",
    b"\xff\xfe",
    b"<html>",
    b"",
    True,
    None,
    1.5,
    "text",
    [],
    [[]],
    {},
    {"id": "1"},
    {"id": True},
]
HEADERS = {"X-RateLimit-Remaining": "abc"}, {"X-RateLimit-Reset": "\xb2"}, {"Content-Type": "\xff"}


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def by_token(url: str) -> GitHub:
    return GitHub(GitHubAccess(url, token=TOKEN))


def failure_of(request: Callable[[], object]) -> GitHubAway | GitHubRefused | None:
    try:
        request()
    except (GitHubAway, GitHubRefused) as error:
        return error
    return None


REQUESTS: list[Callable[[str], object]] = [
    lambda url: by_token(url).dispatch(REPOSITORY, "pact_changed", {}),
    lambda url: by_token(url).set_status(REPOSITORY, "a" * 40, "success", context="c", description="d"),
    lambda url: GitHubRepository(by_token(url), REPOSITORY).facts(),
    lambda url: GitHubRepository(by_token(url), REPOSITORY).workflows(),
    lambda url: GitHubRepository(by_token(url), REPOSITORY).runs(),
    lambda url: GitHubRepository(by_token(url), REPOSITORY).run(1),
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", [200, 201, 500])
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_body_that_is_not_githubs(request_: Callable[[str], object], status: int, body: Any) -> None:
    with Loopback(Reply(status, body)) as server:
        failure = failure_of(lambda: request_(server.url))
    if failure is None:
        assert status == 201  # a status was set: nothing of the answer is needed
    else:
        assert str(failure).startswith("could not ")
        assert failure.retryable == (status == 500)


@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("request_", REQUESTS)
def test_headers_that_are_not_githubs(request_: Callable[[str], object], headers: dict[str, str]) -> None:
    with Loopback(Reply(200, {}, headers=headers)) as server, pytest.raises(GitHubRefused) as error:
        request_(server.url)
    assert error.match("could not ")


@pytest.mark.parametrize("token", [None, 7, "", "with space", "\xe9", ["a"]])
@pytest.mark.parametrize("expires", ["2099-01-01T00:00:00Z", None, "soon", "9999-12-31T23:59:59-23:59", 4])
def test_an_installation_whose_token_is_none(private_key: str, token: Any, expires: Any) -> None:
    def answer(request: Received) -> Reply:
        if request.path.endswith("/installation"):
            return Reply(200, {"id": 77})
        return Reply(201, {"token": token, "expires_at": expires})

    with Loopback(answer) as server, pytest.raises(GitHubRefused) as error:
        GitHub(GitHubAccess(server.url, app_id="1", private_key=private_key)).dispatch(REPOSITORY, "e", {})
    assert error.match("is not one of GitHub's API")


@pytest.mark.parametrize("body", BODIES)
def test_an_installation_that_is_none(private_key: str, body: Any) -> None:
    with Loopback(Reply(200, body)) as server, pytest.raises(GitHubRefused) as error:
        GitHub(GitHubAccess(server.url, app_id="1", private_key=private_key)).dispatch(REPOSITORY, "e", {})
    assert error.match("is not one of GitHub's API")


@pytest.mark.parametrize("drip", ["headers", "body", "100 Continue", "refusal"])
@pytest.mark.parametrize("request_", [REQUESTS[0], REQUESTS[2]])
def test_an_answer_that_drips_is_none(
    monkeypatch: pytest.MonkeyPatch, request_: Callable[[str], object], drip: str
) -> None:
    monkeypatch.setattr("app.github.client.TIMEOUT_SECONDS", 1)
    with RawServer.dripping(drip) as server, pytest.raises(GitHubAway, match="no whole answer within"):
        request_(server.url)


def test_an_installation_that_drips_is_none(monkeypatch: pytest.MonkeyPatch, private_key: str) -> None:
    monkeypatch.setattr("app.github.client.TIMEOUT_SECONDS", 1)
    with RawServer.dripping("headers") as server, pytest.raises(GitHubAway, match="no whole answer within"):
        GitHub(GitHubAccess(server.url, app_id="1", private_key=private_key)).dispatch(REPOSITORY, "e", {})


def test_a_flood_is_not_githubs() -> None:
    flood = RawServer(b"HTTP/1.1 200 OK\r\n\r\n", again=b" " * 65536)
    with flood as server, pytest.raises(GitHubRefused, match="it is larger than 16 MB"):
        GitHubRepository(by_token(server.url), REPOSITORY).facts()


def test_what_is_put_off_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.github.client.TIMEOUT_SECONDS", 1)
    monkeypatch.setattr("github.Consts.PROCESSING_202_WAIT_TIME", 0.01)

    with Loopback(Reply(202)) as server, pytest.raises(GitHubAway, match="no whole answer within"):
        GitHubRepository(by_token(server.url), REPOSITORY).facts()


def test_what_is_redirected_without_end_is_given_up() -> None:
    def answer(request: Received) -> Reply:
        return Reply(301, {}, headers={"Location": f"{server.url}{request.path}x"})

    with Loopback(answer) as server, pytest.raises(GitHubRefused, match="redirects more than 5 times"):
        GitHubRepository(by_token(server.url), REPOSITORY).facts()


@pytest.mark.parametrize("location", ["http://[::1", "http://h:1:2/", "//[", "http://\xff/", ""])
@pytest.mark.parametrize("status", [301, 302, 307])
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_location_that_is_no_url(request_: Callable[[str], object], status: int, location: str) -> None:
    reply = Reply(status, headers={"Location": location})
    with Loopback(reply) as server, pytest.raises((GitHubAway, GitHubRefused), match="could not "):
        request_(server.url)
