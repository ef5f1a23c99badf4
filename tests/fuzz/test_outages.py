"""Which answers of a provider say nothing about the contract."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz.answering import Change, Sent
from fuzz.target import Violation
from fuzz.targets.provider_answers import MESSAGES, STATES, check_outages, is_outage
from tests.support.examples import FAILED, verification

PATH = FAILED.request.removeprefix("GET ")
AWAY, WRONG, RIGHT = Change(status="503"), Change(status="404"), Change()


@pytest.mark.parametrize(
    ("change", "missing", "expected"),
    [
        (RIGHT, 0, False),
        (Change(status="500"), 0, False),
        (AWAY, 0, True),
        (Change(cut=256, reset=True), 0, False),
        (Change(cut=100, reset=True), 20, True),
        (Change(cut=100), 1, True),
        (Change(cut=100, drip=0.2), 1, False),
        (Change(cut=100, drip=0.2), 20, True),
    ],
)
def test_an_answer_is_the_providers_word_if_it_was_whole(
    change: Change, missing: int, *, expected: bool
) -> None:
    assert is_outage(Sent(PATH, change, missing)) == expected


@pytest.mark.parametrize(
    ("answers", "harmful"),
    [
        ([(PATH, AWAY)], True),
        ([(PATH, AWAY), (PATH, RIGHT)], False),
        ([("/other", AWAY), (PATH, WRONG)], False),
        ([("/other", RIGHT), (PATH, AWAY)], True),
        ([(STATES, RIGHT), (PATH, AWAY)], True),
        ([(STATES, WRONG)], False),
        ([(STATES, AWAY)], True),
        ([], False),
    ],
)
def test_an_interaction_of_which_only_outages_were_seen_breaks_nothing(
    answers: list[tuple[str, Change]], *, harmful: bool
) -> None:
    sent = [Sent(path, change, 0) for path, change in answers]
    try:
        check_outages(verification(FAILED), sent)
    except Violation:
        assert harmful
    else:
        assert not harmful


def test_a_message_is_asked_for_at_its_own_place() -> None:
    message = replace(FAILED, request="message")
    with pytest.raises(Violation, match="word"):
        check_outages(verification(message), [Sent(MESSAGES, AWAY, 0)])
