"""The difference between expected and actual values, as lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.verification import Mismatch

SHORT = 60
"""Values of up to so many characters are shown in a line each; longer ones are compared line by line."""
CONTEXT = 2


def difference(mismatch: Mismatch, *, longest: int) -> list[tuple[str, str]]:
    """Return a mismatch as lines, each with its sign: `-` expected, `+` actual, a blank for both.

    Args:
        mismatch: The mismatch.
        longest: The maximum number of lines.
    """
    expected, actual = mismatch.expected or "(nothing)", mismatch.actual or "(nothing)"
    if len(expected) <= SHORT and len(actual) <= SHORT:
        return [("-", expected), ("+", actual)]
    import difflib  # noqa: PLC0415 - only for long values that differ

    unified = difflib.unified_diff(_lines(expected), _lines(actual), lineterm="", n=CONTEXT)
    lines = [(" ", "...") if line.startswith("@@") else (line[:1], line[1:]) for line in list(unified)[2:]]
    lines = lines[1:]  # the first hunk needs no mark
    if len(lines) > longest:
        return [*lines[:longest], (" ", f"... and {len(lines) - longest} lines more")]
    return lines


def _lines(value: str) -> list[str]:
    """Return the lines of a value, indented if it is JSON."""
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False).splitlines()
    except (ValueError, RecursionError):
        return value.splitlines()
