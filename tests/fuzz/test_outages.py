"""Which answers of a provider say nothing about the contract."""

from __future__ import annotations

import pytest

from fuzz.answering import Change, Sent
from fuzz.targets.provider_answers import is_outage


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (Sent(Change(), 0), False),
        (Sent(Change(status="500"), 0), False),
        (Sent(Change(status="503"), 0), True),
        (Sent(Change(cut=256, reset=True), 0), False),
        (Sent(Change(cut=100, reset=True), 20), True),
        (Sent(Change(cut=100), 1), True),
        (Sent(Change(cut=100, drip=0.2), 1), False),
        (Sent(Change(cut=100, drip=0.2), 20), True),
    ],
)
def test_an_answer_is_the_providers_word_if_it_was_whole(sent: Sent, *, expected: bool) -> None:
    assert is_outage(sent) == expected
