"""A provider's table in the file: which kind it is, and what in it does not go together."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Tag, TypeAdapter, create_model

from app.config.provider import (
    CheckoutProvider,
    CommandProvider,
    Provider,
    ProviderSettings,
    RelayedProvider,
    RunningProvider,
)
from app.config.provider_values import has_port
from app.config.tls import tls_misfits
from app.config.values import MISTAKE_SEPARATOR, Section
from verifier.request import PORT

KINDS: dict[str, type[Provider]] = {
    "base_url": RunningProvider,
    "command": CommandProvider,
    "checkout": CheckoutProvider,
    "relay": RelayedProvider,
}
"""The kinds of providers, by the key that decides which it is."""


def _way(provider: Any) -> str | None:
    """Return the key of `KINDS` of a provider: a table without misfits, or an instance."""
    if isinstance(provider, dict):
        return next((way for way in KINDS if provider.get(way) is not None), None)
    return next((way for way, kind in KINDS.items() if isinstance(provider, kind)), None)


def without_disabled(provider: dict[str, Any]) -> dict[str, Any]:
    """Return a provider's table without `relay = false`, which is the same as no `relay`."""
    return {key: value for key, value in provider.items() if key != "relay" or value is not False}


def _fitting(provider: Any) -> Any:
    """Return a provider's table.

    Raises:
        ValueError: Its keys don't go together.
    """
    if not isinstance(provider, dict):
        return provider
    mistakes = misfits(provider)
    if mistakes:
        raise ValueError(MISTAKE_SEPARATOR.join(mistakes))
    return without_disabled(provider)


AnyProvider = Annotated[
    Annotated[RunningProvider, Tag("base_url")]
    | Annotated[CommandProvider, Tag("command")]
    | Annotated[CheckoutProvider, Tag("checkout")]
    | Annotated[RelayedProvider, Tag("relay")],
    Discriminator(
        _way,
        custom_error_type="no_table",
        custom_error_message="must be a table",
    ),
    BeforeValidator(_fitting),
]
"""A provider of the kind that its keys say."""
_ANY: TypeAdapter[ProviderSettings] = TypeAdapter(AnyProvider)


def read_provider(document: Any) -> ProviderSettings:
    """Return the provider whose settings were written by `model_dump`."""
    return _ANY.validate_python(document)


def _table() -> type[Section]:
    keys: dict[str, Any] = {}
    for kind in KINDS.values():
        for name, field in kind.model_fields.items():
            optional = field.is_required() and name not in Provider.model_fields
            keys[name] = (
                (field.rebuild_annotation() | None, None) if optional else (field.rebuild_annotation(), field)
            )
    return create_model("ProviderSettings", __base__=Section, **keys)


ProviderTable = _table()
"""A table with the keys of all kinds, to validate each key where they don't go together."""


def misfits(provider: dict[str, Any]) -> list[str]:
    """Return what does not go together in a provider's table.

    Args:
        provider: Its keys and values; they may be as they stand in the file, whether right or wrong.

    Returns:
        Each mistake, for people.
    """
    given = {name for name, value in without_disabled(provider).items() if value is not None}
    ways = [way for way in KINDS if way in given]
    mistakes = []
    if len(ways) != 1:
        found = " and ".join(ways) or "none of them"
        mistakes.append(f"needs one of base_url, command, checkout and relay; there is {found}")
    if ways == ["relay"]:
        idle = sorted(given.intersection(ProviderTable.model_fields) - set(RelayedProvider.model_fields))
        mistakes += [
            f"{name} is for verifying, and a relayed provider is verified elsewhere" for name in idle
        ]
        return mistakes
    mistakes += _version_misfits(given)
    if "include_wip_pacts_since" in given and provider.get("enable_pending") is not True:
        mistakes.append("include_wip_pacts_since needs enable_pending: what is in progress is pending")
    if "max_runs" in given and provider.get("parallel") is not True:
        mistakes.append("max_runs needs parallel = true: without, one run of a provider goes on at a time")
    if "folder" in given and "command" not in given:
        mistakes.append("folder is where command runs, and there is none")
    if "base_url" in given and has_port(provider.get("states_setup_url")):
        mistakes.append(f"states_setup_url has {PORT}, the port of a provider that is started: this one runs")
    mistakes += tls_misfits(given, unchecked=provider.get("disable_ssl_verification") is True)
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
