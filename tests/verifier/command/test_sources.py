"""Where each value comes from: a flag, the environment, the GitHub event, in that order."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from verifier.command.github import MAX_EVENT_BYTES, read_github_event
from verifier.command.sources import (
    ENVIRONMENT,
    OF_PACT_VERIFIER,
    SECRETS,
    Setting,
    build_request,
    check_dispatched_pact,
    collect,
    flag,
)
from verifier.confinement import Confinement
from verifier.errors import UsageError
from verifier.transport import Transport

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.request import VerificationRequest

PACT = "http://broker.example/pacts/provider/P/consumer/C/latest"
SHA = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"
ON_GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SHA": "0" * 40,
    "GITHUB_REF_NAME": "default-branch",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "acme/products",
    "GITHUB_RUN_ID": "77",
}


def dispatched(tmp_path: Path, content: Any) -> dict[str, str]:
    """Write the event file of a `repository_dispatch`, and give the environment that goes with it."""
    path = tmp_path / "event.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return {"GITHUB_EVENT_NAME": "repository_dispatch", "GITHUB_EVENT_PATH": str(path)}


def payload(tmp_path: Path, **values: Any) -> dict[str, str]:
    return dispatched(tmp_path, {"action": "pact_changed", "client_payload": values})


def found(flags: dict[str, Any], environment: dict[str, str]) -> dict[str, tuple[Any, str]]:
    return {setting.name: (setting.value, setting.source) for setting in collect(flags, environment)}


def built(
    flags: dict[str, Any] | None = None, environment: dict[str, str] | None = None
) -> VerificationRequest:
    minimal = {"pact_url": PACT, "provider_base_url": "http://127.0.0.1:8080"}
    return build_request(collect({**minimal, **(flags or {})}, environment or {}))


# --- precedence


def test_flag_comes_before_environment_before_event_before_github(tmp_path: Path) -> None:
    event = payload(tmp_path, pact_url="http://event/pacts/1", sha=SHA, branch="from-event")
    variables = {"PACT_URL": "http://env/pacts/1", "GIT_COMMIT": "from-env", "GIT_BRANCH": "env-branch"}
    flags = {"pact_url": "http://flag/pacts/1", "provider_app_version": "from-flag"}
    everything = {**ON_GITHUB, **event, **variables}

    by_flag = found(flags, everything)
    assert by_flag["pact_url"] == ("http://flag/pacts/1", "--pact-url")
    assert by_flag["provider_app_version"] == ("from-flag", "--provider-app-version")
    assert by_flag["provider_version_branch"] == ("env-branch", "GIT_BRANCH")

    by_environment = found({}, everything)
    assert by_environment["pact_url"] == ("http://env/pacts/1", "PACT_URL")
    assert by_environment["provider_app_version"] == ("from-env", "GIT_COMMIT")

    by_event = found({}, {**ON_GITHUB, **event})
    assert by_event["pact_url"] == ("http://event/pacts/1", "client_payload.pact_url of the GitHub event")
    assert by_event["provider_app_version"] == (SHA, "client_payload.sha of the GitHub event")
    assert by_event["provider_version_branch"] == ("from-event", "client_payload.branch of the GitHub event")

    by_github = found({}, ON_GITHUB)
    assert by_github["provider_app_version"] == ("0" * 40, "GITHUB_SHA")
    assert by_github["provider_version_branch"] == ("default-branch", "GITHUB_REF_NAME")
    assert "pact_url" not in by_github


@pytest.mark.parametrize(("name", "variable"), ENVIRONMENT.items())
def test_each_variable_stands_for_its_option(name: str, variable: str) -> None:
    assert found({}, {variable: "value"}) == {name: ("value", variable)}
    assert found({name: "flag"}, {variable: "value"}) == {name: ("flag", flag(name))}


@pytest.mark.parametrize(("name", "variable"), OF_PACT_VERIFIER.items())
def test_variables_of_pact_verifier_count_after_our_own(name: str, variable: str) -> None:
    assert found({}, {variable: "true"}) == {name: ("true", variable)}
    assert found({name: "option"}, {variable: "true"})[name][0] == "option"
    if name in ENVIRONMENT:
        assert found({}, {ENVIRONMENT[name]: "ours", variable: "true"})[name][0] == "ours"


@pytest.mark.parametrize("variable", [*ENVIRONMENT.values(), *OF_PACT_VERIFIER.values()])
def test_empty_variable_counts_as_not_given(variable: str) -> None:
    assert found({}, {variable: ""}) == {}


def test_empty_variable_lets_the_event_speak(tmp_path: Path) -> None:
    assert found({}, {"PACT_URL": "", **payload(tmp_path, pact_url=PACT)})["pact_url"][0] == PACT


def test_options_that_were_not_given_are_not_there() -> None:
    flags: dict[str, Any] = {"pact_url": None, "transport": [], "provider_version_tag": (), "jobs": None}
    assert found(flags, {}) == {}


def test_empty_state_filter_is_a_value_as_a_flag() -> None:
    assert found({"filter_state": ""}, {})["filter_state"] == ("", "--filter-state")
    assert built({"filter_state": ""}).filter_state == ""
    assert built(environment={"PACT_PROVIDER_STATE": ""}).filter_state is None


@pytest.mark.parametrize(
    ("flags", "variables", "chosen"),
    [
        ({"filter_no_state": True}, {}, ""),
        ({"filter_no_state": True, "filter_state": ""}, {}, ""),
        ({"filter_no_state": True}, {"PACT_PROVIDER_STATE": "x"}, ""),
        ({"filter_state": "x"}, {"PACT_PROVIDER_NO_STATE": "true"}, "x"),
        ({}, {"PACT_PROVIDER_NO_STATE": "TRUE"}, ""),
        ({}, {"PACT_PROVIDER_NO_STATE": "false"}, None),
        ({}, {"PACT_PROVIDER_NO_STATE": "false", "PACT_PROVIDER_STATE": "x"}, "x"),
    ],
)
def test_the_option_wins_of_the_two_filters_by_state(
    flags: dict[str, Any], variables: dict[str, str], chosen: str | None
) -> None:
    assert built(flags, variables).filter_state == chosen


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        ({"filter_no_state": True, "filter_state": "x"}, {}),
        ({}, {"PACT_PROVIDER_NO_STATE": "1", "PACT_PROVIDER_STATE": "x"}),
    ],
)
def test_two_filters_by_state_choose_nothing(flags: dict[str, Any], variables: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="give one of the two"):
        built(flags, variables)


def test_false_and_zero_are_values() -> None:
    settings = found(
        {"publish_verification_results": False, "jobs": 0},
        {"PACT_BROKER_PUBLISH_VERIFICATION_RESULTS": "true"},
    )
    assert settings["publish_verification_results"] == (False, "--publish-verification-results")
    assert settings["jobs"] == (0, "--jobs")


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_secret_is_shown_as_stars(name: str) -> None:
    [setting] = collect({name: "s3cret"}, {})
    assert str(setting) == f"{flag(name)} = ***  (from {flag(name)})"


def test_other_values_are_shown_with_their_source() -> None:
    [setting] = collect({}, {"GIT_COMMIT": "abc1234"})
    assert str(setting) == "--provider-app-version = abc1234  (from GIT_COMMIT)"


def test_no_secret_is_shown_in_a_list() -> None:
    setting = Setting("custom_provider_header", ["Authorization: s3cret"], "--custom-provider-header")
    assert "s3cret" not in str(setting)


# --- GitHub


def test_github_values_count_on_github_only() -> None:
    elsewhere = {name: value for name, value in ON_GITHUB.items() if name != "GITHUB_ACTIONS"}
    assert found({}, elsewhere) == {}
    assert found({}, {**ON_GITHUB, "GITHUB_ACTIONS": "false"}) == {}


def test_build_url_is_that_of_the_github_run() -> None:
    url = "https://github.example/acme/products/actions/runs/77"
    assert found({}, ON_GITHUB)["build_url"] == (url, "the GitHub run")
    assert found({"build_url": "http://ci/1"}, ON_GITHUB)["build_url"][0] == "http://ci/1"


@pytest.mark.parametrize("missing", ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"])
def test_build_url_needs_all_of_its_parts(missing: str) -> None:
    assert "build_url" not in found({}, {**ON_GITHUB, missing: ""})


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"GITHUB_EVENT_NAME": "push"},
        {"GITHUB_EVENT_NAME": "repository_dispatch"},
        {"GITHUB_EVENT_NAME": "repository_dispatch", "GITHUB_EVENT_PATH": ""},
        {"GITHUB_EVENT_PATH": "/no/such/file"},
        {"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": "/no/such/file"},
    ],
)
def test_only_a_repository_dispatch_has_a_payload(environment: dict[str, str]) -> None:
    event = read_github_event(environment)
    assert (event.pact_url, event.sha, event.branch) == (None, None, None)


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        5,
        None,
        {"client_payload": None},
        {"client_payload": []},
        {"client_payload": "text"},
        {"client_payload": {}},
        {"client_payload": {"pact_url": None, "sha": "", "branch": None}},
    ],
)
def test_payload_without_values_gives_none(content: Any, tmp_path: Path) -> None:
    event = read_github_event(dispatched(tmp_path, content))
    assert (event.pact_url, event.sha, event.branch) == (None, None, None)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pact_url": "file:///etc/passwd"}, "client_payload.pact_url .*must be an http"),
        ({"pact_url": "/etc/passwd"}, "client_payload.pact_url .*must be an http"),
        ({"pact_url": "--help"}, "client_payload.pact_url .*must be an http"),
        ({"pact_url": ["http://b"]}, "client_payload.pact_url .*not a line of text"),
        ({"pact_url": "http://b/\r\nX: 1"}, "client_payload.pact_url .*not a line of text"),
        ({"pact_url": "${pactbroker.pactUrl}"}, r"\$\{pactbroker.pactUrl\}: the broker did not fill"),
        ({"pact_url": "http://b/${pactbroker.x}"}, "did not fill the variable in.*webhook"),
        ({"sha": "main"}, "client_payload.sha .*not a commit id"),
        ({"sha": "--upload-pack=evil"}, "client_payload.sha .*not a commit id"),
        ({"sha": "abc123"}, "client_payload.sha .*not a commit id"),
        ({"sha": SHA + "\n"}, "client_payload.sha .*not a line of text"),
        ({"sha": "a" * 65}, "client_payload.sha .*not a commit id"),
        ({"sha": "a\uff11" * 10}, "client_payload.sha .*not a commit id"),
        ({"sha": 1234567}, "client_payload.sha .*not a line of text"),
        ({"sha": "${pactbroker.providerVersionNumber}"}, "client_payload.sha .*did not fill"),
        ({"branch": "main\n::set-output::"}, "client_payload.branch .*not a line of text"),
        ({"branch": "\x1b[31mmain"}, "client_payload.branch .*not a line of text"),
        ({"branch": {"name": "main"}}, "client_payload.branch .*not a line of text"),
        ({"branch": "${pactbroker.providerVersionBranch}"}, "client_payload.branch .*did not fill"),
    ],
)
def test_hostile_payload_is_refused(values: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as error:
        collect({}, payload(tmp_path, **values))
    assert "\n" not in str(error.value)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{not json", "can't be read"),
        (b"", "can't be read"),
        (b"\xff\xfe", "can't be read"),
        (b"[" * 200_000, "can't be read"),
        (b" " * (MAX_EVENT_BYTES + 1), "larger than 1 MiB"),
    ],
    ids=["no JSON", "empty", "no UTF-8", "deep", "large"],
)
def test_event_that_can_not_be_read_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"GITHUB_EVENT_PATH\).*{said}|{said}.*GITHUB_EVENT_PATH"):
        read_github_event(dispatched(tmp_path, content))


@pytest.mark.parametrize("path", ["no-such-file.json", "."])
def test_event_file_that_is_not_there_is_refused(path: str, tmp_path: Path) -> None:
    environment = {"GITHUB_EVENT_NAME": "repository_dispatch", "GITHUB_EVENT_PATH": str(tmp_path / path)}
    with pytest.raises(UsageError, match="can't be read"):
        read_github_event(environment)


def test_pact_url_of_the_event_must_be_on_the_configured_broker(tmp_path: Path) -> None:
    environment = {
        **payload(tmp_path, pact_url="http://evil.example/pacts/1"),
        "PACT_BROKER_BASE_URL": "http://broker.example",
        "PACT_BROKER_TOKEN": "s3cret",
        "PACT_PROVIDER_BASE_URL": "http://127.0.0.1:1",
    }
    with pytest.raises(UsageError, match="not on the configured broker"):
        build_request(collect({}, environment))


# --- the request


def test_every_value_gets_into_the_request(tmp_path: Path) -> None:
    states = tmp_path / "states.py"
    states.touch()
    request = built(
        {
            "provider": "Products",
            "provider_base_url": None,
            "provider_command": "serve {port}",
            "provider_dir": str(tmp_path),
            "provider_health_path": "/health",
            "wait": 5.0,
            "provider_states": f"{states}:handlers",
            "provider_states_teardown": True,
            "custom_provider_header": ["X-A: 1"],
            "transport": ["message:81/_messages"],
            "jobs": 4,
            "request_timeout": 2.0,
            "provider_app_version": "v1",
            "provider_version_branch": "main",
            "provider_version_tag": ["a", "b"],
            "build_url": "http://ci/1",
            "filter_description": "x",
            "timeout": 60.0,
            "pact_broker_base_url": "http://broker.example",
            "broker_token": "t",
        }
    )
    provider = request.provider
    assert (provider.base_url, provider.command, provider.folder) == (None, "serve {port}", tmp_path)
    assert (provider.health_path, provider.wait, provider.jobs, provider.request_timeout) == (
        "/health",
        5,
        4,
        2,
    )
    assert (provider.states_file, provider.states_teardown) == ((str(states), "handlers"), True)
    assert provider.headers == (("X-A", "1"),)
    assert provider.transports == (Transport("message", 81, "/_messages"),)
    assert (request.pact_url, request.provider_name) == (PACT, "Products")
    assert (request.provider_version, request.provider_branch, request.provider_tags) == (
        "v1",
        "main",
        ("a", "b"),
    )
    assert (request.build_url, request.timeout, request.filter_description) == ("http://ci/1", 60, "x")
    assert request.broker is not None
    assert request.broker.token == "t"


def test_little_is_needed() -> None:
    request = built()
    assert (request.publish, request.broker, request.provider_version) == (False, None, None)
    assert (request.provider.jobs, request.provider.wait, request.provider.request_timeout) == (1, 30, 5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("TRUE", True),
        ("1", True),
        ("yes", True),
        (" on ", True),
        ("false", False),
        ("0", False),
        ("No", False),
        ("off", False),
    ],
)
def test_boolean_is_read(text: str, value: bool) -> None:  # noqa: FBT001
    variables = {"PACT_BROKER_PUBLISH_VERIFICATION_RESULTS": text, "GIT_COMMIT": "abc1234"}
    assert built(environment=variables).publish is value


@pytest.mark.parametrize("text", ["ja", "2", "truee", " "])
def test_boolean_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="PACT_BROKER_PUBLISH_VERIFICATION_RESULTS must be true or false"):
        built(environment={"PACT_BROKER_PUBLISH_VERIFICATION_RESULTS": text})


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"provider_base_url": None}, "which provider"),
        ({"provider_command": "serve"}, "give one of the two"),
        ({"publish_verification_results": True}, "--provider-app-version"),
        ({"broker_token": "s3cret"}, "--pact-broker-base-url"),
        ({"custom_provider_header": ["s3cret"]}, "--custom-provider-header"),
        ({"provider_states_header": ["s3cret"]}, "--provider-states-header number 1"),
        ({"provider_states_header": ["X-Key: s3cret"]}, "--provider-states-header is for"),
        ({"transport": ["x"]}, "--transport"),
        ({"provider_states": "x"}, "--provider-states"),
        ({"jobs": 0}, "--jobs"),
        ({"filter_state": "("}, "--filter-state"),
        ({"filter_consumer": [" "]}, "--filter-consumer"),
        ({"pact_url": None}, "--pact-url"),
    ],
)
def test_mistake_names_the_option(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        built(flags)
    assert "s3cret" not in str(error.value)


def test_the_variable_for_the_teardown_of_states_is_true_or_false() -> None:
    variable = OF_PACT_VERIFIER["provider_states_teardown"]
    assert not built({}, {variable: "false"}).provider.states_teardown
    assert built({}, {variable: "true"}).provider.states_teardown
    with pytest.raises(UsageError, match=f"{variable} must be true or false"):
        built({}, {variable: "perhaps"})


def test_the_variable_of_the_timeout_of_a_request_is_in_milliseconds() -> None:
    variables = {"PACT_PROVIDER_REQUEST_TIMEOUT": "1500"}
    assert built(environment=variables).provider.request_timeout == 1.5
    assert found({}, variables)["request_timeout"] == (1.5, "PACT_PROVIDER_REQUEST_TIMEOUT")
    assert built({"request_timeout": 7.0}, variables).provider.request_timeout == 7
    assert (
        built({"request_timeout": 7.0}, {"PACT_PROVIDER_REQUEST_TIMEOUT": "x"}).provider.request_timeout == 7
    )


@pytest.mark.parametrize("text", ["5s", "0", "-1", "1.5", "²"])
def test_a_timeout_that_is_no_number_of_milliseconds_is_refused(text: str) -> None:
    with pytest.raises(
        UsageError, match="PACT_PROVIDER_REQUEST_TIMEOUT must be a whole number of milliseconds"
    ):
        built(environment={"PACT_PROVIDER_REQUEST_TIMEOUT": text})


# --- the checkout


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a repository with a commit."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return folder


def publish_dispatched(folder: Path, environment: dict[str, str], **flags: Any) -> VerificationRequest:
    return built({"publish_verification_results": True, "provider_dir": str(folder), **flags}, environment)


def test_dispatched_commit_that_is_not_checked_out_is_refused(tmp_path: Path, checkout: Path) -> None:
    with pytest.raises(UsageError, match=r"actions/checkout with ref: .*--provider-app-version") as error:
        publish_dispatched(checkout, payload(tmp_path, sha=SHA))
    assert SHA in str(error.value)
    assert git(checkout, "rev-parse", "HEAD") in str(error.value)


@pytest.mark.parametrize("length", [40, 12, 7])
def test_dispatched_commit_that_is_checked_out_is_published(
    length: int, tmp_path: Path, checkout: Path
) -> None:
    sha = git(checkout, "rev-parse", "HEAD")[:length].upper()
    assert publish_dispatched(checkout, payload(tmp_path, sha=sha)).provider_version == sha


def test_commit_is_not_checked_when_nothing_is_published(tmp_path: Path, checkout: Path) -> None:
    flags = {"publish_verification_results": False}
    assert publish_dispatched(checkout, payload(tmp_path, sha=SHA), **flags).provider_version == SHA


def test_a_dispatched_version_need_be_no_commit_where_the_version_is_given(tmp_path: Path) -> None:
    event = payload(tmp_path, sha="1.4.0", branch="main")
    settings = found({"provider_app_version": "1.4.0"}, event)
    assert settings["provider_app_version"] == ("1.4.0", "--provider-app-version")
    assert settings["provider_version_branch"] == ("main", "client_payload.branch of the GitHub event")
    with pytest.raises(UsageError, match=r"not a commit id .*--provider-app-version"):
        collect({}, event)


def test_version_that_was_given_is_believed(tmp_path: Path, checkout: Path) -> None:
    request = publish_dispatched(checkout, payload(tmp_path, sha=SHA), provider_app_version="v1")
    assert request.provider_version == "v1"


@pytest.mark.process
def test_commit_is_not_checked_where_there_is_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "nothing"
    folder.mkdir()
    assert publish_dispatched(folder, payload(tmp_path, sha=SHA)).provider_version == SHA


def test_commit_is_not_checked_without_git(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert publish_dispatched(checkout, payload(tmp_path, sha=SHA)).provider_version == SHA


@pytest.mark.parametrize(
    ("values", "version", "branch"),
    [
        ({"sha": SHA, "branch": "release"}, SHA, "release"),
        ({"sha": SHA}, SHA, None),  # a deployed version is not the default branch's
        ({"sha": SHA, "branch": ""}, SHA, None),
        ({}, "0" * 40, "default-branch"),
        ({"branch": "release"}, "0" * 40, "default-branch"),
    ],
)
def test_branch_is_that_of_the_version(
    values: dict[str, str], version: str, branch: str | None, tmp_path: Path
) -> None:
    settings = found({}, {**ON_GITHUB, **payload(tmp_path, **values)})
    assert settings["provider_app_version"][0] == version
    assert settings.get("provider_version_branch", (None, ""))[0] == branch


@pytest.mark.parametrize(
    ("variables", "branch"),
    [
        ({"GITHUB_REF_TYPE": "branch"}, "default-branch"),
        ({"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1.0"}, None),
        ({"GITHUB_REF_NAME": "12/merge", "GITHUB_HEAD_REF": "feat/x"}, "feat/x"),
    ],
)
def test_branch_of_a_workflow_is_a_branch(variables: dict[str, str], branch: str | None) -> None:
    settings = found({}, {**ON_GITHUB, **variables})
    assert settings.get("provider_version_branch", (None, ""))[0] == branch


def test_version_that_was_given_is_not_put_on_the_workflows_branch() -> None:
    assert "provider_version_branch" not in found({"provider_app_version": "1.2.3"}, ON_GITHUB)
    same = found({"provider_app_version": ON_GITHUB["GITHUB_SHA"]}, ON_GITHUB)
    assert same["provider_version_branch"] == ("default-branch", "GITHUB_REF_NAME")


def test_pact_url_of_the_event_needs_a_configured_broker(tmp_path: Path) -> None:
    flags = {"provider_base_url": "http://127.0.0.1:8080"}
    with pytest.raises(UsageError, match="--pact-broker-base-url"):
        build_request(collect(flags, payload(tmp_path, pact_url=PACT)))


def started_by_hand_or_webhook(tmp_path: Path, **inputs: Any) -> dict[str, str]:
    return {
        **dispatched(tmp_path, {"inputs": inputs, "ref": "refs/heads/main"}),
        "GITHUB_EVENT_NAME": "workflow_dispatch",
    }


def test_a_workflow_dispatch_has_pact_version_and_branch_in_its_inputs(tmp_path: Path) -> None:
    inputs = {"pact-url": PACT, "sha": SHA, "branch": "main"}
    settings = found({}, {**ON_GITHUB, **started_by_hand_or_webhook(tmp_path, **inputs)})
    assert settings["pact_url"] == (PACT, "inputs.pact-url of the GitHub event")
    assert settings["provider_app_version"] == (SHA, "inputs.sha of the GitHub event")
    assert settings["provider_version_branch"] == ("main", "inputs.branch of the GitHub event")


def test_inputs_of_a_workflow_that_is_about_no_pact_mean_nothing(tmp_path: Path) -> None:
    event = read_github_event(started_by_hand_or_webhook(tmp_path, sha="any text", branch="x"))
    assert (event.pact_url, event.sha, event.branch) == (None, None, None)


def test_an_input_that_a_workflow_passes_on_is_believed_no_more_than_a_payload(tmp_path: Path) -> None:
    """Who holds a token that starts workflows writes the input: the broker's credentials must not go where it says."""
    flags = {"pact_url": PACT, "provider_base_url": "http://127.0.0.1:8080"}
    with pytest.raises(UsageError, match="--pact-broker-base-url"):
        build_request(collect(flags, started_by_hand_or_webhook(tmp_path, **{"pact-url": PACT})))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "repository_dispatch",
            "no client_payload.pact_url: that is missing in the body of the broker's webhook",
        ),
        (
            "workflow_dispatch",
            "no inputs.pact-url: that is missing in the body of the broker's webhook or, by hand",
        ),
    ],
)
def test_a_dispatch_without_a_pact_says_where_it_is_missing(name: str, said: str, tmp_path: Path) -> None:
    event = {"client_payload": {"sha": SHA}, "inputs": {"pact-url": ""}}
    environment = {**dispatched(tmp_path, event), "GITHUB_EVENT_NAME": name}
    with pytest.raises(UsageError, match=said):
        check_dispatched_pact(collect({}, environment), environment)
    check_dispatched_pact(collect({"pact_url": PACT}, environment), environment)


@pytest.mark.parametrize("action", ["pact_changed", "contract_requiring_verification_published", "deployed"])
def test_a_dispatch_that_is_not_about_a_pact_may_mean_all_of_them(action: str, tmp_path: Path) -> None:
    environment = dispatched(tmp_path, {"action": action, "client_payload": {}})
    if action == "deployed":
        check_dispatched_pact([], environment)
    else:
        with pytest.raises(UsageError, match=r"client_payload\.pact_url"):
            check_dispatched_pact([], environment)


def test_checkout_of_another_user_is_read(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container job, where the checkout belongs to somebody else."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    environment = {
        "PACT_BROKER_BASE_URL": "http://broker.example",
        **payload(tmp_path, pact_url=PACT, sha=SHA),
    }
    with pytest.raises(UsageError, match="checked out"):
        publish_dispatched(checkout, environment)


@pytest.mark.parametrize(
    "more",
    [
        {"pact_broker_base_url": "http://b", "broker_token": "t"},
        {"custom_provider_header": ["Authorization: Bearer t"]},
    ],
)
def test_a_provider_is_confined_where_there_are_secrets_to_keep(more: dict[str, Any], tmp_path: Path) -> None:
    pact = tmp_path / "pact.json"
    pact.write_text("{}")
    given = {"pact_url": str(pact), "provider_command": "run"}

    def confinement(**values: Any) -> Confinement:
        return build_request(collect({**given, **values}, {})).provider.confinement

    assert confinement() == Confinement(apart=False)
    assert confinement(**more) == Confinement(apart=True)
    assert confinement(**more, unconfined_provider=True) == Confinement(apart=False)
