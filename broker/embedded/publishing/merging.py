"""Merging the interactions of a pact into those of another one (no I/O)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from broker.embedded.pacts.content import Document

_REQUEST_FIELDS = ("method", "path", "query", "body", "headers")


class CannotMerge(ValueError):
    """There is nothing to merge, or the same interaction has another request; the message is for the client."""


def merge(existing: Document, added: Document) -> Document:
    """Return the existing pact with the added one's interactions: one of the same name and states is replaced.

    Raises:
        CannotMerge: One of them has no interactions, or an interaction has another request.
    """
    before, new = existing.get("interactions"), added.get("interactions")
    if not isinstance(before, list) or not isinstance(new, list):
        raise CannotMerge("Pacts without interactions can't be merged.")
    merged = list(before)
    for interaction in new:
        index = next((place for place, one in enumerate(merged) if _is_same(one, interaction)), None)
        if index is None:
            merged.append(interaction)
            continue
        if not _has_same_request(merged[index], interaction):
            name = interaction.get("description")
            raise CannotMerge(f"The interaction '{name}' is there already with another request.")
        merged[index] = interaction
    return {**existing, "interactions": merged}


def _is_same(one: Any, other: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return bool(one == other)
    return one.get("description") == other.get("description") and _states(one) == _states(other)


def _states(interaction: dict[str, Any]) -> object:
    names = ("provider_state", "providerState", "providerStates")
    return next((interaction[name] for name in names if interaction.get(name) is not None), None)


def _has_same_request(one: Any, other: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return True
    requests = [found if isinstance(found := item.get("request"), dict) else {} for item in (one, other)]
    return all(requests[0].get(field) == requests[1].get(field) for field in _REQUEST_FIELDS)
