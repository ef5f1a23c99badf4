"""The checks of the webhooks for a pact, and of their deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.commands.doctor import advice
from app.commands.finding import Finding, State, listed
from app.commands.webhook_explanation import UUID, explain
from broker.events import PUBLICATION_EVENTS, WebhookEvent
from broker.http.errors import NotFound
from broker.text.times import EARLIEST, read_time
from broker.webhooks import Webhooks
from broker.webhooks.delivery_log import execution_of, hides_answers
from broker.webhooks.hidden_secrets import redacted_urls
from broker.webhooks.triggered import TriggeredWebhooks

if TYPE_CHECKING:
    from app.commands.doctor.pact_state import PactState
    from broker.webhooks.definition import Webhook
    from broker.webhooks.triggered import Triggered

SHOWN = "%Y-%m-%d %H:%M:%S UTC"
FAILED = frozenset({"failure", "retrying"})


def check_webhook(state: PactState) -> Finding:
    """Check that a webhook asks for a verification of the pact."""
    case, asking = state.case, state.asking
    if asking:
        return Finding(State.OK, listed([_named(webhook) for webhook in asking], 3))
    everything = Webhooks(state.client).all()
    covering = len(state.webhooks)
    text = f"no webhook for the pact of {case.consumer} with {case.provider} asks for a verification"
    if covering:
        text += (
            f": {covering} of {len(everything)} are for it, and send neither a dispatch nor the pact's URL"
        )
    elif everything:
        others = listed([str(webhook.scope) for webhook in everything], 3)
        text += f": the {len(everything)} that there are, are for others ({others})"
    else:
        text += ": the broker has none at all"
    return Finding(State.FAILED, text, f"create one: {advice.create(case.provider)}")


def check_enabled(state: PactState) -> Finding:
    """Check that one of them is enabled."""
    off = [webhook.uuid for webhook in state.asking if not webhook.enabled]
    if not state.enabled:
        return Finding(
            State.FAILED,
            f"disabled: {listed(off)}; nothing triggers it",
            advice.update(off[0], "--enable"),
        )
    return Finding(State.OK, "enabled" + (f"; disabled: {listed(off)}" if off else ""))


def check_event(state: PactState) -> Finding:
    """Check that something that happens triggers one."""
    candidates = [one for one in state.enabled or state.asking if set(one.events) & PUBLICATION_EVENTS]
    best = WebhookEvent.REQUIRING_VERIFICATION if state.versions else WebhookEvent.CONTENT_CHANGED
    if not candidates:
        one = (state.enabled or state.asking)[0]
        return Finding(
            State.FAILED,
            f"{one.uuid} is triggered by {listed(list(one.events)) or 'nothing'}: none of these happens when a pact is "
            "published",
            advice.update(one.uuid, "--event", best),
        )
    events = {event for webhook in candidates for event in webhook.events if event in PUBLICATION_EVENTS}
    if events == {WebhookEvent.CONTRACT_PUBLISHED}:
        return Finding(
            State.WARNING,
            f"{WebhookEvent.CONTRACT_PUBLISHED} alone: each publication is verified, changed or not",
            advice.update(candidates[0].uuid, "--event", best),
        )
    return Finding(State.OK, listed(sorted(events)))


def check_delivery(state: PactState) -> Finding:
    """Check that what the publication triggered was delivered."""
    found = state.deliveries
    if not found:
        return _not_triggered(state)
    failed = [one for one in found if one.status in FAILED and not _made_good(one, found)]
    if failed:
        return _failed(state, failed[0])
    if any(one.status == "not_run" for one in found):
        return Finding(
            State.WARNING,
            f"triggered at {found[0].at}, and about to be delivered",
            "look again in a few seconds",
            under_way=True,
        )
    last = found[0]
    answered = (
        f", answered with {last.attempts[-1].status}" if last.attempts and last.attempts[-1].status else ""
    )
    return Finding(State.OK, f"{last.event} was delivered at {last.at}{answered}")


def _not_triggered(state: PactState) -> Finding:
    case = state.case
    text = f"no webhook was triggered by the publication of {case.consumer} {case.version}"
    if state.complete:
        return Finding(State.OK, f"{text}; the result is there all the same")
    candidates = state.triggering
    if not candidates:
        again = advice.send_again(state, (state.enabled or state.asking)[0].uuid)
        return Finding(State.FAILED, text, f"fix the webhook first; then have it verified: {again}")
    try:
        past = TriggeredWebhooks(state.client).latest(case.consumer, case.provider)
    except NotFound:
        past = []
    uuids = {webhook.uuid for webhook in candidates}
    times = [at for one in past if one.webhook_uuid in uuids and (at := read_time(one.at))]
    if times:
        text += f" (the last one for this pair at {max(times):{SHOWN}})"
    uuid = candidates[0].uuid
    published = read_time(state.published_at)
    later = [
        webhook
        for webhook in candidates
        if published is not None and (read_time(webhook.created_at) or EARLIEST) > published
    ]
    if len(later) == len(candidates):
        text += f": {uuid} was made at {later[0].created_at}, after it was published"
    elif state.needs_versions:
        text += (
            ": contract_requiring_verification_published happens only for versions that lack a result at that moment, "
            "and the webhook was enabled then or not"
        )
    else:
        text += ": content that didn't change doesn't trigger it, nor does anything while it is disabled"
    return Finding(
        State.FAILED,
        text,
        f"have it verified now: {advice.send_again(state, uuid)}",
    )


def _failed(state: PactState, one: Triggered) -> Finding:
    host = urlsplit(state.target.url).netloc.rpartition("@")[2] if state.target else "its target"
    count, left = len(one.attempts), one.attempts_remaining or 0
    last = one.attempts[-1] if one.attempts else None
    if last is None:
        answer, meaning = "was not taken", ""
    elif last.status is None and hides_answers(last):
        answer = "was not taken; the broker keeps the answer to itself"
        meaning = (
            "Have the broker log answers: PACT_BROKER_WEBHOOK_HOST_WHITELIST must name the target's host. "
        )
    else:
        execution = execution_of(last)
        text = (
            f"was answered with {last.status}"
            if last.status
            else f"got no answer ({last.error or 'no reason given'})"
        )
        answer, meaning = text, f"{explain(execution, one.webhook_uuid or UUID)} ".lstrip()
    when = f" at {last.at}" if last and last.at else ""
    still = f"{left} to go" if left else "it is not tried again"
    again = advice.send_again(state, one.webhook_uuid or state.asking[0].uuid)
    found = f"{one.event} to {redacted_urls(host)} {answer}{when} (attempt {count}; {still})"
    if state.complete:
        return Finding(
            State.WARNING,
            f"{found}; the result is there all the same",
            f"{meaning}Try it: {again}",
        )
    return Finding(State.FAILED, found, f"{meaning}Then have it verified: {again}")


def _made_good(failed: Triggered, found: list[Triggered]) -> bool:
    return any(
        one.webhook_uuid == failed.webhook_uuid
        and one.status == "success"
        and (read_time(one.at) or EARLIEST) > (read_time(failed.at) or EARLIEST)
        for one in found
    )


def _named(webhook: Webhook) -> str:
    target = redacted_urls(webhook.request.url)
    return f"{webhook.uuid} ({webhook.scope}) sends to {target}"
