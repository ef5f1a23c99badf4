"""Tables for people."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

from broker.text.harmless import one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rich.table import Table

UNLIMITED = 10_000
"""The columns of a table that is not for a terminal: a script has no use for a UUID that is cut off."""
NARROWEST = 12
"""The characters of a column that may be broken, below which each row is shown as lines instead."""
LONGEST_WORD = 44
"""The characters of a word that is never broken, such as the name of an event; longer ones, as of URLs, may be."""
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9_-]{22}")
"""The receiver's UUIDs, and those of a Pact Broker."""
STYLES = {"passed": "green", "failed": "red", "error": "yellow", "cancelled": "dim", "refused": "red"}
"""The colours of cells, by their first word."""


def write_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO, *, unbroken: Collection[str] = ()
) -> None:
    """Write a table; on a terminal that is too narrow for it, the lines of each row.

    Args:
        heads: The names of the columns.
        rows: The cells; their texts may be anyone's.
        stream: Where to write.
        unbroken: The columns whose cells stay in one line; those of ids do anyway, so that they can be copied.
    """
    from rich.console import Console  # noqa: PLC0415 - most commands print none
    from rich.table import Table  # noqa: PLC0415

    on_terminal = stream is sys.stdout and stream.isatty()
    console = Console(file=stream, width=None if on_terminal else UNLIMITED, highlight=False, markup=False)
    cells = [[one_line(cell) for cell in row] for row in rows]
    columns = list(zip(heads, *cells, strict=True))
    least = [_least_width(column, unbroken=column[0] in unbroken) for column in columns]
    if on_terminal and console.width < sum(least) + 2 * (len(heads) - 1):
        for row in cells:
            console.print(_lines(heads, row))
            console.print()
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    spare = max(0, console.width - sum(least) - 2 * (len(heads) - 1))
    for head, column, width in zip(heads, columns, least, strict=True):
        more = min(spare, _whole_width(column) - width)  # rich itself would take it from the longest words
        spare -= more
        table.add_column(head, overflow="fold", width=width + more, no_wrap=head in unbroken)
    for row in cells:
        table.add_row(*map(_styled, row))
    console.print(table)


def write_fields(fields: Sequence[tuple[str, str | None]], stream: TextIO) -> None:
    """Write names with their values, a line each; those without a value are left out."""
    shown = [(name, one_line(value)) for name, value in fields if value]
    width = max((len(name) for name, _ in shown), default=0)
    stream.writelines(f"{name:<{width}}  {value}\n" for name, value in shown)


def _least_width(column: Sequence[str], *, unbroken: bool) -> int:
    """Return the width below which a cell that stays in one line, or a word, would be broken."""
    width = _whole_width(column)
    if unbroken or any(map(_ID.fullmatch, column)):
        return width
    words = [len(word) for cell in column for word in cell.split() if len(word) <= LONGEST_WORD]
    return min(width, max([NARROWEST, *words]))


def _whole_width(column: Sequence[str]) -> int:
    """Return the width in which no cell is broken."""
    from rich.cells import cell_len  # noqa: PLC0415

    return max(map(cell_len, column))


def _lines(heads: Sequence[str], row: Sequence[str]) -> Table:
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for head, cell in zip(heads, row, strict=True):
        if cell:
            table.add_row(head, _styled(cell))
    return table


def _styled(cell: str) -> Any:
    from rich.text import Text  # noqa: PLC0415

    return Text(cell, style=STYLES.get(cell.split(" ", 1)[0].rstrip(","), ""))
