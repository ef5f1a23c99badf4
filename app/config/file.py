"""Reads `pact-dispatch.toml` into settings. All mistakes are reported at once, each with the file and the key."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from app.config.provider_table import ProviderTable, misfits, without_disabled
from app.config.settings import Settings, twins
from app.config.tls import ProviderTls, tls_mistakes
from app.config.values import (
    BASE,
    MISTAKE_SEPARATOR,
    SECRET,
    TEXT,
    ConfigurationError,
    SecretSource,
)
from app.config.variables import CONFIG
from app.provider.checkout import CheckoutFailed
from app.provider.checkout.remote import Remote
from broker.http.reason import why
from verifier.command.option_values import parse_headers
from verifier.environment import BROKER_PASSWORD, BROKER_TOKEN, BROKER_USERNAME
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MOST_BYTES = 1024 * 1024
OF_VERIFY = "verify"
"""The table of a file of this name that has options of the command `verify`, and nothing for the receiver."""
MOST_MISTAKES = 50
"""The number of mistakes that are shown: a file of another program may have any number."""

_VALUES = ("headers", "environment")
_CREDENTIALS = frozenset({"password", "token", "username"})


def load(file: Path, environment: Mapping[str, str] | None) -> Settings:
    """Read the configuration file, and check that what it refers to exists.

    Args:
        file: The file, in TOML.
        environment: The environment variables, which hold the secrets that the file names; None for a process that
            needs none of them, and may not have them.

    Raises:
        ConfigurationError: It can't be used; each mistake is named with the file and the key, and no secret is shown.
    """
    document = _document(file)
    context = {BASE: file.absolute().parent}
    mistakes: dict[str, None] = {}
    try:
        settings = Settings.model_validate(document, context=context)
    except ValidationError as error:
        settings = None
        for detail in _details(error):
            mistakes.update(dict.fromkeys(_lines(detail)))
        mistakes.update(dict.fromkeys(_further_mistakes(document, context)))
    if environment is not None:
        mistakes.update(dict.fromkeys(_unusable_secrets(document, context, environment)))
        mistakes.update(dict.fromkeys(_unusable_tls(document, context, environment)))
    if settings is None or mistakes:
        shown = [f"{file}: {mistake}" for mistake in mistakes]
        if len(shown) > MOST_MISTAKES:
            shown[MOST_MISTAKES:] = [f"{file}: and {len(shown) - MOST_MISTAKES} more"]
        raise ConfigurationError(*shown)
    return settings


def _document(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{file}: {why(error)}. Name the file with --config FILE ({CONFIG})"
        ) from error
    if len(content) > MOST_BYTES:
        raise ConfigurationError(f"{file}: has more than {MOST_BYTES // 1024} KB: it is no configuration")
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except RecursionError as error:
        raise ConfigurationError(f"{file}: is nested too deeply") from error
    except ValueError as error:  # also a number of more digits than Python reads
        raise ConfigurationError(f"{file}: is no TOML: {error}") from error
    document.pop(OF_VERIFY, None)
    return document


def _further_mistakes(document: dict[str, Any], context: dict[str, Any]) -> Iterator[str]:
    """Return the mistakes that pydantic doesn't look for where there are others."""
    providers = document.get("providers")
    tables = {
        number: provider
        for number, provider in enumerate(providers if isinstance(providers, list) else [])
        if isinstance(provider, dict)
    }
    for number, provider in tables.items():
        if misfits(provider):
            try:
                ProviderTable.model_validate(without_disabled(provider), context=context)
            except ValidationError as error:
                for detail in _details(error):
                    yield from _lines({**detail, "loc": ("providers", number, "", *detail["loc"])})
    yield from twins(list(tables.values()))


def _unusable_secrets(
    document: dict[str, Any], context: dict[str, Any], environment: Mapping[str, str]
) -> Iterator[str]:
    """Return the mistakes for secrets that don't exist where the file says, or that can't be used."""
    providers = document.get("providers")
    for number, provider in enumerate(providers if isinstance(providers, list) else [], start=1):
        for key, name, value in _secrets(provider):
            try:
                source = SecretSource.model_validate(value, context=context)
            except ValidationError:
                continue  # reported already
            mistake = _unusable(key, name, source, environment)
            if mistake:
                yield f"providers[{number}].{key}.{name}: {mistake}"


def _unusable_tls(
    document: dict[str, Any], context: dict[str, Any], environment: Mapping[str, str]
) -> Iterator[str]:
    """Return the mistakes for files of providers' TLS that can't be used."""
    providers = document.get("providers")
    for number, provider in enumerate(providers if isinstance(providers, list) else [], start=1):
        given = provider if isinstance(provider, dict) else {}
        keys = {key: given[key] for key in ProviderTls.model_fields if key in given}
        try:
            found = ProviderTls.model_validate(keys, context=context)
        except ValidationError:
            continue  # reported already
        try:
            for mistake in tls_mistakes(found.tls(environment)):
                yield f"providers[{number}].{mistake}"
        except ValueError as error:
            yield f"providers[{number}].client_key_password: {error}"


def _secrets(provider: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Return where a provider's secret values are: the table, the key and its value in the file."""
    for key in (*_VALUES, "checkout"):
        values = provider.get(key) if isinstance(provider, dict) else None
        for name, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, dict) and (key in _VALUES or name == "url"):
                yield key, name, value


def _unusable(key: str, name: str, source: SecretSource, environment: Mapping[str, str]) -> str | None:
    try:
        value = source.read(environment)
    except ValueError as error:
        return str(error)
    where = source.env or source.file
    if key == "environment":
        return f"the value of {where} has a NUL, which no variable can have" if "\0" in value else None
    if key == "checkout":
        try:
            Remote.of(value)
        except CheckoutFailed:
            return f"the value of {where} is nothing that `git clone` takes"
        return None
    try:
        parse_headers([f"{name}: {value}"])
    except UsageError:
        return f"the value of {where} can't be sent in a header: it must be printable ASCII, in one line"
    return None


def _details(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_input=False, include_context=False))


def _meant(location: list[Any]) -> str:
    """Return which key of the same table may be meant by one that is none."""
    model: Any = Settings
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        if part == "providers":
            model = ProviderTable
            continue
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        kinds = [annotation, *get_args(annotation)]
        model = next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if model is None:
            return ""
    near = get_close_matches(str(location[-1]), model.model_fields, n=1)
    return f"; is {near[0]} meant?" if near else ""


def _lines(detail: Any) -> Iterator[str]:
    """Return the lines of one of pydantic's errors: the key as the file has it, and what is wrong."""
    key = ""
    location = list(detail["loc"])
    # the tags of the provider's and the value's kind are no keys of the file
    if location[:1] == ["providers"] and len(location) > 2:
        del location[2]
    if len(location) > 4 and location[4] in {TEXT, SECRET} and location[2] in {*_VALUES, "checkout"}:
        del location[4]
    for part in location:
        if isinstance(part, int):
            key += f"[{part + 1}]"
        else:
            key += f".{part}" if key else str(part)
    kinds = {"missing": "is missing", "extra_forbidden": "is no key of the configuration"}
    message = kinds.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message += _meant(location)
    if detail["type"] == "extra_forbidden" and _CREDENTIALS.intersection(location):
        message += (
            f": credentials come from the environment ({BROKER_TOKEN}, or {BROKER_USERNAME} and "
            f"{BROKER_PASSWORD}) or from files that it names"
        )
    for line in message.split(MISTAKE_SEPARATOR):
        yield f"{key}: {line}" if key else line
