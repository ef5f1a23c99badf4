"""What a verifier found different, as people read it: alike differences once, what repeats another left out. No I/O.

The verifiers report each difference on its own, with an engine's sentence: one wrong field of a list of a hundred items
is a hundred differences, and a list that is too short is one of the list and one of each item. The sentences are those
of pact-python's core (as of 0.5.12); one that is not known here is shown as it is.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_SHOWN = 10
"""How many differences of one interaction are shown, alike ones counted once."""
MOST_ALIKE = 3
"""How many are shown of those that differ in the values of list items alone."""
LONGEST = 200
"""The most characters of a sentence or of a value on a line."""
CONTEXT = 1
NOTHING = "nothing"
SOMETHING = "a value"

_INDEX = re.compile(r"\[\d+\]")
_SAYS_NO_MORE = re.compile(
    r"expected .* (?:to be equal to|but was|but received|to have value) |.* using equality but did not match",
    re.DOTALL | re.IGNORECASE,
)
"""A sentence that says nothing but what was expected and what came."""
_NAMES_KEYS = re.compile(r"(?:actual|expected) map .* keys?\b", re.IGNORECASE)
_LACKS_KEYS = re.compile(r"actual map is missing the following keys?:", re.IGNORECASE)
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A key that needs no quotes in a path."""
_HAS_BOTH = re.compile(
    r"(?:type mismatch: )?expected .+ to (?:be|match|have|include|contain)\b", re.DOTALL | re.IGNORECASE
)
"""A sentence that quotes both values."""


class Found(NamedTuple):
    """One difference as a verifier reports it.

    Attributes:
        attribute: The part of the answer: body, status, header, ...
        identifier: The place in it: a JSON path of the body, the name of a header.
        expected: The expected value as the verifier writes it; None if it doesn't.
        actual: The actual value, likewise.
        sentence: The verifier's sentence.
    """

    attribute: str
    identifier: str
    expected: str | None
    actual: str | None
    sentence: str


@dataclass(frozen=True)
class Difference:
    """One or more differences that are alike.

    Attributes:
        attribute: The part of the answer.
        place: The place in it, with `[*]` for the items of a list.
        times: How many they are.
        expected: The expected value on a line; None where `sentence` says what is wrong.
        actual: The actual one; likewise.
        sentence: What is wrong; "" where `expected` and `actual` say it.
        compared: The values that are to be compared line by line; None if nothing is.
        values: Where the sentence says what is wrong with a value on a line: what was expected, and the value. Of alike
            differences they are the first one's.
    """

    attribute: str
    place: str
    times: int = 1
    expected: str | None = None
    actual: str | None = None
    sentence: str = ""
    compared: tuple[str, str] | None = None
    values: tuple[str, str] | None = field(default=None, compare=False)

    @property
    def sides(self) -> tuple[str, str] | None:
        """The expected value and the actual one, if both are on a line."""
        if self.expected is None or self.actual is None:
            return self.values
        return self.expected, self.actual

    @property
    def where(self) -> str:
        """The place, which names its part where that isn't the body."""
        if self.attribute == "body":
            return self.place if self.place not in {"", "$"} else "body"
        return f"{self.attribute} {self.place}".rstrip()

    @property
    def what(self) -> str:
        """What is wrong, on a line."""
        text = self.sentence or f"expected {self.expected}, got {self.actual}"
        return text + (f" ({self.times} times)" if self.times > 1 else "")

    def lines(self, longest: int) -> list[tuple[str, str]]:
        """Return the compared values as lines, each with its sign: `-` expected, `+` actual, a blank for both.

        Args:
            longest: The maximum number of lines.
        """
        return compare(*self.compared, longest=longest) if self.compared else []


def differences(found: Sequence[Found]) -> tuple[list[Difference], int]:
    """Return differences as they are shown, and how many of those found are not among them.

    Args:
        found: All differences of one interaction, in reading order.
    """
    alike: dict[Difference, Difference] = {}
    found = [part for one in found for part in _by_key(one)]
    for one in _leaves_first(found):
        key = replace(_shown(one, found), place=_INDEX.sub("[*]", one.identifier))
        alike[key] = (
            replace(key, times=alike[key].times + 1) if key in alike else replace(key, place=one.identifier)
        )
    shown: list[Difference] = []
    of_place: Counter[tuple[str, str]] = Counter()
    left_out = 0
    for key, difference in alike.items():
        of_place[key.attribute, key.place] += 1
        if len(shown) < MOST_SHOWN and of_place[key.attribute, key.place] <= MOST_ALIKE:
            if shown and difference.compared and shown[-1].compared == difference.compared:
                shown[-1] = replace(shown[-1], compared=None)  # they are shown once
            shown.append(difference)
        else:
            left_out += difference.times
    return shown, left_out


def compare(expected: str, actual: str, *, longest: int) -> list[tuple[str, str]]:
    """Compare two values line by line, JSON indented and without its commas.

    Args:
        expected: The expected value.
        actual: The actual value.
        longest: The maximum number of lines.

    Returns:
        The lines, each with its sign: `-` expected, `+` actual, a blank for both.
    """
    import difflib  # noqa: PLC0415 - only for long values that differ

    unified = difflib.unified_diff(_lines(expected), _lines(actual), lineterm="", n=CONTEXT)
    lines = [(" ", "...") if line.startswith("@@") else (line[:1], line[1:]) for line in list(unified)[2:]]
    lines = lines[1:]  # the first hunk needs no mark
    if len(lines) > longest:
        return [*lines[:longest], (" ", f"... and {len(lines) - longest} lines more")]
    return lines


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return a text that has a length at most, with a mark where it was cut."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _by_key(one: Found) -> list[Found]:
    """Return a difference by each key that an object lacks, of which the engine names its keys instead of values."""
    if not _LACKS_KEYS.match(one.sentence):
        return [one]
    try:
        expected, actual = json.loads(one.expected or ""), json.loads(one.actual or "")
    except (ValueError, RecursionError):
        return [one]
    if not _are_keys(expected) or not _are_keys(actual):
        return [one]
    lacking = [key for key in expected if key not in set(actual)]
    return [
        one._replace(identifier=_path(one.identifier, key), expected=SOMETHING, actual=NOTHING, sentence="")
        for key in lacking
    ] or [one]


def _are_keys(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(key, str) for key in value)


def _path(parent: str, key: str) -> str:
    return f"{parent}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{parent}[{key!r}]"


def _shown(one: Found, found: Sequence[Found]) -> Difference:
    expected, actual = one.expected or NOTHING, one.actual or NOTHING
    plain = Difference(one.attribute, one.identifier)
    if one.expected is None and one.actual is None:
        return replace(plain, sentence=shortened(one.sentence))
    if _is_scalar(expected) and _is_scalar(actual):
        if _SAYS_NO_MORE.match(one.sentence) or not one.sentence:
            return replace(plain, expected=shortened(expected), actual=shortened(actual))
        values = shortened(expected), shortened(actual)
        return replace(plain, sentence=shortened(one.sentence), values=values)
    is_text = "\n" in expected.strip("\n") + actual.strip("\n") and not _is_json(expected)
    sentence = "the text differs" if is_text else shortened(one.sentence)
    covered = any(
        other.attribute == one.attribute and _is_below(other.identifier, one.identifier) for other in found
    )
    if _NAMES_KEYS.match(one.sentence) or covered:
        return replace(plain, sentence=sentence)
    if len(expected) + len(actual) <= LONGEST // 2 and _HAS_BOTH.match(one.sentence) and not is_text:
        return replace(plain, sentence=sentence)
    return replace(plain, sentence=sentence, compared=(expected, actual))


def _leaves_first(found: Sequence[Found]) -> Iterator[Found]:
    """Return differences in their order, but in each part those of a value after those of what is in it."""
    parents = {parent for one in found for parent in _above(one.identifier) if one.attribute == "body"}
    for one in found:
        if not (one.attribute == "body" and one.identifier in parents):
            yield one
    for one in found:
        if one.attribute == "body" and one.identifier in parents:
            yield one


def _above(path: str) -> Iterable[str]:
    """Return the paths of all values that a value of a body is in."""
    ends = [match.start() for match in re.finditer(r"[.\[]", path)]
    return (path[:end] for end in ends if end)


def _is_below(path: str, parent: str) -> bool:
    return len(path) > len(parent) and path.startswith(parent) and path[len(parent)] in ".["


def _is_scalar(value: str) -> bool:
    return "\n" not in value and not value.startswith(("{", "["))


def _is_json(value: str) -> bool:
    return value.startswith(("{", "[", '"'))


def _lines(value: str) -> list[str]:
    """Return the lines of a value, indented and without commas if it is JSON."""
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return value.splitlines()
    if not isinstance(document, dict | list):
        return value.splitlines()
    return [
        line.removesuffix(",") for line in json.dumps(document, indent=2, ensure_ascii=False).splitlines()
    ]
