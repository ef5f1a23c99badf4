"""One request to a Pact Broker and its answer: credentials, redirects, limits.

The only module that sends a request to a broker. Two rules shape it: credentials go to the broker's own origin and
nowhere else, and an answer is believed only after it was checked.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from broker.client.refusal import refusal, status_line
from broker.http.addresses import Addresses
from broker.http.credentials import Credentials
from broker.http.errors import (
    BrokerError,
    BrokerRefused,
    BrokerUnreachable,
    NotFound,
    OffOrigin,
    UnexpectedAnswer,
)
from broker.http.json_values import objects_at
from broker.http.limited_request import LimitedSession
from broker.http.limits import MAX_REDIRECTS, Limits
from broker.http.no_reply import (
    BrokeOff,
    NoReply,
    NotSent,
    NotTrusted,
    ProxyFailed,
    TooSlow,
    Unreachable,
)
from broker.http.retry_after import seconds_to_wait
from broker.http.shown_url import shown_url
from broker.http.strict_json import MAX_BYTES, NotJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.http.access import BrokerAccess
    from broker.http.limits import Reply

ACCEPT = "application/hal+json, application/json"
LONGEST_LINK = 8000
"""Characters of a link, which is requested, shown and stored."""
LIMITS = Limits(60.0, MAX_BYTES)
"""The limits of one request, with all redirects."""
MEND = (
    "set --pact-broker-base-url to the address that it uses for itself, or have it use this one (PACT_BROKER_BASE_URL "
    "in the broker's own configuration), or name the other one (--pact-broker-alias, broker.aliases)"
)
"""What to do about links with another address of the broker than the configured one."""
PERMANENT_SERVER_ERRORS = frozenset({501, 505})
"""The statuses of 500 and more that trying again does not heal."""


@dataclass(frozen=True)
class Answer:
    """An answer of a broker.

    Attributes:
        url: The URL that it is from, after redirects.
        status: The HTTP status.
        location: The `Location`, made absolute.
        document: The JSON document, if there is one.
        broker_version: The broker's version as it gives it (`X-Pact-Broker-Version`), such as `2.120.0`.
    """

    url: str
    status: int
    location: str | None
    document: Any
    broker_version: str | None = None

    def objects_at(self, *path: str) -> list[dict[str, Any]]:
        """Return the objects of the list at a path of the document.

        Raises:
            UnexpectedAnswer: There is no list.
        """
        found = objects_at(self.document, *path)
        if found is None:
            raise UnexpectedAnswer(f"{shown_url(self.url)} did not answer with a list of {path[-1]}")
        return found


class Exchange:
    """Requests to one broker, each of them sent once.

    Args:
        access: The broker and the credentials for it.
        deadline: The `time.monotonic()` past which nothing is sent or waited for.
        user_agent: The `User-Agent` to send.
        limits: The limits of each request.
    """

    def __init__(
        self, access: BrokerAccess, *, deadline: float | None, user_agent: str, limits: Limits
    ) -> None:
        self.addresses = Addresses.of(access)
        self.origin = self.addresses.origin
        self._access = access
        self._deadline = deadline
        self._limits = limits
        self._session = LimitedSession(
            auth=Credentials(access, self.origin),
            headers={"Accept": ACCEPT, "User-Agent": user_agent},
            tls=access.tls,
            tells_trace=True,
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        """Send a request once, following redirects that stay on the broker.

        Raises:
            BrokerError: There is no answer, or none that can be used; the subclass and the message say why.
        """
        end = time.monotonic() + self._limits.seconds
        if self._deadline is not None:
            end = min(end, self._deadline)
        url = self.addresses.at_origin(url)
        for _ in range(MAX_REDIRECTS + 1):
            self._check_origin(url)
            reply = self._send(method, url, body, end - time.monotonic())
            if reply.redirects_to is None:
                return self._read(method, url, reply)
            named = absolute(url, reply.redirects_to)
            target = self.addresses.at_origin(named)
            if target == url != named:
                raise UnexpectedAnswer(
                    f"{shown_url(url)} redirects to the same under another of the broker's addresses, "
                    f"{shown_url(named)}: set --pact-broker-base-url to that one, where it answers, and name this one "
                    "as the other (--pact-broker-alias)"
                )
            if not self.origin.contains(target):
                raise UnexpectedAnswer(
                    f"{shown_url(url)} redirects to {shown_url(target)}, which is not on the broker's origin "
                    f"({self.origin}), so it was not followed. If the broker moved, set "
                    "--pact-broker-base-url to its new address; if that is a sign-in page, the broker "
                    "wants credentials that a program can give (--broker-token, or --broker-username "
                    "and --broker-password)"
                )
            if method != "GET" and reply.status not in {307, 308}:
                raise UnexpectedAnswer(
                    f"{method} {shown_url(url)} was answered with a redirect ({reply.status}) to {shown_url(target)}: "
                    "set --pact-broker-base-url to the address that the broker really has"
                )
            url = target
        raise UnexpectedAnswer(f"more than {MAX_REDIRECTS} redirects, the last one to {shown_url(url)}")

    def _check_origin(self, url: str) -> None:
        if not self.origin.contains(url):
            raise OffOrigin(
                f"{shown_url(url)} is not on the broker {self.origin}, so nothing was sent to it. If the broker gives "
                f"links like that, {MEND}"
            )

    def _send(self, method: str, url: str, body: Mapping[str, Any] | None, seconds: float) -> Reply:
        if seconds <= 0:
            raise BrokerUnreachable(f"out of time before {self.origin} answered")
        try:
            limits = replace(self._limits, seconds=seconds, stated=self._limits.seconds)
            return self._session.send(method, url, json=body, limits=limits)
        except NotTrusted as error:
            raise BrokerError(
                f"no trusted TLS connection to {self.origin}: {error}. If its certificate is signed by an "
                "authority of your own, set REQUESTS_CA_BUNDLE to that authority's PEM file (for verify also "
                "--broker-ca-file). The broker's certificate is always checked"
            ) from error
        except ProxyFailed as error:
            raise BrokerUnreachable(f"the proxy to {self.origin} did not work: {error}") from error
        except TooSlow as error:
            if self._deadline is not None and time.monotonic() >= self._deadline:
                raise BrokerUnreachable(f"out of time before {self.origin} answered") from error
            raise BrokerUnreachable(f"{self.origin} did not answer in time: {error}") from error
        except BrokeOff as error:
            raise BrokerUnreachable(f"the answer of {shown_url(url)} broke off: {error}") from error
        except Unreachable as error:
            raise BrokerUnreachable(f"{self.origin} can't be reached: {error}") from error
        except NotSent as error:
            raise BrokerError(f"{method} {shown_url(url)} was not sent: {error}") from error
        except NoReply as error:
            raise UnexpectedAnswer(f"the answer of {shown_url(url)} can't be read: {error}") from error

    def _read(self, method: str, url: str, reply: Reply) -> Answer:
        status = reply.status
        if status in {408, 429} or (500 <= status < 600 and status not in PERMANENT_SERVER_ERRORS):
            raise BrokerUnreachable(
                f"{method} {shown_url(url)} was answered with {status_line(reply)}",
                retry_after=seconds_to_wait(reply.headers.get("Retry-After")),
            )
        if 400 <= status < 600:
            refused = NotFound if status == 404 else BrokerRefused
            raise refused(refusal(method, url, reply, self._access), status=status)
        if not 200 <= status < 300:
            raise UnexpectedAnswer(
                f"{method} {shown_url(url)} was answered with {status_line(reply)}, which is no answer of a Pact Broker"
            )
        if not reply.is_whole:
            raise UnexpectedAnswer(
                f"{shown_url(url)} answered with more than {self._limits.max_bytes // 2**20} MB: too large"
            )
        location = reply.headers.get("Location")
        if location is not None:
            location = self.addresses.at_origin(absolute(url, location))
        version = reply.headers.get("X-Pact-Broker-Version")
        content = reply.content
        if not content.strip():
            return Answer(url, status, location, None, version)
        kind = reply.headers.get("Content-Type", "")
        if "html" in kind or content.lstrip()[:1] == b"<":
            raise UnexpectedAnswer(
                f"{shown_url(url)} answered with a web page instead of JSON: that is often a sign-in page in front of "
                "the broker. Check the URL, and the credentials (--broker-token, or --broker-username and "
                "--broker-password)"
            )
        try:
            return Answer(url, status, location, parse_json(content, encodable=True), version)
        except NotJson as error:
            raise UnexpectedAnswer(f"the answer of {shown_url(url)} {error}") from error


def absolute(base: str, link: str) -> str:
    """Return a link as an absolute URL.

    Raises:
        UnexpectedAnswer: It is no URL, or longer than any that is used and kept.
    """
    if len(link) > LONGEST_LINK:
        raise UnexpectedAnswer(f"{shown_url(base)} gives a link of {len(link)} characters")
    try:
        return urljoin(base, link)
    except ValueError as error:
        raise UnexpectedAnswer(f"{shown_url(base)} gives a link that can't be read as a URL") from error
