"""Messages for a workflow of Microsoft Teams: an Adaptive Card, since the connectors of Office 365 are retired.

The workflow "Post to a channel when a webhook request is received" takes a message with one card. What it says is in
`TextRun`s, which have no Markdown, unlike a `TextBlock`: no link or mention in a name is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.notifications.message import lines_of

if TYPE_CHECKING:
    from collections.abc import Mapping

CARD = "application/vnd.microsoft.card.adaptive"
SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
VERSION = "1.4"
"""Of Adaptive Cards: what Teams shows everywhere, on phones too."""


def teams_message(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of the request for a content of `app.notifications.message`."""
    title = {"type": "TextRun", "text": content["title"], "weight": "Bolder", "size": "Medium"}
    body = [_block(title), *(_block(*_line(*line)) for line in lines_of(content))]
    card: dict[str, Any] = {"type": "AdaptiveCard", "$schema": SCHEMA, "version": VERSION, "body": body}
    if content["url"]:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "The provider", "url": content["url"]}]
    return {
        "type": "message",
        "attachments": [{"contentType": CARD, "contentUrl": None, "content": card}],
    }


def _block(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _line(subject: str, said: str, url: str | None) -> list[dict[str, Any]]:
    first: dict[str, Any] = {"type": "TextRun", "text": subject, "weight": "Bolder"}
    if url is not None:
        first["selectAction"] = {"type": "Action.OpenUrl", "url": url}
    return [first, *([{"type": "TextRun", "text": f" {said}"}] if said else [])]
