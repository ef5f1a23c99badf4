"""Templates of webhooks (no I/O)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.commands.dispatch_url import GITHUB_API, DispatchUrl
from app.dispatch import PACT_CHANGED, is_repository
from broker.events import WebhookEvent
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

BODY_OF_CHANGED: Mapping[str, Any] = {
    "event_type": PACT_CHANGED,
    "client_payload": {"pact_url": "${pactbroker.pactUrl}"},
}
BODY_OF_REQUIRING_VERIFICATION: Mapping[str, Any] = {
    "event_type": WebhookEvent.REQUIRING_VERIFICATION,
    "client_payload": {
        "pact_url": "${pactbroker.pactUrl}",
        "sha": "${pactbroker.providerVersionNumber}",
        "branch": "${pactbroker.providerVersionBranch}",
        "message": "Verify changed pact for ${pactbroker.consumerName} version ${pactbroker.consumerVersionNumber} "
        "branch ${pactbroker.consumerVersionBranch} by ${pactbroker.providerVersionNumber} "
        "(${pactbroker.providerVersionDescriptions})",
    },
}


@dataclass(frozen=True)
class Template:
    """A kind of webhook.

    Attributes:
        name: The name on the command line.
        event: The event that triggers it by default.
        body: The body of its request.
        secret: The name of the broker's secret for its token.
    """

    name: str
    event: str
    body: Mapping[str, Any]
    secret: str


@dataclass(frozen=True)
class Filled:
    """A template, filled in."""

    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    events: tuple[str, ...]
    description: str


TEMPLATES = {
    template.name: template
    for template in (
        Template("github", WebhookEvent.CONTENT_CHANGED, BODY_OF_CHANGED, "githubToken"),
        Template(
            "github-requiring-verification",
            WebhookEvent.REQUIRING_VERIFICATION,
            BODY_OF_REQUIRING_VERIFICATION,
            "githubToken",
        ),
        Template(
            "receiver",
            WebhookEvent.REQUIRING_VERIFICATION,
            BODY_OF_REQUIRING_VERIFICATION,
            "receiverToken",
        ),
    )
}


def base_url(options: argparse.Namespace, option: str, target: str) -> str:
    """Return the URL of the receiver, or of GitHub's API.

    Args:
        options: The parsed options, `receiver_url` and `github_url` among them.
        option: The option that chooses between the two.
        target: What it chooses, `receiver` or another value.

    Raises:
        UsageError: The URL of the receiver is missing, or one is given that does not belong to the target.
    """
    receives = target == "receiver"
    if receives and not options.receiver_url:
        raise UsageError(f"{option} receiver wants --receiver-url, where the receiver listens")
    if receives and options.github_url:
        raise UsageError(f"--github-url is not for {option} receiver")
    if not receives and options.receiver_url:
        raise UsageError(f"--receiver-url is for {option} receiver")
    url: str = options.receiver_url if receives else options.github_url or GITHUB_API
    return url


def fill(
    name: str,
    *,
    repository: str,
    base_url: str,
    events: Sequence[str] = (),
    secret: str | None = None,
) -> Filled:
    """Fill a template in.

    Args:
        name: The name of the template.
        repository: The repository of the provider, OWNER/REPO.
        base_url: The URL of GitHub's API, or of the receiver.
        events: The events that trigger it, if not that of the template. If all of them are about changed content, a
            receiver gets the shorter body: no provider version is known then.
        secret: The name of the secret for the token, if not that of the template.

    Raises:
        UsageError: The repository, the URL or the name of the secret can't be one.
    """
    template = TEMPLATES[name]
    if not is_repository(repository):
        raise UsageError(f"--repository {repository!r} is not OWNER/REPO, as in acme/products")
    if re.fullmatch(r"https?://[^\s?#@]+", base_url) is None:
        raise UsageError(f"{base_url!r} is not a URL such as {GITHUB_API}")
    secret = secret or template.secret
    if re.fullmatch(r"[A-Za-z0-9_]+", secret) is None:
        raise UsageError(f"--secret {secret!r} is not a secret's name: letters, digits and _")
    triggers = tuple(events) or (template.event,)
    body = template.body
    if name == "receiver" and WebhookEvent.REQUIRING_VERIFICATION not in triggers:
        body = BODY_OF_CHANGED
    return Filled(
        url=str(DispatchUrl(base_url, repository)),
        headers={
            "Content-Type": "application/json",
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer ${{user.{secret}}}",
        },
        body=body,
        events=triggers,
        description=f"Verify a changed pact ({repository})",
    )
