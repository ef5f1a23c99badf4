"""What deployments and releases have in common: a version that is recorded to be in an environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from flask import request
from sqlalchemy import select

from broker.embedded.environments.resource import environment_url, represent_environment
from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import invalid, or_not_found
from broker.embedded.http.hal import json_response, link, url
from broker.embedded.http.paging import with_query
from broker.embedded.pacticipants.display_name import shown_name
from broker.embedded.storage.deployment_records import Record, current, environment_with
from broker.embedded.storage.records import session, version_numbered
from broker.embedded.storage.tables import Pacticipant

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response
    from sqlalchemy import Select

    from broker.embedded.storage.deployment_tables import Environment
    from broker.embedded.storage.tables import Version


@dataclass(frozen=True)
class Kind(Generic[Record]):
    """Deployments or releases, and what clients call their parts.

    Attributes:
        record: The class of the rows.
        path: The first segment of a record's URL, and the last but two of a version's list.
        collection: The key of a list.
        flag: The field that is true until it has ended.
        ended: The field with the time at which it ended.
        current: The last segment of the URL of an environment's list.
        title: The title of a version's list, before the version.
        place: What stands before the environment there.
        fields: More fields of a record.
    """

    record: type[Record]
    path: str
    collection: str
    flag: str
    ended: str
    current: str
    title: str
    place: str = ""
    fields: Callable[[Record], dict[str, Any]] = lambda _: {}

    def url(self, record: Record) -> str:
        """Return the URL of a record."""
        return url(self.path, record.uuid)

    def with_uuid(self, uuid: str) -> Record:
        """Return a record; raise a `Refusal` with 404 if there is none."""
        return or_not_found(session().scalar(select(self.record).where(self.record.uuid == uuid)))

    def of_version(self, version: Version, environment: Environment) -> Select[Record]:
        """Return the query for all records of a version in an environment, the latest first."""
        of_it = select(self.record).where(
            self.record.version == version, self.record.environment == environment
        )
        return of_it.order_by(self.record.id.desc())

    def answer_of_version(self, pacticipant: str, number: str, uuid: str) -> Response:
        """Answer all records of a version in an environment."""
        version, environment = version_numbered(pacticipant, number), environment_with(uuid)
        path = ("pacticipants", pacticipant, "versions", number, self.path, "environment", uuid)
        where = f"{self.place}{environment.shown_name}"
        title = f"{self.title} for {shown_name(version.pacticipant)} version {number} in {where}"
        return self._answer_list(self.of_version(version, environment), url(*path), title, embedding=False)

    def current_in(self, environment: Environment) -> Select[Record]:
        """Return the query for what is in an environment now, perhaps of the pacticipant in the request's query."""
        query = current(self.record).where(self.record.environment == environment)
        name = request.args.get("pacticipant")
        return query.where(Pacticipant.name == name) if name else query

    def answer_current(self, query: Select[Record], environment: Environment, title: str) -> Response:
        """Answer what the query finds, as what is in an environment now."""
        href = with_query(environment_url(environment, self.path, self.current))
        return self._answer_list(query, href, title)

    def asked_state(self) -> bool | None:
        """Return the state that the request asks for: whether the record has not ended, or None to leave it.

        Raises:
            Refusal: 400.
        """
        fields = json_object()
        state: bool | None = fields.get(self.flag)
        if self.flag in fields and not isinstance(state, bool):
            raise invalid({self.flag: ["must be boolean"]})
        return state

    def represent(
        self, record: Record, *, with_environment: bool = True, embedding: bool = True
    ) -> dict[str, Any]:
        """Return a record as clients see it, perhaps with its environment, or without anything embedded."""
        fields = {
            "uuid": record.uuid,
            self.flag: record.ended_at is None,
            **self.fields(record),
            self.ended: record.ended_at,
            "updatedAt": record.updated_at,
            "createdAt": record.created_at,
        }
        embedded = _represent_version(record.version)
        if with_environment:
            embedded["environment"] = represent_environment(record.environment)
        return {
            **{key: value for key, value in fields.items() if value is not None},
            **({"_embedded": embedded} if embedding else {}),
            "_links": {"self": link(self.url(record))},
        }

    def _answer_list(
        self, query: Select[Record], href: str, title: str, *, embedding: bool = True
    ) -> Response:
        shown = [
            self.represent(one, with_environment=False, embedding=embedding)
            for one in session().scalars(query)
        ]
        return json_response(
            {"_embedded": {self.collection: shown}, "_links": {"self": link(href, title=title)}}
        )


def _represent_version(version: Version) -> dict[str, Any]:
    name, number = version.pacticipant.name, version.number
    return {
        "pacticipant": {"name": name, "_links": {"self": link(url("pacticipants", name))}},
        "version": {
            "number": number,
            "_links": {
                "self": link(url("pacticipants", name, "versions", number), title="Version", name=number)
            },
        },
    }
