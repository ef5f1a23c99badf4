"""docs/runs.md says what the commands take."""

from __future__ import annotations

import re
import shlex

from app.command_line import parser
from tests.support.paths import DOCS

DOCUMENT = (DOCS / "runs.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\| `pact-dispatch ((?:runs|deliveries|providers) \w+)[^`]*`", DOCUMENT, re.MULTILINE)


def test_the_examples_are_commands() -> None:
    for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("pact-dispatch "):
                parser().parse_args(shlex.split(line)[1:])


def test_each_command_is_described() -> None:
    assert [
        *(f"runs {name}" for name in ("list", "show", "log", "cancel", "again")),
        *(f"deliveries {name}" for name in ("list", "show", "redeliver")),
        *(f"providers {name}" for name in ("list", "pause", "resume")),
    ] == COMMANDS
    for command in COMMANDS:
        words = [*command.split(), *([] if command.endswith("list") else ["id"])]
        assert parser().parse_args(words).receiver_url is None
