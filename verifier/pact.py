"""The pact document: names, interactions, shards. No I/O.

Only the engine interprets interactions; this module divides a document without changing what any of them means.
`verifier.pact_document` reads one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from broker.http.json_values import objects_at, text_at
from broker.http.names import is_name

if TYPE_CHECKING:
    from collections.abc import Callable

HTTP = "Synchronous/HTTP"
MESSAGE = "Asynchronous/Messages"
SYNCHRONOUS_MESSAGE = "Synchronous/Messages"
KINDS = frozenset({HTTP, MESSAGE, SYNCHRONOUS_MESSAGE})
NOT_FOR_THE_ENGINE = frozenset({"_links", "createdAt", "interactions", "messages"})


@dataclass(frozen=True)
class ProviderState:
    """A state that the provider must be in, with its parameters."""

    name: str
    params: dict[str, Any]

    def __str__(self) -> str:
        if not self.params:
            return self.name
        values = ", ".join(
            f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in self.params.items()
        )
        return f"{self.name} ({values})"


@dataclass(frozen=True)
class Interaction:
    """One interaction of a pact.

    Attributes:
        index: Its index in the document.
        place: Its place there, as `interactions[3]`.
        id: The broker's `_id`; empty in a pact that doesn't come from a broker.
        key: The `key` of a V4 interaction; empty if it has none.
        kind: One of `KINDS`.
        description: The consumer's description of it.
        states: The provider states that it requires.
        request: The first line of the request (`GET /products/7`), or the kind of message.
        pending: Whether its failure doesn't break the contract, as V4 allows.
        comments: What the consumer has to say about it, as V4 allows.
        test_name: The consumer's test that it comes from, as V4 allows; "" if it doesn't say.
        document: The interaction as it is in the pact.
    """

    index: int
    place: str
    id: str
    key: str
    kind: str
    description: str
    states: tuple[ProviderState, ...]
    request: str
    pending: bool
    comments: tuple[str, ...]
    test_name: str
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
        notes: How it was read where that could have been otherwise.
    """

    consumer: str
    provider: str
    specification: str
    interactions: tuple[Interaction, ...]
    document: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def names_provider(self) -> bool:
        """Whether the document has a name for the provider."""
        return bool(text_at(self.document, "provider", "name"))

    @property
    def consumer_version(self) -> str | None:
        """The version of the consumer that published it, according to the broker's links.

        None for a file, and for what can't be a version.
        """
        version = text_at(self.document, "_links", "pb:consumer-version", "name")
        return version if version is not None and is_name(version) else None

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

    def shard(
        self,
        interactions: tuple[Interaction, ...],
        rewrite: Callable[[Interaction], dict[str, Any]] = lambda interaction: interaction.document,
    ) -> str:
        """Return a pact document with some of the interactions only, for the engine.

        Names and metadata stay as they are. Each interaction's `_id` becomes its index, which the engine returns with
        the result. So the interaction of each result is known, even if two have the same description. A list that is
        empty is left out: the core takes a pact with `messages` for one of messages alone.

        Args:
            interactions: The interactions.
            rewrite: Returns the document of an interaction, where that is to be another one than in the pact.
        """
        documents = [{**rewrite(interaction), "_id": str(interaction.index)} for interaction in interactions]
        kept = {key: value for key, value in self.document.items() if key not in NOT_FOR_THE_ENGINE}
        kept["messages" if self.has_messages else "interactions"] = documents
        return json.dumps(kept, allow_nan=False)

    @property
    def has_messages(self) -> bool:
        """Whether its interactions are the `messages` of a V3 document."""
        return bool(self.interactions) and not self.document.get("interactions")


def _has_state(interaction: Interaction, expression: str) -> bool:
    if not expression:
        return not interaction.states
    return any(re.search(expression, state.name) for state in interaction.states)
