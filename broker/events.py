"""The names of the events that trigger webhooks, and of the dispatch that tells of the other reason to verify."""

from enum import StrEnum

PROVIDER_CHANGED = "provider_changed"
"""The event type of a dispatch that is sent when a provider has changed: it names no pact."""


class WebhookEvent(StrEnum):
    """An event that may trigger a webhook, by the broker's name for it and in the broker's order."""

    CONTRACT_PUBLISHED = "contract_published"
    CONTENT_CHANGED = "contract_content_changed"
    VERIFICATION_PUBLISHED = "provider_verification_published"
    VERIFICATION_SUCCEEDED = "provider_verification_succeeded"
    VERIFICATION_FAILED = "provider_verification_failed"
    REQUIRING_VERIFICATION = "contract_requiring_verification_published"


PUBLICATION_EVENTS = frozenset(event for event in WebhookEvent if event.startswith("contract_"))
"""The events that may happen when a pact is published."""
VERIFICATION_EVENTS = frozenset(WebhookEvent) - PUBLICATION_EVENTS
"""The events that may happen when a verification result is published."""
