"""The environment that other programs are started with: everything but the broker's credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_VARIABLES = ("PACT_BROKER_TOKEN", "PACT_BROKER_USERNAME", "PACT_BROKER_PASSWORD")
"""Neither the engine nor the provider nor git talks to the broker."""


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Copy an environment without the broker's credentials."""
    return {name: value for name, value in environment.items() if name not in SECRET_VARIABLES}
