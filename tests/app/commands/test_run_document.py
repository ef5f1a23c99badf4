"""What the document of a run says: whether it has ended, and with which exit code."""

from __future__ import annotations

from typing import Any

import pytest

from app.commands.run_document import exit_code_of, has_ended, state_of, took


def run(outcome: str, *publishing: str) -> dict[str, Any]:
    words = [one.split() for one in publishing]
    pacts = [{"outcome": of, "publishing": state, "pending": bool(more)} for of, state, *more in words]
    return {"status": "finished", "outcome": outcome, "publishing": "none", "pacts": pacts}


def test_a_run_for_every_pact_has_ended_when_the_broker_was_told_of_all_pacts() -> None:
    assert not has_ended(run("passed", "passed published", "passed pending"))
    assert has_ended(run("error", "passed published", "passed refused", "error none"))
    assert has_ended(run("passed"))


@pytest.mark.parametrize(
    ("outcome", "publishing", "code"),
    [
        ("passed", ["passed published"], 0),
        ("passed", ["failed published pending"], 0),
        ("passed", [], 0),
        ("passed", ["passed published", "passed refused"], 4),
        ("error", ["passed refused", "error none"], 4),
        ("error", ["passed published", "error none"], 3),
        ("failed", ["passed refused", "failed published"], 1),
        ("failed", ["passed published", "failed refused"], 4),
        ("failed", ["failed published", "failed refused", "error none"], 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst_pact(outcome: str, publishing: list[str], code: int) -> None:
    assert exit_code_of(run(outcome, *publishing)) == code


def test_a_pact_of_its_own_that_the_broker_did_not_take_is_that_first() -> None:
    assert exit_code_of({"status": "finished", "outcome": "failed", "publishing": "refused"}) == 4


def test_a_run_that_a_later_one_answers_is_said_to_be_replaced() -> None:
    replaced = {"status": "cancelled", "error_kind": "superseded"}
    assert has_ended(replaced)
    assert (state_of(replaced), exit_code_of(replaced)) == ("replaced by a later run", 3)
    assert state_of({"status": "cancelled", "error_kind": None}) == "cancelled"


@pytest.mark.parametrize(
    ("started", "finished", "shown"),
    [
        ("2026-11-27T10:00:00Z", "2026-11-27T10:00:03.21Z", "3.2 s"),
        ("2026-11-27T10:00:00.000Z", "2026-11-27T10:00:00.125+00:00", "125 ms"),
        ("2026-11-27T10:00:00Z", "2026-11-27T09:59:59Z", "0 ms"),
        ("2026-11-27T10:00:00Z", None, ""),
        (None, "2026-11-27T10:00:00Z", ""),
        (1, "\x1b[2J", ""),
    ],
)
def test_a_run_took_the_time_from_its_start_to_its_end(started: Any, finished: Any, shown: str) -> None:
    assert took({"started_at": started, "finished_at": finished}) == shown
