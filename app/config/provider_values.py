"""The types of a provider's keys: what each may be, and the message for what it may not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints, ValidationInfo

from app.config.values import Kind, Name, Value, resolved
from app.dispatch import is_repository
from app.provider.checkout import CheckoutFailed
from app.provider.checkout.remote import Remote
from broker.http.names import NAME_RULE, is_name
from verifier.command.option_values import parse_headers, parse_transports, with_port_placeholder
from verifier.errors import UsageError
from verifier.provider.command_line import split_command
from verifier.request import PORT, check_url

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def has_port(url: Any) -> bool:
    """Return whether a URL has the placeholder for the port of a provider that is started."""
    return isinstance(url, str) and PORT in (with_port_placeholder(url) or "")


def _names(names: str | tuple[str, ...]) -> str | tuple[str, ...]:
    for name in (names,) if isinstance(names, str) else names:
        if not is_name(name):
            raise ValueError(NAME_RULE)
    return names


def _repository(repository: str) -> str:
    if not is_repository(repository):
        raise ValueError("must be OWNER/REPO")
    return repository


def _command(command: str) -> str:
    try:
        split_command(command, 1)
    except UsageError as error:
        raise ValueError(str(error).removeprefix("--provider-command ")) from None
    if "\0" in command:
        raise ValueError("has a character that a command can't have")
    return command


def _url(url: str) -> str:
    try:
        check_url((with_port_placeholder(url) or "").replace(PORT, "1"), "url")
    except UsageError:
        raise ValueError(
            "must be an http:// or https:// URL without a user name or password: send those in headers"
        ) from None
    return url


def _url_of_running(url: str) -> str:
    if has_port(_url(url)):
        raise ValueError(f"has {PORT}, the port of a provider that is started: this one runs")
    return url


def _pointer(pointer: str) -> str:
    if pointer and not pointer.startswith("/"):
        raise ValueError("must be a JSON pointer, as in /build/commit")
    return pointer


def _path(path: str) -> str:
    if not path.startswith("/") or not path.isprintable() or " " in path:
        raise ValueError("must be a path, as in /health")
    return path


def _folder(folder: Path, info: ValidationInfo) -> Path:
    found = resolved(folder, info)
    if not found.is_dir():
        raise ValueError(f"there is no folder {found}")
    return found


def _new_folder(folder: Path, info: ValidationInfo) -> Path:
    return resolved(folder, info)


def _transports(transports: tuple[str, ...]) -> tuple[str, ...]:
    for transport in transports:
        try:
            parse_transports([with_port_placeholder(transport)])
        except UsageError:
            raise ValueError(
                f"{transport!r} is not NAME:PORT or NAME:PORT/path, as in message:8081/_messages"
            ) from None
    return transports


def _headers(headers: dict[str, Value]) -> dict[str, Value]:
    for name, value in headers.items():
        text = value if isinstance(value, str) else ""
        try:
            parse_headers([f"{name}: {text}"])
        except UsageError:
            raise ValueError(f"{name!r} can't be sent: names and values are printable ASCII") from None
    return headers


def _variables(environment: dict[str, Value]) -> dict[str, Value]:
    for name, value in environment.items():
        if _VARIABLE.fullmatch(name) is None:
            raise ValueError(f"{name!r} can't be the name of a variable")
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"the value of {name} has a NUL, which no variable can have")
    return environment


def _remote(url: Value) -> Value:
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


def _paths_inside(paths: tuple[str, ...]) -> tuple[str, ...]:
    for path in paths:
        if Path(path).is_absolute() or ".." in Path(path).parts or not path or not path.isprintable():
            raise ValueError(f"{path!r} must be a path inside the checkout")
    return paths


BrokerName = Annotated[Name, AfterValidator(_names), Kind("name")]
"""A name that the broker keeps: of a pacticipant, a version or a branch."""
BrokerNames = Annotated[tuple[Name, ...], AfterValidator(_names), Kind("list of names")]
RepositoryName = Annotated[str, AfterValidator(_repository), Kind("`OWNER/REPO`")]
WorkflowFile = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.ya?ml$")]
"""The name of a file in `.github/workflows/`."""
EventType = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Command = Annotated[str, AfterValidator(_command), Kind("command")]
"""A command that can be run without a shell."""
Url = Annotated[str, AfterValidator(_url), Kind("URL")]
"""An http or https URL, in which `{port}` or `$PORT` may stand for the port of a provider that is started."""
UrlOfRunning = Annotated[str, AfterValidator(_url_of_running), Kind("URL")]
"""A URL of a provider that runs already."""
JsonPointer = Annotated[str, AfterValidator(_pointer), Kind("JSON pointer")]
UrlPath = Annotated[str, AfterValidator(_path), Kind("path of a URL")]
Folder = Annotated[Path, AfterValidator(_folder), Kind("folder")]
"""A folder that exists, relative to that of the configuration file."""
NewFolder = Annotated[Path, AfterValidator(_new_folder), Kind("folder")]
"""A folder that need not exist yet, relative to that of the configuration file."""
Transports = Annotated[tuple[str, ...], AfterValidator(_transports), Kind("list of `NAME:PORT[/path]`")]
Headers = Annotated[dict[str, Value], AfterValidator(_headers), Kind("table of texts or secrets")]
Variables = Annotated[dict[str, Value], AfterValidator(_variables), Kind("table of texts or secrets")]
RemoteUrl = Annotated[Value, AfterValidator(_remote), Kind("URL or secret")]
"""What `git clone` takes."""
PathsInside = Annotated[tuple[str, ...], AfterValidator(_paths_inside), Kind("list of paths")]
"""Paths inside a checkout."""
