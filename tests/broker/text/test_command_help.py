"""The help of both commands: as wide as the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.command_line import parser
from broker.text.command_help import filled
from verifier.command.options import build_parser

if TYPE_CHECKING:
    from argparse import ArgumentParser


def test_paragraphs_are_filled_and_lines_that_are_indented_stay_apart() -> None:
    text = "One two\nthree four.\n\nexamples:\n  one that is long:\n    a command that is longer\n  1  in all of them\n"
    assert filled(text, 14).splitlines() == [
        "One two three",
        "four.",
        "",
        "examples:",
        "  one that is",
        "  long:",
        "    a command that is longer",
        "  1  in all of",
        "     them",
    ]
    assert filled(text, 100).splitlines()[0] == "One two three four."


def test_an_item_that_the_source_has_in_two_lines_is_filled_as_one() -> None:
    text = (
        "exit codes:\n  0  done\n  3  it is not known, or the broker\n     could not be asked\n     at all\n"
    )
    text += "    a command\n"
    assert filled(text, 30) == (
        "exit codes:\n  0  done\n  3  it is not known, or the\n     broker could not be asked\n     at all\n"
        "    a command\n"
    )


@pytest.mark.parametrize("columns", [60, 80, 120, 400])
@pytest.mark.parametrize("command", [build_parser(), parser()])
def test_no_line_is_wider_than_the_terminal(
    command: ArgumentParser, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = command.format_help().splitlines()
    assert [line for line in lines if len(line) > min(columns, 120) - 2] == []
    assert max(map(len, lines)) > min(columns, 80) - 20
    assert "\x1b" not in "".join(lines)
