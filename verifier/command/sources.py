"""Where each value of the `verify` command comes from: an option, the environment, the GitHub event, in that order.

What none of them gives may stand in the file of options, see `options_file`.

`verify -v` prints the result.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from verifier.command.github import (
    OF_EVENT,
    check_checkout,
    check_commit,
    github_branch,
    github_build_url,
    is_github_run,
    read_github_event,
)
from verifier.command.option_values import (
    parse_access,
    parse_headers,
    parse_milliseconds,
    parse_states_file,
    parse_tls,
    parse_transports,
    with_port_placeholder,
)
from verifier.confinement import Confinement
from verifier.environment import (
    BROKER_ALIASES,
    BROKER_BASE_URL,
    BROKER_KEY_PASSWORD,
    BROKER_PASSWORD,
    BROKER_TOKEN,
    BROKER_USERNAME,
    PROVIDER_KEY_PASSWORD,
    PUBLISH_RESULTS,
    PUBLISH_WITHOUT_STATES,
)
from verifier.errors import UsageError
from verifier.log_level import LogLevel
from verifier.request import ProviderUnderTest, VerificationRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from broker.http.tls import Tls
    from verifier.command.github import GitHubEvent

PACT_URL = "PACT_URL"
ENVIRONMENT = {
    "pact_url": PACT_URL,
    "provider": "PACT_PROVIDER_NAME",
    "provider_base_url": "PACT_PROVIDER_BASE_URL",
    "provider_command": "PACT_PROVIDER_COMMAND",
    "provider_states_setup_url": "PACT_PROVIDER_STATES_SETUP_URL",
    "state_change_as_query": "PACT_PROVIDER_STATE_CHANGE_AS_QUERY",
    "provider_app_version": "GIT_COMMIT",
    "provider_version_branch": "GIT_BRANCH",
    "publish_verification_results": PUBLISH_RESULTS,
    "publish_without_states": PUBLISH_WITHOUT_STATES,
    "pact_broker_base_url": BROKER_BASE_URL,
    "pact_broker_alias": BROKER_ALIASES,
    "broker_username": BROKER_USERNAME,
    "broker_password": BROKER_PASSWORD,
    "broker_token": BROKER_TOKEN,
    "broker_ca_file": "PACT_BROKER_CA_FILE",
    "broker_client_certificate": "PACT_BROKER_CLIENT_CERTIFICATE",
    "broker_client_key": "PACT_BROKER_CLIENT_KEY",
    "broker_client_key_password": BROKER_KEY_PASSWORD,
    "provider_ca_file": "PACT_PROVIDER_CA_FILE",
    "provider_client_certificate": "PACT_PROVIDER_CLIENT_CERTIFICATE",
    "provider_client_key": "PACT_PROVIDER_CLIENT_KEY",
    "provider_client_key_password": PROVIDER_KEY_PASSWORD,
    "disable_ssl_verification": "PACT_DISABLE_SSL_VERIFICATION",
    "consumer_version_selectors": "PACT_CONSUMER_VERSION_SELECTORS",
    "consumer_version_tags": "PACT_CONSUMER_VERSION_TAGS",
    "enable_pending": "PACT_ENABLE_PENDING",
    "include_wip_pacts_since": "PACT_INCLUDE_WIP_PACTS_SINCE",
    "filter_description": "PACT_DESCRIPTION",
    "filter_state": "PACT_PROVIDER_STATE",
    "filter_no_state": "PACT_PROVIDER_NO_STATE",
}
"""The environment variable of each option."""

OF_PACT_VERIFIER = {
    "pact_url": "PACT_WEBHOOK_CALLBACK_URL",
    "provider_states_setup_url": "PACT_PROVIDER_STATE_CHANGE_URL",
    "provider_states_teardown": "PACT_PROVIDER_STATE_CHANGE_TEARDOWN",
}
"""The variables of `pact verifier` that mean the same as an option; those above come before them."""

REQUEST_TIMEOUT = "PACT_PROVIDER_REQUEST_TIMEOUT"
"""The variable of `--request-timeout`, in milliseconds as `pact verifier` has it."""

SECRETS = frozenset(
    {
        "broker_client_key_password",
        "broker_password",
        "broker_token",
        "broker_username",
        "custom_provider_header",
        "provider_client_key_password",
        "provider_states_header",
    }
)

SELECTION = (
    "consumer_version_selectors",
    "consumer_version_tags",
    "enable_pending",
    "include_wip_pacts_since",
    "ignore_no_pacts_error",
)
"""The options about what a broker is asked for."""

_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


class Setting(NamedTuple):
    """A value, and where it comes from.

    Attributes:
        name: The name of the option, with `_` for `-`.
        value: The value.
        source: The option, the environment variable or the part of the GitHub event that it comes from.
    """

    name: str
    value: Any
    source: str

    @property
    def is_option(self) -> bool:
        """Whether it comes from the command line."""
        return self.source == flag(self.name)

    @property
    def place(self) -> str:
        """Where it can be changed, for people: its source, and its key where that is a table of many."""
        return f"{self.source}: {self.name.replace('_', '-')}" if self.source.startswith("[") else self.source

    @property
    def is_dispatched(self) -> bool:
        """Whether it comes from the GitHub event: anybody who may dispatch wrote it."""
        return self.source.endswith(OF_EVENT)

    def __str__(self) -> str:
        shown = "***" if self.name in SECRETS else self.value
        return f"{flag(self.name)} = {shown}  (from {self.source})"


def flag(name: str) -> str:
    """Return an option as it is typed."""
    return "--" + name.replace("_", "-")


def collect(flags: Mapping[str, Any], environment: Mapping[str, str]) -> list[Setting]:
    """Return the value of each option that has one.

    Args:
        flags: The command line's values by option name, None (or empty) for an option that wasn't given.
        environment: The environment; an empty variable counts as not set.

    Raises:
        UsageError: The GitHub event, or the timeout of a request, can't be used.
    """
    event = read_github_event(environment)
    found: dict[str, Setting] = {}

    def offer(name: str, value: Any, source: str) -> None:
        if name not in found and value is not None and value not in ("", [], ()):
            found[name] = Setting(name, value, source)

    for name, value in flags.items():
        if name == "filter_state" and value == "":
            found[name] = Setting(name, value, flag(name))
        offer(name, pacts_of(value) if name == "pact_url" else value, flag(name))
    for name, variable in (*ENVIRONMENT.items(), *OF_PACT_VERIFIER.items()):
        offer(name, environment.get(variable), variable)
    if (text := environment.get(REQUEST_TIMEOUT)) and "request_timeout" not in found:
        offer("request_timeout", parse_milliseconds(REQUEST_TIMEOUT, text), REQUEST_TIMEOUT)
    offer("pact_url", event.pact_url, event.source("pact_url"))
    found |= _passed_on(found.get("pact_url"), event)
    # A branch belongs to a version: both come from one place, else a version would be put on the branch of another.
    offer("provider_app_version", event.sha, event.source("sha"))
    version = found.get("provider_app_version")
    _check_dispatched(version, event)
    if version is not None and version.value == event.sha:
        offer("provider_version_branch", event.branch, event.source("branch"))
    if is_github_run(environment):
        offer("provider_app_version", environment.get("GITHUB_SHA"), "GITHUB_SHA")
        version = found.get("provider_app_version")
        if (
            version is not None
            and version.value == environment.get("GITHUB_SHA")
            and not version.is_dispatched
        ):
            offer("provider_version_branch", *github_branch(environment))
        offer("build_url", github_build_url(environment), "the GitHub run")
    return list(found.values())


def pacts_of(urls: str | list[str] | None) -> str | list[str]:
    """Return the pacts of an option that may be repeated; a single one, as there mostly is, by itself."""
    given = [url for url in ([urls] if isinstance(urls, str) else urls or ()) if url]
    return given[0] if len(given) == 1 else given


def _passed_on(pact_url: Setting | None, event: GitHubEvent) -> dict[str, Setting]:
    """Return the pact's URL as the event's, where a workflow has passed on the input of its `workflow_dispatch`."""
    if pact_url is None or pact_url.value != event.pact_url:
        return {}
    return {"pact_url": pact_url._replace(source=event.source("pact_url"))}


def _check_dispatched(version: Setting | None, event: GitHubEvent) -> None:
    """Raise if the version is the dispatched one, and is no commit.

    Raises:
        UsageError: It is so.
    """
    if version is not None and version.is_dispatched:
        check_commit(event)


def check_dispatched_pact(settings: Sequence[Setting], environment: Mapping[str, str]) -> None:
    """Raise if a dispatch that is about a pact names none: all pacts are not what was asked for.

    Raises:
        UsageError: It is so.
    """
    if all(setting.name != "pact_url" for setting in settings):
        missing = read_github_event(environment).without_pact
        if missing:
            raise UsageError(missing)


def names_many(settings: list[Setting]) -> bool:
    """Return whether many pacts are to be verified: several are given, a folder of them, or none and a provider."""
    given = {setting.name: setting.value for setting in settings}
    if "pact_url" not in given:
        return "provider" in given and "pact_broker_base_url" in given
    return not isinstance(given["pact_url"], str) or Path(given["pact_url"]).is_dir()


def check_selection_unused(settings: list[Setting]) -> None:
    """Raise if the command line both names a pact and says what the broker is asked for.

    What a variable or the file of options says about that doesn't matter where a pact is named.

    Raises:
        UsageError: It is so.
    """
    options = {setting.name for setting in settings if setting.is_option}
    if "pact_url" in options and (names := [flag(name) for name in SELECTION if name in options]):
        raise UsageError(
            f"{names[0]} is about the pacts that the broker is asked for, and --pact-url names the pact: give one of "
            "the two"
        )


def build_request(settings: list[Setting]) -> VerificationRequest:
    """Return the request that the settings make.

    Raises:
        UsageError: A value can't be used; the message names its option and says what to do.
    """
    given = {setting.name: setting for setting in settings}

    def value(name: str, default: Any = None) -> Any:
        return given[name].value if name in given else default

    if "pact_url" not in given:
        raise UsageError(
            "which pact? Give --pact-url URL (PACT_URL), or a pact file for a dry run; or --provider NAME and "
            "--pact-broker-base-url URL to verify every pact that the broker asks for; see verify --help"
        )

    access = parse_access(
        value("pact_broker_base_url"),
        value("broker_username"),
        value("broker_password"),
        value("broker_token"),
        aliases=value("pact_broker_alias", ()),
        tls=_tls("broker", value),
    )
    tls = _tls("provider", value, checks=not boolean(given.get("disable_ssl_verification")))
    headers = parse_headers(value("custom_provider_header", ()))
    states_headers = parse_headers(value("provider_states_header", ()), "--provider-states-header")
    has_secrets = bool(headers or states_headers or tls.certificate) or (
        access is not None and access.has_credentials
    )
    provider = ProviderUnderTest(
        base_url=value("provider_base_url"),
        command=value("provider_command"),
        folder=Path(value("provider_dir", ".")).resolve(),
        health_path=value("provider_health_path", "/"),
        wait=value("wait", 30.0),
        states_url=with_port_placeholder(value("provider_states_setup_url")),
        states_headers=states_headers,
        states_as_query=boolean(given.get("state_change_as_query")),
        states_teardown=boolean(given.get("provider_states_teardown")),
        states_file=parse_states_file(value("provider_states")) if value("provider_states") else None,
        headers=headers,
        transports=parse_transports(map(with_port_placeholder, value("transport", ()))),
        jobs=value("jobs", 1),
        ends_at_first=value("exit_on_first_error", default=False),
        request_timeout=value("request_timeout", 5.0),
        memory_limit=value("memory_limit", 1024),
        tls=tls,
        log_file=Path(value("log_file")) if "log_file" in given else None,
        log_level=LogLevel(value("log_level", LogLevel.DEBUG)),
        confinement=Confinement(apart=has_secrets and not value("unconfined_provider", default=False)),
    )
    if "log_level" in given and "log_file" not in given:
        raise UsageError("--log-level is for the file that --log-file names, which is not given")
    if access is None and "pact_url" in given and given["pact_url"].is_dispatched:
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
        publish=boolean(given.get("publish_verification_results")),
        publish_without_states=boolean(given.get("publish_without_states")),
        build_url=value("build_url"),
        filter_description=value("filter_description"),
        filter_state=_filter_state(given),
        filter_consumers=tuple(value("filter_consumer", ())),
        last_failed=value("last_failed", default=False),
        timeout=value("timeout", 1800.0),
    )
    version = given.get("provider_app_version")
    if request.publish and version is not None and version.is_dispatched:
        return replace(request, notes=check_checkout(version.value, provider.folder))
    return request


def _tls(whose: str, value: Callable[[str], Any], *, checks: bool = True) -> Tls:
    names = ("ca_file", "client_certificate", "client_key", "client_key_password")
    return parse_tls(whose, *(value(f"{whose}_{name}") for name in names), checks=checks)


def _filter_state(given: Mapping[str, Setting]) -> str | None:
    """Return the filter by provider state; "" for interactions without one.

    Raises:
        UsageError: Both filters are given, and neither as an option, which would win against a variable.
    """
    state, no_state = given.get("filter_state"), given.get("filter_no_state")
    name = None if state is None else str(state.value)
    if no_state is None or not boolean(no_state):
        return name
    if state is None or not name:
        return ""
    if no_state.is_option == state.is_option:
        raise UsageError(f"{state.place} and {no_state.place} choose nothing together: give one of the two")
    return name if state.is_option else ""


def boolean(setting: Setting | None) -> bool:
    """Return the value of a setting that is true or false; false if it isn't given.

    Raises:
        UsageError: It is neither.
    """
    if setting is None:
        return False
    text = str(setting.value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise UsageError(f"{setting.place} must be true or false, not {setting.value!r}")
    return text in _TRUE
