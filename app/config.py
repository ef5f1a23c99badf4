"""What `pact-dispatch.toml` and the environment may say; `config_file` reads it.

Secrets come from the environment, or from files that it names, and never from the configuration file itself.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.checkout import CheckoutFailed
from app.checkout.remote import Remote
from broker.access import BrokerAccess
from broker.origin import Origin
from verifier.errors import UsageError
from verifier.option_values import parse_headers, parse_transports, with_port_placeholder
from verifier.provider import split_command
from verifier.request import MAX_JOBS, PORT, check_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVENT_TYPES = ("pact_changed", "contract_requiring_verification_published")
"""The event types that are always accepted."""

WAYS = ("base_url", "command", "checkout", "relay")
"""What becomes of a provider's dispatches: one of these."""
RELAYED = frozenset({"name", "repository", "relay"})
"""The keys of a provider whose dispatches are passed on."""

BASE = "base"
"""The folder of the configuration file, in the context of the validation: paths are relative to it."""
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Count = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Seconds = Annotated[Number, Field(gt=0, lt=86400 * 7)]
Waits = tuple[Annotated[Number, Field(gt=0, lt=86400 * 7)], ...]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
"""A text that the broker keeps; `_named` looks at its characters."""


class ConfigurationError(Exception):
    """The configuration can't be used.

    Attributes:
        mistakes: each one in a line, with the file and the key, or the variable.
    """

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SecretSource(_Section):
    """Where a secret value is: an environment variable or a file.

    Attributes:
        env: the name of the variable.
        file: the path of the file; a line end at its end doesn't count.
    """

    env: str | None = None
    file: Path | None = None

    @field_validator("file")
    @classmethod
    def _beside_the_configuration(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        return _resolved(file, info)

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError('must be { env = "NAME" } or { file = "PATH" }')
        return self

    def read(self, environment: Mapping[str, str]) -> str:
        """Read the value.

        Raises:
            ValueError: it isn't there.
        """
        if self.env is not None:
            value = environment.get(self.env, "")
            if not value:
                raise ValueError(f"the environment variable {self.env} is not set")
            return value
        assert self.file is not None  # noqa: S101 - one of the two is there
        try:
            return self.file.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.file} can't be read: {error}") from error


TEXT, SECRET = "text", "secret"
Value = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[SecretSource, Tag(SECRET)],
    Discriminator(
        lambda value: (
            TEXT if isinstance(value, str) else SECRET if isinstance(value, dict | SecretSource) else None
        ),
        custom_error_type="neither_text_nor_secret",
        custom_error_message='must be a text, or { env = "NAME" } or { file = "PATH" }',
    ),
]
"""A value as it stands, or where a secret one is."""


class BrokerSettings(_Section):
    """The Pact Broker.

    Attributes:
        url: its base URL. Pacts are fetched from there alone, and results published there.
    """

    url: str

    @field_validator("url")
    @classmethod
    def _is_a_base_url(cls, url: str) -> str:
        Origin.of(url)
        return url


class CheckoutSettings(_Section):
    """A provider's source, checked out at the dispatched commit.

    Attributes:
        url: what `git clone` takes; where the secret one is, if it holds a user name or a token.
        setup: the command that makes it ready to run; run without a shell, in the checkout.
        command: the command that starts the provider, with `{port}` or `$PORT`.
        cache_key_files: lock files; while their content is the same, what the setup made is used again.
        cache_paths: what the setup makes: `.venv`, `node_modules`.
        default_branch: what is verified when a dispatch names no commit; the remote's HEAD unless given.
    """

    url: Value
    setup: str | None = None
    command: str
    cache_key_files: tuple[str, ...] = ()
    cache_paths: tuple[str, ...] = ()
    default_branch: str | None = None

    @field_validator("url")
    @classmethod
    def _can_be_cloned(cls, url: Value) -> Value:
        if isinstance(url, str):
            try:
                remote = Remote.of(url)
            except CheckoutFailed as error:
                raise ValueError(str(error)) from None
            if remote.username is not None or remote.secrets:
                raise ValueError(
                    'must not carry a user name or password: give it as { env = "NAME" } or { file = "PATH" }'
                )
        return url

    @field_validator("setup", "command")
    @classmethod
    def _is_a_command(cls, command: str | None) -> str | None:
        return _command(command)

    @field_validator("cache_key_files", "cache_paths")
    @classmethod
    def _stay_inside(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if Path(path).is_absolute() or ".." in Path(path).parts or not path or not path.isprintable():
                raise ValueError(f"{path!r} must be a path inside the checkout")
        return paths


class RelaySettings(_Section):
    """Dispatches that are passed on to GitHub.

    Attributes:
        repository: OWNER/REPO there; the provider's own unless given.
        event_type: that they get; the one they came with unless given.
    """

    repository: str | None = None
    event_type: str | None = Field(default=None, min_length=1, max_length=100)

    @field_validator("repository")
    @classmethod
    def _is_a_repository(cls, repository: str | None) -> str | None:
        return None if repository is None else _owner_and_name(repository)


class ProviderSettings(_Section):
    """One provider: where its dispatches come in, and how it is verified.

    Attributes:
        name: the pacticipant in the broker.
        repository: OWNER/REPO of `POST /repos/OWNER/REPO/dispatches`.
        base_url: of a provider that is running.
        command: or the command that starts it, with `{port}` or `$PORT`.
        folder: where the command runs.
        checkout: or its source.
        relay: or nothing is verified here, and its dispatches are passed on to GitHub (`relay = true`, or a table).
        statuses: whether its commits get statuses; as in `github.statuses` unless given.
        version: the version of the provider that runs.
        version_url: or where it tells its version.
        version_pointer: the JSON pointer to it in the answer; the whole answer as text unless given.
        branch: the branch that results are for, where the dispatch names none.
        tags: tags that its version gets.
        states_setup_url: where provider states are set up.
        states_teardown: whether they are torn down there too.
        headers: sent with each request to the provider.
        transports: other transports, `NAME:PORT[/path]`.
        health_path: what is asked to see whether it is ready.
        wait: seconds that it has to become ready.
        jobs: interactions that are verified at once.
        timeout: seconds for a whole run.
        request_timeout: seconds for one request.
        environment: for the command and the setup.
        parallel: whether it may be verified several times at once; provider states are shared, so no.
    """

    name: Name
    repository: str
    base_url: str | None = None
    command: str | None = None
    folder: Path | None = None
    checkout: CheckoutSettings | None = None
    relay: RelaySettings | None = None
    statuses: Flag | None = None
    version: Name | None = None
    version_url: str | None = None
    version_pointer: str | None = None
    branch: Name | None = None
    tags: tuple[Name, ...] = ()
    states_setup_url: str | None = None
    states_teardown: Flag = False
    headers: dict[str, Value] = Field(default_factory=dict)
    transports: tuple[str, ...] = ()
    health_path: str = "/"
    wait: Seconds = 30.0
    jobs: Count = Field(default=1, ge=1, le=MAX_JOBS)
    timeout: Seconds = 1800.0
    request_timeout: Seconds = 5.0
    environment: dict[str, Value] = Field(default_factory=dict)
    parallel: Flag = False

    @field_validator("repository")
    @classmethod
    def _is_a_repository(cls, repository: str) -> str:
        return _owner_and_name(repository)

    @field_validator("relay", mode="before")
    @classmethod
    def _is_on_or_off(cls, relay: Any) -> Any:
        if not isinstance(relay, bool | dict | RelaySettings | None):
            raise ValueError("must be true, or a table with repository, event_type or both")  # noqa: TRY004 - pydantic's
        return {} if relay is True else None if relay is False else relay

    @field_validator("name", "version", "branch", "tags")
    @classmethod
    def _are_names(cls, names: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for name in (names,) if isinstance(names, str) else names or ():
            # a URL can't have one of dots alone: it would mean another place
            if not name.isprintable() or not name.strip(" ."):
                raise ValueError("must be printable, and more than dots")
        return names

    @field_validator("command")
    @classmethod
    def _is_a_command(cls, command: str | None) -> str | None:
        return _command(command)

    @field_validator("health_path")
    @classmethod
    def _is_a_path(cls, path: str) -> str:
        if not path.startswith("/") or not path.isprintable() or " " in path:
            raise ValueError("must be a path, as in /health")
        return path

    @field_validator("transports")
    @classmethod
    def _are_transports(cls, transports: tuple[str, ...]) -> tuple[str, ...]:
        for transport in transports:
            try:
                parse_transports([with_port_placeholder(transport)])
            except UsageError:
                raise ValueError(
                    f"{transport!r} is not NAME:PORT or NAME:PORT/path, as in message:8081/_messages"
                ) from None
        return transports

    @field_validator("folder")
    @classmethod
    def _is_a_folder(cls, folder: Path | None, info: ValidationInfo) -> Path | None:
        found = _resolved(folder, info)
        if found is not None and not found.is_dir():
            raise ValueError(f"there is no folder {found}")
        return found

    @field_validator("base_url", "version_url", "states_setup_url")
    @classmethod
    def _is_a_url(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None:
            return None
        filled = (with_port_placeholder(url) or "").replace(PORT, "1")
        try:
            check_url(filled, str(info.field_name))
        except UsageError:
            raise ValueError(
                "must be an http:// or https:// URL without a user name or password: send those in headers"
            ) from None
        if filled != url and info.field_name != "states_setup_url":
            raise ValueError(f"has {PORT}, the port of a provider that is started: this one runs")
        return url

    @field_validator("version_pointer")
    @classmethod
    def _is_a_pointer(cls, pointer: str | None) -> str | None:
        if pointer and not pointer.startswith("/"):
            raise ValueError("must be a JSON pointer, as in /build/commit")
        return pointer

    @field_validator("environment")
    @classmethod
    def _are_variables(cls, environment: dict[str, Value]) -> dict[str, Value]:
        for name, value in environment.items():
            if _VARIABLE.fullmatch(name) is None:
                raise ValueError(f"{name!r} can't be the name of a variable")
            if isinstance(value, str) and "\0" in value:
                raise ValueError(f"the value of {name} has a NUL, which no variable can have")
        return environment

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, Value]) -> dict[str, Value]:
        for name, value in headers.items():
            text = value if isinstance(value, str) else ""
            try:
                parse_headers([f"{name}: {text}"])
            except UsageError:
                raise ValueError(f"{name!r} can't be sent: names and values are printable ASCII") from None
        return headers

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        mistakes = misfits({name: getattr(self, name) for name in self.model_fields_set})
        if mistakes:
            raise ValueError(MISTAKE_SEPARATOR.join(mistakes))
        return self


MISTAKE_SEPARATOR = "\n"


def misfits(provider: Mapping[str, Any]) -> list[str]:
    """Find what does not go together in a provider's settings.

    Args:
        provider: its keys and values; they may be as they stand in the file, whether right or wrong.

    Returns:
        Each mistake, for people.
    """
    given = {name for name, value in provider.items() if value is not None}
    if provider.get("relay") is False:
        given.discard("relay")
    ways = [way for way in WAYS if way in given]
    mistakes = []
    if len(ways) != 1:
        found = " and ".join(ways) or "none of them"
        mistakes.append(f"needs one of base_url, command, checkout and relay; there is {found}")
    if ways == ["relay"]:
        idle = sorted(name for name in ProviderSettings.model_fields if name in given - RELAYED)
        mistakes += [
            f"{name} is for verifying, and a relayed provider is verified elsewhere" for name in idle
        ]
        return mistakes
    mistakes += _version_misfits(given)
    if "folder" in given and "command" not in given:
        mistakes.append("folder is where command runs, and there is none")
    states_url = str(provider.get("states_setup_url", ""))
    if "base_url" in given and PORT in (with_port_placeholder(states_url) or ""):
        mistakes.append(f"states_setup_url has {PORT}, the port of a provider that is started: this one runs")
    if provider.get("states_teardown") is True and "states_setup_url" not in given:
        mistakes.append("states_teardown is asked of states_setup_url, which is missing")
    return mistakes


def _version_misfits(given: set[str]) -> list[str]:
    mistakes = []
    versions = given & {"version", "version_url"}
    if "checkout" in given:
        if versions:
            mistakes.append("version and version_url are not for a checkout: its version is the commit")
    elif len(versions) != 1:
        mistakes.append(
            "which version answers? Give version, or version_url (and version_pointer) that tells it: "
            "a result is published only for the version that was verified"
        )
    elif "version_url" in given and "command" in given:
        mistakes.append("version_url is asked of a provider that runs; with command, give version")
    if "version_pointer" in given and "version_url" not in given:
        mistakes.append("version_pointer points into the answer of version_url, which is missing")
    return mistakes


class DispatchSettings(_Section):
    """Which dispatches are accepted.

    Attributes:
        event_types: accepted besides `pact_changed` and `contract_requiring_verification_published`.
    """

    event_types: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()

    @field_validator("event_types")
    @classmethod
    def _can_be_sent(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        for one in types:
            if not one.isprintable():
                raise ValueError(f"{one!r} can't be an event type: it must be printable")
        return types


class ServerSettings(_Section):
    """The web side.

    Attributes:
        public_url: where people reach the receiver: links to runs begin with it.
        processes: web processes.
        connections: to the database, at most, from each.
    """

    public_url: str | None = None
    processes: Count = Field(default=2, ge=1, le=64)
    connections: Count = Field(default=8, ge=1, le=100)

    @field_validator("public_url")
    @classmethod
    def _is_a_base_url(cls, url: str | None) -> str | None:
        if url is not None:
            Origin.of(url)
        return url


class WorkerSettings(_Section):
    """The worker.

    Attributes:
        concurrency: runs at once, of different providers.
        warm: child processes that are kept ready.
        stop_seconds: how long running ones may go on after SIGTERM, before they are handed back.
        stalled_seconds: after so long without a sign of life, a worker's runs are taken up by another.
        retry_seconds: the waits between attempts of a run that could not be verified and may heal.
        publish_retry_seconds: the waits between attempts to publish; the last one is repeated until `publish_hours`.
        publish_hours: how long publishing is tried.
    """

    concurrency: Count = Field(default=4, ge=1, le=64)
    warm: Count = Field(default=1, ge=0, le=16)
    stop_seconds: Seconds = 20.0
    stalled_seconds: Number = Field(default=10.0, ge=1, le=3600)
    retry_seconds: tuple[Annotated[Number, Field(ge=0, lt=86400 * 7)], ...] = Field(
        default=(10, 30, 60, 180, 600), max_length=20
    )
    publish_retry_seconds: Waits = Field(default=(5, 15, 30, 60, 120, 300, 600), min_length=1, max_length=20)
    publish_hours: Number = Field(default=12.0, gt=0, le=24 * 30)


class GitHubSettings(_Section):
    """GitHub's API: commit statuses, and dispatches that are passed on.

    The token or the App's private key comes from the environment: see `app.github`.

    Attributes:
        api_url: `https://HOST/api/v3` for a GitHub Enterprise Server.
        app_id: the id of a GitHub App, in the place of a token.
        installation_id: of the App; found by repository unless given.
        statuses: whether the commits that are verified get statuses.
        retry_seconds: the waits between attempts while GitHub is away; the last one is repeated until `retry_hours`.
        retry_hours: how long it is tried.
    """

    api_url: str = "https://api.github.com"
    app_id: Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)] | None = None
    installation_id: Count | None = Field(default=None, ge=1)
    statuses: Flag = False
    retry_seconds: Waits = Field(default=(5, 15, 30, 60, 120, 300, 600), min_length=1, max_length=20)
    retry_hours: Number = Field(default=12.0, gt=0, le=24 * 30)

    @field_validator("api_url")
    @classmethod
    def _is_a_base_url(cls, url: str) -> str:
        Origin.of(url)
        return url.rstrip("/")

    def wait(self, attempt: int) -> float:
        """Give the seconds after an attempt, of which the first one is 1."""
        return self.retry_seconds[min(attempt, len(self.retry_seconds)) - 1]


class RetentionSettings(_Section):
    """How long things are kept.

    Attributes:
        days: deliveries, runs and their logs.
        log_kilobytes: of each run's log.
    """

    days: Number = Field(default=30.0, gt=0, le=36500)
    log_kilobytes: Count = Field(default=256, ge=1, le=16384)


class ReconcileSettings(_Section):
    """The look for pacts that lack a result.

    Attributes:
        minutes: the time between two looks of the worker; 0 for none.
    """

    minutes: Number = Field(default=15.0, ge=0, le=60 * 24 * 30)


class Settings(_Section):
    """The whole configuration file."""

    broker: BrokerSettings
    providers: tuple[ProviderSettings, ...]
    dispatches: DispatchSettings = DispatchSettings()
    server: ServerSettings = ServerSettings()
    worker: WorkerSettings = WorkerSettings()
    github: GitHubSettings = GitHubSettings()
    retention: RetentionSettings = RetentionSettings()
    reconcile: ReconcileSettings = ReconcileSettings()

    @field_validator("providers", mode="before")
    @classmethod
    def _at_least_one(cls, providers: Any) -> Any:
        # looked at beforehand: those with a mistake don't count afterwards
        if providers in ([], ()):
            raise ValueError("there must be one at least")
        return providers

    @model_validator(mode="after")
    def _no_provider_twice(self) -> Self:
        mistakes = twins([{"name": one.name, "repository": one.repository} for one in self.providers])
        if mistakes:
            raise ValueError(MISTAKE_SEPARATOR.join(mistakes))
        return self

    @model_validator(mode="after")
    def _does_not_relay_to_itself(self) -> Self:
        relayed = [provider.name for provider in self.providers if provider.relay is not None]
        public_url = self.server.public_url
        if relayed and public_url is not None and _same_server(public_url, self.github.api_url):
            raise ValueError(
                f"{relayed[0]}: relay would pass dispatches on to this receiver itself: github.api_url and "
                "server.public_url are the same server"
            )
        return self

    @property
    def relay_targets(self) -> frozenset[str]:
        """The repositories that dispatches are passed on to, in lower case."""
        return frozenset(
            (provider.relay.repository or provider.repository).lower()
            for provider in self.providers
            if provider.relay is not None
        )

    @property
    def needs_github(self) -> str | None:
        """What in the configuration needs credentials for GitHub."""
        for number, provider in enumerate(self.providers, start=1):
            where = f"providers[{number}] ({provider.name})"
            if provider.relay is not None:
                return f"{where}.relay"
            if provider.statuses:
                return f"{where}.statuses"
        return "github.statuses" if self.github.statuses else None

    def sets_statuses(self, provider: ProviderSettings) -> bool:
        """Tell whether the commits of a provider get statuses."""
        wanted = self.github.statuses if provider.statuses is None else provider.statuses
        return wanted and provider.relay is None

    @property
    def event_types(self) -> frozenset[str]:
        """All event types that are accepted."""
        return frozenset({*EVENT_TYPES, *self.dispatches.event_types})

    def provider_of(self, repository: str) -> ProviderSettings | None:
        """Find the provider of a repository; names are compared as GitHub does, without case."""
        wanted = repository.lower()
        return next((provider for provider in self.providers if provider.repository.lower() == wanted), None)

    def provider_named(self, name: str) -> ProviderSettings | None:
        """Find a provider by its name."""
        return next((provider for provider in self.providers if provider.name == name), None)


def twins(providers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Find names and repositories that two providers have; letter case makes no difference."""
    mistakes = []
    for key in ("name", "repository"):
        values = [provider.get(key) for provider in providers]
        counted = Counter(value.lower() for value in values if isinstance(value, str))
        mistakes += [
            f"two providers have the {key} {value!r}" for value, times in counted.items() if times > 1
        ]
    return mistakes


def secret(name: str, environment: Mapping[str, str]) -> str | None:
    """Read a secret from the variable `name`, or from the file that `name_FILE` names.

    Raises:
        ConfigurationError: both are given, or the file can't be read.
    """
    value, file = environment.get(name), environment.get(f"{name}_FILE")
    if value and file:
        raise ConfigurationError([f"{name} and {name}_FILE are both set: give one of them"])
    if not file:
        return value or None
    try:
        return Path(file).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{name}_FILE: {file} can't be read: {error}"]) from error


def broker_access(settings: Settings, environment: Mapping[str, str]) -> BrokerAccess:
    """Put the broker's address and its credentials together.

    Raises:
        ConfigurationError: the credentials can't be used.
    """
    names = ("PACT_BROKER_USERNAME", "PACT_BROKER_PASSWORD", "PACT_BROKER_TOKEN")
    username, password, token = (secret(name, environment) for name in names)
    if token and (username or password):
        raise ConfigurationError(
            ["PACT_BROKER_TOKEN and PACT_BROKER_USERNAME are two kinds of credentials: give one"]
        )
    if bool(username) != bool(password):
        missing = names[1] if username else names[0]
        raise ConfigurationError([f"basic auth wants both a user name and a password: {missing} is missing"])
    try:
        return BrokerAccess(settings.broker.url, username, password, token)
    except ValueError as error:
        raise ConfigurationError([f"the broker's credentials can't be used: {error}"]) from error


def values_of(values: Mapping[str, Value], environment: Mapping[str, str]) -> dict[str, str]:
    """Read values, the secret ones from where they are.

    Raises:
        ValueError: one isn't there.
    """
    return {
        name: value if isinstance(value, str) else value.read(environment) for name, value in values.items()
    }


def secret_values(provider: ProviderSettings, environment: Mapping[str, str]) -> list[str]:
    """Read the values of a provider that are secret.

    Raises:
        ValueError: one isn't there.
    """
    values = [*provider.headers.values(), *provider.environment.values()]
    if provider.checkout is not None:
        values.append(provider.checkout.url)
    return [value.read(environment) for value in values if not isinstance(value, str)]


def _resolved(path: Path | None, info: ValidationInfo) -> Path | None:
    """Take a path of the configuration file as relative to that file's folder."""
    base = (info.context or {}).get(BASE)
    return path if path is None or base is None else base / path


def _same_server(first: str, second: str) -> bool:
    one, other = Origin.of(first), Origin.of(second)
    return (one.host, one.port) == (other.host, other.port)


def _owner_and_name(repository: str) -> str:
    if _REPOSITORY.fullmatch(repository) is None or {".", ".."}.intersection(repository.split("/")):
        raise ValueError("must be OWNER/REPO")
    return repository


def _command(command: str | None) -> str | None:
    """Make sure that a command can be run without a shell."""
    if command is not None:
        try:
            split_command(command, 1)
        except UsageError as error:
            raise ValueError(str(error).removeprefix("--provider-command ")) from None
        if "\0" in command:
            raise ValueError("has a character that a command can't have")
    return command
