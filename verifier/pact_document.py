"""Reading a pact's JSON document as the engine's core reads it. No I/O.

This covers the Pact specifications 1 to 4. What the core takes is taken, however odd, and means the same: otherwise a
pact that other verifiers verify could not be verified, or a failed state would be assigned to the wrong interaction.
The rules were measured with pact-python 4.2 (core 1.4.7). Stricter on purpose: an interaction that is no object,
`interactions` or `messages` that is no list, and a document with neither, which is no pact but another document.
"""

from __future__ import annotations

import json
import re
from typing import Any

from broker.http.json_values import text_at, value_at
from broker.http.names import LONGEST_NAME
from verifier.pact import HTTP, KINDS, MESSAGE, Interaction, Pact, ProviderState

NO_STATE_NAME = "unknown provider states"
"""What the core calls a state without a name."""
NO_CONSUMER, NO_PROVIDER = "consumer", "provider"
"""What the core calls a consumer and a provider without a name."""
DEFAULT_MAJOR = 3
"""The specification of a document that doesn't name a known one."""


class NotAPact(Exception):
    """The document is no pact that can be verified; the message says what is wrong, and where."""


def parse_pact(document: Any) -> Pact:
    """Read a pact from its JSON document.

    Raises:
        NotAPact: It is no pact, or has parts that the engine could not load.
    """
    if not isinstance(document, dict):
        raise NotAPact(f"it is a JSON {_json_type(document)}, and a pact is an object")
    return _Reader(document).read()


class _Reader:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.notes: list[str] = []

    def read(self) -> Pact:
        document = self.document
        if "interactions" not in document and "messages" not in document:
            raise NotAPact("it has neither 'interactions' nor 'messages'")
        major = self._major()
        http, messages = self._list("interactions"), self._list("messages")
        if messages and major >= 4:
            self.notes.append(
                "the pact has 'messages', which a V4 pact has among its interactions: they are not read"
            )
            messages = []
        if messages and major < 3:
            raise NotAPact("it has 'messages', and they need version 3 of the Pact specification")
        if messages and http:
            raise NotAPact(
                "it has both 'interactions' and 'messages', and a V3 pact has one of them: the verifiers would leave "
                "out the interactions. Have the consumer write two pacts, or one of V4"
            )
        where = "messages" if messages else "interactions"
        return Pact(
            self._name("consumer", NO_CONSUMER),
            self._name("provider", NO_PROVIDER),
            _specification(document),
            tuple(self._interaction(*item, where, is_v4=major >= 4) for item in enumerate(messages or http)),
            document,
            tuple(self.notes),
        )

    def _major(self) -> int:
        """Return the major version of the specification by which the core reads the document."""
        metadata = self.document.get("metadata")
        for name in ("pactSpecification", "pact-specification"):
            if (version := value_at(metadata, name, "version")) is not None:
                found = re.match(r"\s*[vV]?([1-4])(?!\d)", _text(version))
                return int(found[1]) if found else DEFAULT_MAJOR
        return DEFAULT_MAJOR

    def _list(self, key: str) -> list[Any]:
        value = self.document.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise NotAPact(f"its {key} is a JSON {_json_type(value)}, not an array")
        return value

    def _name(self, role: str, default: str) -> str:
        name = value_at(self.document, role, "name")
        if isinstance(name, str) and len(name) > LONGEST_NAME:
            raise NotAPact(f"its {role}'s name has {len(name)} characters, and may have {LONGEST_NAME}")
        if isinstance(name, str) and name:
            return name
        self.notes.append(f"the pact doesn't name its {role}")
        return default

    def _interaction(self, index: int, document: Any, where: str, *, is_v4: bool) -> Interaction:
        at = f"{where}[{index}]"
        if not isinstance(document, dict):
            raise NotAPact(f"{at} is a JSON {_json_type(document)}, not an object")
        kind = MESSAGE if where == "messages" else _kind(document, at) if is_v4 else HTTP
        comments, test_name = _comments(document) if is_v4 else ((), "")
        return Interaction(
            index=index,
            place=at,
            id=text_at(document, "_id") or "",
            key=text_at(document, "key") or "",
            kind=kind,
            description=_text(document["description"])
            if "description" in document
            else f"{'Message' if where == 'messages' else 'Interaction'} {index}",
            states=_states(document),
            request=self._request_line(document, kind, at),
            pending=is_v4 and document.get("pending") is True,
            comments=comments,
            test_name=test_name,
            document=document,
        )

    def _request_line(self, document: dict[str, Any], kind: str, at: str) -> str:
        if kind != HTTP:
            return "message" if kind == MESSAGE else "synchronous message"
        for part, read_as in (("request", "GET /"), ("response", "any answer with status 200")):
            if not isinstance(document.get(part), dict):
                self.notes.append(f"{at} has no {part} that is an object, and is read as {read_as}")
        request = document.get("request")
        method, path = value_at(request, "method") or "GET", value_at(request, "path") or "/"
        return f"{_text(method).upper()} {_text(path)}{_query(value_at(request, 'query'))}"


def _query(query: Any) -> str:
    """Return the query of a request with its question mark: a string up to V2, else lists of values by their names."""
    if isinstance(query, str):
        return f"?{query}" if query else ""
    if not isinstance(query, dict):
        return ""
    pairs = [
        f"{name}={_text(value)}" if value is not None else name
        for name, values in query.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return f"?{'&'.join(pairs)}" if pairs else ""


def _kind(document: dict[str, Any], at: str) -> str:
    kind = document.get("type")
    if isinstance(kind, str) and kind in KINDS:
        return kind
    name = f" ({_text(document['description'])!r})" if "description" in document else ""
    known = f"a V4 pact needs one of {', '.join(sorted(KINDS))}"
    if kind is None:
        raise NotAPact(f"{at}{name} has no type: {known}")
    raise NotAPact(f"{at}{name} is of type {_text(kind)!r}: {known}")


def _states(document: dict[str, Any]) -> tuple[ProviderState, ...]:
    """Return the states: `providerStates` of V3 and V4, which wins also where it is none, else that of before."""
    if "providerStates" in document:
        states = document["providerStates"]
        return tuple(map(_state, states)) if isinstance(states, list) else ()
    for name in ("providerState", "provider_state"):
        if name in document:
            state = document[name]
            return () if state is None or state == "" else (ProviderState(_text(state), {}),)
    return ()


def _state(state: Any) -> ProviderState:
    name = _text(state["name"]) if isinstance(state, dict) and "name" in state else NO_STATE_NAME
    params = value_at(state, "params")
    return ProviderState(name, params if isinstance(params, dict) else {})


def _comments(document: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    """Return the comments of a V4 interaction and the name of its test."""
    text = value_at(document, "comments", "text")
    texts = text if isinstance(text, list) else [text]
    test_name = value_at(document, "comments", "testname")
    return (
        tuple(_text(one) for one in texts if one is not None),
        "" if test_name is None else _text(test_name),
    )


def _specification(document: dict[str, Any]) -> str:
    """Return the version of the specification, which has had several names."""
    paths = (
        ("pactSpecification", "version"),
        ("pact-specification", "version"),
        ("pactSpecificationVersion",),
    )
    versions = (value_at(document, "metadata", *path) for path in paths)
    return next((_text(version) for version in versions if version is not None), "")


def _text(value: Any) -> str:
    """Return a string as it is, and another JSON value as JSON, as the core does."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _json_type(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
