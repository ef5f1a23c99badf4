"""Messages of the verifier in the words of the configuration: its keys in the place of the options of `verify`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from app.config.provider_table import ProviderTable
from app.config.sections import BrokerSettings

if TYPE_CHECKING:
    from verifier.verification import Verification

_OTHER_NAMES = {
    "custom_provider_header": "headers",
    "pact_broker_base_url": "broker.url",
    "provider": "name",
    "provider_app_version": "version",
    "provider_dir": "folder",
    "provider_version_branch": "branch",
    "provider_version_tag": "tags",
    "transport": "transports",
    "unconfined_provider": "unconfined",
}
NOT_HERE = frozenset({"--provider-states"})
"""Options that messages name beside another one, and that have no key: they are left out."""

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
_LEFT_OUT = re.compile(rf",(?: or)? (?:{'|'.join(sorted(NOT_HERE))})(?![\w-])")


def key_of(option: str) -> str | None:
    """Return the key of the configuration that stands for an option of `verify`; None if there is none."""
    name = option.removeprefix("--").replace("-", "_")
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    keys = (name, name.removeprefix("provider_"))
    if name.startswith("broker_") and name.removeprefix("broker_") in BrokerSettings.model_fields:
        return name.replace("broker_", "broker.", 1)
    return next((key for key in keys if key in ProviderTable.model_fields), None)


def in_configuration(text: str) -> str:
    """Return a message with the keys of the configuration for the options that have one."""
    return _OPTION.sub(lambda match: key_of(match[0]) or match[0], _LEFT_OUT.sub("", text))


def verification_in_configuration(verification: Verification) -> Verification:
    """Return a verification whose messages have the keys of the configuration."""
    error = verification.error
    return replace(
        verification,
        notes=tuple(map(in_configuration, verification.notes)),
        error=None if error is None else replace(error, message=in_configuration(error.message)),
        interactions=tuple(
            replace(result, reason=in_configuration(result.reason)) if result.reason else result
            for result in verification.interactions
        ),
    )
