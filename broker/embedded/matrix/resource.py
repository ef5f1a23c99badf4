"""The matrix of what was verified against what, and whether a version can be deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, request

from broker.embedded.http.errors import invalid
from broker.embedded.http.hal import json_response
from broker.embedded.matrix.document import represent
from broker.embedded.matrix.query import Ignored, InvalidMatrixQuery, LatestBy, MatrixQuery, Scope, parse
from broker.embedded.matrix.rows import rows
from broker.embedded.matrix.selection import select_versions
from broker.embedded.storage.deployment_records import find_environment
from broker.embedded.storage.records import find_pacticipant, pacticipant_named

if TYPE_CHECKING:
    from flask import Response

    from broker.embedded.matrix.rows import Row
    from broker.embedded.matrix.selection import Selected

blueprint = Blueprint("matrix", __name__)

SUCCESS = "All required verification results are published and successful"
NOTHING_TO_VERIFY = "There are no missing dependencies"


@blueprint.get("/matrix")
def show() -> Response:
    """Answer the rows for the selected versions, and whether they go together."""
    try:
        query = parse(request.query_string.decode("utf-8", errors="replace"))
        return _answer(query)
    except InvalidMatrixQuery as error:
        raise invalid([str(error)]) from error


@blueprint.get("/matrix/provider/<name:provider>/consumer/<name:consumer>")
def show_pair(provider: str, consumer: str) -> Response:
    """Answer all rows of a consumer and a provider."""
    names = (pacticipant_named(consumer).name, pacticipant_named(provider).name)
    return _answer(MatrixQuery(tuple((name, Scope()) for name in names), Scope(), LatestBy.EVERY))


@blueprint.get("/can-i-deploy")
def can_i_deploy() -> Response:
    """Answer whether a version goes together with those in an environment, or the latest that have a tag."""
    errors = {name: ["is missing"] for name in ("pacticipant", "version") if not request.args.get(name)}
    tag, environment = request.args.get("to"), request.args.get("environment")
    if not tag and not environment:
        errors[""] = ["Must specify either an environment or a 'to' tag."]
    elif tag and environment:
        errors[""] = ["Cannot specify both an environment and a 'to' tag."]
    elif environment and find_environment(environment) is None:
        errors["environment"] = [f"environment with name '{environment}' does not exist"]
    name = request.args.get("pacticipant", "")
    if name and find_pacticipant(name) is None:
        errors["pacticipant"] = ["does not match an existing pacticipant"]
    if errors:
        raise invalid(errors)
    selector = (name, Scope(version=request.args["version"]))
    others = Scope(environment=environment) if environment else Scope(latest=True, tag=tag)
    ignored = tuple(Ignored(one, None) for one in request.args.getlist("ignore") if one)
    return _answer(MatrixQuery((selector,), others, LatestBy.CONSUMER_VERSION_PROVIDER, ignored))


def _answer(query: MatrixQuery) -> Response:
    selected = select_versions(query)
    found = rows(selected, query.latest_by)
    counted = [row for row in found if not _is_ignored(row, query)]
    results = [row.result.success if row.result else None for row in counted]
    problems = _problems(selected, counted)
    notices = [("error", text) for text in problems]
    notices = notices or [("success", SUCCESS if counted else NOTHING_TO_VERIFY)]
    passed_over = [row for row in found if _is_ignored(row, query)]
    notices += [("warning", f"[IGNORED] {text}") for text in _problems([], passed_over)]
    deployable: bool | None = not problems
    if None in results and all(one.found for one in selected if one.specified):
        deployable = None  # not known yet: clients may wait for the result
    return json_response(
        {
            "summary": {
                "deployable": deployable,
                "reason": "\n".join(text for _, text in notices),
                "success": results.count(True),
                "failed": results.count(False),
                "unknown": results.count(None),
                **({"ignored": len(passed_over)} if passed_over else {}),
            },
            "notices": [{"type": kind, "text": text} for kind, text in notices],
            "matrix": represent(found, ignored=passed_over),
        }
    )


def _is_ignored(row: Row, query: MatrixQuery) -> bool:
    provider_version = row.result.provider_version if row.result else row.provider.version
    parties = (
        (row.consumer.pacticipant.name, row.publication.consumer_version.number),
        (row.provider.pacticipant.name, provider_version.number if provider_version else None),
    )
    return any(one.covers(*party) for one in query.ignored for party in parties)


def _problems(selected: list[Selected], found: list[Row]) -> list[str]:
    unknown_versions = [
        f"No pacts or verifications have been published for {one.description}"
        for one in selected
        if one.specified and not one.found
    ]
    failed = [
        f"The verification for the pact between {row.consumer.description} and {row.provider.description} failed"
        for row in found
        if row.result and not row.result.success
    ]
    unverified = [
        f"There is no verified pact between {row.consumer.description} and {row.provider.description}"
        for row in found
        if row.result is None
    ]
    return unknown_versions + failed + unverified
