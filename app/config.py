"""`pact-dispatch.toml` and the environment, read into settings; every mistake is named at once.

Secrets come from the environment, or from files that it names, and never from the configuration file itself.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from broker.access import BrokerAccess
from broker.origin import Origin
from verifier.errors import UsageError
from verifier.option_values import parse_headers
from verifier.provider import split_command
from verifier.request import MAX_JOBS, PORT, check_url

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_VARIABLE = "PACT_DISPATCH_CONFIG"
EVENT_TYPES = ("pact_changed", "contract_requiring_verification_published")
"""The event types that are always accepted."""

WAYS = ("base_url", "command", "checkout", "relay")
"""What becomes of a provider's dispatches: one of these."""
RELAYED = frozenset({"name", "repository", "relay"})
"""The keys of a provider whose dispatches are passed on."""

_BASE = "base"
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Seconds = Annotated[float, Field(gt=0, lt=86400 * 7)]


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


Value = str | SecretSource
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
        url: what `git clone` takes.
        setup: the command that makes it ready to run; run without a shell, in the checkout.
        command: the command that starts the provider, with `{port}` or `$PORT`.
        cache_key_files: lock files; while their content is the same, what the setup made is used again.
        cache_paths: what the setup makes: `.venv`, `node_modules`.
        default_branch: what is verified when a dispatch names no commit; the remote's HEAD unless given.
    """

    url: str = Field(min_length=1)
    setup: str | None = None
    command: str
    cache_key_files: tuple[str, ...] = ()
    cache_paths: tuple[str, ...] = ()
    default_branch: str | None = None

    @field_validator("cache_key_files", "cache_paths")
    @classmethod
    def _stay_inside(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if Path(path).is_absolute() or ".." in Path(path).parts or not path:
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
        if repository is not None and _REPOSITORY.fullmatch(repository) is None:
            raise ValueError("must be OWNER/REPO")
        return repository


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

    name: str = Field(min_length=1, max_length=255)
    repository: str
    base_url: str | None = None
    command: str | None = None
    folder: Path | None = None
    checkout: CheckoutSettings | None = None
    relay: RelaySettings | None = None
    statuses: bool | None = None
    version: str | None = Field(default=None, min_length=1, max_length=255)
    version_url: str | None = None
    version_pointer: str | None = None
    branch: str | None = Field(default=None, min_length=1, max_length=255)
    tags: tuple[str, ...] = ()
    states_setup_url: str | None = None
    states_teardown: bool = False
    headers: dict[str, Value] = Field(default_factory=dict)
    transports: tuple[str, ...] = ()
    health_path: str = "/"
    wait: Seconds = 30.0
    jobs: int = Field(default=1, ge=1, le=MAX_JOBS)
    timeout: Seconds = 1800.0
    request_timeout: Seconds = 5.0
    environment: dict[str, Value] = Field(default_factory=dict)
    parallel: bool = False

    @field_validator("repository")
    @classmethod
    def _is_a_repository(cls, repository: str) -> str:
        if _REPOSITORY.fullmatch(repository) is None:
            raise ValueError("must be OWNER/REPO")
        return repository

    @field_validator("relay", mode="before")
    @classmethod
    def _is_on_or_off(cls, relay: Any) -> Any:
        if not isinstance(relay, bool | dict | RelaySettings | None):
            raise ValueError("must be true, or a table with repository, event_type or both")  # noqa: TRY004 - pydantic's
        return {} if relay is True else None if relay is False else relay

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
        if url is not None:
            _usable(check_url, url.replace(PORT, "1"), str(info.field_name))
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
        for name in environment:
            if _VARIABLE.fullmatch(name) is None:
                raise ValueError(f"{name!r} can't be the name of a variable")
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
    def _is_verified_in_one_way(self) -> Self:
        ways = [way for way in WAYS if getattr(self, way) is not None]
        if len(ways) != 1:
            found = " and ".join(ways) or "none of them"
            raise ValueError(f"needs one of base_url, command, checkout and relay; there is {found}")
        if self.relay is not None:
            idle = sorted(self.model_fields_set - RELAYED)
            if idle:
                raise ValueError(f"{idle[0]} is for verifying, and a relayed provider is verified elsewhere")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.relay is not None:
            return self
        if self.command is not None:
            _usable(split_command, self.command, 1)
        if self.checkout is not None:
            _usable(split_command, self.checkout.command, 1)
            if self.checkout.setup is not None:
                _usable(split_command, self.checkout.setup, 1)
            if self.version or self.version_url:
                raise ValueError("version and version_url are not for a checkout: its version is the commit")
        elif (self.version is None) == (self.version_url is None):
            raise ValueError(
                "which version answers? Give version, or version_url (and version_pointer) that tells it: "
                "a result is published only for the version that was verified"
            )
        if self.version_pointer is not None and self.version_url is None:
            raise ValueError("version_pointer points into the answer of version_url, which is missing")
        if self.folder is not None and self.command is None:
            raise ValueError("folder is where command runs, and there is none")
        if self.base_url is not None and PORT in (self.states_setup_url or ""):
            raise ValueError(
                f"states_setup_url has {PORT}, the port of a provider that is started: this one runs"
            )
        return self


class DispatchSettings(_Section):
    """Which dispatches are accepted.

    Attributes:
        event_types: accepted besides `pact_changed` and `contract_requiring_verification_published`.
    """

    event_types: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()


class ServerSettings(_Section):
    """The web side.

    Attributes:
        public_url: where people reach the receiver: links to runs begin with it.
        processes: web processes.
        threads: requests at once in each.
    """

    public_url: str | None = None
    processes: int = Field(default=2, ge=1, le=64)
    threads: int = Field(default=8, ge=1, le=256)

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

    concurrency: int = Field(default=4, ge=1, le=64)
    warm: int = Field(default=1, ge=0, le=16)
    stop_seconds: Seconds = 20.0
    stalled_seconds: float = Field(default=10.0, ge=1, le=3600)
    retry_seconds: tuple[Annotated[float, Field(ge=0)], ...] = (10, 30, 60, 180, 600)
    publish_retry_seconds: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(5, 15, 30, 60, 120, 300, 600), min_length=1
    )
    publish_hours: float = Field(default=12.0, gt=0, le=24 * 30)


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
    installation_id: int | None = Field(default=None, ge=1)
    statuses: bool = False
    retry_seconds: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(5, 15, 30, 60, 120, 300, 600), min_length=1
    )
    retry_hours: float = Field(default=12.0, gt=0, le=24 * 30)

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

    days: float = Field(default=30.0, gt=0)
    log_kilobytes: int = Field(default=256, ge=1, le=16384)


class ReconcileSettings(_Section):
    """The look for pacts that lack a result.

    Attributes:
        minutes: the time between two looks of the worker; 0 for none.
    """

    minutes: float = Field(default=15.0, ge=0)


class Settings(_Section):
    """The whole configuration file."""

    broker: BrokerSettings
    providers: tuple[ProviderSettings, ...] = Field(min_length=1)
    dispatches: DispatchSettings = DispatchSettings()
    server: ServerSettings = ServerSettings()
    worker: WorkerSettings = WorkerSettings()
    github: GitHubSettings = GitHubSettings()
    retention: RetentionSettings = RetentionSettings()
    reconcile: ReconcileSettings = ReconcileSettings()

    @model_validator(mode="after")
    def _no_provider_twice(self) -> Self:
        for key in ("name", "repository"):
            values = Counter(getattr(provider, key).lower() for provider in self.providers)
            twice = [value for value, times in values.items() if times > 1]
            if twice:
                raise ValueError(f"two providers have the {key} {twice[0]!r}")
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


def load(file: Path, environment: Mapping[str, str]) -> Settings:
    """Read the configuration file, and make sure that what it refers to is there.

    Args:
        file: in TOML.
        environment: where the secrets are that it names.

    Raises:
        ConfigurationError: it can't be used.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            [f"{file}: {error.strerror}. Name the file with --config FILE ({CONFIG_VARIABLE})"]
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{file}: is no TOML: {error}"]) from error
    try:
        settings = Settings.model_validate(document, context={_BASE: file.absolute().parent})
    except ValidationError as error:
        raise ConfigurationError([f"{file}: {_mistake(detail)}" for detail in error.errors()]) from None
    mistakes = [
        f"{file}: {mistake}"
        for number, provider in enumerate(settings.providers, start=1)
        for mistake in _absent(f"providers[{number}] ({provider.name})", provider, environment)
    ]
    if mistakes:
        raise ConfigurationError(mistakes)
    return settings


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


def _absent(where: str, provider: ProviderSettings, environment: Mapping[str, str]) -> list[str]:
    mistakes = []
    for key in ("headers", "environment"):
        for name, value in getattr(provider, key).items():
            try:
                values_of({name: value}, environment)
            except ValueError as error:
                mistakes.append(f"{where}.{key}.{name}: {error}")
    return mistakes


def _resolved(path: Path | None, info: ValidationInfo) -> Path | None:
    """Take a path of the configuration file as relative to that file's folder."""
    base = (info.context or {}).get(_BASE)
    return path if path is None or base is None else base / path


def _same_server(first: str, second: str) -> bool:
    one, other = Origin.of(first), Origin.of(second)
    return (one.host, one.port) == (other.host, other.port)


def _usable(check: Any, *arguments: Any) -> None:
    try:
        check(*arguments)
    except UsageError as error:
        raise ValueError(str(error)) from None


def _mistake(detail: Any) -> str:
    """Put one of pydantic's errors into a line: the key as it stands in the file, and what is wrong."""
    key = ""
    for part in detail["loc"]:
        if isinstance(part, int):
            key += f"[{part + 1}]"
        elif part not in {"str", "SecretSource"}:  # the members of a union, which the file doesn't know
            key += f".{part}" if key else str(part)
    kinds = {"missing": "is missing", "extra_forbidden": "is no key of the configuration"}
    message = kinds.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message
