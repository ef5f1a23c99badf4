"""How inputs are damaged: JSON in its structure, and any content byte by byte.

A change is a value, so that an input can be saved, shrunk, and carried out on whatever document it meets.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from fuzz.choices import below, either, pick, several
from fuzz.target import Bytes


def _incompressible(length: int) -> str:
    parts = (hashlib.sha512(str(number).encode()).digest() for number in range(length // 80 + 1))
    return "".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)[:length]


OPERATIONS = ("replace", "delete", "insert", "into text", "wrap", "repeat", "retype", "move", "rename")

_TEXTS = (
    "",
    " ",
    ".",
    "..",
    "../../etc/passwd",
    "\0",
    "\x1b]52;c;YQ==\x07\x1b[2J",
    "\r\nX-Injected: 1",
    "\n::error::x",
    "\u202e\u2028\x85",
    "\ud800",
    "\udfff\ud800",
    "e\u0301\U0001f600",
    "\uffff",
    "${user.githubToken}",
    "${pactbroker.pactUrl}",
    "{port}",
    "%00",
    "%2e%2e%2f",
    "%zz",
    "http://[::1",
    "http://[x]/",
    "http://h:1:2/",
    "http://h:99999999/",
    "http://\u2100/",
    "http://user:passw0rd@127.0.0.1/",
    "https://elsewhere.example/pacts/provider/A/consumer/B",
    "//elsewhere.example/x",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "1e400",
    "-1",
    "2026-02-31T25:61:61Z",
    "9999-12-31T23:59:59-24:00",
    "0001-01-01T00:00:00+23:59",
    "application/json; charset=nonsense",
    "(?P<a>(a+)+)$",
    "\\d{99999}",
    "]]>",
    "<!--<script>",
    "a" * 141,
    "a" * 256,
    "\u00e9" * 6000,
    "x y" * 20_000,
    _incompressible(900),
    _incompressible(3000),
    _incompressible(7500),
)
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    -0.0,
    1e308,
    2**31,
    2**63,
    -(2**64),
    10**40,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"name": None},
    {"href": "http://[::1"},
    {"__proto__": {"a": 1}},
    [{}] * 300,
    {str(number): number for number in range(60)},
)
_PIECES = (
    b"",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\\ud800",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"]",
    b",",
    b"NaN",
    b"Infinity",
    b"-",
    b"1e999999",
    b"9" * 5000,
    b"[" * 100_000,
    b'{"a":' * 2000,
    b'"a":1,"a":2,',
    b"\r\n\r\n",
    b"\r\n",
    b": ",
    b" " * 70_000,
    b"0",
    b"%",
    b"&payload=",
    b"<html>",
)


def _nested(levels: int) -> str:
    return '{"a":[' * (levels // 2) + "1" + "]}" * (levels // 2)


VALUES = (
    *(json.dumps(value) for value in (*_VALUES, *_TEXTS)),
    *(_nested(levels) for levels in (60, 140, 400)),
)
"""Values that have broken programs, as JSON."""


@dataclass(frozen=True)
class Mutation:
    """A change of a JSON document.

    Attributes:
        walk: The way to a value: at each level, which of the members; as far as there are any.
        operation: One of `OPERATIONS`.
        value: What is put there, as JSON.
        number: How often, or where in a text.
    """

    walk: tuple[int, ...]
    operation: str
    value: str
    number: int

    def of(self, document: Any) -> Any:
        """Return the document with this change; the one given stays as it is."""
        return self._at(document, self.walk)

    def _at(self, found: Any, walk: tuple[int, ...]) -> Any:
        if not walk or not isinstance(found, dict | list) or not found:
            return self._changed(found)
        place = walk[0] % len(found)
        if isinstance(found, list):
            if len(walk) == 1 and self.operation == "delete":
                return [*found[:place], *found[place + 1 :]]
            return [*found[:place], self._at(found[place], walk[1:]), *found[place + 1 :]]
        key = list(found)[place]
        if len(walk) == 1 and self.operation == "delete":
            return {name: value for name, value in found.items() if name != key}
        if len(walk) == 1 and self.operation == "rename":
            new = json.loads(self.value)
            return {
                (new if isinstance(new, str) else str(new)[:50]) if name == key else name: value
                for name, value in found.items()
            }
        return {**found, key: self._at(found[key], walk[1:])}

    def _changed(self, found: Any) -> Any:  # noqa: PLR0911 - one for each operation
        value = json.loads(self.value)
        match self.operation:
            case "insert" if isinstance(found, list):
                place = self.number % (len(found) + 1)
                return [*found[:place], value, *found[place:]]
            case "insert" if isinstance(found, dict):
                return {**found, str(value)[:300]: value}
            case "into text" if isinstance(found, str):
                place = self.number % (len(found) + 1)
                return found[:place] + (value if isinstance(value, str) else self.value) + found[place:]
            case "wrap":
                return [found] if self.number % 2 else {"a": found}
            case "repeat" if isinstance(found, list | str):
                return (found * (self.number % 400 + 2))[: 2000 if isinstance(found, list) else 100_000]
            case "retype":
                return _retyped(found)
            case "move" if isinstance(found, dict):
                return dict(zip(found, reversed(found.values()), strict=True))
            case _:
                return value


def _retyped(found: Any) -> Any:
    match found:
        case str():
            return list(found[:20])
        case bool() | None:
            return str(found).lower()
        case int() | float():
            return str(found)
        case list():
            return {str(place): value for place, value in enumerate(found)}
        case _:
            return [list(member) for member in found.items()]


@dataclass(frozen=True)
class Edit:
    """A change of bytes: at a place, so many of them are replaced by others."""

    at: int
    removed: int
    piece: Bytes

    def of(self, content: bytes) -> bytes:
        """Return the content with this change."""
        place = self.at % (len(content) + 1)
        return content[:place] + self.piece + content[place + self.removed :]


@dataclass(frozen=True)
class Damage:
    """What is done to a JSON document on its way into bytes.

    Attributes:
        mutations: Changes of the document.
        form: 0: escaped, 1: UTF-8 (with lone halves of surrogate pairs), 2: with a byte order mark, 3: UTF-16.
        edits: Changes of the bytes.
    """

    mutations: tuple[Mutation, ...] = ()
    form: int = 0
    edits: tuple[Edit, ...] = ()

    def mutated(self, document: Any) -> Any:
        """Return the document after the mutations."""
        for mutation in self.mutations:
            document = mutation.of(document)
        return document

    def content(self, document: Any) -> bytes:
        """Return the document as damaged JSON."""
        text = json.dumps(self.mutated(document), ensure_ascii=self.form != 1)
        content = text.encode("utf-16" if self.form == 3 else "utf-8", "surrogatepass")
        if self.form == 2:
            content = b"\xef\xbb\xbf" + content
        return self.edited(content)

    def edited(self, content: bytes) -> bytes:
        """Return bytes after the edits."""
        for edit in self.edits:
            content = edit.of(content)
        return content


def texts() -> st.SearchStrategy[str]:
    """Return texts: those that have broken programs, and any others."""
    return either(pick(_TEXTS), pick(_TEXTS), st.text(max_size=12))


def values() -> st.SearchStrategy[str]:
    """Return values, as JSON."""
    others = (
        st.integers().map(json.dumps),
        st.floats(allow_nan=False, allow_infinity=False).map(json.dumps),
        st.text(max_size=12).map(json.dumps),
    )
    return either(*[pick(VALUES)] * 4, *others)


def pieces() -> st.SearchStrategy[bytes]:
    """Return pieces of content."""
    return either(pick(_PIECES), pick(_PIECES), st.binary(max_size=6))


def mutations() -> st.SearchStrategy[Mutation]:
    """Return changes of a JSON document."""
    return st.builds(
        Mutation,
        walk=several(below(60), 7, least=0),
        operation=pick((*OPERATIONS[:2], *OPERATIONS)),
        value=values(),
        number=below(600),
    )


def edits(longest: int = 4000) -> st.SearchStrategy[Edit]:
    """Return changes of bytes.

    Args:
        longest: About how many bytes the content has.
    """
    return st.builds(
        Edit,
        at=below(longest),
        removed=pick((0, 0, 1, 2, 20, 10**9)),
        piece=pieces(),
    )


@lru_cache
def damages(longest: int = 4000) -> st.SearchStrategy[Damage]:
    """Return damages; few are of bytes, since hardly any of those get past a JSON parser."""
    return either(
        *[st.builds(Damage, mutations=several(mutations(), 1))] * 3,
        st.builds(Damage, mutations=several(mutations(), 4)),
        st.builds(Damage, mutations=several(mutations(), 3), form=below(4)),
        st.builds(
            Damage,
            mutations=several(mutations(), 2, least=0),
            form=below(4),
            edits=several(edits(longest), 3),
        ),
    )
