"""The limit of open files is raised as far as the system lets it."""

from __future__ import annotations

import resource

import pytest

from app.process.open_files import allow_open_files


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A system whose own limit, which getrlimit doesn't tell, is 10,240, as that of macOS is."""
    state = {"soft": 256, "hard": resource.RLIM_INFINITY, "own": 10_240}

    def getrlimit(_kind: int) -> tuple[int, int]:
        return state["soft"], state["hard"]

    def setrlimit(_kind: int, limits: tuple[int, int]) -> None:
        if limits[0] > state["own"]:
            raise ValueError("current limit exceeds maximum limit")
        state["soft"] = limits[0]

    monkeypatch.setattr(resource, "getrlimit", getrlimit)
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    return state


def test_what_the_system_allows_is_set_as_it_is_wanted(system: dict[str, int]) -> None:
    assert allow_open_files(4096) == 4096 == system["soft"]


def test_a_limit_that_is_not_told_leaves_more_than_a_few(system: dict[str, int]) -> None:
    assert 5_120 <= allow_open_files(100_000) <= 10_240
    assert system["soft"] >= 5_120


def test_a_limit_that_can_not_be_raised_stays(system: dict[str, int]) -> None:
    system["own"] = 0
    assert allow_open_files(4096) == 256


def test_it_is_never_lowered(system: dict[str, int]) -> None:
    system["soft"] = 8192
    assert allow_open_files(4096) == 4096
    assert system["soft"] == 8192
