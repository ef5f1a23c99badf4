"""What to type to fix a link, with all values that are known filled in."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.commands.dispatch_url import GITHUB_API

if TYPE_CHECKING:
    from app.commands.doctor.pact_state import PactState, Target


def update(uuid: str, *options: str) -> str:
    """Return the command that changes a webhook."""
    return shlex.join(["pact-dispatch", "webhooks", "update", uuid, *options])


def create(provider: str) -> str:
    """Return the command that makes a webhook; the repository is known to nobody yet."""
    return (
        f"pact-dispatch setup --provider {shlex.quote(provider)} --repository OWNER/REPO, with the provider's "
        "repository (for a receiver: with --target receiver --receiver-url URL besides)"
    )


def send_again(state: PactState, uuid: str) -> str:
    """Return how this pact, and no other, is verified after all.

    A broker can only be told to send the latest pact of a consumer and provider. If this one's content is another, the
    receiver can queue it, or whoever has the provider at hand can verify it.

    Raises:
        BrokerError: The broker could not be asked.
    """
    if state.is_latest:
        return shlex.join(["pact-dispatch", "webhooks", "test", uuid])
    ways = [
        f"where the provider is, {shlex.join(['verify', '--pact-url', state.url, '--publish-verification-results'])}"
    ]
    if state.goes_to_receiver:
        ways.insert(0, f"where the receiver runs, {reconcile(state)}")
    return f"{'; or '.join(ways)} (its webhook would send the latest pact, {state.latest_version}, and not this one)"


def reconcile(state: PactState) -> str:
    """Return the command that queues this pact at a receiver."""
    case = state.case
    chosen = ["--provider", case.provider, "--consumer", case.consumer, "--version", case.version]
    return shlex.join(["pact-dispatch", "reconcile", *chosen])


def run_again(run: str, receiver: str) -> str:
    """Return the command that has a run of a receiver carried out again."""
    return shlex.join(["pact-dispatch", "runs", "again", run, "--receiver-url", receiver])


def send_event_type(uuid: str, event_type: str) -> str:
    """Return the command that gives a webhook the body of a dispatch."""
    pact_url = "${pactbroker.pactUrl}"
    body = f'{{"event_type": "{event_type}", "client_payload": {{"pact_url": "{pact_url}"}}}}'
    return f"printf %s {shlex.quote(body)} | {update(uuid, '--body', '-')}"


def gh(target: Target, *words: str) -> str:
    """Return a command of GitHub's `gh` for the target's repository."""
    host = "" if (target.base or GITHUB_API) == GITHUB_API else f"{urlsplit(target.base or '').netloc}/"
    return shlex.join(["gh", *words, "--repo", f"{host}{target.repository}"])
