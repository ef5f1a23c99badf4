"""Numbers and durations, for people. No I/O."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    if number == 1:
        return f"{number} {noun}"
    if noun.endswith("ry"):
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}{'es' if noun.endswith('s') else 's'}"


def seconds(duration: float | None) -> str:
    """Return a duration for people; "" if there is none."""
    if duration is None:
        return ""
    return f"{duration * 1000:.0f} ms" if duration < 1 else f"{duration:.1f} s"
