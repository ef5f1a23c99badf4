"""The matrix of what was verified against what, and whether a version can be deployed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flask import Blueprint, request

from broker.embedded.http import nested_query
from broker.embedded.http.errors import invalid, or_not_found
from broker.embedded.http.hal import json_response
from broker.embedded.matrix.document import represent
from broker.embedded.matrix.query import (
    InvalidMatrixQuery,
    LatestBy,
    MatrixQuery,
    Scope,
    Selector,
    options,
    parse,
)
from broker.embedded.matrix.rows import rows
from broker.embedded.matrix.selection import select_versions
from broker.embedded.matrix.summary import summarize
from broker.embedded.storage.deployment_records import find_environment
from broker.embedded.storage.records import (
    consumer_named,
    find_pacticipant,
    latest_version,
    pacticipant_named,
    provider_named,
)

if TYPE_CHECKING:
    from flask import Response

    from broker.embedded.http.nested_query import Item
    from broker.embedded.matrix.rows import Row
    from broker.embedded.matrix.selection import Selection

blueprint = Blueprint("matrix", __name__)

PACTICIPANT = "/pacticipants/<name:pacticipant>"


@blueprint.get("/matrix")
def show() -> Response:
    """Answer the rows for the selected versions, and whether they go together."""
    try:
        return _answer(parse(_query_string()))
    except InvalidMatrixQuery as error:
        raise invalid(error.messages) from error


@blueprint.get("/matrix/provider/<name:provider>/consumer/<name:consumer>")
def show_pair(provider: str, consumer: str) -> Response:
    """Answer all rows of a consumer and a provider."""
    names = (consumer_named(consumer).name, provider_named(provider).name)
    query = options(*nested_query.parse(_query_string()))
    return _answer(replace(query, selectors=tuple(map(Selector, names)), others=Scope()))


@blueprint.get("/can-i-deploy")
def can_i_deploy() -> Response:
    """Answer whether a version goes together with those in an environment, or the latest that have a tag."""
    errors = {name: ["is missing"] for name in ("pacticipant", "version") if not request.args.get(name)}
    tag, environment = request.args.get("to"), request.args.get("environment")
    if not tag and not environment:
        errors[""] = ["Must specify either an environment or a 'to' tag."]
    elif tag and environment:
        errors[""] = ["Cannot specify both a 'to' tag and an environment."]
    elif environment and find_environment(environment) is None:
        errors["environment"] = [f"with name '{environment}' does not exist"]
    name = request.args.get("pacticipant", "")
    if name and find_pacticipant(name) is None:
        errors["pacticipant"] = ["does not match an existing pacticipant"]
    if errors:
        raise invalid(errors)
    selector = Selector(name, Scope(version=request.args["version"]))
    _, lists = nested_query.parse(_query_string())
    ignored = tuple(one for item in lists["ignore"] if (one := _ignored(item)))
    return _answer(_deployment(selector, tag=tag, environment=environment, ignored=ignored))


@blueprint.get(
    f"{PACTICIPANT}/branches/<name:branch>/latest-version/can-i-deploy/to-environment/<name:environment>"
)
def can_i_deploy_branch(pacticipant: str, branch: str, environment: str) -> Response:
    """Answer whether the latest version of a branch goes together with those in an environment."""
    or_not_found(latest_version(pacticipant_named(pacticipant), branch=branch))
    or_not_found(find_environment(environment))
    selector = Selector(pacticipant, Scope(latest=True, branch=branch))
    return _answer(_deployment(selector, environment=environment))


@blueprint.get(f"{PACTICIPANT}/latest-version/<name:tag>/can-i-deploy/to/<name:to>")
def can_i_deploy_tag(pacticipant: str, tag: str, to: str) -> Response:
    """Answer whether the latest version with a tag goes together with the latest that have another one."""
    or_not_found(latest_version(pacticipant_named(pacticipant), tag=tag))
    return _answer(_deployment(Selector(pacticipant, Scope(latest=True, tag=tag)), tag=to))


def _deployment(
    selector: Selector,
    *,
    tag: str | None = None,
    environment: str | None = None,
    ignored: tuple[Selector, ...] = (),
) -> MatrixQuery:
    if environment:
        # Each version in an environment counts, not the latest alone.
        by = LatestBy.CONSUMER_VERSION_PROVIDER_VERSION
        return MatrixQuery((selector,), Scope(environment=environment), by, ignored)
    by = LatestBy.CONSUMER_VERSION_PROVIDER
    return MatrixQuery((selector,), Scope(latest=True, tag=tag), by, ignored)


def _ignored(item: Item) -> Selector | None:
    """Return what to ignore: `ignore[]=Bar`, or `ignore[][pacticipant]=Bar` perhaps with a version."""
    if isinstance(item, str):
        return Selector(item) if item else None
    name = item.get("pacticipant")
    return Selector(name, Scope(version=item.get("version") or None)) if name else None


def _answer(query: MatrixQuery) -> Response:
    selection = select_versions(query)
    found = rows(selection, query)
    counted = [row for row in found if not _is_ignored(row, selection)]
    passed_over = [row for row in found if _is_ignored(row, selection)]
    summary, notices = summarize(selection, query, counted, passed_over)
    return json_response(
        {
            "summary": summary,
            "notices": [{"type": kind, "text": text} for kind, text in notices],
            "matrix": represent([*counted, *passed_over], ignored=passed_over),
        }
    )


def _is_ignored(row: Row, selection: Selection) -> bool:
    consumer, provider = row.pair
    provider_version = row.result.provider_version_id if row.result else None
    return any(
        one.covers(consumer, row.publication.consumer_version_id) or one.covers(provider, provider_version)
        for one in selection.ignored
    )


def _query_string() -> str:
    return request.query_string.decode("utf-8", errors="replace")
