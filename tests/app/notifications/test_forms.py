"""What Slack, Teams and others are sent: it is what they take, and nothing of a pact becomes markup in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft6Validator, Draft202012Validator

from app.config.notify import NotifiedEvent
from app.config.sections import ServerSettings
from app.notifications.change import Change
from app.notifications.message import MOST_CHANGES, content_of, trial_content
from app.notifications.slack import slack_message
from app.notifications.teams import CARD, teams_message
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = ServerSettings(public_url="https://pacts.example/base/")
RUN = UUID(int=7)
HOSTILE = (
    "<!channel> @everyone <@U1> <https://evil.example|click> [click](https://evil.example) <at>you</at> "
    "*bold* _i_ ~s~ `c` :bomb: &amp; \n# head\r\u202e\x00 <b>x</b> {{env}}"
)

LIMIT_OF_TEXT = 3000
_ELEMENT = {
    "oneOf": [
        {
            "type": "object",
            "required": ["type", "text"],
            "additionalProperties": False,
            "properties": {
                "type": {"const": "text"},
                "text": {"type": "string", "minLength": 1, "maxLength": LIMIT_OF_TEXT},
                "style": {"type": "object"},
            },
        },
        {
            "type": "object",
            "required": ["type", "url"],
            "additionalProperties": False,
            "properties": {
                "type": {"const": "link"},
                "url": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": LIMIT_OF_TEXT,
                    "pattern": "^https://pacts",
                },
                "text": {"type": "string"},
                "style": {"type": "object"},
            },
        },
    ]
}
_SECTION = {
    "type": "object",
    "required": ["type", "elements"],
    "additionalProperties": False,
    "properties": {"type": {"const": "rich_text_section"}, "elements": {"type": "array", "items": _ELEMENT}},
}
SLACK = {
    "type": "object",
    "required": ["text", "blocks"],
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 4000},
        "blocks": {
            "type": "array",
            "maxItems": 50,
            "items": {
                "oneOf": [
                    {
                        "type": "object",
                        "required": ["type", "text"],
                        "additionalProperties": False,
                        "properties": {
                            "type": {"const": "header"},
                            "text": {
                                "type": "object",
                                "required": ["type", "text"],
                                "additionalProperties": False,
                                "properties": {
                                    "type": {"const": "plain_text"},
                                    "text": {"type": "string", "minLength": 1, "maxLength": 150},
                                    "emoji": {"const": False},
                                },
                            },
                        },
                    },
                    {
                        "type": "object",
                        "required": ["type", "elements"],
                        "additionalProperties": False,
                        "properties": {
                            "type": {"const": "rich_text"},
                            "elements": {
                                "type": "array",
                                "items": {
                                    "oneOf": [
                                        _SECTION,
                                        {
                                            "type": "object",
                                            "required": ["type", "style", "elements"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "type": {"const": "rich_text_list"},
                                                "style": {"enum": ["bullet", "ordered"]},
                                                "elements": {
                                                    "type": "array",
                                                    "minItems": 1,
                                                    "items": _SECTION,
                                                },
                                            },
                                        },
                                    ]
                                },
                            },
                        },
                    },
                ]
            },
        },
    },
}
"""The constraints of https://docs.slack.dev/reference/block-kit, for the blocks that are used."""
TEAMS = json.loads((ROOT / "tests/support/adaptive_card.schema.json").read_text())
LARGEST_BLOCKS = 26_000
"""With all names of members; of texts Slack takes some 13,000 characters."""
LARGEST_CARD = 28 * 1024
"""The limit of a message in Teams."""


def change(event: NotifiedEvent, name: str, **values: Any) -> Change:
    return Change(
        event,
        name,
        name,
        RUN,
        name,
        name,
        changed=("consumer", "provider"),
        failed=2,
        interactions=5,
        why=name,
        **values,
    )


def every_form(name: str, number: int = 1) -> dict[str, Any]:
    changes = [change(event, name) for event in NotifiedEvent for _ in range(number)]
    changes.append(change(NotifiedEvent.UNVERIFIABLE, name, over=True))
    return content_of(name, changes, server=SERVER, page_of=SERVER.page_of_run)


def check(content: dict[str, Any]) -> None:
    slack, teams = slack_message(content), teams_message(content)
    Draft202012Validator(SLACK).validate(slack)
    # entities are the only markup in this text: `mrkdwn` is off
    assert slack["mrkdwn"] is False
    assert "<" not in slack["text"]
    assert ">" not in slack["text"]
    [attachment] = teams["attachments"]
    assert (teams["type"], attachment["contentType"]) == ("message", CARD)
    card = attachment["content"]
    Draft6Validator(TEAMS).validate(card)
    # a TextBlock, a FactSet and the title of an action have Markdown; a TextRun has none
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert all(inline["type"] == "TextRun" for block in card["body"] for inline in block["inlines"])
    assert {action["title"] for action in card.get("actions", ())} <= {"The provider"}
    assert "msteams" not in card  # which has the mentions
    assert len(json.dumps(teams, ensure_ascii=False).encode()) < LARGEST_CARD
    assert len(json.dumps(slack["blocks"], ensure_ascii=False)) < LARGEST_BLOCKS
    for url in urls_of([slack, teams]):
        assert url.startswith("https://pacts.example/base/")


def urls_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (text for key, text in value.items() if key == "url")
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from urls_of(one)


@pytest.mark.parametrize(
    ("name", "number"), [("Shop", 1), (HOSTILE, 1), ("n" * 255, 60), ("ü😀" * 100, 60), ("&<>" * 80, 9)]
)
def test_each_form_is_taken_and_has_no_markup_of_names(name: str, number: int) -> None:
    check(every_form(name, number))


@settings(max_examples=20, deadline=None)
@given(st.text(min_size=1, max_size=300))
def test_each_form_is_taken_whatever_a_name_is(name: str) -> None:
    check(every_form(name))


def test_a_test_message_is_taken() -> None:
    check(trial_content([HOSTILE], SERVER))


def test_without_a_public_url_there_are_no_links() -> None:
    nowhere = ServerSettings()
    content = content_of(
        "P", [change(NotifiedEvent.BROKEN, "C")], server=nowhere, page_of=nowhere.page_of_run
    )
    assert not [url for url in urls_of([slack_message(content), teams_message(content)]) if url]
    assert "actions" not in teams_message(content)["attachments"][0]["content"]
    Draft202012Validator(SLACK).validate(slack_message(content))


def test_what_is_said_of_each_event() -> None:
    content = content_of(
        "Products",
        [
            Change(NotifiedEvent.HEALED, "Billing", "", RUN, "2.0", "abc"),
            Change(NotifiedEvent.BROKEN, "Shop", "", RUN, "1.4", "0123456789abcdef0123", ("provider",), 2, 7),
            Change(NotifiedEvent.REFUSED, reason="bad-token", why="The token is wrong.", to_do="Renew it."),
        ],
        server=SERVER,
        page_of=SERVER.page_of_run,
    )
    assert content["title"] == "Products: 1 pact broken, 1 pact healed, dispatches are refused"
    assert content["events"] == ["broken", "healed", "refused"]
    assert slack_message(content)["text"].splitlines()[1:] == [
        "Shop 1.4 is broken with version 01234567: 2 of 7 interactions failed; changed: provider",
        "Billing 2.0 has healed with version abc",
        "Dispatches are refused (bad-token): The token is wrong. Renew it.",
    ]
    assert content["changes"][0]["url"] == f"https://pacts.example/base/runs/{RUN}"


def test_a_storm_is_one_message_that_counts_the_rest() -> None:
    changes = [change(NotifiedEvent.BROKEN, f"C{number}") for number in range(1000)]
    content = content_of("P", changes, server=SERVER, page_of=SERVER.page_of_run)
    assert content["title"] == "P: 1000 pacts broken"
    assert (len(content["changes"]), content["more_changes"]) == (MOST_CHANGES, 1000 - MOST_CHANGES)
    assert "980 more" in json.dumps(slack_message(content))
    check(content)
