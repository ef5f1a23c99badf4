"""What is asked of a receiver from outside: its health, its deliveries, its runs. Nothing but GET is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests
from urllib3.exceptions import HTTPError

from broker.http.reason import innermost
from broker.http.strict_json import NotJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_SECONDS = 10.0
MAX_BYTES = 4 * 1024 * 1024
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


class _NoCredentials(requests.auth.AuthBase):
    """Keeps requests from looking into ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


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
        status, document = self._get("/readyz", {})
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
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        status, document = self._get(f"{path}?{urlencode({**filters, 'limit': LIMIT})}", headers)
        if status in {401, 403}:
            raise ReceiverRefused(f"{self.base_url}{path} answered {status}", status=status)
        if status == 503:
            raise ReceiverAway(f"{self.base_url}{path} answered 503: its database is away")
        items = document.get("items") if isinstance(document, dict) else None
        if status != 200 or not isinstance(items, list):
            raise NoReceiver(f"{self.base_url}{path} answered {status}, and not as a receiver does")
        return [one for one in items if isinstance(one, dict)]

    def _get(self, path: str, headers: Mapping[str, str]) -> tuple[int, Any]:
        content = bytearray()
        try:
            with requests.get(
                self.base_url.rstrip("/") + path,
                headers={"Accept": "application/json", **headers},
                auth=_NoCredentials(),
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                stream=True,
            ) as response:
                for chunk in response.iter_content(65536):
                    content += chunk
                    if len(content) > MAX_BYTES:
                        raise NoReceiver(f"{self.base_url} answered with more than {MAX_BYTES // 2**20} MB")
                status = response.status_code
        except (requests.RequestException, HTTPError, ValueError) as error:
            raise ReceiverAway(f"{self.base_url} can't be asked: {innermost(error)}") from error
        try:
            return status, parse_json(bytes(content)) if content.strip() else None
        except NotJson:
            return status, None
