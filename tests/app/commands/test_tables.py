"""Tables for people, on terminals of several widths and elsewhere."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from app.commands.tables import write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

BOLD_OR_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HEADS = ("RUN", "STATE", "WHEN", "CONSUMER")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(
    rows: Sequence[tuple[str, ...]], stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.setattr(sys, "stdout", stream)
    write_table(HEADS, rows, stream, unbroken=("RUN", "WHEN"))
    return BOLD_OR_COLOUR.sub("", stream.getvalue()).splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_an_id_can_be_copied_at_any_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    ids = [str(uuid4()) for _ in range(3)]
    rows = [(one, "passed, not published", "3 min ago", "Storefront of a long name 1.0.0+abc") for one in ids]
    lines = written(rows, Terminal(), monkeypatch)
    assert max(map(len, lines)) <= width
    for one in ids:
        assert sum(one in line for line in lines) == 1


def test_elsewhere_a_row_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    lines = written([("1" * 36, "failed", "now", "C" * 300)], io.StringIO(), monkeypatch)
    assert [len(line.split()) for line in lines] == [4, 4]


def test_a_cell_controls_no_terminal_and_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = written([("1", "[red]x[/red]", "\x1b[2J", "a\nb")], io.StringIO(), monkeypatch)
    assert len(lines) == 2
    assert "[red]x[/red]" in lines[1]
    assert "\x1b" not in lines[1]
