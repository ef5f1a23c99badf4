"""A client of a receiver: its health, its deliveries, its runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from broker.http.json_values import integer_at, objects_at
from broker.http.limited_request import send_request
from broker.http.limits import Limits
from broker.http.no_reply import NoReply
from broker.http.strict_json import NotJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.http.limits import Reply

LIMITS = Limits(seconds=15, max_bytes=16 * 1024 * 1024)
"""A broker waits as long for an answer; a run has its whole verification in it."""
LIMIT = 50
"""The items of a list that are asked for: the newest."""


class ReceiverAway(Exception):
    """The receiver gave no answer, or one that it may not give later; the message says why."""


class NoReceiver(Exception):
    """Something else than a receiver answered."""


class ReceiverRefused(Exception):
    """The receiver does not take the token of its API, or doesn't have what is asked for.

    Attributes:
        status: The status of its answer.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Health:
    """What a receiver says of itself.

    Attributes:
        ready: Whether a dispatch would be carried out now.
        problems: Why not.
        workers: How many workers are alive; None if it doesn't know.
        waiting: How many runs wait; None if it doesn't know.
    """

    ready: bool
    problems: tuple[str, ...]
    workers: int | None
    waiting: int | None


@dataclass(frozen=True)
class ReceiverClient:
    """A client of one receiver. Every method raises `ReceiverAway` or `NoReceiver` if no receiver answers.

    Attributes:
        base_url: Where it listens. Redirects are not followed: the token goes there and nowhere else.
        token: A token of its API, if there is one.
    """

    base_url: str
    token: str | None = field(default=None, repr=False)

    def status(self, path: str) -> int:
        """Return the status of the answer to a GET without a token."""
        return self._send(path).status

    def health(self) -> Health:
        """Return whether it is ready, and what waits there if it takes the token."""
        reply = self._send("/readyz", self.token)
        if reply.status == 401:
            reply = self._send("/readyz")
        document = _json(reply)
        if not isinstance(document, dict) or not isinstance(document.get("ready"), bool):
            raise NoReceiver(f"{self.base_url}/readyz answered {reply.status}, and not as a receiver does")
        problems = document.get("problems")
        return Health(
            ready=document["ready"],
            problems=tuple(str(one) for one in problems) if isinstance(problems, list) else (),
            workers=integer_at(document, "queue", "workers"),
            waiting=integer_at(document, "queue", "waiting"),
        )

    def probe_dispatch(self, repository: str, token: str) -> int:
        """Return the status of the answer to a dispatch without an event type.

        The receiver refuses it after it has checked the token and the repository: nothing is queued, and its history
        has the refusal.
        """
        return self._send(f"/repos/{repository}/dispatches", token, method="POST", json={}).status

    def deliveries(self, repository: str) -> list[dict[str, Any]]:
        """Return the latest deliveries for a repository, the newest first.

        Raises:
            ReceiverRefused: It doesn't take the token.
        """
        return self._items("/api/deliveries", {"repository": repository})

    def delivery(self, number: str) -> dict[str, Any]:
        """Return a delivery.

        Raises:
            ReceiverRefused: It doesn't take the token, or has no such delivery.
        """
        return self._item("/api/deliveries", number)

    def runs(self, provider: str, consumer: str) -> list[dict[str, Any]]:
        """Return the latest runs for a provider and a consumer, the newest first.

        Raises:
            ReceiverRefused: It doesn't take the token.
        """
        return self._items("/api/runs", {"provider": provider, "consumer": consumer})

    def run(self, number: str) -> dict[str, Any]:
        """Return a run.

        Raises:
            ReceiverRefused: It doesn't take the token, or has no such run.
        """
        return self._item("/api/runs", number)

    def _items(self, path: str, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        reply = self._send(f"{path}?{urlencode({**filters, 'limit': LIMIT})}", self.token)
        if reply.status in {401, 403}:
            raise ReceiverRefused(f"{self.base_url}{path} answered {reply.status}", status=reply.status)
        if reply.status == 503:
            raise ReceiverAway(f"{self.base_url}{path} answered 503: its database is away")
        items = objects_at(_json(reply), "items")
        if reply.status != 200 or items is None:
            raise NoReceiver(f"{self.base_url}{path} answered {reply.status}, and not as a receiver does")
        return items

    def _item(self, path: str, number: str) -> dict[str, Any]:
        reply = self._send(f"{path}/{quote(number, safe='')}", self.token)
        answered = f"{self.base_url}{path}/{number} answered {reply.status}"
        if reply.status >= 500:
            raise ReceiverAway(answered)
        if reply.status != 200:
            raise ReceiverRefused(answered, status=reply.status)
        document = _json(reply)
        if not isinstance(document, dict):
            raise NoReceiver(f"{answered}, and not as a receiver does")
        return document

    def _send(self, path: str, token: str | None = None, *, method: str = "GET", json: Any = None) -> Reply:
        try:
            reply = send_request(
                method,
                self.base_url.rstrip("/") + path,
                limits=LIMITS,
                headers={"Accept": "application/json", "User-Agent": "pact-dispatch"},
                token=token,
                json=json,
            )
        except NoReply as error:
            raise ReceiverAway(f"{self.base_url} can't be asked: {error}") from error
        if not reply.is_whole:
            raise NoReceiver(f"{self.base_url} answered with more than {LIMITS.max_bytes // 2**20} MB")
        return reply


def _json(reply: Reply) -> Any:
    try:
        return parse_json(reply.content)
    except NotJson:
        return None
