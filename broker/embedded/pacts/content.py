"""The content of a pact: what counts as a change, and how a change is shown (no I/O)."""

from __future__ import annotations

import difflib
import hashlib
import json
from itertools import zip_longest
from typing import Any

Document = dict[str, Any]

MAX_DIFFERENCE_LINES = 1000
"""The largest difference that helps a reader; comparing more lines takes long."""

_SPECIFICATION = ("pactSpecification", "pact-specification", "pactSpecificationVersion")
"""The places of the specification's version, in documents of old and new Pact libraries."""

_NOTHING = object()


def pact_sha(document: Document) -> str:
    """Return the hash of what can change a verification's result.

    Key order, white space, the order of interactions, and metadata other than the specification's version
    are no change: a new release of a consumer's Pact library is not a new contract.
    """
    lists = [name for name in ("interactions", "messages") if isinstance(document.get(name), list)]
    if not lists:
        return _sha(document)
    affecting: Document = {
        name: sorted(_canonical(_without_id(item)) for item in document[name]) for name in lists
    }
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        affecting["specification"] = [metadata.get(name) for name in _SPECIFICATION]
    return _sha(affecting)


def with_ids(document: Document) -> Document:
    """Return the document with an `_id` on each interaction, the same for the same interaction."""
    result = dict(document)
    for name in ("interactions", "messages"):
        items = document.get(name)
        if isinstance(items, list):
            result[name] = [
                {"_id": _sha(_without_id(item)), **_without_id(item)} if isinstance(item, dict) else item
                for item in items
            ]
    return result


def describe_change(before: Document, after: Document) -> str:
    """Return what differs, in the manner of a unified diff of the two documents without all that is equal."""
    old, new = _difference(_comparable(before), _comparable(after))
    lines = difflib.unified_diff(_lines(old), _lines(new), lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def _comparable(document: Document) -> Document:
    lists: Document = {
        name: _without_ids(document[name]) for name in ("interactions", "messages") if name in document
    }
    return lists or document


def _without_ids(items: object) -> object:
    return [_without_id(item) for item in items] if isinstance(items, list) else items


def _without_id(item: object) -> Any:
    return {key: value for key, value in item.items() if key != "_id"} if isinstance(item, dict) else item


def _difference(old: object, new: object) -> tuple[object, object]:
    """Return both values reduced to where they differ; _NOTHING for a value that isn't there."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in {**old, **new} if old.get(key, _NOTHING) != new.get(key, _NOTHING)]
        pairs = [_difference(old.get(key, _NOTHING), new.get(key, _NOTHING)) for key in keys]
        return (
            {key: before for key, (before, _) in zip(keys, pairs, strict=True) if before is not _NOTHING},
            {key: after for key, (_, after) in zip(keys, pairs, strict=True) if after is not _NOTHING},
        )
    if isinstance(old, list) and isinstance(new, list):
        both = zip_longest(old, new, fillvalue=_NOTHING)
        pairs = [_difference(before, after) for before, after in both if before != after]
        return (
            [before for before, _ in pairs if before is not _NOTHING],
            [after for _, after in pairs if after is not _NOTHING],
        )
    return old, new


def _lines(value: object) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False).splitlines()[:MAX_DIFFERENCE_LINES]


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sha(value: object) -> str:
    return hashlib.sha1(_canonical(value).encode(), usedforsecurity=False).hexdigest()
