"""The step that has the broker send the webhook's request once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.finding import Finding, State
from app.commands.pact_states import nothing_sets_up, stateful_interactions
from app.commands.provider_versions import named
from app.commands.webhook_bodies import PACT_INPUT
from app.commands.webhook_explanation import explain
from broker.http.json_values import text_at
from broker.webhooks import Webhooks
from broker.webhooks.triggered import TriggeredWebhooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.commands.setup.receiver_step import ReceiverStep
    from app.commands.setup.secret_step import SecretStep
    from app.commands.setup.webhook_step import WebhookStep
    from broker.client import BrokerClient
    from broker.webhooks import Execution

_REFUSALS = frozenset({401, 403, 404})
"""The answers of a target to a token that isn't the right one."""


class TrialStep:
    """The step that has the broker send the webhook's request once.

    Args:
        secret: The step that stored the token.
        webhook: The step that wrote the webhook.
        client: The session with the broker.
        receiver: The receiver that is told; None for GitHub.

    Attributes:
        pact_url: The URL of the pact that was sent; None if there is none.
    """

    def __init__(
        self,
        secret: SecretStep,
        webhook: WebhookStep,
        client: BrokerClient,
        receiver: ReceiverStep | None = None,
    ) -> None:
        self._secret = secret
        self._webhook = webhook
        self._client = client
        self._receiver = receiver
        self._webhooks = Webhooks(client)
        self.pact_url: str | None = None

    def take(self) -> Finding:
        """Have the broker send the request."""
        request = self._secret.request
        pacts = TriggeredWebhooks(self._client).pairs(request.consumer, request.provider)
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
        uuid = self._webhook.webhook.uuid
        execution = self._webhooks.execute(uuid)
        again = ""
        if execution.status in _REFUSALS and (self._secret.unchanged or self._webhook.unchanged):
            again = self._write_again()
            execution = self._webhooks.execute(uuid)
        if pacts:
            self.pact_url = text_at(execution.body, "client_payload", "pact_url") or text_at(
                execution.body, "inputs", PACT_INPUT
            )
        done = f"{again}The broker sent it, and got {_answer(execution)}."
        facts = {"status": execution.status, "delivery": execution.answer_headers.get("x-github-request-id")}
        if execution.success:
            refused = self._refused(pacts)
            return Finding(
                State.FAILED if refused else State.OK,
                found=found,
                done=f"{done} {explain(execution, uuid)}",
                to_do=refused,
                warnings=warnings,
                facts=facts,
            )
        return Finding(
            State.FAILED,
            found=found,
            done=done,
            to_do=explain(execution, uuid),
            warnings=warnings,
            facts=facts,
        )

    def _refused(self, pacts: Sequence[tuple[str, str]]) -> str:
        """Return why the receiver would refuse what the broker sends after a change; an empty text if it wouldn't.

        The test has no version of the provider, as a change has.
        """
        if self._receiver is None or not pacts:
            return ""
        consumer, provider = pacts[0]
        pact_url = self._client.url("pacts", "provider", provider, "consumer", consumer, "latest")
        event_type = self._webhook.webhook.request.body["event_type"]
        for version in self._webhook.needed.versions:
            payload = {"pact_url": pact_url, "sha": version.number, "branch": version.branch or ""}
            if errors := self._receiver.errors_in(event_type, payload):
                return (
                    f"What is sent when a pact changes is refused for {named([version])}: {'; '.join(errors)}. Publish "
                    f"the results of {provider} with the commit id as its version, or change what is named."
                )
        return ""

    def _write_again(self) -> str:
        """Write what seemed to be the same: somebody may have changed what the broker hides."""
        written = []
        for name, step in (("the secret", self._secret), ("the webhook", self._webhook)):
            if step.unchanged:
                step.write_again()
                written.append(name)
        return f"The first try was refused, so {' and '.join(written)} was written again. "


def _answer(execution: Execution) -> str:
    if execution.status is not None:
        return str(execution.status)
    return f"no answer ({execution.error or 'the broker does not say why'})"
