"""Webhooks of a Pact Broker or PactFlow, seen from a client."""

from broker.webhooks.definition import Pacticipant, Party, Scope, Webhook, WebhookRequest
from broker.webhooks.resource import Execution, Webhooks, carried_over, stable_uuid
from broker.webhooks.triggered import Attempt, Triggered, TriggeredWebhooks
from broker.webhooks.user_secrets import NoSecrets, UserSecrets

__all__ = [
    "Attempt",
    "Execution",
    "NoSecrets",
    "Pacticipant",
    "Party",
    "Scope",
    "Triggered",
    "TriggeredWebhooks",
    "UserSecrets",
    "Webhook",
    "WebhookRequest",
    "Webhooks",
    "carried_over",
    "stable_uuid",
]
