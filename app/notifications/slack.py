"""Messages for an incoming webhook of Slack.

The limits are those of https://docs.slack.dev/reference/block-kit and of .../messaging/formatting-message-text.
What the blocks say is in `rich_text`, whose texts Slack doesn't read: no `<!channel>`, link, emoji or asterisk in
a name is markup there. In the text for notifications of a phone, where it reads entities, they are escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.notifications.message import lines_of
from broker.text.cut import beginning

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_HEADER = 150
LONGEST_TEXT = 3500
"""Slack recommends no more than 4,000 characters; what is escaped is longer than what is shown."""
MOST_LINES_OF_TEXT = 5


def slack_message(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of the request for a content of `app.notifications.message`."""
    title, lines = str(content["title"]), lines_of(content)
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": beginning(title, LONGEST_HEADER), "emoji": False},
        }
    ]
    if lines:
        items = [_item(*line) for line in lines]
        blocks.append(
            {
                "type": "rich_text",
                "elements": [{"type": "rich_text_list", "style": "bullet", "elements": items}],
            }
        )
    if content["url"]:
        link = {"type": "link", "url": content["url"], "text": "The provider"}
        blocks.append({"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [link]}]})
    text = "\n".join(
        [title, *(f"{subject} {said}".strip() for subject, said, _ in lines[:MOST_LINES_OF_TEXT])]
    )
    return {
        "text": beginning(_escaped(text), LONGEST_TEXT),
        "mrkdwn": False,
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _item(subject: str, said: str, url: str | None) -> dict[str, Any]:
    first: dict[str, Any] = {"type": "text", "text": subject, "style": {"bold": True}}
    if url is not None:
        first = {"type": "link", "url": url, "text": subject, "style": {"bold": True}}
    elements = [first, *([{"type": "text", "text": f" {said}"}] if said else [])]
    return {"type": "rich_text_section", "elements": elements}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
