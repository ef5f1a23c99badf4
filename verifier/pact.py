"""The pact document: names, interactions, shards. No I/O.

This covers the Pact specifications 1 to 4. Only the engine interprets interactions; this module knows where they are in
the document and what they are called, and divides a document without changing what any of them means.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from broker.http.json_values import objects_at, text_at

HTTP = "Synchronous/HTTP"
MESSAGE = "Asynchronous/Messages"
SYNCHRONOUS_MESSAGE = "Synchronous/Messages"
KINDS = frozenset({HTTP, MESSAGE, SYNCHRONOUS_MESSAGE})


class NotAPact(Exception):
    """The document is no pact that can be verified; the message says what is wrong, and where."""


@dataclass(frozen=True)
class ProviderState:
    """A state that the provider must be in, with its parameters."""

    name: str
    params: dict[str, Any]

    def __str__(self) -> str:
        if not self.params:
            return self.name
        values = ", ".join(f"{name}: {json.dumps(value)}" for name, value in self.params.items())
        return f"{self.name} ({values})"


@dataclass(frozen=True)
class Interaction:
    """One interaction of a pact.

    Attributes:
        index: Its index in the document, those in `messages` after those in `interactions`.
        id: The broker's `_id`; empty in a pact that doesn't come from a broker.
        key: The `key` of a V4 interaction; empty if it has none.
        kind: One of `KINDS`.
        description: The consumer's description of it.
        states: The provider states that it requires.
        request: The first line of the request (`GET /products/7`), or the kind of message.
        pending: Whether its failure doesn't break the contract, as V4 allows.
        document: The interaction as it is in the pact.
    """

    index: int
    id: str
    key: str
    kind: str
    description: str
    states: tuple[ProviderState, ...]
    request: str
    pending: bool
    document: dict[str, Any]


@dataclass(frozen=True)
class Pact:
    """A pact.

    Attributes:
        consumer: The consumer's name.
        provider: The provider's name.
        specification: The version of the Pact specification ("4.0"); "" if the document has none.
        interactions: The interactions, in the order of the document.
        document: The JSON document.
    """

    consumer: str
    provider: str
    specification: str
    interactions: tuple[Interaction, ...]
    document: dict[str, Any]

    @property
    def consumer_version(self) -> str | None:
        """The version of the consumer that published it, according to the broker's links; None for a file."""
        return text_at(self.document, "_links", "pb:consumer-version", "name")

    @property
    def plugins(self) -> tuple[tuple[str, str], ...]:
        """The plugins that it needs, each with its version."""
        plugins = objects_at(self.document, "metadata", "plugins") or []
        return tuple((str(plugin.get("name", "")), str(plugin.get("version", ""))) for plugin in plugins)

    def select(self, *, description: str | None = None, state: str | None = None) -> tuple[Interaction, ...]:
        """Return some of the interactions, as the Pact verifiers' filters do.

        Args:
            description: A regular expression to search for in the description.
            state: One to search for in the names of the states; "" selects interactions without a state.
        """
        return tuple(
            interaction
            for interaction in self.interactions
            if (description is None or re.search(description, interaction.description))
            and (state is None or _has_state(interaction, state))
        )

    def shard(self, interactions: tuple[Interaction, ...]) -> str:
        """Return a pact document with some of the interactions only, for the engine.

        Names and metadata stay as they are. Each interaction's `_id` becomes its index, which the engine returns with
        the result. So the interaction of each result is known, even if two have the same description.
        """
        documents = [{**interaction.document, "_id": str(interaction.index)} for interaction in interactions]
        kept = {key: value for key, value in self.document.items() if key not in {"_links", "createdAt"}}
        if "interactions" in kept or "messages" not in kept:
            kept["interactions"] = [
                d for i, d in zip(interactions, documents, strict=True) if not _in_messages(self, i)
            ]
        if "messages" in kept:
            kept["messages"] = [
                d for i, d in zip(interactions, documents, strict=True) if _in_messages(self, i)
            ]
        return json.dumps(kept, allow_nan=False)


def _has_state(interaction: Interaction, expression: str) -> bool:
    if not expression:
        return not interaction.states
    return any(re.search(expression, state.name) for state in interaction.states)


def _in_messages(pact: Pact, interaction: Interaction) -> bool:
    return interaction.index >= len(_list(pact.document, "interactions"))


def parse_pact(document: Any) -> Pact:
    """Read a pact from its JSON document.

    Raises:
        NotAPact: It has no names, no interactions, or parts that are not what they must be.
    """
    if not isinstance(document, dict):
        raise NotAPact(f"it is a JSON {_json_type(document)}, and a pact is an object")
    consumer, provider = _name(document, "consumer"), _name(document, "provider")
    http, messages = _list(document, "interactions"), _list(document, "messages")
    if not http and not messages:
        if "interactions" not in document and "messages" not in document:
            raise NotAPact("it has neither 'interactions' nor 'messages'")
        raise NotAPact("it has no interactions: there is nothing to verify")
    interactions = [_interaction(index, d, HTTP, "interactions") for index, d in enumerate(http)]
    interactions += [
        _interaction(index, d, MESSAGE, "messages") for index, d in enumerate(messages, start=len(http))
    ]
    return Pact(consumer, provider, _specification(document), tuple(interactions), document)


def _interaction(index: int, document: Any, default_kind: str, where: str) -> Interaction:
    at = f"{where}[{index}]"
    if not isinstance(document, dict):
        raise NotAPact(f"{at} is a JSON {_json_type(document)}, not an object")
    kind = document.get("type", default_kind) if where == "interactions" else default_kind
    if not isinstance(kind, str) or kind not in KINDS:
        raise NotAPact(f"{at} is of type {kind!r}; known are {', '.join(sorted(KINDS))}")
    description = document.get("description")
    if not isinstance(description, str):
        raise NotAPact(f"{at} has no description")
    return Interaction(
        index=index,
        id=text_at(document, "_id") or "",
        key=text_at(document, "key") or "",
        kind=kind,
        description=description,
        states=_states(document, at),
        request=_request_line(document, kind, at),
        pending=document.get("pending") is True,
        document=document,
    )


def _request_line(document: dict[str, Any], kind: str, at: str) -> str:
    if kind != HTTP:
        return "message" if kind == MESSAGE else "synchronous message"
    request = document.get("request")
    if not isinstance(request, dict) or not isinstance(document.get("response"), dict):
        raise NotAPact(f"{at} has no request or no response")
    return f"{str(request.get('method', 'GET')).upper()} {request.get('path', '/')}"


def _states(document: dict[str, Any], at: str) -> tuple[ProviderState, ...]:
    """Return the states: `providerStates` of V3 and V4, `providerState` or `provider_state` before."""
    states = document.get("providerStates")
    if states is None:
        states = document.get("providerState", document.get("provider_state"))
    if states is None or states == "":
        return ()
    if isinstance(states, str):
        return (ProviderState(states, {}),)
    if not isinstance(states, list):
        raise NotAPact(f"{at}.providerStates is a JSON {_json_type(states)}, not an array")
    read = []
    for state in states:
        if not isinstance(state, dict) or not isinstance(state.get("name"), str):
            raise NotAPact(f"{at}.providerStates has a state without a name")
        params = state.get("params")
        read.append(ProviderState(state["name"], params if isinstance(params, dict) else {}))
    return tuple(read)


def _name(document: dict[str, Any], role: str) -> str:
    name = text_at(document, role, "name")
    if not name:
        raise NotAPact(f"it has no {role}.name")
    return name


def _list(document: dict[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise NotAPact(f"its {key} is a JSON {_json_type(value)}, not an array")
    return value


def _specification(document: dict[str, Any]) -> str:
    """Return the version of the specification, which has had several names."""
    paths = (
        ("pactSpecification", "version"),
        ("pact-specification", "version"),
        ("pactSpecificationVersion",),
    )
    versions = (text_at(document, "metadata", *path) for path in paths)
    return next((version for version in versions if version is not None), "")


def _json_type(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
