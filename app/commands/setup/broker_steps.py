"""The steps in the broker: the secret, the webhook, and its test."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from app.commands.finding import Finding, State
from app.commands.pact_states import nothing_sets_up, stateful_interactions
from app.commands.provider_versions import GET_VERSIONS, NEVER, NeededVersions, named
from app.commands.setup.token_description import TokenDescription, fingerprint, with_fingerprint
from app.commands.webhook_explanation import explain
from broker.events import WebhookEvent
from broker.http.errors import BrokerRefused, NotFound
from broker.webhooks import Webhooks, carried_over
from broker.webhooks.hidden_secrets import is_stars
from broker.webhooks.triggered import TriggeredWebhooks
from broker.webhooks.user_secrets import NoSecrets, UserSecrets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.commands.setup.receiver_steps import ReceiverStep
    from app.commands.setup.request import SetupRequest
    from broker.client import BrokerClient
    from broker.webhooks import Execution
    from broker.webhooks.definition import Webhook


_NO_SECRETS = (
    "Take one of these ways. 1. The receiver (--target receiver): the broker then holds a token that is good for "
    "nothing else. 2. The relay, which keeps GitHub's token and passes dispatches on: --target receiver with the "
    "receiver's URL, and relay = true for the provider in its configuration. 3. Knowingly, the token in the webhook "
    "itself (--token-in-webhook): it is kept in the broker's database as it is."
)
_REFUSALS = frozenset({401, 403, 404})
"""The answers of a target to a token that isn't the right one."""


class BrokerSteps:
    """The steps in the broker, in this order.

    Args:
        request: What is to be set up.
        client: The session with the broker.
        receiver: The receiver that is told; None for GitHub.
    """

    def __init__(
        self, request: SetupRequest, client: BrokerClient, receiver: ReceiverStep | None = None
    ) -> None:
        self._request = request
        self._webhooks = Webhooks(client)
        self._secrets = UserSecrets(client)
        self._pacts = TriggeredWebhooks(client)
        self._client = client
        self._fingerprint = fingerprint(request.token, str(client.origin))
        self._receiver = receiver
        self._webhook = self._marked(request.webhook)
        self._needed = NeededVersions(request.provider, None, ())
        self._unchanged: list[str] = []
        """What was not written, since the broker shows no difference."""
        self._secret_is_new = False
        self._description = ""

    def secret(self, expires: datetime | None) -> Finding:
        """Store the token as a secret, unless it is there.

        Args:
            expires: When the token expires, for the description of the secret.
        """
        name = self._request.secret
        if name is None:
            return self._no_secret()
        ours = TokenDescription(self._request.holder, self._fingerprint)
        self._description = ours.text(expires)
        try:
            existing = self._secrets.find(name)
        except NoSecrets as error:
            return Finding(State.FAILED, found=f"{error}.", to_do=_NO_SECRETS)
        theirs = TokenDescription.read(existing.description) if existing else None
        warnings: tuple[str, ...] = ()
        if existing is None:
            found, done = f"The broker has no secret {name} yet.", "create it"
        elif ours.is_of_same_token(theirs):
            self._unchanged.append("secret")
            return Finding(State.OK, found=f"The broker has this token as its secret {name}.")
        elif theirs is None:
            found, done = (
                f"The broker has a secret {name}, and doesn't show of which token.",
                "give it this token",
            )
            warnings = (
                f"Other webhooks that use {name} get this token too: if they must not, take --secret.",
            )
        elif theirs.holder != ours.holder:
            return Finding(
                State.FAILED,
                found=f"The broker's secret {name} is the token for {theirs.holder}, and not this one.",
                to_do=f"Give this one another name, as in --secret {_own_name(self._request.repository)}.",
            )
        else:
            found, done = (
                f"The broker's secret {name} is another token for {ours.holder}.",
                "give it this token",
            )
        if self._request.plan:
            return Finding(State.PLANNED, found=found, done=f"Would {done}.", warnings=warnings)
        self._secrets.put(name, self._request.token, self._description)
        self._secret_is_new = True
        done = "Created it." if existing is None else "Gave it this token."
        return Finding(State.CHANGED, found=found, done=done, warnings=warnings)

    def webhook(self) -> Finding:
        """Create the webhook, or replace the one that is there if it differs."""
        if missing := self._unknown():
            return Finding(
                State.FAILED,
                found=f"The broker knows no {' and no '.join(missing)}.",
                to_do="Check the name, capitals too. A pact that is published makes both sides known; so does "
                "pact-broker create-or-update-pacticipant --name NAME.",
            )
        happens, event_warnings = self._choose_event()
        intended = self._webhook
        existing = self._webhooks.find(intended.uuid)
        warnings = event_warnings + tuple(
            f"Webhook {other.uuid} sends from the same scope to the same URL: each event may be delivered twice. "
            f"Delete it (pact-dispatch webhooks delete {other.uuid}) if it isn't meant."
            for other in self._webhooks.sent_to_same_target(intended)
        )
        facts = {"webhook": intended.uuid, "event_happens": happens}
        name = f"webhook {intended.uuid}"
        if existing is None:
            found = f"The broker has no {name} yet."
        elif not (differences := _differences(intended, existing)):
            # without a fingerprint it can't be seen whether the token in the webhook is this one; and the header,
            # which names a secret, is hidden: whoever has just made that one wants it used
            if not self._secret_is_new and (
                self._request.secret is not None or self._fingerprint is not None
            ):
                self._unchanged.append("webhook")
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
        if self._request.plan:
            done = f"Would {'update' if existing else 'create'} it ({request})."
            return Finding(State.PLANNED, found=found, done=done, warnings=warnings, facts=facts)
        self._put(existing)
        done = f"{'Updated' if existing else 'Created'} it ({request})."
        return Finding(State.CHANGED, found=found, done=done, warnings=warnings, facts=facts)

    def test(self) -> Finding:
        """Have the broker send the request of the webhook once."""
        request = self._request
        pacts = self._pacts.pairs(request.consumer, request.provider)
        warnings: tuple[str, ...] = ()
        if pacts:
            consumers = ", ".join(sorted({consumer for consumer, _ in pacts}))
            found = f"{request.provider} has pacts with {consumers}."
        else:
            of = f" of {request.consumer}" if request.consumer else ""
            found = f"The broker has no pact{of} with {request.provider} yet."
            warnings = (
                "The test has placeholders in place of a pact: what verifies it finds none. Publish one, run it again.",
            )
        if pacts and self._receiver is not None and self._receiver.keeps_failures_back:
            stateful = stateful_interactions(self._client, request.provider)
            if stateful:
                warnings += (
                    f"{request.provider}: {nothing_sets_up(stateful)} (in the receiver's configuration).",
                )
        if request.plan:
            return Finding(
                State.PLANNED,
                found=found,
                done="Would have the broker send it once.",
                warnings=warnings,
            )
        execution = self._webhooks.execute(self._webhook.uuid)
        again = ""
        if self._unchanged and execution.status in _REFUSALS:
            again = self._write_again()
            execution = self._webhooks.execute(self._webhook.uuid)
        done = f"{again}The broker sent it, and got {_answer(execution)}."
        facts = {"status": execution.status, "delivery": execution.answer_headers.get("x-github-request-id")}
        if execution.success:
            refused = self._refused(pacts)
            return Finding(
                State.FAILED if refused else State.OK,
                found=found,
                done=f"{done} {explain(execution, self._webhook.uuid)}",
                to_do=refused,
                warnings=warnings,
                facts=facts,
            )
        return Finding(
            State.FAILED,
            found=found,
            done=done,
            to_do=explain(execution, self._webhook.uuid),
            warnings=warnings,
            facts=facts,
        )

    def _choose_event(self) -> tuple[bool, tuple[str, ...]]:
        """Choose the event of the webhook by the versions of the provider, where no option gives it.

        Returns:
            Whether the event happens when a pact is published, and what is to be said of it.
        """
        if self._webhook.events != (WebhookEvent.REQUIRING_VERIFICATION,):
            return True, ()
        self._needed = needed = NeededVersions.ask(self._client, self._request.provider)
        if not needed.versions and self._request.until_versions is not None:
            self._webhook = self._marked(self._request.until_versions)
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
            warnings.append(f"{needed.no_main_branch}. To mend it, {needed.set_main_branch}.")
        if self._receiver is None and needed.without_commit:
            warnings.append(
                f"{named(needed.without_commit)} is no commit id, and a workflow can't check it out: publish the "
                f"results of {needed.provider} with the commit id as its version."
            )
        return True, tuple(warnings)

    def _refused(self, pacts: Sequence[tuple[str, str]]) -> str:
        """Return why the receiver would refuse what the broker sends after a change; an empty text if it wouldn't.

        The test has no version of the provider, as a change has.
        """
        if self._receiver is None or not pacts:
            return ""
        consumer, provider = pacts[0]
        pact_url = self._client.url("pacts", "provider", provider, "consumer", consumer, "latest")
        for version in self._needed.versions:
            payload = {"pact_url": pact_url, "sha": version.number, "branch": version.branch or ""}
            if errors := self._receiver.errors_in(self._webhook.request.body["event_type"], payload):
                return (
                    f"What is sent when a pact changes is refused for {named([version])}: {'; '.join(errors)}. Publish "
                    f"the results of {provider} with the commit id as its version, or change what is named."
                )
        return ""

    def _marked(self, webhook: Webhook) -> Webhook:
        """Return a webhook whose description shows what the broker hides: which token, or which secret, it sends."""
        mark = self._request.secret or self._fingerprint
        return replace(webhook, description=with_fingerprint(webhook.description or "", mark))

    def _no_secret(self) -> Finding:
        """Leave the token to the webhook, with a warning."""
        warnings: tuple[str, ...] = (
            "The token stands in the webhook, and so in the broker's database and its backups.",
        )
        try:
            self._secrets.all()
            warnings += ("This broker has secrets: without --token-in-webhook it would keep it as one.",)
        except (NoSecrets, BrokerRefused):
            pass
        return Finding(
            State.OK,
            found="Not wanted: --token-in-webhook puts the token there.",
            warnings=warnings,
        )

    def _unknown(self) -> list[str]:
        """Return the sides that the broker doesn't know: it takes no webhook for them."""
        unknown = []
        for role, name in (("provider", self._request.provider), ("consumer", self._request.consumer)):
            try:
                if name is not None:
                    self._client.get(self._client.url("pacticipants", name))
            except NotFound:
                unknown.append(f"{role} {name}")
        return unknown

    def _put(self, existing: Webhook | None) -> None:
        self._webhooks.put(carried_over(self._webhook, existing) if existing else self._webhook)

    def _write_again(self) -> str:
        """Write what seemed to be the same: somebody may have changed what the broker hides."""
        if self._request.secret is not None and "secret" in self._unchanged:
            self._secrets.put(self._request.secret, self._request.token, self._description)
        if "webhook" in self._unchanged:
            self._put(self._webhooks.find(self._webhook.uuid))
        names, self._unchanged = " and ".join(f"the {name}" for name in self._unchanged), []
        return f"The first try was refused, so {names} was written again. "


def _own_name(repository: str) -> str:
    """Return a name for a secret that no other repository's secret has."""
    return re.sub(r"[^A-Za-z0-9_]", "_", repository) + "_token"


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
    }
    return [name for name, (one, other) in pairs.items() if one != other]


def _answer(execution: Execution) -> str:
    if execution.status is not None:
        return str(execution.status)
    return f"no answer ({execution.error or 'the broker does not say why'})"
