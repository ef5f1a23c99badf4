"""The step that creates the webhook, or brings it to what it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.dispatch_url import DispatchUrl
from app.commands.finding import Finding, State
from app.commands.provider_versions import GET_VERSIONS, NEVER, NeededVersions, named
from app.commands.setup.token_description import fingerprint
from broker.events import WebhookEvent
from broker.http.errors import NotFound
from broker.webhooks import Webhooks, carried_over
from broker.webhooks.hidden_secrets import is_stars

if TYPE_CHECKING:
    from app.commands.setup.secret_step import SecretStep
    from broker.client import BrokerClient
    from broker.webhooks.definition import Webhook


class WebhookStep:
    """The step that writes the webhook.

    Args:
        secret: The step that stored the token.
        client: The session with the broker.

    Attributes:
        needed: The versions of the provider that need a result, if the event is about them.
        unchanged: Whether nothing was written, since the broker shows no difference.
    """

    def __init__(self, secret: SecretStep, client: BrokerClient) -> None:
        self._secret = secret
        self._client = client
        self._webhooks = Webhooks(client)
        self._broker = str(client.origin)
        self._event: str | None = None
        self.needed = NeededVersions(secret.request.provider, None, ())
        self.unchanged = False

    @property
    def webhook(self) -> Webhook:
        """The webhook as it should be."""
        request = self._secret.request
        return (request.on_event(self._event) if self._event else request).webhook(self._broker)

    def take(self) -> Finding:
        """Create the webhook, or replace the one that is there if it differs."""
        if missing := self._unknown():
            return Finding(
                State.FAILED,
                found=f"The broker knows no {' and no '.join(missing)}.",
                to_do="Check the name, capitals too. A pact that is published makes both sides known; so does "
                "pact-broker create-or-update-pacticipant --name NAME.",
            )
        happens, event_warnings = self._choose_event()
        intended = self.webhook
        existing = self._webhooks.find(intended.uuid)
        warnings = event_warnings + self._others(intended)
        facts = {"webhook": intended.uuid, "event_happens": happens}
        name = f"webhook {intended.uuid}"
        if existing is None:
            found = f"The broker has no {name} yet."
        elif not (differences := _differences(intended, existing)):
            if self._shows_token:
                self.unchanged = True
                return Finding(
                    State.OK,
                    found=f"The {name} is as it should be.",
                    warnings=warnings,
                    facts=facts,
                )
            found = f"The {name} is there; the broker doesn't show which token it sends."
        else:
            found = f"The {name} differs in {', '.join(differences)}."
        request = f"{', '.join(intended.events)}: {intended.request.method} {intended.request.url}"
        if self._secret.request.plan:
            done = f"Would {'update' if existing else 'create'} it ({request})."
            return Finding(State.PLANNED, found=found, done=done, warnings=warnings, facts=facts)
        self._put(existing)
        done = f"{'Updated' if existing else 'Created'} it ({request})."
        return Finding(State.CHANGED, found=found, done=done, warnings=warnings, facts=facts)

    def write_again(self) -> None:
        """Write the webhook, whatever it is now."""
        self._put(self._webhooks.find(self.webhook.uuid))

    def _others(self, intended: Webhook) -> tuple[str, ...]:
        """Return warnings of other webhooks for the same pacts that tell the same repository."""
        url = DispatchUrl.read(intended.request.url)
        found = []
        for other in self._webhooks.all():
            if other.uuid == intended.uuid or other.scope != intended.scope:
                continue
            theirs = DispatchUrl.read(other.request.url)
            if other.request.url == intended.request.url:
                text = "sends from the same scope to the same URL: each event may be delivered twice"
            elif url is not None and theirs is not None and theirs.repository == url.repository:
                text = f"sends from the same scope to {other.request.url}: each change may be verified twice"
            else:
                continue
            found.append(
                f"Webhook {other.uuid} {text}. Delete it (pact-dispatch webhooks delete {other.uuid}) if it isn't "
                "meant."
            )
        return tuple(found)

    @property
    def _shows_token(self) -> bool:
        """Whether a webhook without a visible difference sends this token.

        Its description names the secret or has the token's fingerprint, which a short token has not. Who has just
        written a secret wants it used, whatever the hidden header says.
        """
        request = self._secret.request
        if request.secret is not None:
            return not self._secret.wrote
        return fingerprint(request.token, self._broker) is not None

    def _choose_event(self) -> tuple[bool, tuple[str, ...]]:
        """Choose the event of the webhook by the versions of the provider, where no option gives it.

        Returns:
            Whether the event happens when a pact is published, and what is to be said of it.
        """
        request = self._secret.request
        if request.events != (WebhookEvent.REQUIRING_VERIFICATION,):
            return True, ()
        self.needed = needed = NeededVersions.ask(self._client, request.provider)
        if not needed.versions and request.chooses_event:
            self._event = WebhookEvent.CONTENT_CHANGED
            text = (
                f"{needed.none}: {NEVER}, so the webhook is on {WebhookEvent.CONTENT_CHANGED}, which needs none. "
                "Once a result is published with the provider's branch, run this again."
            )
            return True, (text,)
        if not needed.versions:
            text = (
                f"{needed.none}: {NEVER}, and nothing is sent. To have some, {GET_VERSIONS}; or take "
                f"--event {WebhookEvent.CONTENT_CHANGED}."
            )
            return False, (text,)
        warnings = []
        if needed.main_branch is None:
            warnings.append(f"{needed.no_main_branch}. To fix it, {needed.set_main_branch}.")
        if not request.tells_receiver and needed.without_commit:
            warnings.append(
                f"{named(needed.without_commit)} is no commit id, and a workflow can't check it out: publish the "
                f"results of {needed.provider} with the commit id as its version."
            )
        return True, tuple(warnings)

    def _unknown(self) -> list[str]:
        """Return the sides that the broker doesn't know: it takes no webhook for them."""
        unknown = []
        request = self._secret.request
        for role, name in (("provider", request.provider), ("consumer", request.consumer)):
            try:
                if name is not None:
                    self._client.get(self._client.url("pacticipants", name))
            except NotFound:
                unknown.append(f"{role} {name}")
        return unknown

    def _put(self, existing: Webhook | None) -> None:
        webhook = self.webhook
        self._webhooks.put(carried_over(webhook, existing) if existing else webhook)


def _differences(intended: Webhook, existing: Webhook) -> list[str]:
    """Return the names of what differs, as far as the broker shows it."""
    ours, theirs = intended.request, existing.request
    headers = {name.lower(): value for name, value in ours.headers.items()}
    shown = {name.lower(): value for name, value in theirs.headers.items()}
    hidden = {name: headers[name] for name, value in shown.items() if is_stars(value) and name in headers}
    pairs = {
        "whose pacts": (intended.scope, existing.scope),
        "events": (sorted(intended.events), sorted(existing.events)),
        "enabled": (intended.enabled, existing.enabled),
        "description": (intended.description, existing.description),
        "method": (ours.method, theirs.method),
        "URL": (ours.url, theirs.url),
        "headers": (headers, shown | hidden),
        "body": (ours.body, theirs.body),
        "user": (ours.username, theirs.username),
        "password": (ours.password, theirs.password),
    }
    return [name for name, (one, other) in pairs.items() if one != other]
