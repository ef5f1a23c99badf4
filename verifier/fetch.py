"""Fetching the pact from its broker: one request for exactly that document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.client import BrokerClient
from broker.http.errors import BrokerError, NotFound, OffOrigin, UnexpectedAnswer
from broker.http.shown_url import shown_url
from broker.traces.spans import span
from verifier.errors import CannotVerify, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from broker.http.origin import Origin
    from verifier.request import VerificationRequest

FETCH_SECONDS = 60.0
"""For how long requests to a broker that is away are repeated."""
LINKS = {
    "publish": "pb:publish-verification-results",
    "latest": "pb:latest-verification-results",
    "matrix": "pb:matrix-for-consumer-version",
    "provider": "pb:provider",
}
"""The links of a pact that are kept, by the names that they have in a `Verification`."""


def fetch(
    request: VerificationRequest, *, deadline: float, on_retry: Callable[[str], None]
) -> tuple[Any, dict[str, str]]:
    """Fetch the pact's document, and the broker's links for publishing it.

    Args:
        request: Which pact, on which broker.
        deadline: The `time.monotonic()` after which nothing is tried.
        on_retry: Called with a sentence before each wait for a broker that is away.

    Raises:
        CannotVerify: There is no such document, or it is no JSON.
    """
    with BrokerClient(
        request.broker_access, retry_time=FETCH_SECONDS, deadline=deadline, on_retry=on_retry
    ) as client:
        return fetch_by(client, request)


def fetch_by(client: BrokerClient, request: VerificationRequest) -> tuple[Any, dict[str, str]]:
    """Fetch the pact's document and links as `fetch` does, in a session that is there.

    Raises:
        CannotVerify: There is no such document, or it is no JSON.
    """
    with span("fetch pact"):
        try:
            document = client.get(request.pact_url).document
            links = {name: client.link(document, rel) for name, rel in LINKS.items()}
        except BrokerError as error:
            raise _unavailable(error) from error
    if request.publish:
        _check_links(links, client.origin)
    return document, {name: url for name, url in links.items() if url is not None}


def _check_links(links: Mapping[str, str | None], origin: Origin) -> None:
    """Make sure that the links for publishing lead to the broker, before anything is verified for nothing.

    Raises:
        CannotVerify: One doesn't.
    """
    for name, url in links.items():
        if url is not None and not origin.contains(url):
            raise CannotVerify(
                f"the pact's link {LINKS[name]} leads to {shown_url(url)}, which is not on the broker {origin}, so the "
                "result could not be published. If the broker gives links with another address than yours, use that "
                "one for --pact-broker-base-url, or name it (--pact-broker-alias), or set the broker's base URL",
                kind=ErrorKind.PACT_UNAVAILABLE,
            )


def _unavailable(error: BrokerError) -> CannotVerify:
    message = f"the pact could not be fetched: {error}"
    if isinstance(error, NotFound):
        message += ". There is no such pact (any more): check the URL, and that it is this broker's"
    unusable = isinstance(error, UnexpectedAnswer | OffOrigin)
    kind = ErrorKind.NOT_A_PACT if unusable else ErrorKind.PACT_UNAVAILABLE
    return CannotVerify(message, kind=kind, retryable=error.transient)
