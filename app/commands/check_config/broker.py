"""The check of the broker that a configuration names: does it answer, and does it know the providers?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from app.commands.finding import Finding, State
from app.commands.pact_states import nothing_sets_up, stateful_interactions
from app.commands.provider_versions import NeededVersions, named
from app.config.provider import CheckoutProvider, RelayedProvider
from app.provider.version import VersionUnknown, is_same
from broker.client import BrokerClient
from broker.http.errors import BrokerError, BrokerRefused, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.config.provider import VerifiedProvider
    from app.config.settings import Settings
    from broker.http.access import BrokerAccess

RETRY_SECONDS = 2.0


def check_broker(settings: Settings, access: BrokerAccess, *, only: str | None = None) -> list[Finding]:
    """Return what is wrong with the broker, and warnings; neither if it knows all providers and their versions.

    Args:
        settings: The configuration.
        access: The address of the broker and the credentials for it.
        only: The name of the one provider that is looked at; None for all of them.
    """
    findings = []
    with BrokerClient(access, retry_time=RETRY_SECONDS) as client:
        try:
            index = client.get(f"{client.origin}/").document
        except BrokerError as error:
            return [_problem("broker.url", error)]
        for number, provider in enumerate(settings.providers, start=1):
            if isinstance(provider, RelayedProvider) or only not in {None, provider.name}:
                continue
            try:
                link = client.link(index, "pb:pacticipant", pacticipant=provider.name)
                if link is None:
                    text = f"{client.origin} answers, but not as a Pact Broker (no pb:pacticipant)"
                    return [Finding(State.FAILED, f"broker.url: {text}", name="broker.url")]
                client.get(link)
                findings += [
                    _warning(settings.name_of(number), text) for text in _about_versions(client, provider)
                ]
                stateful = stateful_interactions(client, provider.name) if provider.keeps_failures_back else 0
                if stateful:
                    findings.append(_warning(settings.name_of(number), nothing_sets_up(stateful)))
            except BrokerError as error:
                findings.append(_problem(f"{settings.key_of(number)}.name", error, provider.name))
    return findings


def _about_versions(client: BrokerClient, provider: VerifiedProvider) -> Iterator[str]:
    """Yield what is to be said of the versions that a dispatch may ask for.

    Raises:
        BrokerError: The broker could not be asked.
    """
    needed = NeededVersions.ask(client, provider.name)
    if isinstance(provider, CheckoutProvider):
        if needed.without_commit:
            yield (
                f"the broker asks for results of {named(needed.without_commit)}, which is no commit id: it can't be "
                "checked out, and a dispatch for it is refused. Publish results with the commit id as the version"
            )
        return
    try:
        runs = provider.running_version(provider.tls(os.environ))
    except VersionUnknown as error:
        yield str(error)
        return
    others = [version for version in needed.versions if not is_same(version.number or "", str(runs))]
    if others:
        yield (
            f"the broker asks for results of {named(others)}, and what runs is {runs}: a dispatch for another version "
            "than the one that runs ends with an error, and nothing is published"
        )


def _warning(name: str, text: str) -> Finding:
    return Finding(State.WARNING, f"{name}: {text}", name=name)


def _problem(name: str, error: BrokerError, provider: str | None = None) -> Finding:
    if provider is not None and isinstance(error, NotFound):
        text = f"the broker has no pacticipant {provider!r}; letter case counts"
        return Finding(State.FAILED, f"{name}: {text}", name=name)
    state = State.FAILED if isinstance(error, BrokerRefused) else State.UNKNOWN
    return Finding(state, f"{name}: {error}", name=name)
