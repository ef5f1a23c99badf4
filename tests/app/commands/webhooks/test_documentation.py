"""docs/webhooks-command.md and the command's help say what is so."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

from app.commands.webhook_templates import TEMPLATES
from app.commands.webhooks import parser as webhooks
from app.commands.webhooks.rendering import FORMATS
from tests.support.paths import ROOT
from tests.support.processes import BIN, EmbeddedBroker
from tests.support.running import environment
from tests.support.webhook_documents import OPEN
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = (ROOT / "docs" / "webhooks-command.md").read_text(encoding="utf-8")


def parser_of(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    webhooks.add_to(commands)
    [below] = [
        action
        for action in commands.choices["webhooks"]._actions
        if action.choices and not action.option_strings
    ]
    found: argparse.ArgumentParser = dict(below.choices or {})[name]
    return found


def test_examples_are_true(tmp_path: Path) -> None:
    with Target() as target, EmbeddedBroker(tmp_path, *OPEN) as broker:
        pact = json.loads((ROOT / "examples/storefront-products.json").read_text(encoding="utf-8"))
        broker.publish(pact, "1.0.0", branch="main")
        others = broker.request(
            "POST",
            "/webhooks",
            json={
                "events": [{"name": "contract_published"}],
                "request": {"method": "POST", "url": f"{target.url}/of-somebody-else"},
            },
        ).json()
        secret = {"name": "receiverToken", "value": "example-receiver-token"}
        broker.request("POST", "/secrets", json=secret).raise_for_status()
        variables = environment(PATH=f"{BIN}:{os.environ['PATH']}", PACT_BROKER_BASE_URL=broker.url)
        shell = "".join(re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL))
        script = re.sub(r"^\$ ", "", shell, flags=re.MULTILINE).replace("http://127.0.0.1:8000", target.url)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        # what the examples delete is what they made
        assert broker.get(others["_links"]["self"]["href"].removeprefix(broker.url)).status_code == 200
        assert "example-receiver-token" not in done.stdout + done.stderr
        assert "example-token" not in done.stdout + done.stderr
        [tested] = target.received
        assert tested.path == "/repos/acme/products/dispatches"
        assert tested.headers["authorization"] == "Bearer example-receiver-token"

        [program] = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
        ran = subprocess.run(
            [sys.executable, "-c", program.replace("http://127.0.0.1:8000", target.url)],
            cwd=ROOT,
            env=variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ran.returncode, ran.stdout) == (0, "True True True\n[]\n"), ran.stderr
        assert target.received[1].headers["authorization"] == "Bearer example-token"


def test_each_option_is_documented() -> None:
    options = {
        option
        for name in ("create", "update", "list", "logs", "test", "show", "delete")
        for action in parser_of(name)._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }
    assert [
        option for option in sorted(options) if f"`{option}" not in DOCUMENT and f" {option}" not in DOCUMENT
    ] == []


def test_the_choices_are_those_that_there_are() -> None:
    choices = {action.dest: action.choices for action in parser_of("create")._actions if action.choices}
    assert tuple(choices["template"] or ()) == tuple(TEMPLATES)
    assert tuple(choices["output"] or ()) == FORMATS
    for template in TEMPLATES.values():
        assert f"| `{template.name}` | `{template.event}` |" in DOCUMENT


def test_the_examples_of_the_help_can_be_parsed() -> None:
    parser = argparse.ArgumentParser()
    webhooks.add_to(parser.add_subparsers())
    text = webhooks.EPILOG.split("exit codes:")[0] + webhooks.CREATE_EXAMPLES
    joined = textwrap.dedent(text).replace("\\\n", " ")
    examples = [line for line in joined.splitlines() if line.strip().startswith("pact-dispatch ")]
    assert len(examples) == 10
    for example in examples:
        assert parser.parse_args(shlex.split(example)[1:]).webhooks_command
