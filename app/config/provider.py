"""The configuration of one provider."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from app.config.values import MISTAKE_SEPARATOR, Count, Flag, Name, Seconds, Section, Value, resolved
from app.dispatch import is_repository
from app.provider.checkout import CheckoutFailed
from app.provider.checkout.remote import Remote
from verifier.command.option_values import parse_headers, parse_transports, with_port_placeholder
from verifier.errors import UsageError
from verifier.provider.command_line import split_command
from verifier.request import MAX_JOBS, PORT, check_url

if TYPE_CHECKING:
    from collections.abc import Mapping

WAYS = ("base_url", "command", "checkout", "relay")
"""What becomes of a provider's dispatches: one of these."""
RELAYED = frozenset({"name", "repository", "relay"})
"""The keys of a provider whose dispatches are passed on."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class CheckoutSettings(Section):
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


class RelaySettings(Section):
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


class ProviderSettings(Section):
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
        found = resolved(folder, info)
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


def secret_values(provider: ProviderSettings, environment: Mapping[str, str]) -> list[str]:
    """Read the values of a provider that are secret.

    Raises:
        ValueError: one isn't there.
    """
    values = [*provider.headers.values(), *provider.environment.values()]
    if provider.checkout is not None:
        values.append(provider.checkout.url)
    return [value.read(environment) for value in values if not isinstance(value, str)]


def _owner_and_name(repository: str) -> str:
    if not is_repository(repository):
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
