"""The command `pact-dispatch`, before any of its commands does anything."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from app.command_line import GROUPS, parser
from tests.support.loopback import closed_port
from tests.support.pacts import interaction, pact
from tests.support.processes import BIN
from tests.support.running import environment

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("flask", "github", "gunicorn", "psycopg", "pydantic", "rich", "sqlalchemy", "yaml")
COMMANDS = [command for commands in GROUPS.values() for command in commands]
NAMES = [command.__name__.split(".")[2].replace("_", "-") for command in COMMANDS]
SHOW_MODULES = "import sys; from {module} import {name}; {name}({words!r}); print('loaded', *sys.modules)"


@pytest.mark.parametrize("words", [*([name] for name in NAMES if name != "verify"), ["webhooks", "create"]])
def test_the_help_needs_nothing_of_the_server(words: list[str]) -> None:
    program = (
        "import sys; from app.cli import main\n"
        f"try: main([*{words!r}, '--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: pact-dispatch")
    assert done.stdout.endswith("\n[]\n")


def test_the_help_lists_each_command_in_its_group() -> None:
    text = parser().format_help()
    for title, commands in GROUPS.items():
        section = text.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
        listed = [line.split()[0] for line in section.splitlines() if line[2] != " "]
        assert listed == [command.__name__.split(".")[2].replace("_", "-") for command in commands]


def test_verify_as_a_command_of_pact_dispatch_loads_nothing_that_verify_does_not() -> None:
    def loaded(module: str, name: str, words: list[str]) -> set[str]:
        program = SHOW_MODULES.format(module=module, name=name, words=[*words, "--no-such-option"])
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert "See verify --help" in done.stderr
        return set(done.stdout.partition("loaded ")[2].split())

    assert loaded("app.cli", "main", ["verify"]) - loaded("verifier.cli", "run", []) == {"app", "app.cli"}


def test_verify_as_a_command_of_pact_dispatch_ends_as_verify_does(tmp_path: Path) -> None:
    (tmp_path / "pact.json").write_text(json.dumps(pact(interaction("a thing", "/things/1"))))
    arguments = ("pact.json", "--provider-base-url", f"http://127.0.0.1:{closed_port()}", "--wait", "0.1")
    ended = [
        subprocess.run(
            [*command, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=environment(),
        )
        for command in (
            [BIN / "verify"],
            [BIN / "pact-dispatch", "verify"],
            [BIN / "python", "-m", "app", "verify"],
        )
    ]
    assert [done.returncode for done in ended] == [3, 3, 3], ended
    said = [re.sub(r"(Could not verify) in .*", r"\1", done.stdout) for done in ended]
    assert said[1:] == said[:-1]
    assert "Could not verify\n" in said[0]


@pytest.mark.parametrize("command", ["serve", "web", "worker"])
def test_the_help_of_what_runs_says_how_it_is_reloaded(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "SIGHUP, or `pact-dispatch reload`, has it" in text
