"""HAL over HTTP to a Pact Broker: links, credentials, retries, limits.

The only module that sends a request to a broker. Two rules shape it: credentials go to the
broker's own origin and nowhere else, and an answer is believed only after it was checked.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urljoin

import requests
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from broker.client.refusal import refusal, shown_url, status_line
from broker.http.access import BrokerAccess, Credentials
from broker.http.errors import (
    BrokerError,
    BrokerRefused,
    BrokerUnreachable,
    NotFound,
    OffOrigin,
    UnexpectedAnswer,
)
from broker.http.origin import Origin
from broker.http.reason import innermost
from broker.http.strict_json import NotJson, parse_json
from broker.http.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

ACCEPT = "application/hal+json, application/json"
MAX_BYTES = 50 * 1024 * 1024
"""The largest pact or other answer that is read, in bytes, unpacked."""
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
MAX_REDIRECTS = 5
PERMANENT_SERVER_ERRORS = frozenset({501, 505})
"""The 5xx that trying again does not heal."""


@dataclass(frozen=True)
class Answer:
    """What a broker answered.

    Attributes:
        url: where the answer is from, after redirects.
        status: the HTTP status.
        location: the `Location`, made absolute.
        document: the JSON document, if there is one.
        broker_version: what the broker says that it is (`X-Pact-Broker-Version`), such as `2.120.0`.
    """

    url: str
    status: int
    location: str | None
    document: Any
    broker_version: str | None = None


class BrokerClient:
    """A session with one Pact Broker.

    Args:
        access: the broker and the credentials for it.
        retry_time: for how many seconds a request that met a 429, a 5xx or no answer is tried again.
        deadline: the `time.monotonic()` past which nothing is tried or waited for.
        on_retry: called with a sentence before each wait.
        user_agent: the `User-Agent` to send.
    """

    def __init__(
        self,
        access: BrokerAccess,
        *,
        retry_time: float = 60.0,
        deadline: float | None = None,
        on_retry: Callable[[str], None] | None = None,
        user_agent: str = "pact-dispatch",
    ) -> None:
        self.origin = Origin.of(access.base_url)
        self._access = access
        self._retry_time = retry_time
        self._deadline = deadline
        self._on_retry = on_retry or (lambda _: None)
        self._session = requests.Session()
        self._session.auth = Credentials(access, self.origin)
        self._session.headers.update({"Accept": ACCEPT, "User-Agent": user_agent})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def get(self, url: str) -> Answer:
        """Fetch a JSON document, trying again while the broker is away.

        Raises:
            BrokerError: no document was had; the subclass and the message say why.
        """
        return self._with_retries("GET", url, None)

    def put(self, url: str, body: Mapping[str, Any]) -> Answer:
        """Put a JSON document; safe to repeat, so it is tried again as `get` is.

        Raises:
            BrokerError: the broker did not take it.
        """
        return self._with_retries("PUT", url, body)

    def query(self, url: str, body: Mapping[str, Any]) -> Answer:
        """Post a question that changes nothing; safe to repeat, so it is tried again as `get` is.

        Raises:
            BrokerError: no answer was had.
        """
        return self._with_retries("POST", url, body)

    def delete(self, url: str) -> Answer:
        """Delete a resource; tried again as `get` is, and then one that is gone was deleted.

        Raises:
            NotFound: there was none.
            BrokerError: it was not deleted.
        """
        waits = self.waits()
        again = False
        while True:
            try:
                return self._once("DELETE", url, None)
            except NotFound:
                if not again:
                    raise
                return Answer(url, 204, None, None)
            except BrokerUnreachable as error:
                waits.wait_after(error)
                again = True

    def post_once(self, url: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Post a JSON document, or nothing, once: whether it may be repeated is the caller's to know.

        Raises:
            BrokerUnreachable: no answer, or a transient one: it may or may not have been taken.
            BrokerError: it was not taken.
        """
        return self._once("POST", url, body)

    def waits(self) -> Waits:
        """Start counting the waits between the tries of one request."""
        return Waits(self._retry_time, self._deadline, self._on_retry)

    def url(self, *segments: str) -> str:
        """Give the URL of a path on the broker, each segment percent-encoded.

        Raises:
            OffOrigin: a segment is empty, `.` or `..`, which would lead to another place.
        """
        for segment in segments:
            _check_segment(segment, "part of a path")
        return "/".join([str(self.origin), *(quote(segment, safe="") for segment in segments)])

    def links(self, document: Any, rel: str) -> list[str]:
        """Find all links of a HAL document that have a relation, as absolute URLs; none where there are none.

        Raises:
            UnexpectedAnswer: one of them is no URL.
        """
        links = document.get("_links") if isinstance(document, dict) else None
        found = links.get(rel) if isinstance(links, dict) else None
        each = found if isinstance(found, list) else [found]
        hrefs = [one["href"] for one in each if isinstance(one, dict) and isinstance(one.get("href"), str)]
        return [_absolute(str(self.origin) + "/", href) for href in hrefs]

    def link(self, document: Any, rel: str, **parameters: str) -> str | None:
        """Find a link of a HAL document, its template filled in, each value percent-encoded.

        Whether it leads to the broker is checked when it is followed, as with every URL.

        Returns:
            The absolute URL, or None when the document has no such link.

        Raises:
            OffOrigin: a value is `.` or `..`, which no encoding keeps from being resolved on the way.
            UnexpectedAnswer: the link is no URL.
        """
        links = document.get("_links") if isinstance(document, dict) else None
        found = links.get(rel) if isinstance(links, dict) else None
        if isinstance(found, list):
            found = found[0] if found else None
        href = found.get("href") if isinstance(found, dict) else None
        if not isinstance(href, str):
            return None
        for name, value in parameters.items():
            _check_segment(value, name)
            href = href.replace("{" + name + "}", quote(value, safe=""))
        return _absolute(str(self.origin) + "/", href)

    def _with_retries(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        waits = self.waits()
        while True:
            try:
                return self._once(method, url, body)
            except BrokerUnreachable as error:
                waits.wait_after(error)

    def _once(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        """Send one request, following redirects that stay on the origin."""
        for _ in range(MAX_REDIRECTS + 1):
            self._check_origin(url)
            response = self._send(method, url, body)
            with response:
                target = response.headers.get("Location") if response.is_redirect else None
                if target is None:
                    return self._read(method, url, response)
                target = _absolute(url, target)
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
        except (requests.exceptions.RequestException, HTTPError) as error:
            raise UnexpectedAnswer(f"{method} {shown_url(url)} did not work: {innermost(error)}") from error
        except ValueError as error:  # requests reads a redirect's target, whether it is to be followed or not
            raise UnexpectedAnswer(f"{method} {shown_url(url)} did not work: {error}") from error
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
            location = _absolute(url, location)
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
            return Answer(url, status, location, parse_json(content), version)
        except NotJson as error:
            raise UnexpectedAnswer(f"the answer of {shown_url(url)} {error}") from error

    def _content(self, url: str, response: requests.Response) -> bytes:
        content = bytearray()
        try:
            for chunk in response.iter_content(65536):
                content += chunk
                if len(content) > MAX_BYTES:
                    raise UnexpectedAnswer(
                        f"{shown_url(url)} answered with more than {MAX_BYTES // 2**20} MB: too large"
                    )
                self._cut(READ_TIMEOUT)
        except requests.exceptions.ContentDecodingError as error:
            raise UnexpectedAnswer(f"{shown_url(url)} answered with broken compression") from error
        except (requests.exceptions.RequestException, HTTPError) as error:
            raise BrokerUnreachable(
                f"the answer of {shown_url(url)} broke off: {innermost(error)}"
            ) from error
        return bytes(content)


def _retry_after(response: requests.Response) -> float | None:
    """Read `Retry-After` (seconds or a date), in seconds; None when there is none that can be read."""
    value = response.headers.get("Retry-After")
    if not value:
        return None
    try:
        return Retry().parse_retry_after(value)
    except HTTPError:
        return None


def _absolute(base: str, link: str) -> str:
    """Make a link absolute.

    Raises:
        UnexpectedAnswer: it is no URL.
    """
    try:
        return urljoin(base, link)
    except ValueError as error:
        raise UnexpectedAnswer(f"{shown_url(base)} gives a link that can't be read as a URL") from error


def _check_segment(value: str, name: str) -> None:
    if value in {"", ".", ".."}:
        raise OffOrigin(f"{value!r} can't be a {name}: in a URL it means another place")
