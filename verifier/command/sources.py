"""Where each value comes from: a flag, the environment, the GitHub event, in that order.

The one place that knows. `verify -v` prints what it decided.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.command.option_values import (
    parse_access,
    parse_headers,
    parse_states_file,
    parse_transports,
    with_port_placeholder,
)
from verifier.commit_id import is_commit_id
from verifier.environment import without_secrets
from verifier.errors import UsageError
from verifier.request import ProviderUnderTest, VerificationRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT = {
    "pact_url": "PACT_URL",
    "provider": "PACT_PROVIDER_NAME",
    "provider_base_url": "PACT_PROVIDER_BASE_URL",
    "provider_command": "PACT_PROVIDER_COMMAND",
    "provider_states_setup_url": "PACT_PROVIDER_STATES_SETUP_URL",
    "provider_app_version": "GIT_COMMIT",
    "provider_version_branch": "GIT_BRANCH",
    "publish_verification_results": "PACT_BROKER_PUBLISH_VERIFICATION_RESULTS",
    "pact_broker_base_url": "PACT_BROKER_BASE_URL",
    "broker_username": "PACT_BROKER_USERNAME",
    "broker_password": "PACT_BROKER_PASSWORD",
    "broker_token": "PACT_BROKER_TOKEN",
    "filter_description": "PACT_DESCRIPTION",
    "filter_state": "PACT_PROVIDER_STATE",
}
"""The environment variable that stands for each option, named as on the command line."""

SECRETS = frozenset({"broker_password", "broker_token", "broker_username", "custom_provider_header"})

MAX_EVENT_BYTES = 1024 * 1024
EVENT_PACT_URL = "client_payload.pact_url of the GitHub event"
EVENT_SHA = "client_payload.sha of the GitHub event"
_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True)
class Setting:
    """A value, and where it comes from.

    Attributes:
        name: the option's name, as on the command line without dashes.
        value: as it was given.
        source: for people: a flag, an environment variable, or a part of the GitHub event.
    """

    name: str
    value: Any
    source: str

    def __str__(self) -> str:
        shown = "***" if self.name in SECRETS else self.value
        return f"{flag(self.name)} = {shown}  (from {self.source})"


def flag(name: str) -> str:
    """Give an option's name as it is typed."""
    return "--" + name.replace("_", "-")


@dataclass(frozen=True)
class GitHubEvent:
    """What a workflow run was started with, as far as it matters here.

    Attributes:
        pact_url: `client_payload.pact_url` of a `repository_dispatch`.
        sha: its `client_payload.sha`, the commit to verify.
        branch: its `client_payload.branch`.
    """

    pact_url: str | None = None
    sha: str | None = None
    branch: str | None = None


def read_github_event(environment: Mapping[str, str]) -> GitHubEvent:
    """Read the event file of a workflow run that a `repository_dispatch` started; nothing elsewhere.

    The payload was written by whoever may dispatch: each part is checked before it is used.

    Raises:
        UsageError: the file can't be read, or a part of the payload is not what it must be.
    """
    if environment.get("GITHUB_EVENT_NAME") != "repository_dispatch" or not environment.get(
        "GITHUB_EVENT_PATH"
    ):
        return GitHubEvent()
    path = Path(environment["GITHUB_EVENT_PATH"])
    try:
        if path.stat().st_size > MAX_EVENT_BYTES:
            raise UsageError(f"the GitHub event {path} (GITHUB_EVENT_PATH) is larger than 1 MiB")
        event = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"the GitHub event {path} (GITHUB_EVENT_PATH) can't be read: {error}") from error
    payload = event.get("client_payload") if isinstance(event, dict) else None
    if not isinstance(payload, dict):
        return GitHubEvent()
    pact_url, sha, branch = (_payload_text(payload, field) for field in ("pact_url", "sha", "branch"))
    if pact_url is not None and not pact_url.lower().startswith(("http://", "https://")):
        raise UsageError("client_payload.pact_url of the GitHub event must be an http:// or https:// URL")
    if sha is not None and not is_commit_id(sha):
        raise UsageError(
            "client_payload.sha of the GitHub event is not a commit id (7 to 64 hexadecimal digits)"
        )
    return GitHubEvent(pact_url, sha, branch)


def _payload_text(payload: dict[str, Any], field: str) -> str | None:
    value = payload.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.isprintable():
        raise UsageError(f"client_payload.{field} of the GitHub event is not a line of text")
    if "${" in value:
        raise UsageError(
            f"client_payload.{field} of the GitHub event is {value}: the broker did not fill the variable in. Check "
            "the body of the webhook, and that its event knows this variable"
        )
    return value


def collect(flags: Mapping[str, Any], environment: Mapping[str, str]) -> list[Setting]:
    """Decide each value that was given anywhere.

    Args:
        flags: the command line's values by option name, None (or empty) where an option wasn't given.
        environment: the environment; an empty variable counts as not given.

    Raises:
        UsageError: the GitHub event can't be used.
    """
    event = read_github_event(environment)
    on_github = environment.get("GITHUB_ACTIONS") == "true"
    found: dict[str, Setting] = {}

    def offer(name: str, value: Any, source: str) -> None:
        if name not in found and value is not None and value not in ("", [], ()):
            found[name] = Setting(name, value, source)

    for name, value in flags.items():
        if name == "filter_state" and value == "":
            found[name] = Setting(name, value, flag(name))
        offer(name, value, flag(name))
    for name, variable in ENVIRONMENT.items():
        offer(name, environment.get(variable), variable)
    offer("pact_url", event.pact_url, EVENT_PACT_URL)
    # A branch belongs to a version: both come from one place, or a version would be put on another's branch.
    offer("provider_app_version", event.sha, EVENT_SHA)
    version = found.get("provider_app_version")
    if version is not None and version.value == event.sha:
        offer("provider_version_branch", event.branch, "client_payload.branch of the GitHub event")
    if on_github:
        offer("provider_app_version", environment.get("GITHUB_SHA"), "GITHUB_SHA")
        version = found.get("provider_app_version")
        if (
            version is not None
            and version.value == environment.get("GITHUB_SHA")
            and version.source != EVENT_SHA
        ):
            offer("provider_version_branch", *_github_branch(environment))
        offer("build_url", _github_build_url(environment), "the GitHub run")
    return list(found.values())


def _github_branch(environment: Mapping[str, str]) -> tuple[str | None, str]:
    """Find the branch that a workflow runs on: of a pull request the one it comes from, of a tag none."""
    if environment.get("GITHUB_HEAD_REF"):
        return environment["GITHUB_HEAD_REF"], "GITHUB_HEAD_REF"
    on_branch = environment.get("GITHUB_REF_TYPE", "branch") == "branch"
    return environment.get("GITHUB_REF_NAME") if on_branch else None, "GITHUB_REF_NAME"


def _github_build_url(environment: Mapping[str, str]) -> str | None:
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run = (environment.get(name) for name in names)
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else None


def build_request(settings: list[Setting]) -> VerificationRequest:
    """Make the request of the settings.

    Raises:
        UsageError: a value can't be used; the message names its option and the mend.
    """
    given = {setting.name: setting for setting in settings}

    def value(name: str, default: Any = None) -> Any:
        return given[name].value if name in given else default

    if "pact_url" not in given:
        raise UsageError(
            "which pact? Give --pact-url URL (PACT_URL), or a pact file for a dry run; see verify --help"
        )

    provider = ProviderUnderTest(
        base_url=value("provider_base_url"),
        command=value("provider_command"),
        folder=Path(value("provider_dir", ".")).resolve(),
        health_path=value("provider_health_path", "/"),
        wait=value("wait", 30.0),
        states_url=with_port_placeholder(value("provider_states_setup_url")),
        states_teardown=value("provider_states_teardown", default=False),
        states_file=parse_states_file(value("provider_states")) if value("provider_states") else None,
        headers=parse_headers(value("custom_provider_header", ())),
        transports=parse_transports(map(with_port_placeholder, value("transport", ()))),
        jobs=value("jobs", 1),
        request_timeout=value("request_timeout", 5.0),
    )
    access = parse_access(
        value("pact_broker_base_url"),
        value("broker_username"),
        value("broker_password"),
        value("broker_token"),
    )
    if access is None and "pact_url" in given and given["pact_url"].source == EVENT_PACT_URL:
        raise UsageError(
            "the pact's URL comes from the GitHub event, and no broker is configured that it could be held against: "
            "give --pact-broker-base-url (PACT_BROKER_BASE_URL)"
        )
    request = VerificationRequest(
        pact_url=value("pact_url", ""),
        provider=provider,
        provider_name=value("provider"),
        broker=access,
        provider_version=value("provider_app_version"),
        provider_branch=value("provider_version_branch"),
        provider_tags=tuple(value("provider_version_tag", ())),
        publish=_boolean(given.get("publish_verification_results")),
        build_url=value("build_url"),
        filter_description=value("filter_description"),
        filter_state=value("filter_state"),
        timeout=value("timeout", 1800.0),
    )
    version = given.get("provider_app_version")
    if request.publish and version is not None and version.source == EVENT_SHA:
        return replace(request, notes=_check_checkout(version.value, provider.folder))
    return request


def _boolean(setting: Setting | None) -> bool:
    if setting is None:
        return False
    text = str(setting.value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise UsageError(f"{setting.source} must be true or false, not {setting.value!r}")
    return text in _TRUE


def _check_checkout(sha: str, folder: Path) -> tuple[str, ...]:
    """Make sure that the commit to verify is the one that is checked out, where that can be told.

    A `repository_dispatch` runs on the default branch's head: without an explicit checkout another commit than
    the dispatched one would answer, and be recorded as the dispatched one.

    Returns:
        A note, if it can't be told.

    Raises:
        UsageError: another commit is checked out.
    """
    # in a container the checkout often belongs to another user, which git refuses to read unless told so
    command = ["git", "-c", "safe.directory=*", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=False, env=without_secrets(os.environ)
        )
        head = done.stdout.strip() if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        head = ""
    if not head:
        return (
            f"{folder} is no git checkout that can be read: that commit {sha} answered is taken on trust",
        )
    if not head.startswith(sha.lower()):
        raise UsageError(
            f"the dispatch asks for commit {sha}, but {folder} has {head} checked out, so the result would be "
            "recorded for a version that did not answer. In the workflow, check the commit out: actions/checkout "
            "with ref: ${{ github.event.client_payload.sha }}; or say which version answers: --provider-app-version"
        )
    return ()
