"""Marks and colours on a terminal."""

from __future__ import annotations

import os
from typing import TextIO

from verifier.verification import Outcome

MARKS = {Outcome.PASSED: ("✓", "green"), Outcome.FAILED: ("✗", "red"), Outcome.ERROR: ("!", "yellow")}


class Paint:
    """Colours for terminals that have them (rich knows which, and follows NO_COLOR and FORCE_COLOR)."""

    def __init__(self, stream: TextIO) -> None:
        self._console = None
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
