"""The help of a command: as wide as the terminal, and in colours where it shows them."""

from __future__ import annotations

import argparse
import os
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 120
"""Columns that are used at most; longer lines are hard to read."""
_LITERAL = "    "
"""What a line begins with that is kept as it is: a command to copy."""
_ITEM = re.compile(r" *(\d+ +)?")
"""The indentation of a line, with the number of an item."""


class HelpfulParser(argparse.ArgumentParser):
    """A parser whose help fits the terminal.

    Of its description and epilog, paragraphs and numbered items are filled, other lines that are indented are wrapped
    one by one, and those that are indented by four spaces or more are left alone.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # argparse makes a formatter for each option that is added, and each would ask for the width of the terminal
        options.setdefault("formatter_class", partial(argparse.HelpFormatter, width=WIDEST))
        super().__init__(*arguments, **options)

    def format_help(self) -> str:
        """Return the help for standard output."""
        from shutil import get_terminal_size  # noqa: PLC0415 - for this alone

        width = min(get_terminal_size().columns, WIDEST) - 2
        before = self.formatter_class, self.description, self.epilog
        self.formatter_class = _formatter(width)
        self.description, self.epilog = (text and filled(text, width) for text in before[1:])
        try:
            return super().format_help()
        finally:
            self.formatter_class, self.description, self.epilog = before


def filled(text: str, width: int) -> str:
    """Return a text whose lines are no longer than a width, but for words that are and lines that are literal."""
    from textwrap import wrap  # noqa: PLC0415 - for this alone

    lines: list[str] = []
    paragraph: list[str] = []

    def end() -> None:
        lines.extend(wrap(" ".join(paragraph), width, break_long_words=False, break_on_hyphens=False))
        paragraph.clear()

    for line in _with_whole_items(text.splitlines()):
        if line and not line.startswith(" "):
            paragraph.append(line)
            continue
        end()
        if line.startswith(_LITERAL) or len(line) <= width:
            lines.append(line)
            continue
        item = _ITEM.match(line)
        indentation = " " * (item.end() if item else 0)
        lines += wrap(
            line, width, subsequent_indent=indentation, break_long_words=False, break_on_hyphens=False
        )
    end()
    return "\n".join(lines) + "\n"


def _with_whole_items(lines: list[str]) -> list[str]:
    """Return lines in which each numbered item is one line, although the source has its text in several."""
    found: list[str] = []
    text_begins = 0
    for line in lines:
        begin = len(line) - len(line.lstrip())
        if line and begin and begin == text_begins:
            found[-1] += f" {line.lstrip()}"
            continue
        item = _ITEM.match(line)
        text_begins = item.end() if item and item[1] else 0
        found.append(line)
    return found


def _formatter(width: int) -> Any:
    console = _colour_console()
    if console is None:
        return partial(argparse.RawDescriptionHelpFormatter, width=width)
    from rich_argparse import RawDescriptionRichHelpFormatter  # noqa: PLC0415 - on a terminal alone

    class Coloured(RawDescriptionRichHelpFormatter):
        group_name_formatter = staticmethod(str)  # as they are
        help_markup = text_markup = False  # what is in brackets is no markup
        styles = {**RawDescriptionRichHelpFormatter.styles, "argparse.groups": "bold"}  # noqa: RUF012 - as there

    return partial(Coloured, width=width, console=console)


def _colour_console() -> Console | None:
    """Return what writes in colours, if standard output shows them (rich follows NO_COLOR, FORCE_COLOR and TERM)."""
    if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        return None
    from rich.console import Console  # noqa: PLC0415 - on a terminal alone

    console = Console(file=sys.stdout)
    return None if console.no_color or console.color_system is None else console
