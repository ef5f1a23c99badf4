"""What verifying a pact takes besides the pact, and what is worth a note because it may fail for lack of it. No I/O."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from verifier.engine.core_results import no_result
from verifier.engine.plugins import missing_plugins
from verifier.errors import CannotVerify, ErrorKind, UsageError
from verifier.pact import HTTP, Interaction, Pact
from verifier.redaction import redacted_result
from verifier.report.amounts import count
from verifier.request import PORT
from verifier.transport import MESSAGE

if TYPE_CHECKING:
    from broker.text.redaction import Redaction
    from verifier.request import ProviderUnderTest, VerificationRequest
    from verifier.verification import InteractionResult, Verification


def choose(pact: Pact, request: VerificationRequest) -> tuple[Interaction, ...]:
    """Return the interactions that the filters of a request leave.

    Raises:
        UsageError: The pact has interactions, and the filters leave none.
    """
    chosen = pact.select(description=request.filter_description, state=request.filter_state)
    if not chosen and pact.interactions:
        raise UsageError(
            f"of {count(len(pact.interactions), 'interaction')}, none matches --filter-description, --filter-state or "
            "--filter-no-state"
        )
    return chosen


def not_passed_before(
    pact: Pact, chosen: tuple[Interaction, ...], last_run: Verification | None, redaction: Redaction
) -> tuple[tuple[Interaction, ...], list[str]]:
    """Return the interactions that did not pass in the run before, or all of them if there are none, and notes on that.

    An interaction is known again by its description, its states and its request.

    Args:
        pact: The pact.
        chosen: The interactions that the filters leave.
        last_run: The run before; None if there was none.
        redaction: What hid the secrets in its report.

    Raises:
        UsageError: The run before was of another pact.
    """
    if last_run is None:
        return chosen, [
            "--last-failed: there is no report of a run before, so every interaction was verified"
        ]
    parties = [(last_run.consumer, last_run.provider), (pact.consumer, pact.provider)]
    if all(parties[0]) and parties[0] != parties[1]:
        before, now = (f"{consumer} and {provider}" for consumer, provider in parties)
        raise UsageError(
            f"--last-failed: the report of --json is of the pact between {before}, and this one is between {now}: "
            "give each pact a report of its own"
        )
    bad = {_identity(result) for result in last_run.interactions if result.prevents_pass}
    again = tuple(
        interaction
        for interaction in chosen
        if _identity(redacted_result(redaction, no_result(interaction))) in bad
    )
    if again:
        return again, []
    return chosen, [
        "--last-failed: in the run before nothing failed that is in the pact, so all was verified"
    ]


def _identity(result: InteractionResult) -> tuple[str, str, tuple[str, ...]]:
    return result.description, result.request, result.states


def check_means(pact: Pact, chosen: tuple[Interaction, ...], provider: ProviderUnderTest) -> None:
    """Make sure that the request and this machine have what verifying the interactions takes.

    Raises:
        UsageError: There are messages and no transport for them, or a transport that the pact doesn't use.
        CannotVerify: A plugin is not installed.
    """
    messages = sum(interaction.kind != HTTP for interaction in chosen)
    given = {transport.protocol for transport in provider.transports}
    known = {MESSAGE} | {str(interaction.document.get("transport")) for interaction in chosen}
    unknown = given - known
    if unknown and not pact.plugins:
        raise UsageError(
            f"--transport {min(unknown)}: the pact uses no such transport; message interactions are asked for "
            "over message:PORT/path"
        )
    if messages and not given:
        raise UsageError(
            f"the pact has {count(messages, 'message interaction')}, and no transport says where the provider "
            "takes them: give --transport message:PORT/path"
        )
    missing = missing_plugins(pact.plugins, os.environ)
    if missing:
        raise CannotVerify(
            f"the pact needs the plugin {', '.join(missing)}, which is not installed here. Nothing is installed "
            "for a pact's sake: install exactly that version (pact plugin install), where PACT_PLUGIN_DIR or "
            "~/.pact/plugins has it",
            kind=ErrorKind.ENGINE_FAILED,
        )


def used_transports(
    chosen: tuple[Interaction, ...], pact: Pact, provider: ProviderUnderTest
) -> ProviderUnderTest:
    """Return the provider with the transports that a pact uses, where others of the run use more."""
    protocols = {str(interaction.document.get("transport")) for interaction in chosen}
    if any(interaction.kind != HTTP for interaction in chosen):
        protocols.add(MESSAGE)
    used = tuple(one for one in provider.transports if one.protocol in protocols or pact.plugins)
    if used == provider.transports or not (used or provider.base_url or provider.command):
        return provider
    return replace(provider, transports=used)


def notes_on_tls(provider: ProviderUnderTest) -> list[str]:
    """Return a note if certificates of the provider are not checked."""
    urls = (provider.base_url, provider.states_url)
    if provider.tls.checks or not any((url or "").lower().startswith("https:") for url in urls):
        return []
    note = (
        "the certificates of the provider were not checked (--disable-ssl-verification), so another server may have "
        "answered in its place; the broker's is always checked"
    )
    return [note]


def notes_on_states(
    chosen: tuple[Interaction, ...], provider: ProviderUnderTest, started_on: int | None
) -> list[str]:
    """Return notes on what may make provider states, and with them interactions, fail.

    Args:
        chosen: The interactions.
        provider: The provider.
        started_on: The port of the provider that was started, if one was.
    """
    stateful = sum(bool(interaction.states) for interaction in chosen)
    if not stateful:
        return []
    with_states = f"there are {count(stateful, 'interaction')} with provider states, and "
    notes = []
    if not _sets_states_up(provider):
        notes.append(
            f"{with_states}nothing was given to set them up (--provider-states-setup-url, --provider-states): "
            "failures may come from that"
        )
    elif provider.jobs > 1:
        notes.append(
            f"{with_states}{provider.jobs} were verified at once (--jobs), on one provider: failures may come from that"
        )
    if started_on is not None and provider.states_url and PORT not in provider.states_url:
        notes.append(
            f"states were set up at {provider.states_url.partition('?')[0]}, and the provider was started on port "
            f"{started_on}: if it is the one that sets them up, write {PORT} for its port"
        )
    return notes


def warning_of_states(chosen: tuple[Interaction, ...], request: VerificationRequest) -> str | None:
    """Return the warning that failures will not be published, since nothing sets provider states up."""
    stateful = sum(bool(interaction.states) and interaction.kind == HTTP for interaction in chosen)
    if not stateful or _sets_states_up(request.provider) or request.publish_without_states:
        return None
    return (
        f"{count(stateful, 'interaction')} with provider states, and nothing sets them up "
        "(--provider-states-setup-url, --provider-states): if one fails, nothing is published "
        "(--publish-without-states)"
    )


def failed_without_states(verification: Verification, request: VerificationRequest) -> str | None:
    """Return why failures are not taken for a broken contract, or None if they are.

    Nothing is published for an interaction that failed with provider states that nothing set up, unless that is asked
    for: the consumer would be told that the provider broke the contract, where it was not given what the contract says.
    """
    if not request.publish or request.publish_without_states or _sets_states_up(request.provider):
        return None
    failed = [
        result
        for result in verification.interactions
        if result.breaks_contract
        and result.states
        and result.kind == HTTP  # a message is asked for with its states
    ]
    if not failed:
        return None
    return (
        f"{count(len(failed), 'interaction')} failed whose provider states nothing set up, which may be why, so it is "
        f"not known whether the contract is broken. The first: {failed[0].description}, given {failed[0].states[0]}. "
        "Say what sets them up (--provider-states-setup-url, --provider-states), or publish all the same "
        "(--publish-without-states)"
    )


def _sets_states_up(provider: ProviderUnderTest) -> bool:
    return bool(provider.states_url or provider.states_file)
