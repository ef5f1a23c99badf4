"""Texts in which characters are escaped: as in URLs, JSON, Python and HTML, also one in the other (no I/O).

Whether a backslash in a text escapes anything can't be told. So texts are compared by what they are when all that may
be an escape is undone, until nothing is left: what is looked for, and what it is looked for in.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache, lru_cache
from typing import NamedTuple

DEEPEST = 8
"""How many escapes around one another are undone: JSON in JSON in a URL has three."""

_HEX = "[0-9A-Fa-f]"
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_HALF = re.compile(rf"(?:%{_HEX}?|\\+(?:[uUx]{_HEX}{{0,7}})?|&#?[0-9A-Za-z]{{0,7}})\Z")
_TRIGGER = re.compile(r"[%\\&]")


class Reading(NamedTuple):
    """What a text is once its escapes are undone.

    Attributes:
        text: The text.
        starts: Where in it a character begins that was escaped.
        escapes: For each of these, its length and the place of its escape in the text before.
        of: The text before; None if this is the original one.
    """

    text: str
    starts: tuple[int, ...] = ()
    escapes: tuple[tuple[int, int, int], ...] = ()
    of: Reading | None = None

    @property
    def has_escapes(self) -> bool:
        """Whether there was anything to undo."""
        return bool(self.escapes)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the original text of a place in this one."""
        if self.of is None:
            return start, end
        return self.of.origin(self._before(start)[0], self._before(end - 1)[1])

    def _before(self, place: int) -> tuple[int, int]:
        """Return where a character begins and ends in the text that this is a reading of."""
        number = bisect_right(self.starts, place) - 1
        if number < 0:
            return place, place + 1
        length, start, end = self.escapes[number]
        offset = place - self.starts[number] - length
        return (start, end) if offset < 0 else (end + offset, end + offset + 1)


def is_escaped(text: str) -> bool:
    """Return whether there may be an escape in a text."""
    return _TRIGGER.search(text) is not None


def unescaped(text: str) -> Reading:
    """Return a text with all that may be an escape undone, until nothing is left."""
    reading = Reading(text)
    for _ in range(DEEPEST):
        if not is_escaped(reading.text):
            break
        undone = _undone(reading)
        if not undone.has_escapes:
            break
        reading = undone
    return reading


def without_half_escape(text: str) -> str:
    """Return a text that was cut without what may be the beginning of an escape at its end."""
    return _HALF.sub("", text)


def _undone(reading: Reading) -> Reading:
    parts: list[str] = []
    starts: list[int] = []
    escapes: list[tuple[int, int, int]] = []
    read, length = 0, 0
    for match in _escape().finditer(reading.text):
        start, end = match.span()
        value = _character(match[0])
        length += start - read
        starts.append(length)
        escapes.append((len(value), start, end))
        parts += [reading.text[read:start], value]
        read, length = end, length + len(value)
    return Reading("".join((*parts, reading.text[read:])), tuple(starts), tuple(escapes), reading)


@cache
def _escape() -> re.Pattern[str]:
    """Return what finds all that may be an escape; most runs need none, and it takes a while to be compiled."""
    return re.compile(
        # a character of UTF-8, percent-encoded, or one byte
        rf"%[0-7]{_HEX}|%[c-dC-D]{_HEX}%[89abAB]{_HEX}|%[eE]{_HEX}(?:%[89abAB]{_HEX}){{2}}"
        rf"|%[fF][0-7](?:%[89abAB]{_HEX}){{3}}|%[89a-fA-F]{_HEX}"
        # with a backslash: UTF-16, UTF-32, UTF-8, punctuation, control characters
        rf"|\\u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}|\\u{_HEX}{{4}}|\\U{_HEX}{{8}}"
        rf"|\\x[c-fC-F]{_HEX}(?:\\x[89abAB]{_HEX})+|\\x{_HEX}{{2}}|\\[^A-Za-z0-9]|\\[nrtbf]"
        # in HTML
        "|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-z]{2,6});",
        re.DOTALL,
    )


@lru_cache(maxsize=1024)
def _character(escape: str) -> str:
    kind = escape[1]
    match escape[0]:
        case "&":
            import html  # noqa: PLC0415 - its table of entities is large, and seldom needed

            return html.unescape(escape)
        case "%":
            return _of_bytes(escape.replace("%", ""))
    match kind:
        case "u":
            return bytes.fromhex(escape.replace("\\u", "")).decode("utf-16-be", errors="surrogatepass")
        case "U":
            code = int(escape.removeprefix("\\U"), base=16)
            return chr(code) if code <= 0x10FFFF else "\N{REPLACEMENT CHARACTER}"
        case "x":
            return _of_bytes(escape.replace("\\x", ""))
    return _LETTERS.get(kind, kind)


def _of_bytes(digits: str) -> str:
    """Return a character of UTF-8, or of Latin-1 if it has one byte."""
    content = bytes.fromhex(digits)
    return content.decode("latin-1") if len(content) == 1 else content.decode(errors="replace")
