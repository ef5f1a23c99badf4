"""The checks in the broker: its answers, the pact, the provider's versions, and the result."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from app.commands.doctor import advice
from app.commands.doctor.pact_state import pacticipant
from app.commands.finding import Finding, State, listed
from app.commands.provider_versions import GET_VERSIONS, NEVER, named
from broker.events import WebhookEvent
from broker.http.errors import BrokerError
from broker.http.json_values import objects_at, text_at
from broker.text.times import read_time

if TYPE_CHECKING:
    from app.commands.doctor.pact_state import PactState
    from broker.client import BrokerClient

RUNS = frozenset({"receiver-runs", "workflow-runs"})
"""The links that say what became of a delivery."""
UNDER_WAY = timedelta(minutes=30)
"""How long a run may take, unless the receiver is configured otherwise: for so long, none is taken for lost."""


def check_broker(client: BrokerClient) -> Finding:
    """Check that the broker answers.

    Raises:
        BrokerError: It doesn't, or it refuses the credentials.
    """
    client.index_link("pb:pacticipants")
    version = client.index().broker_version
    return Finding(State.OK, f"{client.origin} answers" + (f" (version {version})" if version else ""))


def no_pact(
    client: BrokerClient, *, consumer: str | None, version: str | None, provider: str | None
) -> Finding:
    """Find out why there is no pact to look at.

    Raises:
        BrokerError: The broker could not be asked.
    """
    for role, name in (("consumer", consumer), ("provider", provider)):
        if name is not None and pacticipant(client, name) is None:
            near = get_close_matches(name, _names(client), n=3, cutoff=0.6)
            meant = f"; is {' or '.join(map(repr, near))} meant?" if near else ""
            return Finding(
                State.FAILED,
                f"the broker knows no {name!r}, the {role}{meant}",
                "check the name; if it is right, the pact was never published to this broker",
            )
    if consumer is None or version is None:
        return Finding(
            State.FAILED,
            f"no consumer has a pact with {provider}",
            "have a consumer publish its pact (pact broker publish)",
        )
    url = client.index_link("pb:pacticipant-version", pacticipant=consumer, version=version)
    with_whom = f" with {provider}" if provider is not None else ""
    if client.find_object(url) is not None:
        return Finding(
            State.FAILED,
            f"version {version} of {consumer} is in the broker, and has no pact{with_whom}",
            "have the consumer's build publish its pacts (pact broker publish), and look at what it printed",
        )
    latest = text_at(pacticipant(client, consumer), "_embedded", "latestVersion", "number")
    return Finding(
        State.FAILED,
        f"the broker knows no version {version} of {consumer}"
        + (f"; its latest is {latest}" if latest else ""),
        "check the version; if it is right, the consumer's build has not published its pacts (pact broker publish)",
    )


def check_pact(state: PactState) -> Finding:
    """Check that the pact is there."""
    case = state.case
    if state.pact is None:
        return no_pact(state.client, consumer=case.consumer, version=case.version, provider=case.provider)
    at = f", published {state.published_at}" if state.published_at else ""
    return Finding(State.OK, f"{case.consumer} {case.version} has a pact with {case.provider}{at}")


def check_main_branch(state: PactState) -> Finding:
    """Check that the provider's main branch is set."""
    needed = state.needed
    if needed.main_branch is not None:
        return Finding(State.OK, f"it is {needed.main_branch}")
    if state.needs_versions and not needed.versions:
        return Finding(
            State.FAILED,
            f"{needed.provider} has no main branch, and nothing of it is deployed or released: {NEVER}, and it is the "
            "only event of the webhook",
            f"{needed.set_main_branch}. Or {_content_changed(state)}",
        )
    return Finding(State.WARNING, needed.no_main_branch, needed.set_main_branch)


def check_versions(state: PactState) -> Finding:
    """Check that the provider has versions that need a result, and that these are what its repository can check out."""
    needed = state.needed
    if needed.versions:
        text = f"a result is needed of {named(needed.versions)}"
        if state.checks_out and needed.without_commit:
            return Finding(
                State.WARNING,
                f"{text}; {named(needed.without_commit)} is no commit id, and a workflow can't check it out",
                f"publish the results of {needed.provider} with the commit id as its version",
            )
        return Finding(State.OK, text)
    if state.needs_versions:
        return Finding(
            State.FAILED,
            f"{needed.none}: {NEVER}, and it is the only event of the webhook",
            f"{GET_VERSIONS}. Or {_content_changed(state)}",
        )
    return Finding(State.WARNING, f"{needed.none}: a result of any version will do", GET_VERSIONS)


def _content_changed(state: PactState) -> str:
    """Return how the webhook gets an event that needs no versions."""
    command = advice.update(state.triggering[0].uuid, "--event", WebhookEvent.CONTENT_CHANGED)
    return f"have the webhook triggered by {WebhookEvent.CONTENT_CHANGED}: {command}"


def check_result(state: PactState, earlier: list[Finding]) -> Finding:
    """Check the results, in the light of the links before."""
    needed = {version.number: version.why for version in state.versions}
    results = (
        [one for one in state.results if one.provider_version in needed] if needed else state.results[:1]
    )
    failed = [one.provider_version for one in results if not one.passed]
    if failed:
        return Finding(
            State.FAILED,
            f"failed for {listed(failed)}: the chain works, and the contract is broken",
            f"look at the result in the broker: {state.case.provider} doesn't do what {state.case.consumer} expects",
        )
    passed = [f"{one.provider_version}" for one in results]
    if passed and not state.lacking:
        return Finding(State.OK, f"passed for {listed(passed)}")
    others = [one for one in state.results if one.provider_version not in needed] if needed else []
    missing = listed([f"{version.number} ({version.why})" for version in state.lacking])
    text = f"none yet{f' of {missing}' if missing else ''}"
    if passed or others:
        of = listed(
            [f"{one.provider_version} ({'passed' if one.passed else 'failed'})" for one in results + others]
        )
        text += f"; there is one of {of}"
    if any(check.under_way for check in earlier):
        return Finding(State.WARNING, f"{text}, but it is under way", "wait, and look again", under_way=True)
    if any(check.state is State.FAILED for check in earlier):
        return Finding(State.FAILED, text, "fix the first broken link")
    return _not_there(state, text, [check for check in earlier if check.state is State.UNKNOWN])


def _not_there(state: PactState, text: str, unseen: list[Finding]) -> Finding:
    """Say that there is no result, where nothing that was looked at is broken or under way."""
    delivered = _delivered_since(state)
    names = {check.name for check in unseen}
    if delivered is not None and names & RUNS and "receiver" not in names:
        # what became of it isn't known: to send it once more would have the same verified twice
        to_do = (
            f"look at what could not be looked at: {listed([f'{one.name} ({one.to_do})' for one in unseen])}"
        )
        if delivered < UNDER_WAY:
            return Finding(
                State.WARNING,
                f"{text}; it was delivered {delivered.total_seconds():.0f} s ago, and a run may be under way",
                f"wait, and look again; or {to_do}",
                under_way=True,
            )
        return Finding(State.FAILED, f"{text}, and what became of the delivery could not be seen", to_do)
    return Finding(
        State.FAILED,
        f"{text}, and no link before it is known to be broken",
        (f"look at what could not be looked at: {', '.join(one.name for one in unseen)}. " if unseen else "")
        + _once_more(state),
    )


def _delivered_since(state: PactState) -> timedelta | None:
    """Return for how long the last delivery has been with its target; None if there was none that was taken."""
    last = state.deliveries[0] if state.deliveries else None
    at = read_time(last.at) if last is not None and last.status == "success" else None
    return None if at is None else datetime.now(UTC) - at


def _once_more(state: PactState) -> str:
    """Return how the pact is verified after all, as far as the broker lets its webhooks be seen."""
    try:
        uuid = next((webhook.uuid for webhook in state.triggering or state.asking), None)
        if uuid is not None:
            return f"Have it verified once more: {advice.send_again(state, uuid)}"
    except BrokerError:
        pass
    return "Have it verified once more, by its webhook (pact-dispatch webhooks list) or where the provider is"


def _names(client: BrokerClient) -> list[str]:
    document = client.find_object(client.index_link("pb:pacticipants"))
    found = objects_at(document, "_embedded", "pacticipants") or []
    return [name for one in found[:2000] if (name := text_at(one, "name")) is not None]
