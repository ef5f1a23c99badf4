"""Redaction of what programs print: line by line, also where a secret runs over the end of a line (no I/O)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.text.secret_forms import SHORTEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.text.redaction import Redaction


def redacted_output(redaction: Redaction, text: str) -> str:
    """Return several lines from elsewhere without the secrets."""
    shown: list[str] = []
    lines = RedactedLines(redaction, shown.append)
    for line in text.splitlines():
        lines.add(line)
    lines.close()
    return "\n".join(shown)


class RedactedLines:
    """Redacts lines, also a secret that was broken at the end of a line and goes on in the next one.

    Args:
        redaction: The secrets.
        show: Called with each line; one that ends with what may be the beginning of a secret waits for the next.
        longest: How many characters of a line are shown; all by default.
    """

    def __init__(self, redaction: Redaction, show: Callable[[str], None], longest: int | None = None) -> None:
        self._redaction = redaction
        self._show = show
        self._longest = longest
        self._last = ""
        self._held: list[str] = []
        self._begun: list[tuple[int, str]] = []  # places in the first line that waits, and what is to follow

    def add(self, line: str) -> None:
        """Add a line, which was cut if it ends with `CUT`."""
        redaction = self._redaction
        text, stars = line.strip(), redaction.stars
        last, self._last = self._last, line[-SHORTEST:]
        if self._held:
            rest = next(((place, rest) for place, rest in self._begun if text.startswith(rest)), None)
            going = [(place, rest[len(text) :]) for place, rest in self._begun if rest.startswith(text)]
            if rest is not None:
                held, self._held = self._held, []
                self._emit(held[0][: rest[0]] + stars)
                for _ in held[1:]:
                    self._emit(stars)
                line = stars + text[len(rest[1]) :]
            elif going and text:
                self._held.append(line)
                self._begun = going
                return
            else:
                self.close()
        else:
            rests = redaction.endings(last, text)
            ended = next((rest for rest in rests if text.startswith(rest)), None)
            going = [(0, rest[len(text) :]) for rest in rests if rest.startswith(text)]
            if ended is not None:
                line = stars + text[len(ended) :]
            elif going:
                self._held, self._begun = [line], going
                return
        shown = line.rstrip()
        begins = redaction.beginnings(shown)
        if begins:
            self._held = [line]
            self._begun = [(place, form[len(shown) - place :]) for place, form in begins]
        else:
            self._emit(line)

    def close(self) -> None:
        """Show what waits: no line follows, or none in which the secret goes on."""
        held, self._held = self._held, []
        for line in held:
            self._emit(line)

    def _emit(self, line: str) -> None:
        self._show(self._redaction.cut(line, len(line) if self._longest is None else self._longest))
