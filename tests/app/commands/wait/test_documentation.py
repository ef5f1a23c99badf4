"""docs/wait.md says what the command takes."""

from __future__ import annotations

import re
import shlex

from app.command_line import parser
from app.commands.wait.parser import DEFAULT_SECONDS
from tests.support.paths import DOCS

DOCUMENT = (DOCS / "wait.md").read_text(encoding="utf-8")


def test_the_examples_are_commands() -> None:
    found = re.findall(r"^(?:- run: uvx )?pact-dispatch (wait --.*)$", DOCUMENT, re.MULTILINE)
    assert len(found) == 2
    for command in found:
        options = parser().parse_args(shlex.split(command))
        assert options.timeout == DEFAULT_SECONDS
        assert options.to_environment == "production"


def test_each_option_but_those_of_the_broker_is_described() -> None:
    described = re.findall(r"^\| `(--[a-z-]+)", DOCUMENT, re.MULTILINE)
    words = ["wait", "--pacticipant", "P", "--version", "1", "--to-environment", "E"]
    of_the_command = vars(parser().parse_args(words)).keys() - vars(parser().parse_args([])).keys()
    names = {f"--{name.replace('_', '-')}" for name in of_the_command}
    assert set(described) == {name for name in names if "broker" not in name}
    assert f"{DEFAULT_SECONDS:g} unless given" in DOCUMENT
