"""What is to be set up, from the options and the environment."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from app.commands.credentials import checked_token, secret_from_file
from app.commands.dispatch_url import DispatchUrl
from app.commands.github_judgement import Trigger
from app.commands.setup.token_description import fingerprint, with_mark
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

GITHUB, WORKFLOW, RECEIVER = "github", "workflow-dispatch", "receiver"
AMBIENT = "GITHUB_TOKEN"
"""The variable that other tools read and set, too."""
TOKENS = {
    GITHUB: (GITHUB_TOKEN, AMBIENT),
    WORKFLOW: (GITHUB_TOKEN, AMBIENT),
    RECEIVER: (RECEIVER_TOKEN,),
}
"""The variables that the token is read from, by target; the first that is set counts."""


@dataclass(frozen=True)
class SetupRequest:
    """What is to be set up.

    Attributes:
        target: `github`, `workflow-dispatch` or `receiver`.
        repository: The repository of the provider, OWNER/REPO.
        provider: The name of the provider in the broker.
        consumer: The one consumer that the webhook is for; None for all.
        base_url: The URL of GitHub's API, or of the receiver.
        token: The token that the broker dispatches with.
        token_source: The option or the variable that the token comes from.
        secret: The name of the broker's secret for the token; None if the token stands in the webhook itself.
        template: The name of the webhook's template.
        events: The events that trigger the webhook.
        chooses_event: Whether the event may be another one, since no option gives it.
        plan: Whether nothing is to be changed.
        wait_seconds: How long the run that the test starts is waited for; None for not at all.
        workflow: The file of the workflow that a `workflow_dispatch` starts, if an option gives it.
        ref: The branch that it runs on; None until it is known.
        api_token: The token of the receiver's API, if the run is waited for there.
    """

    target: str
    repository: str
    provider: str
    consumer: str | None
    base_url: str
    token: str = field(repr=False)
    token_source: str
    secret: str | None
    template: str
    events: tuple[str, ...]
    chooses_event: bool
    plan: bool
    wait_seconds: float | None
    workflow: str | None = None
    ref: str | None = None
    api_token: str | None = field(default=None, repr=False)

    @property
    def holder(self) -> str:
        """The repository that the token is for, or the receiver, which takes one for all its repositories."""
        return self.base_url if self.target == RECEIVER else self.repository

    @property
    def tells_receiver(self) -> bool:
        """Whether a receiver is told, and not GitHub."""
        return self.target == RECEIVER

    @property
    def events_by_default(self) -> bool:
        """Whether the events are those of contents that change, which is the default at GitHub."""
        return self.events == (WebhookEvent.CONTENT_CHANGED,)

    @property
    def trigger(self) -> Trigger:
        """What the webhook starts at GitHub."""
        filled = fill(self.template, **self._values)
        url = DispatchUrl.read(filled.url)
        assert url is not None  # noqa: S101 - that of a template
        return Trigger.of(url, filled.body)

    def on_branch(self, branch: str) -> SetupRequest:
        """Return the request with the branch that a workflow runs on, unless an option gives one."""
        return replace(self, ref=self.ref or branch)

    def with_token_in_webhook(self) -> SetupRequest:
        """Return the request for a webhook that has the token itself."""
        return replace(self, secret=None)

    def on_event(self, event: str) -> SetupRequest:
        """Return the request for a webhook on another event."""
        return replace(self, events=(event,))

    def webhook(self, broker: str) -> Webhook:
        """Return the webhook as it should be.

        A broker hides the header with the token. So the description shows which secret, or which token, is sent.

        Args:
            broker: The URL of the broker.
        """
        scope = Scope(
            consumer=Party(name=self.consumer) if self.consumer else None,
            provider=Party(name=self.provider),
        )
        filled = fill(self.template, **self._values)
        headers = dict(filled.headers)
        if self.secret is None:
            headers["Authorization"] = f"Bearer {self.token}"
        return Webhook(
            uuid=stable_uuid(scope, filled.url, self.template),
            scope=scope,
            events=filled.events,
            request=WebhookRequest("POST", filled.url, headers, dict(filled.body)),
            description=with_mark(filled.description, self.secret or fingerprint(self.token, broker)),
        )

    @property
    def _values(self) -> dict[str, Any]:
        return {
            "repository": self.repository,
            "base_url": self.base_url,
            "events": self.events,
            "secret": self.secret,
            "workflow": self.workflow,
            "ref": self.ref,
        }


def read(options: argparse.Namespace, environment: Mapping[str, str]) -> SetupRequest:
    """Read the options.

    Raises:
        UsageError: An option is missing, contradicts another one, or can't be read.
    """
    _check_combination(options)
    url = base_url(options, "--target", options.target)
    template = _template(options)
    events = _events(options) or (TEMPLATES[template].event,)
    token, source = _token(options, environment)
    request = SetupRequest(
        target=options.target,
        repository=options.repository,
        provider=options.provider,
        consumer=options.consumer,
        base_url=url.rstrip("/"),
        token=token,
        token_source=source,
        secret=None if options.token_in_webhook else options.secret or TEMPLATES[template].secret,
        template=template,
        events=events,
        chooses_event=options.target == RECEIVER and not options.event,
        plan=options.plan,
        wait_seconds=options.wait,
        workflow=options.workflow,
        ref=options.ref,
        api_token=_api_token(options, environment),
    )
    fill(template, **request._values)  # noqa: SLF001 - refuses what can't be filled in
    return request


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
    for name in ("workflow", "ref"):
        if getattr(options, name) and options.target != WORKFLOW:
            raise UsageError(f"--{name} is for --target {WORKFLOW}")


def _template(options: argparse.Namespace) -> str:
    if options.target != GITHUB:
        return str(options.target)
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


def _token(options: argparse.Namespace, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the token, and the option or the variable that it comes from."""
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
    return checked_token(token, source), source


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
