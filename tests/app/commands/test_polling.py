"""Polling: the last question is asked when the time is over, however long that takes which is done in between."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from app.commands import polling
from app.commands.polling import polls
from app.commands.wait import command
from broker.client.deployability import Deployability, Verdict

if TYPE_CHECKING:
    import pytest

    from app.commands.wait.explanation import Reason


class Clock:
    """A time that passes by sleeping alone, or when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        time = SimpleNamespace(monotonic=lambda: self.now, sleep=self.pass_by)
        monkeypatch.setattr(polling, "time", time)
        monkeypatch.setattr(command, "time", time)

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


def test_it_is_asked_at_once_after_pauses_and_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert [clock.now for _ in polls(10)] == [0, 0.5, 1.5, 3.5, 8.5, 10]
    assert len(list(polls(0))) == 1


def test_an_answer_counts_that_came_while_the_reason_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    asked: list[float] = []

    def ask() -> Deployability:
        asked.append(clock.now)
        return Deployability(Verdict.UNKNOWN if clock.now < 25 else Verdict.DEPLOYABLE, (), ())

    def explain(_: Deployability) -> list[Reason]:
        clock.pass_by(60)
        return []

    answer = command._wait(ask, explain, 30, SimpleNamespace(show=lambda *_: None))  # type: ignore[arg-type]
    assert answer.verdict is Verdict.DEPLOYABLE
    assert asked[-2] < 25
    assert asked[-1] >= 30
