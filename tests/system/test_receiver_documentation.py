"""docs/receiver*.md: the tables against the configuration, the examples run."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from app.command_line import parser
from app.config import provider, provider_table, settings
from app.config.file import load
from app.config.variables import SECRETS
from app.intake.missed import TRIED_AGAIN
from broker.client.for_verification import MOST_PACTS
from broker.client.missing_results import MOST_VERSIONS
from tests.support.paths import DOCS, ROOT
from tests.support.processes import BIN, EmbeddedBroker

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel


def page(name: str) -> str:
    """Return the text of one of the receiver's pages."""
    return (DOCS / f"receiver-{name}.md").read_text(encoding="utf-8")


CONFIGURING, OPERATING, INSTALLING, CONTAINERS = map(
    page, ("configuring", "operating", "installing", "containers")
)
OVERVIEW = (DOCS / "receiver.md").read_text(encoding="utf-8")
TABLES: dict[str, type[BaseModel]] = {
    "[broker]": settings.BrokerSettings,
    "[[providers]]": provider_table.ProviderTable,
    "[providers.checkout]": provider.CheckoutSettings,
    "[providers.relay]": provider.RelaySettings,
    "[dispatches]": settings.DispatchSettings,
    "[server]": settings.ServerSettings,
    "[worker]": settings.WorkerSettings,
    "[github]": settings.GitHubSettings,
    "[retention]": settings.RetentionSettings,
    "[reconcile]": settings.ReconcileSettings,
}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def table(heading: str) -> dict[str, str]:
    """The keys of a table, and their defaults."""
    start = CONFIGURING.index(f"`{heading}`\n\n| key | default | |\n")
    rows = CONFIGURING[start:].split("\n\n")[1].splitlines()[2:]
    return {key.strip("` "): default.strip("` ") for _, key, default, *_ in (row.split("|") for row in rows)}


def shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{one:g}" for one in value)
    return (
        str(value).lower()
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def test_every_section_has_a_table() -> None:
    sections = {model.__name__ for model in TABLES.values()}
    found = {
        name
        for name in {**vars(settings), **vars(provider)}
        if name.endswith("Settings") and name != "Settings" and not name.startswith("_")
    }
    assert found == sections


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_is_in_its_table_with_its_default(heading: str) -> None:
    fields = TABLES[heading].model_fields
    documented = table(heading)
    assert set(documented) == set(fields)
    for key, field in fields.items():
        if field.is_required():
            assert documented[key] == "needed", key
        elif isinstance(field.default, str):
            assert documented[key] == field.default, key
        elif isinstance(field.default, bool | int | float) or (
            isinstance(field.default, tuple) and field.default
        ):
            assert documented[key] == shown(field.default), key


def test_every_secret_is_in_the_table_of_variables() -> None:
    for name in SECRETS:
        assert re.search(rf"^\|.*`{name}`.*\|", CONFIGURING, re.MULTILINE), name


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
    assert len(commands) == 3
    for command in commands:
        assert parser().parse_args(command.split()[1:]).command == "serve"


def test_the_files_that_compose_wants_are_made(tmp_path: Path) -> None:
    [script] = blocks(CONTAINERS, "bash")
    subprocess.run(["bash", "-euc", script], check=True, cwd=tmp_path, timeout=30)
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    named = re.findall(r"file: \./secrets/(\w+)", (ROOT / "compose.yaml").read_text())
    assert set(made) == set(named)
    assert made["database_password"] in made["database_url"]
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
