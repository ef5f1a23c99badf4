"""What the options of `setup` ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.commands.credentials import checked_token, secret_from_file
from app.commands.webhook_templates import TEMPLATES, base_url, fill
from app.config.values import ConfigurationError, secret
from app.config.variables import API_TOKEN, GITHUB_TOKEN, RECEIVER_TOKEN
from broker.events import WebhookEvent
from broker.webhooks import stable_uuid
from broker.webhooks.definition import Party, Scope, Webhook, WebhookRequest
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

GITHUB, RECEIVER = "github", "receiver"
TOKENS = {
    GITHUB: (GITHUB_TOKEN, "GITHUB_TOKEN"),
    RECEIVER: (RECEIVER_TOKEN,),
}
"""The variables that the token is read from, by target; the first that is set counts."""


@dataclass(frozen=True)
class SetupRequest:
    """What is to be set up.

    Attributes:
        target: `github` or `receiver`.
        repository: The repository of the provider, OWNER/REPO.
        provider: The name of the provider in the broker.
        consumer: The one consumer that the webhook is for; None for all.
        base_url: The URL of GitHub's API, or of the receiver.
        token: The token that the broker dispatches with.
        secret: The name of the broker's secret for the token; None if the token stands in the webhook itself.
        webhook: The webhook as it should be.
        until_versions: The webhook as it should be while the provider has no version that needs a result; None where
            an option gives the event.
        plan: Whether nothing is to be changed.
        wait_seconds: How long the run that the test starts is waited for; None for not at all.
        api_token: The token of the receiver's API, if the run is waited for there.
    """

    target: str
    repository: str
    provider: str
    consumer: str | None
    base_url: str
    token: str = field(repr=False)
    secret: str | None
    webhook: Webhook = field(repr=False)
    plan: bool
    wait_seconds: float | None
    api_token: str | None = field(default=None, repr=False)
    until_versions: Webhook | None = field(default=None, repr=False)

    @property
    def holder(self) -> str:
        """The repository that the token is for, or the receiver, which takes one for all its repositories."""
        return self.base_url if self.target == RECEIVER else self.repository

    @property
    def event_type(self) -> str:
        """The event type of the dispatches."""
        return str(self.webhook.request.body["event_type"])


def read(options: argparse.Namespace, environment: Mapping[str, str]) -> SetupRequest:
    """Read the options.

    Raises:
        UsageError: An option is missing, contradicts another one, or can't be read.
    """
    _check_combination(options)
    url = base_url(options, "--target", options.target)
    template = _template(options)
    name = options.secret or TEMPLATES[template].secret
    token = _token(options, environment)
    scope = Scope(
        consumer=Party(name=options.consumer) if options.consumer else None,
        provider=Party(name=options.provider),
    )

    def webhook(events: tuple[str, ...]) -> Webhook:
        filled = fill(template, repository=options.repository, base_url=url, events=events, secret=name)
        headers = dict(filled.headers)
        if options.token_in_webhook:
            headers["Authorization"] = f"Bearer {token}"
        return Webhook(
            uuid=stable_uuid(scope, filled.url, template),
            scope=scope,
            events=filled.events,
            request=WebhookRequest("POST", filled.url, headers, dict(filled.body)),
            description=filled.description,
        )

    chooses_event = options.target == RECEIVER and not options.event
    return SetupRequest(
        target=options.target,
        repository=options.repository,
        provider=options.provider,
        consumer=options.consumer,
        base_url=url.rstrip("/"),
        token=token,
        secret=None if options.token_in_webhook else name,
        webhook=webhook(_events(options)),
        until_versions=webhook((WebhookEvent.CONTENT_CHANGED,)) if chooses_event else None,
        plan=options.plan,
        wait_seconds=options.wait,
        api_token=_api_token(options, environment),
    )


def _check_combination(options: argparse.Namespace) -> None:
    for name in ("repository", "provider"):
        if not getattr(options, name):
            raise UsageError(
                f"--{name} is missing: the provider's {'OWNER/REPO' if name == 'repository' else 'name'}"
            )
    if options.plan and options.wait is not None:
        raise UsageError("--wait is no part of --plan: nothing is sent that a run could come of")
    if options.token_in_webhook and options.secret:
        raise UsageError("--secret and --token-in-webhook are two places for the token: give one")


def _template(options: argparse.Namespace) -> str:
    if options.target == RECEIVER:
        return "receiver"
    if WebhookEvent.REQUIRING_VERIFICATION in (options.event or ()):
        return "github-requiring-verification"
    return "github"


def _events(options: argparse.Namespace) -> tuple[str, ...]:
    events = tuple(dict.fromkeys(options.event or ()))
    for event in events:
        if event not in set(WebhookEvent):
            raise UsageError(f"--event {event!r} is none of {', '.join(WebhookEvent)}")
    if {WebhookEvent.CONTENT_CHANGED, WebhookEvent.REQUIRING_VERIFICATION} <= set(events):
        raise UsageError(
            f"--event {WebhookEvent.CONTENT_CHANGED} and {WebhookEvent.REQUIRING_VERIFICATION} would have one "
            "change verified twice: give one of them"
        )
    return events


def _token(options: argparse.Namespace, environment: Mapping[str, str]) -> str:
    names = TOKENS[options.target]
    token, source = None, "--token-file"
    if options.token_file:
        token = secret_from_file(options.token_file, "--token-file")
    else:
        for source in names:
            token = _variable(source, environment)
            if token:
                break
    if not token:
        what = (
            "one of the receiver's PACT_DISPATCH_TOKENS" if options.target == RECEIVER else "a GitHub token"
        )
        raise UsageError(
            f"there is no token for the broker to dispatch with: put {what} into {' or '.join(names)}, or into a file "
            f"({names[0]}_FILE, --token-file). It is not taken from the command line, which others can see"
        )
    return checked_token(token, source)


def _api_token(options: argparse.Namespace, environment: Mapping[str, str]) -> str | None:
    if options.target != RECEIVER or options.wait is None:
        return None
    token = _variable(API_TOKEN, environment)
    if token is None:
        raise UsageError(
            f"--wait asks the receiver's API for the run: put one of its PACT_DISPATCH_API_TOKENS into {API_TOKEN} "
            f"(or its file into {API_TOKEN}_FILE)"
        )
    return checked_token(token, API_TOKEN)


def _variable(name: str, environment: Mapping[str, str]) -> str | None:
    try:
        return secret(name, environment)
    except ConfigurationError as error:
        raise UsageError(str(error)) from error
