"""A receiver as the options and the environment name it, and what its answers mean to people."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TextIO
from uuid import UUID

from app.commands.credentials import token_of
from app.commands.runner import CommandFailed, ExitCode
from app.config.variables import API_TOKEN, API_TOKENS, RECEIVER_URL
from app.receiver_client import (
    NOT_READY,
    TRUST,
    NoReceiver,
    ReceiverAway,
    ReceiverClient,
    ReceiverNotReady,
    ReceiverNotTrusted,
    ReceiverRefused,
)
from broker.http.origin import Origin
from broker.text.harmless import write_json
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from app.commands.runner import Messages
    from app.receiver_client import Page

LONGEST_PAGE = 200
"""The items of a page that a receiver gives, at most."""
KINDS = {"run": "runs", "delivery": "deliveries"}
"""What has an id, and the command that lists it."""


def receiver_url(options: argparse.Namespace) -> str | None:
    """Return the receiver's URL, from the option or else from the environment; None if there is neither.

    Raises:
        UsageError: It can't be one.
    """
    source = "--receiver-url" if options.receiver_url else RECEIVER_URL
    url = options.receiver_url or os.environ.get(RECEIVER_URL) or None
    try:
        if url is not None:
            Origin.of(url)
    except ValueError as error:
        raise UsageError(f"{source}: {error}") from error
    return url


def receiver_client(options: argparse.Namespace, messages: Messages) -> ReceiverClient:
    """Return the client of the receiver; no message shows its token from then on.

    Raises:
        UsageError: There is no URL, or the URL or the token can't be one.
    """
    url = receiver_url(options)
    if url is None:
        raise UsageError(
            f"which receiver? Give --receiver-url URL ({RECEIVER_URL}), as in http://127.0.0.1:8000"
        )
    token = token_of(API_TOKEN)
    messages.hide(token)
    return ReceiverClient(url, token)


@contextmanager
def refusals_explained(client: ReceiverClient) -> Iterator[None]:
    """Turn an answer that is no help, or none, into what the runner tells people."""
    try:
        yield
    except ReceiverNotTrusted as error:
        raise CommandFailed(ExitCode.COULD_NOT, f"{error}. It is up: {TRUST}") from error
    except ReceiverNotReady as error:
        raise CommandFailed(ExitCode.COULD_NOT, f"{error}. {NOT_READY}") from error
    except ReceiverAway as error:
        raise CommandFailed(
            ExitCode.COULD_NOT,
            f"{error}. Is the receiver running (pact-dispatch serve), and reachable from here?",
        ) from error
    except NoReceiver as error:
        raise CommandFailed(
            ExitCode.COULD_NOT, f"{error}: --receiver-url ({RECEIVER_URL}) must be where the receiver listens"
        ) from error
    except ReceiverRefused as error:
        raise CommandFailed(ExitCode.COULD_NOT, _meaning(error, client)) from error


def looked_up(client: ReceiverClient, kind: str, number: str) -> dict[str, Any]:
    """Return a run or a delivery by its id.

    Args:
        client: The client of the receiver.
        kind: `run` or `delivery`.
        number: What was typed for its id.

    Raises:
        UsageError: It is no id.
        CommandFailed: The receiver has none of this id; the message says what else it may be.
    """
    number = _id(client, kind, number)
    try:
        return _get(client, kind, number)
    except ReceiverRefused as error:
        if error.status != 404 or not error.reason:
            raise
        other = next(name for name in KINDS if name != kind)
        raise CommandFailed(
            ExitCode.COULD_NOT, f"{client.base_url} has no {kind} {number}: {_instead(client, other, number)}"
        ) from error


def print_list(
    options: argparse.Namespace,
    client: ReceiverClient,
    messages: Messages,
    kind: str,
    filters: Iterable[str],
    write: Callable[[list[dict[str, Any]], TextIO], None],
) -> int:
    """Print runs or deliveries, the newest first.

    Args:
        options: The command line: the filters' values, the limit, and whether JSON is wanted.
        client: The client of the receiver.
        messages: Where it is said that there are more.
        kind: `run` or `delivery`.
        filters: The names of the filters.
        write: Writes them for people.

    Returns:
        The exit code.
    """
    chosen = {name: value for name in filters if (value := getattr(options, name))}
    found, more = _listed(client, kind, chosen, options.limit)
    if options.json:
        write_json(found, sys.stdout)
    else:
        write(found, sys.stdout)
    if more:
        messages.say(f"these are the newest {len(found)}: --limit N takes more, --limit all takes all")
    return ExitCode.DONE


def _listed(
    client: ReceiverClient, kind: str, filters: Mapping[str, str], limit: int | None
) -> tuple[list[dict[str, Any]], bool]:
    """Return runs or deliveries, the newest first, from as many pages as are needed.

    Args:
        client: The client of the receiver.
        kind: `run` or `delivery`.
        filters: The values that they must have.
        limit: How many, at most; all if None.

    Returns:
        Them, and whether there are more.
    """
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        most = LONGEST_PAGE if limit is None else min(LONGEST_PAGE, limit - len(found))
        page = _page(client, kind, filters, most, after)
        found += page.items
        # a page without items may have a next one, where a text is looked for
        is_last = page.next is None or page.next == after
        after = page.next
        if is_last or (limit is not None and len(found) >= limit):
            return found, not is_last


def _meaning(error: ReceiverRefused, client: ReceiverClient) -> str:
    if error.status == 401 and client.token is None:
        return f"{client.base_url} wants a token of its API: set {API_TOKEN} to one of its {API_TOKENS}"
    if error.status == 401:
        return (
            f"{client.base_url} doesn't know the token in {API_TOKEN}: it must be the part after NAME: of one of its "
            f"{API_TOKENS}, which are not the tokens that may dispatch"
        )
    if error.reason:
        return f"{client.base_url} refused it ({error.status}): {error.reason}"
    return f"{error}: does what stands before the receiver let /api pass?"


def _id(client: ReceiverClient, kind: str, text: str) -> str:
    with suppress(ValueError):
        return str(UUID(text))
    known = [str(item.get("id")) for item in _page(client, kind, {}, LONGEST_PAGE, None).items]
    near = [one for one in known if one.startswith(text.lower())] or get_close_matches(text, known, n=3)
    meant = f"; did you mean {' or '.join(near[:3])}?" if near else ""
    raise UsageError(f"{text!r} is no id of a {kind}{meant} (pact-dispatch {KINDS[kind]} list shows the ids)")


def _instead(client: ReceiverClient, other: str, number: str) -> str:
    try:
        found = _get(client, other, number)
    except ReceiverRefused:
        return "it may have been deleted (retention.days), or be another receiver's"
    its_run = f", of the run {found['run_id']}" if found.get("run_id") else ""
    return f"that is a {other}{its_run} (pact-dispatch {KINDS[other]} show {number})"


def _get(client: ReceiverClient, kind: str, number: str) -> dict[str, Any]:
    return client.run(number) if kind == "run" else client.delivery(number)


def _page(
    client: ReceiverClient, kind: str, filters: Mapping[str, str], limit: int, after: str | None
) -> Page:
    page = client.page_of_runs if kind == "run" else client.page_of_deliveries
    return page(filters, limit=limit, after=after)
