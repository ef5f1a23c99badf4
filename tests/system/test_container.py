"""The Dockerfile and compose.yaml, against what the commands and the configuration really take."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

from app.cli import parser
from app.config.variables import OTHERS, SECRETS
from tests.support.paths import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
READ = {*SECRETS, *(f"{name}_FILE" for name in SECRETS), *OTHERS}


def words(instruction: str) -> list[str]:
    """The words of an instruction in its exec form."""
    [found] = re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    listed: list[str] = yaml.safe_load(found)
    return listed


def test_the_image_runs_the_whole_receiver_as_nobody_in_particular() -> None:
    assert words("ENTRYPOINT") == ["tini", "--", "pact-dispatch"]
    assert parser().parse_args(words("CMD")).bind == ("0.0.0.0", 8000)
    assert re.search(r"^USER [1-9]\d*$", DOCKERFILE, re.MULTILINE)
    for name in re.findall(r"(PACT_DISPATCH_\w+)=", DOCKERFILE):
        assert name in READ


def test_what_is_installed_gets_into_the_build() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {*project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "pyproject.toml"}
    needed |= {project["project"]["readme"], *project["project"]["license-files"]}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == needed


@pytest.mark.parametrize("name", ["web", "worker"])
def test_the_receivers_services_are_what_the_commands_take(name: str) -> None:
    service = COMPOSE["services"][name]
    assert parser().parse_args(service["command"]).command == name
    assert set(service["environment"]) <= READ
    for variable, value in service["environment"].items():
        if variable.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in service["secrets"]
    assert service["read_only"]


def test_there_are_two_workers_and_no_secret_in_the_file() -> None:
    assert COMPOSE["services"]["worker"]["deploy"]["replicas"] == 2
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    for service in COMPOSE["services"].values():
        named = [name for name in service["environment"] if re.search(r"PASSWORD|TOKEN|SECRET|URL$", name)]
        assert all(name.endswith("_FILE") or name == "PACT_BROKER_BASE_URL" for name in named)


def test_webhooks_may_reach_the_web_side() -> None:
    allowed = COMPOSE["services"]["pact-broker"]["environment"]
    assert allowed["PACT_BROKER_WEBHOOK_HOST_WHITELIST"] in COMPOSE["services"]
    assert "http" in allowed["PACT_BROKER_WEBHOOK_SCHEME_WHITELIST"].split()
