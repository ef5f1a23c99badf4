"""Marks and colours on a terminal."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, TextIO

from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARKS = {Outcome.PASSED: ("✓", "green"), Outcome.FAILED: ("✗", "red"), Outcome.ERROR: ("!", "yellow")}

COMMANDS = (" curl ", " --filter-")
"""What a line has in it that is to be copied."""
_BEGIN = re.compile(r" *(?:\| )?")


class Paint:
    """Colours for terminals that have them (rich knows which, and follows NO_COLOR and FORCE_COLOR)."""

    def __init__(self, stream: TextIO) -> None:
        self._console = None
        self._fits = stream.isatty()
        if stream.isatty() or os.environ.get("FORCE_COLOR"):
            from rich.console import Console  # noqa: PLC0415 - not for a build's log

            self._console = Console(file=stream)

    def __call__(self, text: str, style: str) -> str:
        """Return the text in one of rich's styles."""
        console = self._console
        if console is None or console.no_color or console.color_system is None:
            return text
        from rich.style import Style  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        with console.capture() as capture:
            console.print(Text(text, style=Style.parse(style)), end="", soft_wrap=True)
        return capture.get()

    def fitted(self, lines: Iterable[str]) -> Iterator[str]:
        """Return lines that fit the terminal, broken between words alone; what goes on is indented.

        A line with a command is left as it is, so that it can be copied. Elsewhere than on a terminal all are.
        """
        for line in lines:
            if (
                self._console is None
                or not self._fits
                or len(line) <= self._console.width
                or _is_copied(line)
            ):
                yield line
            else:
                yield from self._broken(line)

    def _broken(self, line: str) -> Iterator[str]:
        from rich.text import Text  # noqa: PLC0415

        assert self._console is not None  # noqa: S101 - as was looked at
        console, text = self._console, Text.from_ansi(line)
        begin = _BEGIN.match(text.plain)
        prefix = begin[0] if begin else ""
        text = text[len(prefix) :]
        pieces = text.divide(_breaks(text.plain, max(20, console.width - len(prefix) - 2)))
        for number, piece in enumerate(pieces):
            piece.rstrip()
            with console.capture() as capture:
                console.print(piece, end="", soft_wrap=True)
            yield prefix + ("  " if number else "") + capture.get()


def _is_copied(line: str) -> bool:
    return any(command in line for command in COMMANDS)


def _breaks(plain: str, width: int) -> Iterator[int]:
    """Return where a text is broken, so that no line is too long unless a single word is: a URL, say."""
    from rich.cells import cell_len  # noqa: PLC0415

    start = 0
    for word in re.finditer(r"\S+", plain):
        if word.start() > start and cell_len(plain[start : word.end()]) > width:
            start = word.start()
            yield start
