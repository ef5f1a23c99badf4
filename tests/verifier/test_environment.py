"""What child processes find in their environment."""

from __future__ import annotations

from verifier.environment import without_secrets


def test_copied_environment_has_all_but_the_secrets() -> None:
    environment = {"PATH": "/bin", "PACT_BROKER_TOKEN": "t", "PACT_BROKER_BASE_URL": "http://b"}
    assert without_secrets(environment) == {"PATH": "/bin", "PACT_BROKER_BASE_URL": "http://b"}


def test_other_variables_are_left_out_by_name_and_by_prefix() -> None:
    environment = {"PATH": "/bin", "DATABASE_URL": "d", "APP_TOKENS": "t", "MY_APP_TOKENS": "m"}
    copied = without_secrets(environment, names={"DATABASE_URL"}, prefixes=("APP_",))
    assert copied == {"PATH": "/bin", "MY_APP_TOKENS": "m"}
