"""What is written in the Action and in the workflows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.paths import ROOT
from verifier.command.options import build_parser
from verifier.errors import UsageError
from verifier.github_action import LISTS, SWITCHES, header_secrets, to_arguments

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOWS = [
    *sorted((ROOT / ".github/workflows").glob("*.yml")),
    *sorted((ROOT / "examples/workflows").glob("*.yml")),
]


PROJECT = "OWNER/pact-dispatch"
LONG = "n" * 255
"""The longest name that a broker takes, for a consumer, a provider, a tag or a branch."""
LONGEST = {
    "github.ref": f"refs/heads/{LONG}",
    "github.sha": "f" * 64,
    "github.event.client_payload.sha": "f" * 64,
    "github.event.client_payload.pact_url": f"https://broker.example.org/pacts/provider/{LONG}/consumer/{LONG}/"
    f"pact-version/{'f' * 40}/metadata/{'t' * 255}",
}
"""What the expressions of concurrency groups can be."""
LARGEST_GROUP = 400
"""Characters of a concurrency group: GitHub fails a run with a longer one."""
DEFAULT_MINUTES = 360
"""After which GitHub ends a job that doesn't say after how many."""
DEFAULT_SECONDS = 1800
"""After which `verify` ends a verification unless told otherwise."""
SETUP_SECONDS = 300
"""The least that is left for what comes before a verification."""


def documents() -> dict[str, Any]:
    return {
        str(file.relative_to(ROOT)): yaml.safe_load(file.read_text(encoding="utf-8"))
        for file in [ROOT / "action.yml", *WORKFLOWS]
    }


def steps_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    if "runs" in document:
        return list(document["runs"]["steps"])
    return [step for job in document["jobs"].values() for step in job.get("steps", [])]


def test_no_expression_stands_in_a_shell_line() -> None:
    for name, document in documents().items():
        for step in steps_of(document):
            assert "${{" not in step.get("run", ""), f"{name}: {step}"


def test_what_others_wrote_is_pinned_to_a_commit() -> None:
    for file in [ROOT / "action.yml", *WORKFLOWS]:
        for used in re.findall(r"uses: (.*)", file.read_text(encoding="utf-8")):
            assert used.startswith(("./", "OWNER/pact-dispatch")) or re.fullmatch(
                r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used
            ), f"{file}: {used}"


def test_workflows_have_no_more_rights_than_they_need() -> None:
    for name, document in documents().items():
        if "jobs" not in document or name.endswith("/release.yml"):  # that one publishes
            continue
        for job in document["jobs"].values():
            rights = job.get("permissions", document["permissions"])
            assert rights in ({}, {"contents": "read"}), name


def workflows() -> dict[str, dict[str, Any]]:
    """Return the workflows of the files and of the pages, by their places."""
    found = {name: document for name, document in documents().items() if "jobs" in document}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        blocks = re.findall(
            r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
        for number, block in enumerate(blocks):
            document = yaml.safe_load(block)
            if isinstance(document, dict) and "jobs" in document:
                found[f"{page.name}, block {number}"] = document
    return found


def jobs() -> list[tuple[str, dict[str, Any]]]:
    """Return the jobs of all workflows, with their places."""
    return [
        (f"{where}: {name}", job)
        for where, document in workflows().items()
        for name, job in document["jobs"].items()
    ]


def test_no_concurrency_group_can_be_longer_than_github_takes() -> None:
    groups = [
        (where, part["concurrency"])
        for where, part in (*workflows().items(), *jobs())
        if "concurrency" in part
    ]
    assert groups
    for where, group in groups:
        text = group if isinstance(group, str) else group["group"]
        filled = re.sub(
            r"\$\{\{(.*?)\}\}",
            lambda found: max((LONGEST[name.strip()] for name in found[1].split("||")), key=len),
            text,
        )
        assert len(filled) <= LARGEST_GROUP, f"{where}: {len(filled)} characters"


def test_a_verification_ends_before_github_ends_its_job() -> None:
    """Otherwise there is neither a summary nor an outcome."""
    checked = 0
    for where, job in jobs():
        called = str(job.get("uses", "")).startswith(f"{PROJECT}/.github/workflows/verify_changed_pact.yml@")
        given = job.get("with", {})
        minutes = given.get("timeout-minutes", 40) if called else job.get("timeout-minutes", DEFAULT_MINUTES)
        steps = (
            [given]
            if called
            else [
                step.get("with", {}) for step in job.get("steps", []) if is_the_action(step.get("uses", ""))
            ]
        )
        for step in steps:
            seconds = default_of(step.get("timeout", DEFAULT_SECONDS))
            assert seconds + SETUP_SECONDS <= 60 * default_of(minutes), where
            checked += 1
    assert checked >= 4


def is_the_action(used: str) -> bool:
    return used.startswith(f"{PROJECT}@") or used in {"./", "./.pact-dispatch"}


def default_of(value: Any) -> int:
    """Return a number, or the last one of an expression: that where nothing is given."""
    numbers = re.findall(r"\d+", str(value)) or [DEFAULT_SECONDS]
    return int(numbers[-1])


def test_a_value_of_the_reusable_workflow_may_be_a_variable_of_the_repository() -> None:
    """A copy of it has no inputs."""
    name = ".github/workflows/verify_changed_pact.yml"
    text = (ROOT / name).read_text(encoding="utf-8")
    page = (ROOT / "docs/github-workflows.md").read_text(encoding="utf-8")
    triggers = documents()[name][True]  # `on`, which YAML 1.1 takes for a boolean
    for given in triggers["workflow_call"]["inputs"].keys() - {"pact-url"}:
        [variable] = set(re.findall(rf"inputs\.{given} \|\| vars\.(PACT_\w+)", text))
        assert f"`{variable}`" in page, given


def test_there_is_an_input_for_every_option() -> None:
    options = {
        option.removeprefix("--")
        for action in build_parser()._actions
        for option in action.option_strings
        if option.startswith("--") and not option.startswith("--no-")
    }
    inputs = documents()["action.yml"]["inputs"]
    assert inputs.keys() == options - {"help", "print-completion", "version"}
    assert inputs.keys() >= LISTS | SWITCHES
    assert all(about["description"] and about["required"] is False for about in inputs.values())


def test_inputs_become_options(tmp_path: Path) -> None:
    inputs = {
        "pact-url": "-x",
        "transport": " message:1 \n\n grpc:2\n",
        "verbose": "TRUE",
        "quiet": "false",
        "json": "-",
    }
    assert to_arguments(inputs, {}) == [
        "--pact-url=-x",
        "--transport=message:1",
        "--transport=grpc:2",
        "--verbose",
        "--json=-",
        "--publish-verification-results",
    ]
    off = to_arguments({"publish-verification-results": "false"}, {"RUNNER_TEMP": str(tmp_path)})
    assert "--no-publish-verification-results" in off
    silent = to_arguments(
        {}, {"PACT_BROKER_PUBLISH_VERIFICATION_RESULTS": "false", "RUNNER_TEMP": str(tmp_path)}
    )
    [report] = silent
    assert report.startswith(f"--json={tmp_path}/")
    with pytest.raises(UsageError, match="the input verbose must be true or false, not 'yes'"):
        to_arguments({"verbose": "yes"}, {})


def test_headers_that_carry_a_secret_are_known_by_their_name() -> None:
    assert header_secrets(["Authorization: Bearer a", "X-Api-Key:b", "Accept: c"]) == [" Bearer a", "b"]
