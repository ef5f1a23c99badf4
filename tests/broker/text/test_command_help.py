"""The help of both commands: as wide as the terminal."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

import pytest

from app.command_line import parser
from broker.text import command_help
from broker.text.command_help import WIDEST, filled
from verifier.command.options import build_parser

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


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


def test_an_item_and_a_definition_hang() -> None:
    text = (
        "The steps:\n  token      the GitHub token: the repository is there\n  10  in all of them, and more\n"
    )
    assert filled(text, 30).splitlines() == [
        "The steps:",
        "  token      the GitHub token:",
        "             the repository is",
        "             there",
        "  10  in all of them, and more",
    ]


def every_parser(command: ArgumentParser) -> Iterator[ArgumentParser]:
    yield command
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in dict.fromkeys(action.choices.values()):
                yield from every_parser(one)


COMMANDS = {one.prog: one for one in (build_parser(), *every_parser(parser()))}


def test_a_value_that_is_wrong_is_told_without_the_name_of_a_type_of_python() -> None:
    told = {}
    for name, command in COMMANDS.items():
        for action in command._actions:
            try:
                command._get_value(action, "no such value")
            except argparse.ArgumentError as error:
                told[f"{name} {action.option_strings}"] = str(error)
    assert len(told) > 15
    assert {option: text for option, text in told.items() if re.search(r"invalid \w+ value", text)} == {}
    assert told["verify ['--jobs']"] == "argument --jobs: 'no such value' is not a whole number"


def help_of(
    command: ArgumentParser, columns: int, monkeypatch: pytest.MonkeyPatch, *, widest: int = WIDEST
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(command_help, "WIDEST", widest)
    return COLOUR.sub("", command.format_help()).splitlines()


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("columns", [60, 80, 120, 400])
def test_no_help_is_wider_than_the_terminal_or_breaks_a_word(
    columns: int,
    colour: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(COMMANDS) > 25
    if colour:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)
    for name, command in COMMANDS.items():
        whole = {word for line in help_of(command, 5000, monkeypatch, widest=5000) for word in line.split()}
        lines = help_of(command, columns, monkeypatch)
        texts = (command.description or "") + (command.epilog or "")
        copied = {line for line in texts.splitlines() if line.startswith("    ")}
        assert [
            line for line in lines if len(line) > min(columns, WIDEST) - 2 and line not in copied
        ] == [], name
        assert [word for line in lines for word in line.split() if word not in whole] == [], name


@pytest.mark.parametrize("command", [build_parser(), parser()])
def test_a_help_uses_the_width_that_there_is(
    command: ArgumentParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in (60, 80, 120):
        lines = help_of(command, columns, monkeypatch)
        assert max(map(len, lines)) > min(columns, 80) - 20
        assert "\x1b" not in command.format_help()
