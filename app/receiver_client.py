"""What is asked of a receiver from outside: its health, its deliveries, its runs. Nothing but GET is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from broker.http.limited_request import Limits, NoReply, send_request
from broker.http.strict_json import NotJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMITS = Limits(seconds=10, max_bytes=4 * 1024 * 1024)
LIMIT = 50
"""Items of a list that are asked for: the newest."""


class ReceiverAway(Exception):
    """No answer was had from it; the message says why."""


class NoReceiver(Exception):
    """What answered is no receiver of this project."""


class ReceiverRefused(Exception):
    """The receiver does not take the API's token.

    Attributes:
        status: of its answer.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Health:
    """What a receiver says of itself.

    Attributes:
        ready: a dispatch would be carried out now.
        problems: why not.
        workers: that are alive; None where it doesn't know.
        waiting: runs that wait; likewise.
    """

    ready: bool
    problems: tuple[str, ...]
    workers: int | None
    waiting: int | None


@dataclass(frozen=True)
class ReceiverClient:
    """One receiver.

    Attributes:
        base_url: where it listens. Redirects are not followed: the token goes there and nowhere else.
        token: of its API; None where there is none.
    """

    base_url: str
    token: str | None = field(default=None, repr=False)

    def health(self) -> Health:
        """Ask whether it is ready; no token is sent.

        Raises:
            ReceiverAway: it does not answer.
            NoReceiver: something else answers there.
        """
        status, document = self._get("/readyz")
        if not isinstance(document, dict) or not isinstance(document.get("ready"), bool):
            raise NoReceiver(f"{self.base_url}/readyz answered {status}, and not as a receiver does")
        problems, queue = document.get("problems"), document.get("queue")
        numbers = queue if isinstance(queue, dict) else {}
        workers, waiting = numbers.get("workers"), numbers.get("waiting")
        return Health(
            ready=document["ready"],
            problems=tuple(str(one) for one in problems) if isinstance(problems, list) else (),
            workers=workers if isinstance(workers, int) else None,
            waiting=waiting if isinstance(waiting, int) else None,
        )

    def deliveries(self, repository: str) -> list[dict[str, Any]]:
        """Fetch the latest deliveries for a repository, the newest first.

        Raises:
            ReceiverAway: it does not answer.
            ReceiverRefused: it doesn't take the token.
            NoReceiver: something else answers there.
        """
        return self._items("/api/deliveries", {"repository": repository})

    def runs(self, provider: str, consumer: str) -> list[dict[str, Any]]:
        """Fetch the latest runs for a provider and a consumer, the newest first.

        Raises:
            ReceiverAway: it does not answer.
            ReceiverRefused: it doesn't take the token.
            NoReceiver: something else answers there.
        """
        return self._items("/api/runs", {"provider": provider, "consumer": consumer})

    def _items(self, path: str, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        status, document = self._get(f"{path}?{urlencode({**filters, 'limit': LIMIT})}", self.token)
        if status in {401, 403}:
            raise ReceiverRefused(f"{self.base_url}{path} answered {status}", status=status)
        if status == 503:
            raise ReceiverAway(f"{self.base_url}{path} answered 503: its database is away")
        items = document.get("items") if isinstance(document, dict) else None
        if status != 200 or not isinstance(items, list):
            raise NoReceiver(f"{self.base_url}{path} answered {status}, and not as a receiver does")
        return [one for one in items if isinstance(one, dict)]

    def _get(self, path: str, token: str | None = None) -> tuple[int, Any]:
        try:
            reply = send_request(
                "GET",
                self.base_url.rstrip("/") + path,
                limits=LIMITS,
                headers={"Accept": "application/json"},
                token=token,
            )
        except NoReply as error:
            raise ReceiverAway(f"{self.base_url} can't be asked: {error}") from error
        if not reply.is_whole:
            raise NoReceiver(f"{self.base_url} answered with more than {LIMITS.max_bytes // 2**20} MB")
        try:
            return reply.status, parse_json(reply.content) if reply.content.strip() else None
        except NotJson:
            return reply.status, None
