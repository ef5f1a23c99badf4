"""The help of a command: as wide as the terminal, and in colours where it shows them."""

from __future__ import annotations

import argparse
import os
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

WIDEST = 120
"""Columns that are used at most; longer lines are hard to read."""
NARROW = 80
"""The columns of a terminal below which the help of an option begins further to the left."""
_LITERAL = "    "
"""What a line begins with that is kept as it is: a command to copy."""
_ITEM = re.compile(r" *(\d+ +|\S+(?: \S+)* {2,})?")
"""The indentation of a line, with the number of an item, or with the name that a definition has before wide blanks."""
_NUMBERS: dict[Any, str] = {int: "a whole number", float: "a number"}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class HelpfulParser(argparse.ArgumentParser):
    """A parser whose help fits the terminal, and breaks no word.

    Of its description and epilog, and of the descriptions of its groups, paragraphs and items (with a number, or a name
    and wide blanks) are filled, other lines that are indented are wrapped one by one, and those that are indented by
    four spaces or more are left alone.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # argparse makes a formatter for each option that is added, and each would ask for the width of the terminal
        options.setdefault("formatter_class", partial(argparse.HelpFormatter, width=WIDEST))
        self._groups: list[argparse._ArgumentGroup] = []
        super().__init__(*arguments, **options)

    def add_argument_group(self, *arguments: Any, **options: Any) -> argparse._ArgumentGroup:
        """Add a group, as `argparse` does."""
        self._groups.append(super().add_argument_group(*arguments, **options))
        return self._groups[-1]

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Return the value of an option; a wrong one is told without the name of a type of Python."""
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError:
            number = _NUMBERS.get(action.type)
            if number is None:
                raise
            raise argparse.ArgumentError(action, f"{arg_string!r} is not {number}") from None

    def format_help(self) -> str:
        """Return the help for standard output."""
        from shutil import get_terminal_size  # noqa: PLC0415 - for this alone

        width = min(get_terminal_size().columns, WIDEST) - 2
        before = self.formatter_class, self.description, self.epilog
        descriptions = [group.description for group in self._groups]
        self.formatter_class = _formatter(width)
        self.description, self.epilog = (text and filled(text, width) for text in before[1:])
        for group in self._groups:
            group.description = group.description and filled(group.description, width - 2).rstrip()
        try:
            return _with_usage_in(width, super().format_help())
        finally:
            self.formatter_class, self.description, self.epilog = before
            for group, description in zip(self._groups, descriptions, strict=True):
                group.description = description


def _with_usage_in(width: int, text: str) -> str:
    """Return a help whose first paragraph, the usage, has no line that is wider, unless a single word is."""
    usage, end, rest = text.partition("\n\n")
    if max(map(_length, usage.splitlines()), default=0) <= width:
        return text
    lines = [""]
    for part in _parts(usage):
        if lines[-1].strip() and _length(lines[-1]) + 1 + _length(part) > width:
            lines.append(_LITERAL)
        lines[-1] += part if not lines[-1].strip() else f" {part}"
    return "\n".join(lines) + end + rest


def _parts(usage: str) -> Iterator[str]:
    """Return the words of a usage, those between brackets together."""
    part, depth = "", 0
    for word in usage.split():
        part += f" {word}" if part else word
        plain = _COLOUR.sub("", word)
        depth += sum(map(plain.count, "[({")) - sum(map(plain.count, "])}"))
        if depth <= 0:
            yield part
            part, depth = "", 0
    if part:
        yield part


def _length(text: str) -> int:
    return len(_COLOUR.sub("", text))


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
        hanging = item.end() if item else 0
        if hanging > width // 2:
            hanging = len(line) - len(line.lstrip()) + 2
        indentation = " " * hanging
        lines += wrap(
            line, width, subsequent_indent=indentation, break_long_words=False, break_on_hyphens=False
        )
    end()
    return "\n".join(lines) + "\n"


def _with_whole_items(lines: list[str]) -> list[str]:
    """Return lines in which each item is one line, although the source has its text in several."""
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
    place = 24 if width >= NARROW - 2 else 10
    if console is None:
        return partial(_Plain, width=width, max_help_position=place)
    from rich_argparse import RawDescriptionRichHelpFormatter  # noqa: PLC0415 - on a terminal alone

    class Coloured(RawDescriptionRichHelpFormatter):
        group_name_formatter = staticmethod(str)  # as they are
        help_markup = text_markup = False  # what is in brackets is no markup
        styles = {**RawDescriptionRichHelpFormatter.styles, "argparse.groups": "bold"}  # noqa: RUF012 - as there

    return partial(Coloured, width=width, max_help_position=place, console=console)


class _Plain(argparse.RawDescriptionHelpFormatter):
    def _split_lines(self, text: str, width: int) -> list[str]:
        """Wrap the help of an option; `argparse` would break words at their hyphens."""
        from textwrap import wrap  # noqa: PLC0415 - for this alone

        return wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)


def _colour_console() -> Console | None:
    """Return what writes in colours, if standard output shows them (rich follows NO_COLOR, FORCE_COLOR and TERM)."""
    if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        return None
    from rich.console import Console  # noqa: PLC0415 - on a terminal alone

    console = Console(file=sys.stdout)
    return None if console.no_color or console.color_system is None else console
