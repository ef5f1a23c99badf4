"""The pages of providers: which there are, how each stands, and pausing one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, redirect, request

from app.config.provider import RelayedProvider
from app.config.shown_configuration import without_secrets
from app.config.shown_provider import shown_provider
from app.intake import pausing
from app.intake.pausing import NoSuchProvider
from app.records import actions, notifications, provider_looks
from app.records.actions import ActionKind
from app.records.pauses import LONGEST_REASON
from app.web.context import database, receiver
from app.web.dashboard.providers.query import read_list, read_matrix, read_row
from app.web.dashboard.rendering import address, provider_link, show
from app.web.problem import HttpProblem
from broker.http.names import LONGEST_NAME
from broker.text.times import read_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask import Response
    from psycopg import Connection as Database

    from app.config.settings import Settings
    from app.records.actions import Doer
    from app.web.dashboard.providers.query import ProviderRow

PAGE_LENGTH = 50
STATES = {"paused": "paused", "history": "not in the configuration"}
"""The states that the list is filtered by, and what they are called."""

blueprint = Blueprint("providers", __name__)


@blueprint.get("/providers")
def show_providers() -> Response:
    """Answer with a page of the providers, by their names."""
    text, after = (request.args.get(name, "")[:LONGEST_NAME] for name in ("q", "after"))
    state = request.args.get("state", "")
    state = state if state in STATES else ""

    def values() -> dict[str, Any]:
        with database() as connection:
            page = read_list(
                connection,
                receiver().settings,
                text=text,
                state=state,
                after=after or None,
                limit=PAGE_LENGTH,
            )
        following = (
            None if page.after is None else address("/providers", q=text, state=state, after=page.after)
        )
        return {
            "page": page,
            "text": text,
            "state": state,
            "states": STATES,
            "after": after,
            "following": following,
        }

    return show("providers/providers.html.jinja", values, topics=("runs",))


@blueprint.get("/providers/<name:name>")
def show_provider(name: str) -> Response:
    """Answer with a provider: its configuration, its results, and what the broker said of it."""

    def values() -> dict[str, Any]:
        settings = receiver().settings
        with database() as connection:
            row = _row(connection, name)
            matrix = read_matrix(connection, name)
            look = provider_looks.get(connection, name)
            told = notifications.latest_of_targets(connection, name)
        shown = (
            {}
            if row.settings is None
            else without_secrets(shown_provider(row.settings, settings.worker.provider_user))
        )
        return {
            "row": row,
            "name": name,
            "longest_reason": LONGEST_REASON,
            "matrix": matrix,
            "look": look,
            "read_time": read_time,
            "found": None if look is None else look.answer,
            "configuration": list(_lines(shown)),
            "targets": () if row.settings is None else settings.notify_of(row.settings).targets,
            "told": told,
            "can_look": row.settings is not None,
            "is_relayed": isinstance(row.settings, RelayedProvider),
        }

    return show("providers/provider.html.jinja", values, topics=(f"provider {name}",))


@blueprint.post("/providers/<name:name>/pause")
def pause_provider(name: str) -> Response:
    """Pause a provider: its runs are accepted and queued, and none is started."""
    return _done(name, partial(pausing.pause, reason=request.form.get("reason")))


@blueprint.post("/providers/<name:name>/resume")
def resume_provider(name: str) -> Response:
    """Resume a provider, and start the runs that have waited for that."""
    return _done(name, pausing.resume)


@blueprint.post("/providers/<name:name>/look")
def look_at_provider(name: str) -> Response:
    """Have a worker ask the broker which pacts lack a result, and queue them if that is asked for."""
    queues = request.form.get("queue") == "yes"
    if receiver().settings.provider_named(name) is None:
        raise HttpProblem(
            404, f"there is no provider {name!r} in the configuration: nothing can be looked for"
        )
    with database() as connection:
        if provider_looks.ask(connection, name, g.viewer.name, queues=queues) and queues:
            actions.add(connection, g.viewer.doer, ActionKind.RECONCILE, provider=name)
    return _to(name, "missing")


def _row(connection: Any, name: str) -> ProviderRow:
    row = read_row(connection, receiver().settings, name)
    if row is None:
        raise HttpProblem(
            404, f"there is no provider {name!r}, neither in the configuration nor in the history"
        )
    return row


def _done(name: str, action: Callable[[Database[Any], Settings, str, Doer], object]) -> Response:
    with database() as connection:
        try:
            action(connection, receiver().settings, name, g.viewer.doer)
        except NoSuchProvider as error:
            raise HttpProblem(404, str(error)) from error
    return _to(name)


def _to(name: str, part: str = "") -> Response:
    return redirect(f"{provider_link(name)}{f'#{part}' if part else ''}", 303)  # type: ignore[return-value]


def _lines(shown: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the keys of a configuration with their values; what is as if it were not given is left out."""
    for key, value in shown.items():
        if value in (None, "", [], {}, ()) or (value is False):
            continue
        if isinstance(value, dict):
            yield from _lines(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{key}", ", ".join(map(_text, value))
        elif key.endswith(("_minutes", "_hours")):
            yield f"{prefix}{key}", f"{value:g}"
        elif key == "memory_limit":
            yield f"{prefix}{key}", f"{value} MB"
        else:
            yield f"{prefix}{key}", _text(value)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return " and ".join(f"{key} = {_text(member)}" for key, member in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, float):
        return f"{value:g} s"  # each other number that may have a fraction is of seconds
    return "yes" if value is True else str(value)
