"""Labels of a pacticipant."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import select

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import or_not_found
from broker.embedded.http.hal import created, json_response, link, no_content, url
from broker.embedded.storage.deployment_tables import Label
from broker.embedded.storage.records import ensure_pacticipant, pacticipant_named, session
from broker.embedded.storage.tables import Pacticipant

if TYPE_CHECKING:
    from flask import Response
    from sqlalchemy import Select

blueprint = Blueprint("labels", __name__)

LABEL = "/pacticipants/<name:pacticipant>/labels/<name:label>"


@blueprint.get("/labels")
def show_all() -> Response:
    """Answer the names of all labels."""
    names = session().scalars(select(Label.name).distinct().order_by(Label.name))
    return json_response(
        {
            "_embedded": {"labels": [{"name": name} for name in names]},
            "_links": {"self": link(url("labels"), title="Labels")},
        }
    )


@blueprint.get(LABEL)
def show(pacticipant: str, label: str) -> Response:
    """Answer a label of a pacticipant."""
    return json_response(_represent(_label_named(pacticipant, label)))


@blueprint.put(LABEL)
def put(pacticipant: str, label: str) -> Response:
    """Label a pacticipant, which is made if need be."""
    json_object(empty_allowed=True)
    labelled = ensure_pacticipant(pacticipant)
    found = _find(labelled, label)
    if found is not None:
        return json_response(_represent(found))
    made = Label(pacticipant=labelled, name=label)
    session().add(made)
    session().flush()
    return created(_represent(made))


@blueprint.delete(LABEL)
def remove(pacticipant: str, label: str) -> Response:
    """Take a label off a pacticipant."""
    session().delete(_label_named(pacticipant, label))
    return no_content()


def represent_labels(selected: Select[Pacticipant]) -> dict[int, list[dict[str, Any]]]:
    """Return the labels of pacticipants, by the pacticipant's id, as their documents embed them."""
    ids = selected.with_only_columns(Pacticipant.id).order_by(None)
    query = select(Label.pacticipant_id, Label.name, Pacticipant.name).join(Label.pacticipant)
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for owner, name, pacticipant in session().execute(
        query.where(Pacticipant.id.in_(ids)).order_by(Label.name)
    ):
        found[owner].append(
            {"name": name, "_links": {"self": link(_url(pacticipant, name), title="Label", name=name)}}
        )
    return found


def _find(pacticipant: Pacticipant, name: str) -> Label | None:
    return session().scalar(select(Label).where(Label.pacticipant == pacticipant, Label.name == name))


def _label_named(pacticipant: str, name: str) -> Label:
    return or_not_found(_find(pacticipant_named(pacticipant), name))


def _url(pacticipant: str, label: str) -> str:
    return url("pacticipants", pacticipant, "labels", label)


def _represent(label: Label) -> dict[str, Any]:
    pacticipant = label.pacticipant.name
    return {
        "name": label.name,
        "createdAt": label.created_at,
        "_links": {
            "self": link(_url(pacticipant, label.name), title="Label", name=label.name),
            "pacticipant": link(url("pacticipants", pacticipant), title="Pacticipant", name=pacticipant),
        },
    }
