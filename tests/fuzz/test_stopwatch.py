"""What an input takes is judged without what the machine has to do besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fuzz import stopwatch
from fuzz.campaign import LIMIT_SECONDS, Campaign
from fuzz.stopwatch import Stopwatch
from fuzz.targets.registry import TARGETS

if TYPE_CHECKING:
    from pathlib import Path

PRESSURE = (
    "some avg10=98.38 avg60=83.59 avg300=50.48 total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
)


class Machine:
    """A machine whose time passes when it is told so; what passes in a pause is not part of anything."""

    def __init__(self, pressure: Path) -> None:
        self.pressure = pressure
        self.now = self.worked = 0.0
        self._waited = 1.0
        self.let_pass(0)

    def let_pass(self, seconds: float, *, waiting: float = 0, working: float = 0) -> None:
        self.now += seconds
        self.worked += working
        self._waited += waiting
        self.pressure.write_text(PRESSURE.format(int(self._waited * 1e6)))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "cpu")
    monkeypatch.setattr(stopwatch, "PRESSURE", made.pressure)
    monkeypatch.setattr("fuzz.stopwatch.monotonic", lambda: made.now)
    monkeypatch.setattr("fuzz.stopwatch.process_time", lambda: made.worked)
    monkeypatch.setattr("fuzz.stopwatch.sleep", lambda _: None)
    return made


def test_time_in_which_anything_waited_for_a_processor_does_not_count(machine: Machine) -> None:
    watch = Stopwatch()
    machine.let_pass(60, waiting=56)
    assert not watch.exceeds(5)
    machine.let_pass(2)
    assert watch.exceeds(5)
    assert watch.waited() == pytest.approx(56)


def test_what_is_computed_counts_on_a_busy_machine_too(machine: Machine) -> None:
    watch = Stopwatch()
    machine.let_pass(60, waiting=60, working=6)
    assert watch.exceeds(5)


@pytest.mark.parametrize("content", [None, "", "some nonsense"])
def test_all_time_counts_where_the_system_does_not_tell(machine: Machine, content: str | None) -> None:
    machine.pressure.unlink()
    if content is not None:
        machine.pressure.write_text(content)
    watch = Stopwatch()
    machine.now += 6
    assert watch.exceeds(5)
    assert watch.waited() == 0


@pytest.mark.parametrize(("waiting", "kinds"), [(50.0, []), (0.0, ["too slow"])])
def test_an_input_is_not_too_slow_because_of_the_load(
    machine: Machine, tmp_path: Path, waiting: float, kinds: list[str]
) -> None:
    def check(_: object) -> None:
        machine.let_pass(50 + LIMIT_SECONDS / 2, waiting=waiting)

    campaign = Campaign(TARGETS["pacts"], check, folder=tmp_path, tell=lambda _: None, interrupts=False)
    assert [finding.kind for finding in campaign.run(3, seed=1).findings] == kinds
