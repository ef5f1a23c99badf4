"""Templates of webhooks (no I/O)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.dispatch import PACT_CHANGED, is_repository
from broker.events import WebhookEvent
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GITHUB_API = "https://api.github.com"

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
        name: as on the command line.
        event: what triggers it, unless told otherwise.
        body: what it sends.
        secret: the name of the secret that its token is kept as.
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
        name: of the template.
        repository: the provider's, as `OWNER/REPO`.
        base_url: of GitHub's API, or of the receiver.
        events: what triggers it; the template's own unless given. A receiver that is told of nothing but changed
            content gets the shorter body: no provider version is known then.
        secret: the name of the secret that holds the token; the template's own unless given.

    Raises:
        UsageError: the repository or the URL can't be one.
    """
    template = TEMPLATES[name]
    if not is_repository(repository):
        raise UsageError(f"--repository {repository!r} is not OWNER/REPO, as in acme/products")
    if re.fullmatch(r"https?://[^\s?#@]+", base_url) is None:
        raise UsageError(f"{base_url!r} is not a URL such as {GITHUB_API}")
    triggers = tuple(events) or (template.event,)
    body = template.body
    if name == "receiver" and WebhookEvent.REQUIRING_VERIFICATION not in triggers:
        body = BODY_OF_CHANGED
    return Filled(
        url=f"{base_url.rstrip('/')}/repos/{repository}/dispatches",
        headers={
            "Content-Type": "application/json",
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer ${{user.{secret or template.secret}}}",
        },
        body=body,
        events=triggers,
        description=f"Verify a changed pact ({repository})",
    )
