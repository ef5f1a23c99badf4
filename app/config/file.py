"""Reads `pact-dispatch.toml`, and the files beside it, into settings.

All mistakes are reported at once, each with the file and the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from app.config.mistakes import TABLES_OF_VALUES, lines_of
from app.config.provider_table import ProviderTable, misfits, without_disabled
from app.config.settings import SOURCES, Settings, twins
from app.config.sources import PROVIDERS, Sources, read_sources
from app.config.target_mistakes import misfits_of_targets, unusable_targets
from app.config.tls import ProviderTls, tls_mistakes
from app.config.values import (
    BASE,
    ConfigurationError,
    SecretSource,
)
from app.provider.checkout import CheckoutFailed
from app.provider.checkout.remote import Remote
from verifier.command.option_values import parse_headers
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from broker.http.tls import Tls

MOST_MISTAKES = 50
"""The number of mistakes that are shown: a file of another program may have any number."""


def load(file: Path, environment: Mapping[str, str] | None) -> Settings:
    """Read the configuration file and those of `conf.d` beside it, and check that what they refer to exists.

    Args:
        file: The file, in TOML.
        environment: The environment variables, which hold the secrets that the file names; None for a process that
            needs none of them, and may not have them.

    Raises:
        ConfigurationError: It can't be used; each mistake is named with the file and the key, and no secret is shown.
    """
    sources = read_sources(file)
    context = {BASE: file.absolute().parent, SOURCES: sources}
    mistakes = dict.fromkeys(sources.mistakes)
    settings = None
    if sources.is_readable:
        try:
            settings = Settings.model_validate(sources.document, context=context)
        except ValidationError as error:
            mistakes.update(dict.fromkeys(lines_of(error, sources)))
            mistakes.update(dict.fromkeys(_further_mistakes(sources, context)))
        mistakes.update(dict.fromkeys(_twins(sources)))
        if environment is not None:
            mistakes.update(dict.fromkeys(_unusable_secrets(sources, context, environment)))
            mistakes.update(dict.fromkeys(_unusable_tls(sources, context, environment)))
            mistakes.update(dict.fromkeys(_unusable_targets(sources, context, environment)))
    if settings is None or mistakes:
        shown = list(mistakes)
        if len(shown) > MOST_MISTAKES:
            shown[MOST_MISTAKES:] = [f"{file}: and {len(shown) - MOST_MISTAKES} more"]
        raise ConfigurationError(*shown)
    return settings


def _tables(sources: Sources) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the providers that are tables, with their numbers from 0 over all files."""
    providers = sources.document.get(PROVIDERS)
    for number, provider in enumerate(providers if isinstance(providers, list) else []):
        if isinstance(provider, dict):
            yield number, provider


def _further_mistakes(sources: Sources, context: dict[str, Any]) -> Iterator[str]:
    """Return the mistakes that pydantic doesn't look for where there are others."""
    for mistake in misfits_of_targets(sources.document, context):
        yield f"{sources.file}: {mistake}"
    for number, provider in _tables(sources):
        for mistake in misfits_of_targets(provider, context):
            yield _line(sources, number, mistake)
        if misfits(provider):
            try:
                ProviderTable.model_validate(without_disabled(provider), context=context)
            except ValidationError as error:
                yield from lines_of(error, sources, PROVIDERS, number, "")


def _twins(sources: Sources) -> Iterator[str]:
    """Return the mistakes for what two providers can't both have."""
    for what, numbers in twins(dict(_tables(sources))):
        places = [sources.places[number] for number in numbers]
        files = {place.file for place in places}
        where = [place.key if len(files) == 1 else str(place) for place in places]
        yield f"{places[-1].file}: {what}: {', '.join(where[:-1])} and {where[-1]}"


def _line(sources: Sources, number: int, text: str) -> str:
    place = sources.places[number]
    return f"{place.file}: {place.key}.{text}"


def _unusable_secrets(
    sources: Sources, context: dict[str, Any], environment: Mapping[str, str]
) -> Iterator[str]:
    """Return the mistakes for secrets that don't exist where the file says, or that can't be used."""
    for number, provider in _tables(sources):
        for key, name, value in _secrets(provider):
            try:
                source = SecretSource.model_validate(value, context=context)
            except ValidationError:
                continue  # reported already
            mistake = _unusable(key, name, source, environment)
            if mistake:
                yield _line(sources, number, f"{key}.{name}: {mistake}")


def _unusable_tls(sources: Sources, context: dict[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    """Return the mistakes for files of providers' TLS that can't be used."""
    known: dict[Tls, list[str]] = {}
    for number, provider in _tables(sources):
        keys = {key: provider[key] for key in ProviderTls.model_fields if key in provider}
        if not keys:
            continue
        usable = _usable_tls(keys, context)
        try:
            tls = usable.tls(environment)
        except ValueError as error:
            yield _line(sources, number, f"client_key_password: {error}")
            tls = usable.without_client_certificate().tls(environment)
        if tls not in known:
            known[tls] = list(tls_mistakes(tls))
        for mistake in known[tls]:
            yield _line(sources, number, mistake)


def _usable_tls(keys: dict[str, Any], context: dict[str, Any]) -> ProviderTls:
    """Return those of a provider's keys for TLS that can be used; the others are reported already."""
    try:
        return ProviderTls.model_validate(keys, context=context)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors()}
    usable = ProviderTls.model_validate({key: keys[key] for key in keys.keys() - wrong}, context=context)
    return usable.without_client_certificate() if "client_key_password" in wrong else usable


def _unusable_targets(
    sources: Sources, context: dict[str, Any], environment: Mapping[str, str]
) -> Iterator[str]:
    """Return the mistakes for secrets of those who are told of changes."""
    for mistake in unusable_targets(sources.document, context, environment):
        yield f"{sources.file}: {mistake}"
    for number, provider in _tables(sources):
        for mistake in unusable_targets(provider, context, environment):
            yield _line(sources, number, mistake)


def _secrets(provider: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Return where a provider's secret values are: the table, the key and its value in the file."""
    for key in (*TABLES_OF_VALUES, "checkout"):
        values = provider.get(key)
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
