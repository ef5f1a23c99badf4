"""docs/setup.md and the help of `pact-dispatch setup` say what is so."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.commands.finding import State
from app.commands.setup import parser as setup
from tests.support.github_api import GitHubApi
from tests.support.github_state import READ, WRITE, Repository, Token
from tests.support.loopback import closed_port
from tests.support.paths import ROOT
from tests.support.processes import BIN, EmbeddedBroker
from tests.support.receiver import TOKEN as RECEIVER_TOKEN
from tests.support.receiver import ReceiverProcess, configuration
from tests.support.running import environment
from tests.support.webhook_documents import OPEN

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
SOURCES = [
    *(ROOT / "app" / "commands" / "setup").glob("*.py"),
    ROOT / "app" / "github" / "answers.py",
    ROOT / "broker" / "webhooks" / "user_secrets.py",
]
TOKEN = "github_pat_11AAAAAAA0123456789abcdef"
FILE = ".github/workflows/pact_changed.yml"


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser()
    commands = whole.add_subparsers()
    setup.add_to(commands)
    found: argparse.ArgumentParser = commands.choices["setup"]
    return found


def test_examples_are_true(tmp_path: Path, database_url: str) -> None:
    workflow = (ROOT / "examples" / "workflows" / "pact_changed.yml").read_text(encoding="utf-8")
    repository = Repository("acme/products", files={FILE: workflow})
    rights = {"contents": WRITE, "actions": WRITE, "metadata": READ}
    token = Token(TOKEN, rights=rights, expires=datetime(2100, 1, 2, 3, 4, 5, tzinfo=UTC))
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    with GitHubApi(repository, tokens=(token,)) as api, EmbeddedBroker(tmp_path, *OPEN) as broker:
        pact = json.loads((ROOT / "examples/storefront-products.json").read_text(encoding="utf-8"))
        broker.publish(pact, "1.0.0", branch="main")
        provider = {"base_url": f"http://127.0.0.1:{closed_port()}", "version": "1"}
        config = configuration(broker.url, provider, server={"processes": 1})
        variables = environment(
            PATH=f"{BIN}:{os.environ['PATH']}",
            PACT_BROKER_BASE_URL=broker.url,
            PACT_DISPATCH_GITHUB_TOKEN=TOKEN,
            PACT_DISPATCH_RECEIVER_TOKEN=RECEIVER_TOKEN,
        )
        outputs = []
        with ReceiverProcess(tmp_path, config, command="web", database_url=database_url) as receiver:
            for block in re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL):
                script = block.removeprefix("$ ").replace("http://127.0.0.1:8000", receiver.url)
                if "--target receiver" not in script and "--write-workflow" not in script:
                    script = script.replace(
                        "pact-dispatch setup", f"pact-dispatch setup --github-url {api.url}"
                    )
                done = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", script],
                    cwd=tmp_path,
                    env=variables,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                assert done.returncode == 0, script + done.stdout + done.stderr
                assert TOKEN not in done.stdout + done.stderr
                outputs.append(done.stdout.replace(api.url, "https://api.github.com"))
            assert [run["provider"] for run in receiver.runs()] == ["Products"]
        [shown] = re.findall(r"```text\n(.*?)```", DOCUMENT, re.DOTALL)
        assert re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", outputs[2]) == shown
        document = json.loads((tmp_path / "setup.json").read_text(encoding="utf-8"))
        assert (document["exit_code"], document["first_problem"]) == (0, None)
        assert {step["state"] for step in document["steps"]} == {"ok"}
        for key in document["steps"][0].keys() - {"title", "expires", "may_dispatch"}:
            assert f"`{key}`" in DOCUMENT


def test_each_option_and_each_state_is_documented() -> None:
    options = {option for action in parser()._actions for option in action.option_strings if len(option) > 2}
    shared = {
        "--help",
        "--pact-broker-base-url",
        "--broker-username",
        "--broker-password",
        "--broker-token",
    }
    assert [option for option in sorted(options - shared) if option not in DOCUMENT] == []
    assert [state for state in set(State) - {State.WARNING} if f"`{state}`" not in DOCUMENT] == []


def test_what_the_table_quotes_is_what_the_steps_say() -> None:
    source = "\n".join(file.read_text(encoding="utf-8") for file in SOURCES)
    said = re.sub(r'"\n\s*f?"', "", source)
    for row in re.findall(r"^\| `(\w+)` \| `(.+?)` \|", DOCUMENT, re.MULTILINE):
        quoted = re.sub(r" \d{3}$| failure$", " ", row[1])
        assert quoted in said, row


def test_the_examples_of_the_help_can_be_parsed() -> None:
    text = setup.EPILOG.split("examples:")[1].split("exit codes:")[0]
    joined = textwrap.dedent(text).replace("\\\n", " ")
    examples = [line for line in joined.splitlines() if line.strip().startswith("pact-dispatch ")]
    assert len(examples) == 6
    for example in examples:
        assert parser().parse_args(shlex.split(example)[2:]).provider == "Products"
