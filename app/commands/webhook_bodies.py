"""The bodies of webhooks: what is sent to GitHub, to a receiver, and to chats (no I/O)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.dispatch import PACT_CHANGED
from broker.events import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

_MESSAGE = (
    "Verify changed pact for ${pactbroker.consumerName} version ${pactbroker.consumerVersionNumber} "
    "branch ${pactbroker.consumerVersionBranch}"
)
"""What the runs of the example workflows are named."""

CHANGED: Mapping[str, Any] = {
    "event_type": PACT_CHANGED,
    "client_payload": {"pact_url": "${pactbroker.pactUrl}", "message": _MESSAGE},
}
"""A `repository_dispatch` for changed content: no provider version is known."""

REQUIRING_VERIFICATION: Mapping[str, Any] = {
    "event_type": WebhookEvent.REQUIRING_VERIFICATION,
    "client_payload": {
        "pact_url": "${pactbroker.pactUrl}",
        "sha": "${pactbroker.providerVersionNumber}",
        "branch": "${pactbroker.providerVersionBranch}",
        "message": f"{_MESSAGE} by ${{pactbroker.providerVersionNumber}} (${{pactbroker.providerVersionDescriptions}})",
    },
}
"""A `repository_dispatch` for a provider version that lacks a result."""

PACT_INPUT, SHA_INPUT, BRANCH_INPUT = "pact-url", "sha", "branch"
"""The inputs of a workflow that a `workflow_dispatch` starts, as the example workflows have them."""

WORKFLOW_CHANGED: Mapping[str, Any] = {"inputs": {PACT_INPUT: "${pactbroker.pactUrl}"}}
"""A `workflow_dispatch`, but for its `ref`: GitHub refuses an input that the workflow doesn't declare.

See https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event.
"""

WORKFLOW_REQUIRING_VERIFICATION: Mapping[str, Any] = {
    "inputs": {
        PACT_INPUT: "${pactbroker.pactUrl}",
        SHA_INPUT: "${pactbroker.providerVersionNumber}",
        BRANCH_INPUT: "${pactbroker.providerVersionBranch}",
    }
}

GITHUB_STATUS: Mapping[str, Any] = {
    "state": "${pactbroker.githubVerificationStatus}",
    "context": "Pact with ${pactbroker.providerName}",
    "description": "Pact verification: ${pactbroker.githubVerificationStatus}",
    "target_url": "${pactbroker.verificationResultUrl}",
}
"""A commit status, a context for each provider. Its description may have 140 characters, so no name is in it.

See https://docs.github.com/en/rest/commits/statuses#create-a-commit-status.
"""

_VERIFIED = (
    "The pact of ${pactbroker.consumerName} ${pactbroker.consumerVersionNumber} (${pactbroker.consumerVersionBranch}) "
    "with ${pactbroker.providerName} ${pactbroker.providerVersionNumber} (${pactbroker.providerVersionBranch}): "
    "${pactbroker.githubVerificationStatus}"
)

SLACK: Mapping[str, Any] = {
    "text": "Pact verification: ${pactbroker.githubVerificationStatus}",
    "blocks": [
        {"type": "section", "text": {"type": "plain_text", "text": _VERIFIED}},
        {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": "<${pactbroker.verificationResultUrl}|Result>"}],
        },
    ],
}
"""A message for an incoming webhook of Slack. Names are plain text, so that none of them mentions a channel.

See https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/reference/block-kit/blocks/section-block.
"""

TEAMS: Mapping[str, Any] = {
    "type": "message",
    "attachments": [
        {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": _VERIFIED}]},
                    {
                        "type": "TextBlock",
                        "text": "[Result](${pactbroker.verificationResultUrl})",
                        "wrap": True,
                    },
                ],
            },
        }
    ],
}
"""An Adaptive Card for a Workflows webhook of Microsoft Teams. Names are in a text run, which is not Markdown.

See https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook and
https://adaptivecards.io/explorer/RichTextBlock.html.
"""
