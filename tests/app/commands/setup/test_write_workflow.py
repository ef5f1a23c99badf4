"""`pact-dispatch setup --write-workflow`: the provider's workflow, into the repository in hand."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from app.commands.setup.workflow_file import filled
from app.commands.webhook_templates import PACT_CHANGED_FILE, REQUIRING_VERIFICATION_FILE
from broker.http.access import BrokerAccess
from tests.support.paths import ROOT
from tests.support.processes import BIN
from tests.support.running import environment

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = [ROOT / "examples/workflows" / name for name in (PACT_CHANGED_FILE, REQUIRING_VERIFICATION_FILE)]
COMMAND = (str(BIN / "pact-dispatch"), "setup", "--provider", "Products & Co", "--write-workflow")
BROKER = {"PACT_BROKER_BASE_URL": "https://pacts.example.com/broker"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "below").mkdir()
    return tmp_path


def write(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(**{**BROKER, **variables}),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def values(document: Any) -> dict[str, Any]:
    """What the job gives the Action, or the reusable workflow."""
    job = document["jobs"]["verify"]
    found: dict[str, Any] = job["with"] if "with" in job else job["steps"][-1]["with"]
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize(("username", "token"), [("ci", None), (None, "t")])
def test_the_examples_take_provider_broker_and_credentials(
    example: Path, username: str | None, token: str | None
) -> None:
    access = BrokerAccess("https://pacts.example.com", username, username and "p4ssw0rd", token)
    text = filled(example.read_text(encoding="utf-8"), 'The "Products": #1', access)
    document = yaml.safe_load(text)
    assert values(document)["provider"] == 'The "Products": #1'
    assert values(document)["pact-broker-base-url"] == "https://pacts.example.com"
    assert set(re.findall(r"secrets\.(\w+)", text)) == (
        {"PACT_BROKER_USERNAME", "PACT_BROKER_PASSWORD"} if username else {"PACT_BROKER_TOKEN"}
    )
    assert "p4ssw0rd" not in text
    assert "example.org" not in text


def test_the_workflow_is_written_into_the_repository_in_hand(checkout: Path) -> None:
    done = write(checkout / "below")
    assert done.returncode == 0, done.stderr
    file = checkout / ".github" / "workflows" / "pact_changed.yml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert values(document)["provider"] == "Products & Co"
    assert done.stdout.startswith(f"Wrote {file}.\n")
    for step in (
        "provider-command",
        "PACT_BROKER_TOKEN",
        "push it to the default branch",
        "pact-dispatch setup again",
    ):
        assert step in done.stdout
    again = write(checkout)
    assert (again.returncode, "is there already, as it would be written" in again.stdout) == (0, True)
    requiring = write(checkout, "--event", "contract_requiring_verification_published")
    assert "contract_requiring_verification_published.yml" in requiring.stdout


def test_another_file_is_never_replaced_without_asking(checkout: Path) -> None:
    file = checkout / ".github" / "workflows" / "pact_changed.yml"
    file.parent.mkdir(parents=True)
    file.write_text("mine", encoding="utf-8")
    done = write(checkout)
    assert done.returncode == 1
    assert "was left as it is" in done.stderr
    for answer, code, mine in (("n\n", 1, True), ("y\n", 0, False)):
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            COMMAND,
            cwd=checkout,
            env=environment(**BROKER),
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            os.write(ours, answer.encode())
            process.communicate(timeout=60)
        os.close(ours)
        assert process.returncode == code
        assert (file.read_text(encoding="utf-8") == "mine") is mine


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--target", "receiver"), 2, "is for GitHub"),
        (("--plan",), 2, "leave out --plan"),
        (("--provider", "${{ secrets.X }}"), 2, "would take for an expression"),
        (("--provider", ""), 2, "--provider is missing"),
        ((), 1, "is in no checkout of a git repository"),
    ],
)
def test_what_can_not_be_written_is_said(
    tmp_path: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    done = write(tmp_path, *arguments)
    assert done.returncode == code
    assert text in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_can_not_be_written_to_is_said(checkout: Path) -> None:
    done = write(checkout, str(checkout / "below"))
    assert done.returncode == 1
    assert "can't be written: Is a directory" in done.stderr


def test_what_is_installed_is_what_the_examples_are() -> None:
    installed = ROOT / "app" / "commands" / "setup" / "workflows"
    assert {file.name for file in installed.iterdir()} == {example.name for example in EXAMPLES}
    for example in EXAMPLES:
        assert (installed / example.name).resolve() == example
