"""What the receiver's child processes find in their environment."""

from __future__ import annotations

import pytest

from app.config.variables import SECRETS
from app.process.environment import child_environment

NEEDED = {
    "PATH": "/bin",
    "JAVA_HOME": "/j",
    "HTTPS_PROXY": "p",
    "SSH_AUTH_SOCK": "s",
    "GIT_CONFIG_KEY_0": "k",
}


@pytest.mark.parametrize(
    "name", [*SECRETS, "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSFILE", "PGPASSWORD"]
)
def test_no_secret_reaches_a_child_nor_the_place_of_its_file(name: str) -> None:
    assert child_environment(NEEDED | {name: "x"}) == NEEDED
    assert child_environment(NEEDED | {f"{name}_FILE": "x"}) == NEEDED


def test_a_variable_that_a_provider_takes_a_secret_from_is_hidden_whatever_its_name() -> None:
    assert child_environment(NEEDED | {"HARMLESS": "x"}, names={"HARMLESS"}) == NEEDED
