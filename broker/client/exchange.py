"""One request to a Pact Broker and its answer: credentials, redirects, limits.

The only module that sends a request to a broker. Two rules shape it: credentials go to the broker's own origin and
nowhere else, and an answer is believed only after it was checked.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import requests
from urllib3 import Retry
from urllib3.exceptions import DecodeError, HTTPError

from broker.client.refusal import refusal, shown_url, status_line
from broker.http import limited_request
from broker.http.access import BrokerAccess, Credentials
from broker.http.errors import (
    BrokerError,
    BrokerRefused,
    BrokerUnreachable,
    NotFound,
    OffOrigin,
    UnexpectedAnswer,
)
from broker.http.json_values import objects_at
from broker.http.origin import Origin
from broker.http.reason import innermost
from broker.http.strict_json import NotJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCEPT = "application/hal+json, application/json"
MAX_BYTES = 50 * 1024 * 1024
"""The largest pact or other answer that is read, in bytes, unpacked."""
LONGEST_LINK = 8000
"""Characters of a link, which is requested, shown and stored."""
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
MAX_REDIRECTS = 5
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
    """

    def __init__(self, access: BrokerAccess, *, deadline: float | None, user_agent: str) -> None:
        self.origin = Origin.of(access.base_url)
        self._access = access
        self._deadline = deadline
        self._session = limited_request.Session()
        self._session.auth = Credentials(access, self.origin)
        self._session.headers.update({"Accept": ACCEPT, "User-Agent": user_agent})

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        """Send a request once, following redirects that stay on the origin.

        Raises:
            BrokerError: There is no answer, or none that can be used; the subclass and the message say why.
        """
        for _ in range(MAX_REDIRECTS + 1):
            self._check_origin(url)
            response = self._send(method, url, body)
            with response:
                target = response.headers.get("Location") if response.is_redirect else None
                if target is None:
                    return self._read(method, url, response)
                target = absolute(url, target)
                if not self.origin.contains(target):
                    raise UnexpectedAnswer(
                        f"{url} redirects to {shown_url(target)}, which is not on the broker's origin "
                        f"({self.origin}), so it was not followed. If the broker moved, set "
                        "--pact-broker-base-url to its new address; if that is a sign-in page, the broker "
                        "wants credentials that a program can give (--broker-token, or --broker-username "
                        "and --broker-password)"
                    )
                if method != "GET" and response.status_code not in {307, 308}:
                    raise UnexpectedAnswer(
                        f"{method} {url} was answered with a redirect ({response.status_code}) to {shown_url(target)}: "
                        "set --pact-broker-base-url to the address that the broker really has"
                    )
                url = target
        raise UnexpectedAnswer(f"more than {MAX_REDIRECTS} redirects, the last one to {shown_url(url)}")

    def _check_origin(self, url: str) -> None:
        if not self.origin.contains(url):
            raise OffOrigin(
                f"{shown_url(url)} is not on the broker {self.origin}, so nothing was sent to it. If the broker gives "
                "links like that, set --pact-broker-base-url to the address that it uses for itself, or have it use "
                "this one (PACT_BROKER_BASE_URL in the broker's own configuration)"
            )

    def _send(self, method: str, url: str, body: Mapping[str, Any] | None) -> requests.Response:
        try:
            return self._session.request(
                method,
                url,
                json=body,
                timeout=(self._cut(CONNECT_TIMEOUT), self._cut(READ_TIMEOUT)),
                allow_redirects=False,
                stream=True,
            )
        except requests.exceptions.SSLError as error:
            raise BrokerError(
                f"no trusted TLS connection to {self.origin}: {innermost(error)}. If its certificate is signed by an "
                "authority of your own, set REQUESTS_CA_BUNDLE to that authority's PEM file"
            ) from error
        except requests.exceptions.ProxyError as error:
            raise BrokerUnreachable(f"the proxy to {self.origin} did not work: {innermost(error)}") from error
        except requests.exceptions.Timeout as error:
            raise BrokerUnreachable(f"{self.origin} did not answer in time") from error
        except requests.exceptions.ConnectionError as error:
            raise BrokerUnreachable(f"{self.origin} can't be reached: {innermost(error)}") from error
        except (requests.exceptions.RequestException, HTTPError, ValueError) as error:
            raise UnexpectedAnswer(f"{method} {shown_url(url)} did not work: {innermost(error)}") from error
        except OSError as error:  # requests: "Could not find a suitable TLS CA certificate bundle"
            raise BrokerError(f"{error} (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE)") from error

    def _cut(self, seconds: float) -> float:
        if self._deadline is None:
            return seconds
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise BrokerUnreachable(f"out of time before {self.origin} answered")
        return min(seconds, left)

    def _read(self, method: str, url: str, response: requests.Response) -> Answer:
        status = response.status_code
        content = self._content(url, response)
        if status in {408, 429} or (status >= 500 and status not in PERMANENT_SERVER_ERRORS):
            raise BrokerUnreachable(
                f"{method} {shown_url(url)} was answered with {status_line(response)}",
                retry_after=_retry_after(response),
            )
        if not response.ok:
            refused = NotFound if status == 404 else BrokerRefused
            raise refused(refusal(method, url, response, content, self._access), status=status)
        location = response.headers.get("Location")
        if location is not None:
            location = absolute(url, location)
        version = response.headers.get("X-Pact-Broker-Version")
        if not content.strip():
            return Answer(url, status, location, None, version)
        kind = response.headers.get("Content-Type", "")
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

    def _content(self, url: str, response: requests.Response) -> bytes:
        try:
            content, is_whole = limited_request.read(response, MAX_BYTES, lambda: self._cut(READ_TIMEOUT))
        except DecodeError as error:
            raise UnexpectedAnswer(f"{shown_url(url)} answered with broken compression") from error
        except (HTTPError, OSError) as error:
            raise BrokerUnreachable(
                f"the answer of {shown_url(url)} broke off: {innermost(error)}"
            ) from error
        if not is_whole:
            raise UnexpectedAnswer(
                f"{shown_url(url)} answered with more than {MAX_BYTES // 2**20} MB: too large"
            )
        return content


def _retry_after(response: requests.Response) -> float | None:
    """Return the `Retry-After` (seconds or a date) in seconds, or None if there is none that can be read."""
    value = response.headers.get("Retry-After")
    if not value:
        return None
    try:
        return Retry().parse_retry_after(value)
    except (HTTPError, ValueError, OverflowError):
        return None


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
