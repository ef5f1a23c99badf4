"""docs/doctor.md, the schema and the command's help say what is so."""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from app.commands.doctor import parser as doctor
from app.commands.doctor.chain import LINKS
from app.commands.doctor.report import STATUSES
from tests.support.paths import ROOT
from tests.support.processes import BIN, EmbeddedBroker
from tests.support.running import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENT = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "app" / "commands" / "doctor" / "doctor.schema.json").read_text(encoding="utf-8"))


def test_each_check_has_its_row() -> None:
    [table] = re.findall(r"\| what you see \|.*?\n\| ---.*?\n(.*?)\n\n", DOCUMENT, re.DOTALL)
    rows = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()]
    assert [row[0].strip("`") for row in rows] == list(LINKS)
    assert all(len(row) == 3 and all(row) for row in rows)


def test_every_finding_is_documented_and_no_other_one() -> None:
    rows = re.findall(r"^\| (?:`([a-z-]+)` )?\| (broken|warning) \| (.*) \|$", DOCUMENT, re.MULTILINE)
    assert list(dict.fromkeys(link for link, _, _ in rows if link)) == [
        one for one in LINKS if one != "broker"
    ]
    phrases = [re.split(" ?… ?", phrase) for _, _, text in rows for phrase in re.findall(r"`([^`]+)`", text)]
    findings = list(_findings())
    assert len(findings) > 30
    said = " ".join(text for _, text in findings)
    assert [phrase for phrase in phrases if not _is_in(phrase, said)] == []
    missing = [place for place, text in findings if not any(_is_in(phrase, text) for phrase in phrases)]
    assert missing == []


def _is_in(phrase: list[str], text: str) -> bool:
    parts = [part.strip(" ,;:()?") for part in phrase]
    return any(parts) and all(part in text for part in parts)


def _findings() -> Iterator[tuple[str, str]]:
    """Give the place of each finding that is not ok in the code, and the texts that are in it."""
    for module in (
        "broker_checks",
        "webhook_checks",
        "github_checks",
        "receiver_checks",
        "notification_checks",
    ):
        source = (ROOT / "app" / "commands" / "doctor" / f"{module}.py").read_text(encoding="utf-8")
        for function in ast.parse(source).body:
            assigned = dict(_assigned(function))
            for node in ast.walk(function):
                if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding"):
                    continue
                if ast.unparse(node.args[0]) in {"State.OK", "State.UNKNOWN"}:
                    continue
                names = (one.id for one in ast.walk(node.args[1]) if isinstance(one, ast.Name))
                text = " ".join([_constants(node.args[1]), *(assigned.get(name, "") for name in names)])
                if len(text.strip()) > len(" is "):  # otherwise it tells what someone else said
                    yield f"{module}:{node.lineno}", " ".join(text.split())


def _assigned(function: ast.stmt) -> Iterator[tuple[str, str]]:
    """Give the texts that the variables of a function may have."""
    found: dict[str, str] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for one in (one for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)):
                found[one.id] = f"{found.get(one.id, '')} {_constants(node.value)}"
    yield from found.items()


def _constants(node: ast.AST) -> str:
    return " ".join(
        one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)
    )


def test_the_schema_has_the_checks_and_what_they_may_be() -> None:
    properties = SCHEMA["$defs"]["check"]["properties"]
    assert properties["id"]["enum"] == list(LINKS)
    assert properties["status"]["enum"] == list(STATUSES.values())


def test_no_other_check_is_made_than_those_that_are_documented() -> None:
    source = (ROOT / "app" / "commands" / "doctor" / "examination.py").read_text(encoding="utf-8")
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            names = [keyword.value for keyword in node.keywords if keyword.arg == "name"]
            if isinstance(node.func, ast.Attribute) and node.func.attr == "_checked":
                names.append(node.args[0])
            found |= {name.value for name in names if isinstance(name, ast.Constant)}
    assert found == set(LINKS)


def test_examples_are_true(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        pact = json.loads((ROOT / "examples/storefront-products.json").read_text(encoding="utf-8"))
        broker.publish(pact, "1.0.0", branch="main")
        variables = environment(PATH=f"{BIN}:{os.environ['PATH']}", PACT_BROKER_BASE_URL=broker.url)
        shown, as_json = (
            (re.search(r"\$ (.*)\n", block), block.partition("\n")[2])
            for block in re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL)
        )
        for (command, output), code in ((shown, 1), (as_json, 1)):
            assert command is not None
            done = subprocess.run(
                shlex.split(command[1]),
                env=variables,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == code, done.stderr
            if output:
                times = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
                said = re.sub(times, "TIME", done.stdout.replace(broker.url, "http://127.0.0.1:9292"))
                assert said == re.sub(times, "TIME", output)
            else:
                assert json.loads(done.stdout)["first_broken"]["id"] == "webhook"


def test_each_option_is_documented() -> None:
    options = {
        option for action in parser()._actions for option in action.option_strings if option[:2] == "--"
    }
    broker = {option for option in options if "broker" in option}
    assert [one for one in sorted(options - broker - {"--help"}) if f"`{one}" not in DOCUMENT] == []


def test_the_examples_of_the_help_can_be_parsed() -> None:
    examples = re.findall(r"^ +(?:\w+=\S+ )?pact-dispatch doctor (.*)$", doctor.EPILOG, re.MULTILINE)
    assert len(examples) == 4
    for example in examples:
        assert parser().parse_args(shlex.split(example)).json is False


def test_the_broker_can_be_asked_with_the_base_install_alone(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in {'github', 'pydantic', 'yaml', 'flask', 'psycopg', 'cryptography',\n"
        "                                      'sqlalchemy', 'structlog', 'procrastinate'}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from app.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    with EmbeddedBroker(tmp_path, "--webhook-hosts", "api.github.com") as broker:
        pact = json.loads((ROOT / "examples/storefront-products.json").read_text(encoding="utf-8"))
        webhook = {
            "events": [{"name": "contract_content_changed"}],
            "request": {
                "method": "POST",
                "url": "https://api.github.com/repos/acme/products/dispatches",
                "body": {"event_type": "pact_changed"},
            },
        }
        broker.publish(pact, "1.0.0", branch="main")
        assert (
            broker.request("POST", "/webhooks", json=webhook).status_code == 201
        )  # too late to be triggered
        variables = {"PACT_BROKER_BASE_URL": broker.url, "PACT_DISPATCH_GITHUB_TOKEN": "ghp_0123456789"}
        done = subprocess.run(
            [sys.executable, "-c", program, "doctor", "--provider", "Products"],
            env=environment(**variables),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert "First broken link: delivery" in done.stdout
    assert "pip install 'pact-dispatch[setup]'" in done.stdout


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    commands = made.add_subparsers()
    doctor.add_to(commands)
    found: argparse.ArgumentParser = commands.choices["doctor"]
    return found
