"""Expected and actual, side by side as lines."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.verification import Mismatch

SHORT = 60
"""Up to so many characters, expected and actual stand in a line each; longer ones are compared line by line."""
CONTEXT = 2


def difference(mismatch: Mismatch, *, longest: int) -> list[tuple[str, str]]:
    """Lay a mismatch out as lines, each with its sign: `-` expected, `+` actual, a blank for both.

    Args:
        mismatch: what is to be shown.
        longest: how many lines at most.
    """
    expected, actual = mismatch.expected or "(nothing)", mismatch.actual or "(nothing)"
    if len(expected) <= SHORT and len(actual) <= SHORT:
        return [("-", expected), ("+", actual)]
    unified = difflib.unified_diff(_lines(expected), _lines(actual), lineterm="", n=CONTEXT)
    lines = [(" ", "...") if line.startswith("@@") else (line[:1], line[1:]) for line in list(unified)[2:]]
    lines = lines[1:]  # the first hunk needs no mark
    if len(lines) > longest:
        return [*lines[:longest], (" ", f"... and {len(lines) - longest} lines more")]
    return lines


def _lines(value: str) -> list[str]:
    """Lay a value out over lines, if it is JSON."""
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False).splitlines()
    except (ValueError, RecursionError):
        return value.splitlines()
