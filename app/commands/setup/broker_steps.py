"""The steps that are taken in the broker: the secret, the webhook, and its test."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from app.commands.setup.step import Kind, State
from app.commands.setup.token_mark import TokenDescription, mark_of, marked
from app.commands.webhook_explanation import explain
from broker.http.errors import BrokerRefused, NotFound
from broker.webhooks import Webhooks, carried_over
from broker.webhooks.hidden_secrets import is_stars
from broker.webhooks.triggered import TriggeredWebhooks
from broker.webhooks.user_secrets import NoSecrets, UserSecrets

if TYPE_CHECKING:
    from datetime import datetime

    from app.commands.setup.request import Wanted
    from app.commands.setup.step import Step
    from broker.client import BrokerClient
    from broker.webhooks import Execution
    from broker.webhooks.definition import Webhook

SECRET = Kind("secret", "The token, as a secret of the broker")
WEBHOOK = Kind("webhook", "The webhook")
TEST = Kind("test", "A test: the broker sends the webhook's request")

_NO_SECRETS = (
    "Take one of these ways. 1. The receiver (--target receiver): the broker then holds a token that is good for "
    "nothing else. 2. The relay, which keeps GitHub's token and passes dispatches on: --target receiver with the "
    "receiver's URL, and relay = true for the provider in its configuration. 3. Knowingly, the token in the webhook "
    "itself (--token-in-webhook): it is kept in the broker's database as it is."
)
_REFUSALS = frozenset({401, 403, 404})
"""What a target answers to a token that isn't the right one."""


class BrokerSteps:
    """The steps in the broker, in this order.

    Args:
        wanted: what is asked for.
        client: the session with the broker.
    """

    def __init__(self, wanted: Wanted, client: BrokerClient) -> None:
        self._wanted = wanted
        self._webhooks = Webhooks(client)
        self._secrets = UserSecrets(client)
        self._pacts = TriggeredWebhooks(client)
        self._client = client
        self._mark = mark_of(wanted.token, str(client.origin))
        self._webhook = wanted.webhook
        if wanted.secret is None:
            description = marked(wanted.webhook.description or "", self._mark)
            self._webhook = replace(wanted.webhook, description=description)
        self._left: list[str] = []
        """What was left as it is, since the broker shows no difference."""
        self._description = ""

    def secret(self, expires: datetime | None) -> Step:
        """Store the token as a secret, unless it is there.

        Args:
            expires: when it stops working, for the secret's description.
        """
        name = self._wanted.secret
        if name is None:
            return self._no_secret()
        ours = TokenDescription(self._wanted.holder, self._mark)
        self._description = ours.text(expires)
        try:
            existing = self._secrets.find(name)
        except NoSecrets as error:
            return SECRET.ended(State.FAILED, found=f"{error}.", to_do=_NO_SECRETS)
        theirs = TokenDescription.read(existing.description) if existing else None
        warnings: tuple[str, ...] = ()
        if existing is None:
            found, done = f"The broker has no secret {name} yet.", "create it"
        elif ours.is_of_same_token(theirs):
            self._left.append("secret")
            return SECRET.ended(State.OK, found=f"The broker has this token as its secret {name}.")
        elif theirs is None:
            found, done = (
                f"The broker has a secret {name}, and doesn't show of which token.",
                "give it this token",
            )
            warnings = (
                f"Other webhooks that use {name} get this token too: if they must not, take --secret.",
            )
        elif theirs.holder != ours.holder:
            return SECRET.ended(
                State.FAILED,
                found=f"The broker's secret {name} is the token for {theirs.holder}, and not this one.",
                to_do=f"Give this one another name, as in --secret {_own_name(self._wanted)}.",
            )
        else:
            found, done = (
                f"The broker's secret {name} is another token for {ours.holder}.",
                "give it this token",
            )
        if self._wanted.plan:
            return SECRET.ended(State.PLANNED, found=found, done=f"Would {done}.", warnings=warnings)
        self._secrets.put(name, self._wanted.token, self._description)
        done = "Created it." if existing is None else "Gave it this token."
        return SECRET.ended(State.CHANGED, found=found, done=done, warnings=warnings)

    def webhook(self) -> Step:
        """Create the webhook, or bring the one that is there to what is wanted."""
        wanted = self._webhook
        if missing := self._unknown():
            return WEBHOOK.ended(
                State.FAILED,
                found=f"The broker knows no {' and no '.join(missing)}.",
                to_do="Check the name, capitals too. A pact that is published makes both sides known; so does "
                "pact-broker create-or-update-pacticipant --name NAME.",
            )
        existing = self._webhooks.find(wanted.uuid)
        warnings = tuple(
            f"Webhook {other.uuid} sends from the same scope to the same URL: each event may be delivered twice. "
            f"Delete it (pact-dispatch webhooks delete {other.uuid}) if it isn't meant."
            for other in self._webhooks.sent_to_same_target(wanted)
        )
        facts = {"webhook": wanted.uuid}
        what = f"webhook {wanted.uuid}"
        if existing is None:
            found = f"The broker has no {what} yet."
        elif not (differences := _differences(wanted, existing)):
            # without a mark it can't be seen whether the token in the webhook is this one
            if self._wanted.secret is not None or self._mark is not None:
                self._left.append("webhook")
                return WEBHOOK.ended(
                    State.OK, found=f"The {what} is as it should be.", warnings=warnings, facts=facts
                )
            found = f"The {what} is there; whether its token is this one can't be told."
        else:
            found = f"The {what} differs in {', '.join(differences)}."
        request = f"{', '.join(wanted.events)}: {wanted.request.method} {wanted.request.url}"
        if self._wanted.plan:
            done = f"Would {'update' if existing else 'create'} it ({request})."
            return WEBHOOK.ended(State.PLANNED, found=found, done=done, warnings=warnings, facts=facts)
        self._put(existing)
        done = f"{'Updated' if existing else 'Created'} it ({request})."
        return WEBHOOK.ended(State.CHANGED, found=found, done=done, warnings=warnings, facts=facts)

    def test(self) -> Step:
        """Have the broker send the webhook's request once, and say what came of it."""
        wanted = self._wanted
        pacts = self._pacts.pairs(wanted.consumer, wanted.provider)
        warnings: tuple[str, ...] = ()
        if pacts:
            consumers = ", ".join(sorted({consumer for consumer, _ in pacts}))
            found = f"{wanted.provider} has pacts with {consumers}."
        else:
            of = f" of {wanted.consumer}" if wanted.consumer else ""
            found = f"The broker has no pact{of} with {wanted.provider} yet."
            warnings = (
                "The test has placeholders in place of a pact: what verifies it finds none. Publish one, run it again.",
            )
        if wanted.plan:
            return TEST.ended(
                State.PLANNED, found=found, done="Would have the broker send it once.", warnings=warnings
            )
        execution = self._webhooks.execute(self._webhook.uuid)
        again = ""
        if self._left and execution.status in _REFUSALS:
            again = self._write_again()
            execution = self._webhooks.execute(self._webhook.uuid)
        done = f"{again}The broker sent it, and got {_answer(execution)}."
        facts = {"status": execution.status, "delivery": execution.answer_headers.get("x-github-request-id")}
        if execution.success:
            return TEST.ended(
                State.OK, found=found, done=f"{done} {explain(execution)}", warnings=warnings, facts=facts
            )
        return TEST.ended(
            State.FAILED, found=found, done=done, to_do=explain(execution), warnings=warnings, facts=facts
        )

    def _no_secret(self) -> Step:
        """Leave the token to the webhook, and say what that means."""
        warnings: tuple[str, ...] = (
            "The token stands in the webhook, and so in the broker's database and its backups.",
        )
        try:
            self._secrets.all()
            warnings += ("This broker has secrets: without --token-in-webhook it would keep it as one.",)
        except (NoSecrets, BrokerRefused):
            pass
        return SECRET.ended(
            State.OK, found="Not wanted: --token-in-webhook puts the token there.", warnings=warnings
        )

    def _unknown(self) -> list[str]:
        """Name the sides that the broker doesn't know: it takes no webhook for them."""
        unknown = []
        for role, name in (("provider", self._wanted.provider), ("consumer", self._wanted.consumer)):
            try:
                if name is not None:
                    self._client.get(self._client.url("pacticipants", name))
            except NotFound:
                unknown.append(f"{role} {name}")
        return unknown

    def _put(self, existing: Webhook | None) -> None:
        self._webhooks.put(carried_over(self._webhook, existing) if existing else self._webhook)

    def _write_again(self) -> str:
        """Write what was left because nothing differed: of what a broker hides, somebody may have changed some."""
        if self._wanted.secret is not None and "secret" in self._left:
            self._secrets.put(self._wanted.secret, self._wanted.token, self._description)
        if "webhook" in self._left:
            self._put(self._webhooks.find(self._webhook.uuid))
        left, self._left = " and ".join(f"the {name}" for name in self._left), []
        return f"The first try was refused, so {left} was written again. "


def _own_name(wanted: Wanted) -> str:
    """Give a secret a name that no other repository's has."""
    return re.sub(r"[^A-Za-z0-9_]", "_", wanted.repository) + "_token"


def _differences(wanted: Webhook, existing: Webhook) -> list[str]:
    """Name what differs, as far as the broker shows it."""
    ours, theirs = wanted.request, existing.request
    headers = {name.lower(): value for name, value in ours.headers.items()}
    shown = {name.lower(): value for name, value in theirs.headers.items()}
    hidden = {name: headers[name] for name, value in shown.items() if is_stars(value) and name in headers}
    pairs = {
        "whose pacts": (wanted.scope, existing.scope),
        "events": (sorted(wanted.events), sorted(existing.events)),
        "enabled": (wanted.enabled, existing.enabled),
        "description": (wanted.description, existing.description),
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
