"""Templates of webhooks (no I/O)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from app.commands import webhook_bodies as bodies
from app.commands.dispatch_url import GITHUB_API, DispatchUrl
from app.dispatch import is_repository
from broker.events import WebhookEvent
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

PACT_CHANGED_FILE = "pact_changed.yml"
REQUIRING_VERIFICATION_FILE = "contract_requiring_verification_published.yml"
"""The workflow files that a `workflow_dispatch` starts unless told otherwise, as the examples are named."""
MAIN = "main"
_WORKFLOW_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.ya?ml")
_REF = re.compile(r"[^\s\x00-\x1f\x7f~^:?*\[\\$]{1,250}")


class Kind(Enum):
    """The kinds of target that webhooks have."""

    GITHUB = auto()
    """A `repository_dispatch` to GitHub."""
    RECEIVER = auto()
    """The same, to a receiver."""
    WORKFLOW = auto()
    """A `workflow_dispatch` of one workflow file on GitHub."""
    STATUS = auto()
    """A commit status on GitHub."""
    CHAT = auto()
    """A URL that a chat gave, which is a credential itself."""


@dataclass(frozen=True)
class Template:
    """A kind of webhook.

    Attributes:
        name: The name on the command line.
        kind: The kind of its target.
        event: The event that triggers it by default.
        body: The body of its request.
        secret: The name of the broker's secret for its token; None where it sends no token.
        body_of_changed: The body where all events are about changed content, if it is another one.
    """

    name: str
    kind: Kind
    event: str
    body: Mapping[str, Any]
    secret: str | None
    body_of_changed: Mapping[str, Any] | None = None


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
        Template("github", Kind.GITHUB, WebhookEvent.CONTENT_CHANGED, bodies.CHANGED, "githubToken"),
        Template(
            "github-requiring-verification",
            Kind.GITHUB,
            WebhookEvent.REQUIRING_VERIFICATION,
            bodies.REQUIRING_VERIFICATION,
            "githubToken",
        ),
        Template(
            "workflow-dispatch",
            Kind.WORKFLOW,
            WebhookEvent.CONTENT_CHANGED,
            bodies.WORKFLOW_REQUIRING_VERIFICATION,
            "githubActionsToken",
            bodies.WORKFLOW_CHANGED,
        ),
        Template(
            "receiver",
            Kind.RECEIVER,
            WebhookEvent.REQUIRING_VERIFICATION,
            bodies.REQUIRING_VERIFICATION,
            "receiverToken",
            bodies.CHANGED,
        ),
        Template(
            "github-status",
            Kind.STATUS,
            WebhookEvent.VERIFICATION_PUBLISHED,
            bodies.GITHUB_STATUS,
            "githubStatusToken",
        ),
        Template("slack", Kind.CHAT, WebhookEvent.VERIFICATION_PUBLISHED, bodies.SLACK, None),
        Template("teams", Kind.CHAT, WebhookEvent.VERIFICATION_PUBLISHED, bodies.TEAMS, None),
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
    workflow: str | None = None,
    ref: str | None = None,
) -> Filled:
    """Fill a template in that sends something to GitHub or to a receiver.

    Args:
        name: The name of the template.
        repository: The repository of the provider, OWNER/REPO; for a commit status that of the consumer.
        base_url: The URL of GitHub's API, or of the receiver.
        events: The events that trigger it, if not that of the template. If all of them are about changed content, a
            receiver and a workflow get the shorter body: no provider version is known then.
        secret: The name of the secret for the token, if not that of the template.
        workflow: The file of the workflow that a `workflow_dispatch` starts, that of the example unless given.
        ref: The branch that it runs on, `main` unless given.

    Raises:
        UsageError: The repository, the URL, the name of the secret, the workflow or the branch can't be one.
    """
    template = TEMPLATES[name]
    if not is_repository(repository):
        raise UsageError(f"--repository {repository!r} is not OWNER/REPO, as in acme/products")
    if re.fullmatch(r"https?://[^\s?#@]+", base_url) is None:
        raise UsageError(f"{base_url!r} is not a URL such as {GITHUB_API}")
    secret = secret or template.secret or ""
    if re.fullmatch(r"[A-Za-z0-9_]+", secret) is None:
        raise UsageError(f"--secret {secret!r} is not a secret's name: letters, digits and _")
    triggers = tuple(events) or (template.event,)
    body = template.body
    if template.body_of_changed is not None and WebhookEvent.REQUIRING_VERIFICATION not in triggers:
        body = template.body_of_changed
    description = f"Verify a changed pact ({repository})"
    url = str(DispatchUrl(base_url, repository))
    if template.kind is Kind.WORKFLOW:
        short = body is template.body_of_changed
        file = _workflow_file(workflow or (PACT_CHANGED_FILE if short else REQUIRING_VERIFICATION_FILE))
        url = str(DispatchUrl(base_url, repository, file))
        body = {"ref": _branch(ref), **body}
    elif template.kind is Kind.STATUS:
        url = f"{base_url.rstrip('/')}/repos/{repository}/statuses/${{pactbroker.consumerVersionNumber}}"
        description = f"Tell the consumer's commit of a verification ({repository})"
    return Filled(
        url=url,
        headers={
            "Content-Type": "application/json",
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer ${{user.{secret}}}",
        },
        body=body,
        events=triggers,
        description=description,
    )


def fill_chat(name: str, url: str, events: Sequence[str] = ()) -> Filled:
    """Fill a template in that sends a message to the URL that a chat gave.

    Args:
        name: The name of the template.
        url: The URL.
        events: The events that trigger it, if not that of the template.
    """
    template = TEMPLATES[name]
    return Filled(
        url=url,
        headers={"Content-Type": "application/json"},
        body=template.body,
        events=tuple(events) or (template.event,),
        description=f"Tell {name.capitalize()} of a verification",
    )


def _workflow_file(name: str) -> str:
    file = name.removeprefix(".github/workflows/")
    if _WORKFLOW_FILE.fullmatch(file) is None:
        raise UsageError(f"--workflow {name!r} is not the name of a workflow file, as in {PACT_CHANGED_FILE}")
    return file


def _branch(ref: str | None) -> str:
    if ref is not None and _REF.fullmatch(ref) is None:
        raise UsageError(f"--ref {ref!r} is not the name of a branch, as in {MAIN}")
    return ref or MAIN
