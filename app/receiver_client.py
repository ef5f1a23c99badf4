"""A client of a receiver: its health, its deliveries, its runs, and what its API may be told to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from app.dispatch import DRY_RUN_HEADER, STATES_HEADER
from broker.http.json_values import integer_at, objects_at, text_at
from broker.http.limited_request import send_request
from broker.http.limits import Limits
from broker.http.no_reply import NoReply, NotTrusted
from broker.http.strict_json import NotJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.records.run import RunStatus
    from broker.http.limits import Reply

LIMITS = Limits(seconds=15, max_bytes=16 * 1024 * 1024)
"""A broker waits as long for an answer; a run has its whole verification in it."""
TRUST = "have this command trust its certificate: REQUESTS_CA_BUNDLE names the file of its authority"
"""What to do where a receiver's certificate is not trusted."""
NOT_READY = "Try again later; its log, or that of what stands before it, says more"
"""What to do where a receiver has answered that it can't do it now."""
LIMIT = 50
"""The items of a list that are asked for: the newest."""
PAGE_LIMIT = 200
"""The items of a page where more than the newest are looked at: the most that a receiver gives."""
MOST_PAGES = 5
MOST_PAGES_OF_PROVIDERS = 1000
"""All of them are asked for; no receiver has so many."""


class ReceiverAway(Exception):
    """The receiver gave no answer, or one that it may not give later; the message says why."""


class ReceiverNotReady(ReceiverAway):
    """The receiver, or what stands before it, answered that it can't do it now."""


class ReceiverNotTrusted(ReceiverAway):
    """The receiver's certificate is not trusted; it is up."""


class NoReceiver(Exception):
    """Something else than a receiver answered."""


class ReceiverRefused(Exception):
    """The receiver does not take the token of its API, doesn't have what is asked for, or doesn't do it.

    Attributes:
        status: The status of its answer.
        reason: What its answer says; empty if that is nothing.
    """

    def __init__(self, message: str, *, status: int, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Page:
    """A page of a list.

    Attributes:
        items: The documents, the newest first.
        next: What leads to the next page; None if this is the last one.
    """

    items: list[dict[str, Any]]
    next: str | None


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
class Checked:
    """What a receiver answered to a dispatch that it was only to check.

    Attributes:
        status: The status of the answer: 204 if it would take the dispatch.
        knows_dry_runs: Whether the receiver knows that it was only to check it.
        errors: Why it would refuse the dispatch, a sentence for each field.
        keeps_failures_back: Whether it publishes no failure with provider states, since nothing sets them up.
    """

    status: int
    knows_dry_runs: bool
    errors: tuple[str, ...] = ()
    keeps_failures_back: bool = False


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

    def check_token(self, repository: str, token: str) -> Checked:
        """Have the receiver check a token and a repository.

        It is sent a dispatch without an event type, which any receiver refuses (422) after it has checked these two, so
        that nothing is queued.
        """
        return self._dry_run(repository, token, {})

    def check_dispatch(self, repository: str, token: str, dispatch: Mapping[str, Any]) -> Checked:
        """Have a receiver that knows dry runs check a dispatch; another one would carry it out."""
        return self._dry_run(repository, token, dispatch)

    def _dry_run(self, repository: str, token: str, dispatch: Mapping[str, Any]) -> Checked:
        path = f"/repos/{repository}/dispatches"
        reply = self._send(path, token, method="POST", json=dispatch, headers={DRY_RUN_HEADER: "true"})
        errors = objects_at(_json(reply), "errors") or []
        said = (text_at(error, "message") or text_at(error, "code") for error in errors)
        return Checked(
            reply.status,
            knows_dry_runs=reply.headers.get(DRY_RUN_HEADER) == "true",
            errors=tuple(filter(None, said)),
            keeps_failures_back=reply.headers.get(STATES_HEADER) == "none",
        )

    def deliveries(self, repository: str) -> list[dict[str, Any]]:
        """Return the latest deliveries for a repository, the newest first.

        Raises:
            ReceiverRefused: It doesn't take the token.
        """
        return self.page_of_deliveries({"repository": repository}).items

    def delivery(self, number: str) -> dict[str, Any]:
        """Return a delivery.

        Raises:
            ReceiverRefused: It doesn't take the token, or has no such delivery.
        """
        return self._named("/api/deliveries", number)

    def runs(self, provider: str, consumer: str) -> list[dict[str, Any]]:
        """Return the latest runs for a provider and a consumer, the newest first.

        Raises:
            ReceiverRefused: It doesn't take the token.
        """
        return self.page_of_runs({"provider": provider, "consumer": consumer}).items

    def runs_for_every_pact(self, provider: str, status: RunStatus) -> list[dict[str, Any]]:
        """Return the runs for every pact of a provider that have a status; they are of no consumer.

        Raises:
            ReceiverRefused: It doesn't take the token.
        """
        return [
            run
            for run in self._first_pages({"provider": provider, "status": status})
            if run.get("pact_url") is None and run.get("parent_id") is None
        ]

    def run(self, number: str) -> dict[str, Any]:
        """Return a run.

        Raises:
            ReceiverRefused: It doesn't take the token, or has no such run.
        """
        return self._named("/api/runs", number)

    def notifications(self, provider: str) -> list[dict[str, Any]]:
        """Return the latest message about a provider to each of those who are told of its changes.

        Raises:
            ReceiverRefused: It doesn't take the token, or it is too old to tell anybody of changes.
        """
        document = self._item("/api/providers", provider, "/notifications")
        return objects_at(document, "items") or []

    def page_of_runs(
        self, filters: Mapping[str, str], *, limit: int = LIMIT, after: str | None = None
    ) -> Page:
        """Return a page of runs.

        Args:
            filters: The values that parameters of the list must have.
            limit: How many runs the page has at most.
            after: The `next` of the page before; None for the first page.

        Raises:
            ReceiverRefused: It doesn't take the token, or a filter.
        """
        return self._page("/api/runs", filters, limit, after)

    def page_of_deliveries(
        self, filters: Mapping[str, str], *, limit: int = LIMIT, after: str | None = None
    ) -> Page:
        """Return a page of deliveries; the arguments and errors are those of `page_of_runs`."""
        return self._page("/api/deliveries", filters, limit, after)

    def log(self, number: str) -> str:
        """Return the log of a run, of all its attempts.

        Raises:
            ReceiverRefused: It doesn't take the token, or has no such run.
        """
        path = f"/api/runs/{quote(number, safe='')}/log"
        return self._checked(path, self._send(path, self.token)).content.decode("utf-8", "replace")

    def verification(self, number: str) -> dict[str, Any]:
        """Return the verification of a run, as `verify --json` writes it.

        Raises:
            ReceiverRefused: It doesn't take the token, or has none of such a run.
        """
        return self._item("/api/runs", number, "/verification")

    def cancel(self, number: str) -> dict[str, Any]:
        """Cancel a run, and return it: it runs on until its worker has stopped it.

        Raises:
            ReceiverRefused: It doesn't take the token, has no such run, or the run is finished.
        """
        return self._named("/api/runs", number, "/cancel", method="POST")

    def redeliver(self, number: str) -> dict[str, Any]:
        """Have a delivery's dispatch carried out again, and return the new delivery.

        Raises:
            ReceiverRefused: It doesn't take the token, has no such delivery, or would refuse the dispatch.
        """
        return self._named("/api/deliveries", number, "/redeliver", method="POST")

    def providers(self) -> list[dict[str, Any]]:
        """Return the providers, by their names.

        Raises:
            ReceiverRefused: It doesn't take the token.
        """
        found: dict[str, dict[str, Any]] = {}  # one that has no pages gives all of them for each page
        after = None
        for _ in range(MOST_PAGES_OF_PROVIDERS):
            page = self._page("/api/providers", {}, PAGE_LIMIT, after)
            found |= {str(one.get("name")): one for one in page.items}
            after = page.next
            if after is None:
                return list(found.values())
        raise NoReceiver(f"{self.base_url}/api/providers does not end")

    def change_provider(self, name: str, action: str, *, reason: str | None = None) -> dict[str, Any]:
        """Pause or resume a provider, and return it.

        Args:
            name: Its name.
            action: `pause` or `resume`.
            reason: Why it is paused.

        Raises:
            ReceiverRefused: It doesn't take the token, or has no such provider.
        """
        query = f"?{urlencode({'reason': reason})}" if reason else ""
        return self._item("/api/providers", name, f"/{action}{query}", method="POST")

    def _first_pages(self, filters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        after = None
        for _ in range(MOST_PAGES):
            page = self.page_of_runs(filters, limit=PAGE_LIMIT, after=after)
            yield from page.items
            after = page.next
            if after is None:
                return

    def _page(self, path: str, filters: Mapping[str, str], limit: int, after: str | None) -> Page:
        query = {**filters, "limit": limit, **({"cursor": after} if after else {})}
        reply = self._send(f"{path}?{urlencode(query)}", self.token)
        if reply.status == 404:  # a receiver has the list
            raise self._no_receiver(path, reply)
        self._checked(path, reply)
        document = _json(reply)
        items = objects_at(document, "items")
        if items is None:
            raise self._no_receiver(path, reply)
        # the cursor alone: the token goes to no address that only an answer names
        try:
            cursor = parse_qs(urlsplit(text_at(document, "next") or "").query).get("cursor")
        except ValueError as error:
            raise self._no_receiver(path, reply) from error
        return Page(items, cursor[0] if cursor else None)

    def _item(self, path: str, number: str, action: str = "", *, method: str = "GET") -> dict[str, Any]:
        path = f"{path}/{quote(number, safe='')}{action}"
        reply = self._checked(path, self._send(path, self.token, method=method))
        document = _json(reply)
        if not isinstance(document, dict):
            raise self._no_receiver(path, reply)
        return document

    def _named(self, path: str, number: str, action: str = "", *, method: str = "GET") -> dict[str, Any]:
        """Return a run or a delivery, which has an id.

        Raises:
            NoReceiver: It hasn't.
        """
        document = self._item(path, number, action, method=method)
        if text_at(document, "id") is None:
            raise NoReceiver(f"{self.base_url}{path}/{number} answered with something that has no id")
        return document

    def _checked(self, path: str, reply: Reply) -> Reply:
        """Return an answer that has what was asked for.

        Raises:
            ReceiverAway: It may have it later.
            ReceiverRefused: It hasn't.
            NoReceiver: It is not the answer of a receiver.
        """
        answered = f"{self.base_url}{path} answered {reply.status}"
        if reply.status == 503:
            raise ReceiverNotReady(f"{answered}: its database is away")
        if reply.status >= 500 or reply.status == 429:
            raise ReceiverNotReady(answered)
        if reply.status >= 400:
            raise ReceiverRefused(
                answered, status=reply.status, reason=text_at(_json(reply), "message") or ""
            )
        if not 200 <= reply.status < 300:
            raise self._no_receiver(path, reply)
        return reply

    def _no_receiver(self, path: str, reply: Reply) -> NoReceiver:
        return NoReceiver(f"{self.base_url}{path} answered {reply.status}, and not as a receiver does")

    def _send(
        self,
        path: str,
        token: str | None = None,
        *,
        method: str = "GET",
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        try:
            reply = send_request(
                method,
                self.base_url.rstrip("/") + path,
                limits=LIMITS,
                headers={"Accept": "application/json", "User-Agent": "pact-dispatch", **(headers or {})},
                token=token,
                json=json,
            )
        except NotTrusted as error:
            raise ReceiverNotTrusted(f"{self.base_url} can't be asked: {error}") from error
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
