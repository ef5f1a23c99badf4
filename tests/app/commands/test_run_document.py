"""What the document of a run says: whether it has ended, and with which exit code."""

from __future__ import annotations

from typing import Any

import pytest

from app.commands.run_document import exit_code_of, has_ended


def run(outcome: str, *publishing: str) -> dict[str, Any]:
    pacts = [{"publishing": one} for one in publishing]
    return {"status": "finished", "outcome": outcome, "publishing": "none", "pacts": pacts}


def test_a_run_for_every_pact_has_ended_when_the_broker_was_told_of_all_pacts() -> None:
    assert not has_ended(run("passed", "published", "pending"))
    assert has_ended(run("passed", "published", "refused", "none"))
    assert has_ended(run("passed"))


@pytest.mark.parametrize(
    ("outcome", "publishing", "code"),
    [
        ("passed", ["published"], 0),
        ("passed", [], 0),
        ("passed", ["published", "refused"], 4),
        ("error", ["refused", "none"], 4),
        ("error", ["published", "none"], 3),
        ("failed", ["refused", "published"], 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst_pact(outcome: str, publishing: list[str], code: int) -> None:
    assert exit_code_of(run(outcome, *publishing)) == code


def test_a_pact_of_its_own_that_the_broker_did_not_take_is_that_first() -> None:
    assert exit_code_of({"status": "finished", "outcome": "failed", "publishing": "refused"}) == 4
