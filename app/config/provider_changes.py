"""What is verified when a provider has changed: at pushes to which branches, and which pacts."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from app.config.provider_values import BrokerNames
from app.config.values import Flag, Kind, Section
from broker.client.selectors import NoSelector, check_selector


def _selector(selector: dict[str, Any]) -> dict[str, Any]:
    try:
        return check_selector(selector)
    except NoSelector as error:
        raise ValueError(str(error)) from None


Selector = Annotated[dict[str, Any], AfterValidator(_selector)]
Selectors = Annotated[tuple[Selector, ...], Field(max_length=100), Kind("list of tables")]
Date = Annotated[date, Kind("date")]


class ProviderChanges(Section):
    """What is verified when a provider has changed.

    Attributes:
        branches: The branches whose pushes have every pact verified, as names or patterns (`release/*`); the
            repository's default branch unless given, or none for a provider that isn't checked out.
        consumer_version_selectors: Which pacts those are, as the Pact documentation has it
            (`[{ mainBranch = true }, { deployedOrReleased = true }]`); each consumer's main branch, what is deployed or
            released, and the branch of the same name unless given.
        enable_pending: Whether a pact that the provider has never honoured may fail without failing the run.
        include_wip_pacts_since: The date since which new pacts of other branches are verified, too, as pending ones.
    """

    branches: BrokerNames | None = None
    consumer_version_selectors: Selectors = ()
    enable_pending: Flag = False
    include_wip_pacts_since: Date | None = None
