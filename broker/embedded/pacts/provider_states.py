"""The provider states that the pacts of a provider ask for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import select

from broker.embedded.http.hal import json_response
from broker.embedded.storage.deployment_records import environment_with, versions_in
from broker.embedded.storage.heads import heads_of_branches
from broker.embedded.storage.records import provider_named, publications, session
from broker.embedded.storage.tables import Branch, Pacticipant, PactVersion, Publication

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Response
    from sqlalchemy import ColumnElement, Select

    from broker.embedded.pacts.content import Document

blueprint = Blueprint("provider_states", __name__)

STATES = "/pacts/provider/<name:provider>/provider-states"


@blueprint.get(STATES)
def of_main_branches(provider: str) -> Response:
    """Answer the provider states of the latest pacts from the consumers' main branches."""
    heads = heads_of_branches(Branch.name == Pacticipant.main_branch)
    return _answer(provider, Publication.consumer_version_id.in_(heads))


@blueprint.get(f"{STATES}/branch/<name:branch>")
def of_branch(provider: str, branch: str) -> Response:
    """Answer the provider states of the latest pacts from a branch."""
    return _answer(provider, Publication.consumer_version_id.in_(heads_of_branches(Branch.name == branch)))


@blueprint.get(f"{STATES}/environment/<name:uuid>")
def of_environment(provider: str, uuid: str) -> Response:
    """Answer the provider states of the pacts of what is deployed or released in an environment."""
    environment = environment_with(uuid)
    consumers = session().scalars(_consumers_of(provider)).all()
    there = [version.id for consumer in consumers for version in versions_in(consumer, environment)]
    return _answer(provider, Publication.consumer_version_id.in_(there))


def _consumers_of(provider: str) -> Select[Pacticipant]:
    of_it = select(PactVersion.consumer_id).where(PactVersion.provider_id == provider_named(provider).id)
    return select(Pacticipant).where(Pacticipant.id.in_(of_it))


def _answer(provider: str, which: ColumnElement[bool]) -> Response:
    query = publications().where(PactVersion.provider_id == provider_named(provider).id, which)
    found = query.with_only_columns(Pacticipant.name, PactVersion.content).order_by(None)
    found = found.join(Pacticipant, Pacticipant.id == PactVersion.consumer_id).order_by(Pacticipant.name)
    states: dict[tuple[str, str], dict[str, Any]] = {}
    for consumer, content in session().execute(found):
        for state in _states(json.loads(content)):
            key = (state["name"], json.dumps(state.get("params"), sort_keys=True))
            consumers = states.setdefault(key, {**state, "consumers": []})["consumers"]
            if consumer not in consumers:
                consumers.append(consumer)
    return json_response({"providerStates": [states[key] for key in sorted(states)]})


def _states(document: Document) -> Iterator[dict[str, Any]]:
    """Return the provider states in a pact, in the forms of old and new specifications."""
    for name in ("interactions", "messages"):
        items = document.get(name)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                yield from _states_of(item)


def _states_of(interaction: dict[str, Any]) -> Iterator[dict[str, Any]]:
    old, new = interaction.get("providerState"), interaction.get("providerStates")
    if isinstance(old, str):
        yield {"name": old}
    elif isinstance(new, list):
        for state in new:
            if isinstance(state, dict) and isinstance(state.get("name"), str):
                params = state.get("params")
                yield {"name": state["name"], **({} if params is None else {"params": params})}
