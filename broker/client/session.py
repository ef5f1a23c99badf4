"""A session with a Pact Broker: documents, their links, and tries again while the broker is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from broker.client.exchange import LIMITS, Answer, Exchange, absolute
from broker.http.errors import BrokerUnreachable, NotFound, OffOrigin, UnexpectedAnswer
from broker.http.json_values import text_at, value_at
from broker.http.shown_url import shown_url
from broker.http.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from broker.http.access import BrokerAccess
    from broker.http.limits import Limits


class BrokerClient:
    """A session with one Pact Broker.

    Args:
        access: The broker and the credentials for it.
        retry_time: For how many seconds a request that met a 429, a 5xx or no answer is tried again.
        deadline: The `time.monotonic()` past which nothing is tried or waited for.
        on_retry: Called with a sentence before each wait.
        user_agent: The `User-Agent` to send.
        limits: The limits of one request, with all of its answer.
    """

    def __init__(
        self,
        access: BrokerAccess,
        *,
        retry_time: float = 60.0,
        deadline: float | None = None,
        on_retry: Callable[[str], None] | None = None,
        user_agent: str = "pact-dispatch",
        limits: Limits = LIMITS,
    ) -> None:
        self._retry_time = retry_time
        self._deadline = deadline
        self._on_retry = on_retry or (lambda _: None)
        self._exchange = Exchange(access, deadline=deadline, user_agent=user_agent, limits=limits)
        self._index: Answer | None = None
        self.addresses = self._exchange.addresses
        self.origin = self.addresses.origin

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exchange.close()

    def get(self, url: str) -> Answer:
        """Fetch a JSON document, trying again while the broker is away.

        Raises:
            BrokerError: There is no document; the subclass and the message say why.
        """
        return self._with_retries("GET", url, None)

    def find(self, url: str) -> Answer | None:
        """Fetch a JSON document as `get` does, or return None if the broker has none there (404).

        Raises:
            BrokerError: The broker could not be asked.
        """
        try:
            return self.get(url)
        except NotFound:
            return None

    def find_object(self, url: str) -> dict[str, Any] | None:
        """Fetch a JSON object as `get` does, or return None if the broker has none there (404).

        Raises:
            BrokerError: The broker could not be asked, or it answered with something else.
        """
        answer = self.find(url)
        if answer is None:
            return None
        if not isinstance(answer.document, dict):
            raise UnexpectedAnswer(f"{shown_url(url)} did not answer with an object")
        return answer.document

    def put(self, url: str, body: Mapping[str, Any]) -> Answer:
        """Put a JSON document; it is safe to repeat, so it is tried again as `get` is.

        Raises:
            BrokerError: The broker did not take it.
        """
        return self._with_retries("PUT", url, body)

    def query(self, url: str, body: Mapping[str, Any]) -> Answer:
        """Post a question that changes nothing; it is safe to repeat, so it is tried again as `get` is.

        Raises:
            BrokerError: There is no answer.
        """
        return self._with_retries("POST", url, body)

    def delete(self, url: str) -> Answer:
        """Delete a resource; it is tried again as `get` is, and then one that is gone was deleted.

        Raises:
            NotFound: There was none.
            BrokerError: It was not deleted.
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
        """Post a JSON document, or nothing, once; the caller knows whether it may be repeated.

        Raises:
            BrokerUnreachable: There is no answer, or a transient one: the broker may have taken it.
            BrokerError: The broker did not take it.
        """
        return self._once("POST", url, body)

    def waits(self) -> Waits:
        """Return the waits between the tries of one request."""
        return Waits(self._retry_time, self._deadline, self._on_retry)

    def url(self, *segments: str) -> str:
        """Return the URL of a path on the broker, each segment percent-encoded.

        Raises:
            OffOrigin: A segment is empty, `.` or `..`, which would lead to another place.
        """
        for segment in segments:
            _check_segment(segment, "part of a path")
        return "/".join([str(self.origin), *(quote(segment, safe="") for segment in segments)])

    def index(self) -> Answer:
        """Fetch the broker's index, once.

        Raises:
            BrokerError: There is none.
        """
        if self._index is None:
            self._index = self.get(f"{self.origin}/")
        return self._index

    def index_link(self, rel: str, **parameters: str) -> str:
        """Return a link of the broker's index, its template filled in as by `link`.

        Raises:
            BrokerError: There is no index, or it has no such link.
        """
        found = self.link(self.index().document, rel, **parameters)
        if found is None:
            raise UnexpectedAnswer(
                f"the index of {self.origin} has no link {rel}: it is no Pact Broker, or one too old for this"
            )
        return found

    def links(self, document: Any, rel: str) -> list[str]:
        """Return all links of a HAL document that have a relation, as absolute URLs.

        Raises:
            UnexpectedAnswer: One of them is no URL.
        """
        found = value_at(document, "_links", rel)
        hrefs = [text_at(one, "href") for one in (found if isinstance(found, list) else [found])]
        return [self._absolute(href) for href in hrefs if href is not None]

    def link(self, document: Any, rel: str, **parameters: str) -> str | None:
        """Return a link of a HAL document, its template filled in, each value percent-encoded.

        Whether it leads to the broker is checked when it is followed, as with every URL.

        Returns:
            The absolute URL, or None if the document has no such link.

        Raises:
            OffOrigin: A value is `.` or `..`, which no encoding keeps from being resolved on the way.
            UnexpectedAnswer: The link is no URL.
        """
        found = value_at(document, "_links", rel)
        href = text_at(found[0] if isinstance(found, list) and found else found, "href")
        if href is None:
            return None
        for name, value in parameters.items():
            _check_segment(value, name)
            href = href.replace("{" + name + "}", quote(value, safe=""))
        return self._absolute(href)

    def _absolute(self, href: str) -> str:
        return self.addresses.at_origin(absolute(f"{self.origin}/", href))

    def _with_retries(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        waits = self.waits()
        while True:
            try:
                return self._once(method, url, body)
            except BrokerUnreachable as error:
                waits.wait_after(error)

    def _once(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        return self._exchange.send(method, url, body)


def _check_segment(value: str, name: str) -> None:
    if value in {"", ".", ".."}:
        raise OffOrigin(f"{value!r} can't be a {name}: in a URL it means another place")
