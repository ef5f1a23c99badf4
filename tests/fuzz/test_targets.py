"""Each fuzz target takes a few inputs, and those that have done harm before; `make fuzz` gives them many more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fuzz.campaign import Campaign, kind_of
from fuzz.target import TooSlow, Violation
from fuzz.targets.registry import TARGETS

if TYPE_CHECKING:
    from fuzz.target import Target

INPUTS = 60
FINDINGS = Path(__file__).parent / "findings"


@pytest.mark.process
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_inputs_do_no_harm(target: Target, tmp_path: Path) -> None:
    lines: list[str] = []
    with target.open() as check:
        campaign = Campaign(target, check, folder=tmp_path, tell=lines.append, interrupts=False)
        findings = [
            finding
            for file in (FINDINGS / target.name).glob("*.json")
            for finding in campaign.run_file(file).findings
        ]
        # how long an input takes says little while other tests run
        findings += [
            one for one in campaign.run(INPUTS, seed=1).findings if not one.kind.startswith("too slow")
        ]
    assert [f"{one.kind}: {one.detail}" for one in findings] == []


def test_a_fault_is_found_kept_and_brought_about_again(tmp_path: Path) -> None:
    target = TARGETS["pacts"]
    harmful = {3}

    def check(given: object) -> None:
        if getattr(given, "original", 0) in harmful:
            raise Violation("it is the fourth")

    def found(*, again: bool) -> list[tuple[str, int | None]]:
        campaign = Campaign(target, check, folder=tmp_path, tell=lambda _: None, interrupts=False)
        if again:
            [file] = (tmp_path / target.name).glob("*.json")
            assert target.loaded(file.read_bytes()).damage.edits == ()  # it is as small as can be
            result = campaign.run_file(file)
        else:
            result = campaign.run(400, seed=7)
            assert result.inputs >= 400
        return [(finding.kind, finding.seed) for finding in result.findings]

    assert found(again=False) == [("it is the fourth", 7)]
    assert found(again=True) == [("it is the fourth", None)]
    harmful.clear()
    assert found(again=True) == []


def test_a_fault_is_named_by_what_it_is_and_where() -> None:
    assert kind_of(TooSlow(5)) == "too slow"
    with pytest.raises(ValueError, match="Invalid JSON") as error:
        TARGETS["pacts"].loaded(b"{")
    assert kind_of(error.value) == "ValidationError in validate_json"


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_every_input_can_be_saved(target: Target, tmp_path: Path) -> None:
    seen = []

    def check(given: object) -> None:
        seen.append(given)
        assert target.loaded(target.saved(given)) == given

    result = Campaign(target, check, folder=tmp_path, tell=lambda _: None, interrupts=False).run(30, seed=3)
    assert result.findings == []
    assert len(seen) >= 30


def test_the_shares_are_those_of_all_inputs() -> None:
    assert sum(target.share for target in TARGETS.values()) == 1000
