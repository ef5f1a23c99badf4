"""docs/receiver*.md: the tables against the configuration, the examples run."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
from typing import TYPE_CHECKING

from app.command_line import parser
from app.config import provider, provider_table, sections
from app.config.file import load
from app.config.values import Section
from app.config.variables import OTHERS, SECRETS
from app.intake.missed import TRIED_AGAIN
from broker.client.missing_results import MOST_PACTS, MOST_VERSIONS
from tests.support.paths import DOCS, ROOT
from tests.support.processes import BIN, EmbeddedBroker

if TYPE_CHECKING:
    import types
    from pathlib import Path


def page(name: str) -> str:
    """Return the text of one of the receiver's pages."""
    return (DOCS / f"receiver-{name}.md").read_text(encoding="utf-8")


CONFIGURING, OPERATING, INSTALLING, CONTAINERS, REFERENCE = map(
    page, ("configuring", "operating", "installing", "containers", "reference")
)
OVERVIEW = (DOCS / "receiver.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_reference_is_what_the_types_of_the_configuration_give() -> None:
    made = runpy.run_path(str(DOCS / "receiver_reference.py"))["page"]()
    assert (DOCS / "receiver-reference.md").read_text(encoding="utf-8") == made, "run: make reference"


def test_the_reference_has_each_key_and_each_variable() -> None:
    models = {one for one in _sections(provider) | _sections(sections) if one.__name__.endswith("Settings")}
    models |= {provider_table.ProviderTable}
    for model in models:
        for key in model.model_fields:
            assert re.search(rf"^\| `{key}` \| .+ \| .+ \| .+ \|$", REFERENCE, re.MULTILINE), (model, key)
    for name in (*SECRETS, *OTHERS):
        assert re.search(rf"^\| `{name}` \| .+ \|$", REFERENCE, re.MULTILINE), name


def _sections(module: types.ModuleType) -> set[type[Section]]:
    return {one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Section)}


def test_the_least_configuration_can_be_used(tmp_path: Path) -> None:
    [example] = blocks(CONFIGURING, "toml")
    file = tmp_path / "pact-dispatch.toml"
    file.write_text(example)
    assert load(file, {}).providers


def test_the_numbers_of_missed_dispatches() -> None:
    assert (TRIED_AGAIN.waits[0], TRIED_AGAIN.waits[-1]) == (3600, 24 * 3600)
    assert f"At most {MOST_PACTS} pacts and {MOST_VERSIONS} versions" in OPERATING


def test_the_examples_work_as_they_stand(tmp_path: Path, database_url: str) -> None:
    [least] = blocks(CONFIGURING, "toml")
    with EmbeddedBroker(tmp_path) as broker:
        config_file = tmp_path / "pact-dispatch.toml"
        config_file.write_text(least.replace("http://127.0.0.1:9292", broker.url))
        (tmp_path / "examples").symlink_to(ROOT / "examples")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PACT_")}
        for example in [*blocks(CONFIGURING, "console"), *blocks(OPERATING, "console")]:
            done = subprocess.run(
                ["bash", "-euc", example.removeprefix("$ ")],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
                cwd=tmp_path,
                env={**kept, "PATH": f"{BIN}:{os.environ['PATH']}", "DATABASE_URL": database_url},
            )
            assert done.returncode == 0, example + done.stdout + done.stderr


def test_the_commands_can_be_parsed() -> None:
    texts = (OVERVIEW, INSTALLING)
    pattern = re.compile(r"^(?:ExecStart=\S*/)?(pact-dispatch (?:serve|web|worker).*)$", re.MULTILINE)
    commands = [command for text in texts for command in pattern.findall(text)]
    assert len(commands) == 2
    for command in commands:
        assert parser().parse_args(command.split()[1:]).command == "serve"


def test_the_files_that_compose_wants_are_made(tmp_path: Path) -> None:
    [script] = blocks(CONTAINERS, "bash")
    subprocess.run(["bash", "-euc", script], check=True, cwd=tmp_path, timeout=60)
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    named = re.findall(r"file: \./secrets/(\w+)", (ROOT / "compose.yaml").read_text())
    assert set(made) == set(named)
    assert made["database_password"] in made["database_url"]
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
