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
                r"actions/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used
            ), f"{file}: {used}"


def test_workflows_have_no_more_rights_than_they_need() -> None:
    for name, document in documents().items():
        if "jobs" not in document:
            continue
        for job in document["jobs"].values():
            rights = job.get("permissions", document["permissions"])
            assert rights == {"contents": "read"}, name


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
