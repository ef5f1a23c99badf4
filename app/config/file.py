"""Reads `pact-dispatch.toml` into settings. All mistakes are reported at once, each with the file and the key."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from app.config.mistakes import TABLES_OF_VALUES, lines_of
from app.config.provider_table import ProviderTable, misfits, without_disabled
from app.config.settings import Settings, twins
from app.config.tls import ProviderTls, tls_mistakes
from app.config.values import (
    BASE,
    ConfigurationError,
    SecretSource,
)
from app.config.variables import CONFIG
from app.provider.checkout import CheckoutFailed
from app.provider.checkout.remote import Remote
from broker.http.reason import why
from verifier.command.option_values import parse_headers
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MOST_BYTES = 1024 * 1024
OF_VERIFY = "verify"
"""The table of a file of this name that has options of the command `verify`, and nothing for the receiver."""
MOST_MISTAKES = 50
"""The number of mistakes that are shown: a file of another program may have any number."""


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
        mistakes.update(dict.fromkeys(lines_of(error)))
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
                yield from lines_of(error, "providers", number, "")
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
    for key in (*TABLES_OF_VALUES, "checkout"):
        values = provider.get(key) if isinstance(provider, dict) else None
        for name, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, dict) and (key in TABLES_OF_VALUES or name == "url"):
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
