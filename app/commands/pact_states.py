"""The interactions with provider states in a provider's latest pacts, as a broker has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.pact import HTTP
from verifier.pact_document import NotAPact, parse_pact
from verifier.report.amounts import count

if TYPE_CHECKING:
    from broker.client import BrokerClient

MOST_PACTS = 20
"""The pacts of a provider that are looked at."""


def stateful_interactions(client: BrokerClient, provider: str) -> int:
    """Return how many interactions of the latest pacts have provider states.

    Raises:
        BrokerError: The broker could not be asked.
    """
    document = client.find_object(client.index_link("pb:latest-provider-pacts", provider=provider))
    found = 0
    for url in client.links(document, "pb:pacts")[:MOST_PACTS] if document is not None else ():
        try:
            pact = parse_pact(client.get(url).document)
        except NotAPact:
            continue
        found += sum(bool(one.states) and one.kind == HTTP for one in pact.interactions)
    return found


def nothing_sets_up(number: int) -> str:
    """Return the warning that nothing sets the states of so many interactions up."""
    return (
        f"its pacts have {count(number, 'interaction')} with provider states, and nothing sets them up: where one "
        "fails, nothing is published. Give states_setup_url, or publish_without_states = true if the provider needs "
        "none"
    )
