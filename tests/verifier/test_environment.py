"""What child processes find in their environment."""

from __future__ import annotations

import pytest

from verifier.environment import without_secrets


@pytest.mark.parametrize(
    "name",
    [
        "PACT_BROKER_TOKEN",
        "PACT_BROKER_TOKEN_FILE",
        "PACT_BROKER_PASSWORD",
        "PACT_DISPATCH_INPUTS",
        "PACT_DISPATCH_TOKENS_FILE",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_RUNTIME_TOKEN",
        "GITHUB_ENV",
        "GITHUB_OUTPUT",
    ],
)
def test_secrets_and_what_acts_on_a_workflows_run_are_left_out(name: str) -> None:
    environment = {"PATH": "/bin", "PACT_BROKER_BASE_URL": "http://b", "GITHUB_SHA": "1"}
    assert without_secrets(environment | {name: "x"}) == environment


def test_what_the_user_has_set_for_the_provider_stays() -> None:
    environment = {"DB_PASSWORD": "p", "GITHUB_TOKEN": "g", "APP_FILE": "f"}
    assert without_secrets(environment) == environment


def test_other_variables_are_left_out_by_name_and_by_prefix() -> None:
    environment = {"PATH": "/bin", "DATABASE_URL": "d", "DATABASE_URL_FILE": "f", "APP_TOKENS": "t"}
    copied = without_secrets(environment | {"MY_APP_TOKENS": "m"}, names={"DATABASE_URL"}, prefixes=("APP_",))
    assert copied == {"PATH": "/bin", "MY_APP_TOKENS": "m"}


def test_the_credentials_for_a_collector_of_traces_are_for_no_child() -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    secret = {"OTEL_EXPORTER_OTLP_HEADERS": "x-key=k", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-key=k"}
    assert without_secrets(environment | secret) == environment
    for url in ("https://who:key@collector", "https://collector?token=key"):
        for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
            assert without_secrets({"PATH": "/bin", name: url}) == {"PATH": "/bin"}
