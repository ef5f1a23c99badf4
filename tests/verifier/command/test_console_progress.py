"""How a run comes along: few lines in a build's log, none of which a text from elsewhere can fake."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.examples import ERROR, FAILED, PASSED, verification
from verifier.command.console_progress import BarProgress, PlainProgress

if TYPE_CHECKING:
    from verifier.progress import Progress

HOSTILE = "\x1b[2J\r\n::error::pwned\x07[bold]x[/bold]"


def tell(progress: Progress, description: str = "a request") -> None:
    """Let a whole run be heard of."""
    progress.step("Fetching the pact")
    progress.notice(f"503; {description}")
    progress.total(3)
    for result in (PASSED, FAILED, ERROR):
        progress.verified(replace(result, description=description))
    progress.provider_output(f"listening {description}")


def plain(description: str = "a request", *, verbose: bool) -> str:
    stream = io.StringIO()
    tell(PlainProgress(stream, verbose=verbose), description)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def _no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def test_quick_run_says_only_what_matters() -> None:
    assert plain(verbose=False) == "503; a request\n"


def test_long_run_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.command.console_progress.PLAIN_SECONDS", 0.0)
    lines = plain(verbose=False).splitlines()
    assert lines[1] == "Verified 1 of 3 interactions ..."
    assert lines[-1] == "Verified 3 of 3 interactions, 2 not passed ..."


def test_verbose_run_says_everything() -> None:
    lines = plain(verbose=True).splitlines()
    assert lines[0] == "Fetching the pact ..."
    assert [line[:1] for line in lines[2:5]] == ["✓", "✗", "!"]
    assert lines[-1] == "provider | listening a request"


@pytest.mark.parametrize("verbose", [False, True])
def test_hostile_text_makes_no_line_of_its_own(verbose: bool) -> None:  # noqa: FBT001
    lines = plain(HOSTILE, verbose=verbose).splitlines()
    assert len(lines) == len(plain(verbose=verbose).splitlines())
    assert all(line.isprintable() and not line.strip().startswith("::") for line in lines)


def test_bar_passes_nothing_hostile_on() -> None:
    stream = io.StringIO()
    with BarProgress(stream) as progress:
        tell(progress, HOSTILE)
    text = stream.getvalue()
    assert "\\x1b[2J" in text
    assert "\x1b[2J" not in text
    assert "[bold]x[/bold]" in text.replace("\n", "")
    assert not any(line.strip().startswith("::") for line in text.splitlines())


def test_a_bar_says_how_many_did_not_pass_and_which_one_was_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm-256color")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with BarProgress(stream) as progress:
        tell(progress, "the price")
    shown = stream.getvalue()
    for part in ("2 not passed", "the price", "0:00:0", "3/3"):
        assert part in shown


def tell_of_many(progress: Progress) -> None:
    """Let a run of two pacts be heard of."""
    progress.pacts(2)
    for consumer, results in (("Storefront", (PASSED, PASSED)), ("App", (FAILED,))):
        progress.pact(f"{consumer} 1")
        progress.total(len(results))
        for result in results:
            progress.verified(result)
        progress.pact_ended(verification(*results, consumer=consumer))


def test_many_pacts_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.command.console_progress.PLAIN_SECONDS", 0.0)
    stream = io.StringIO()
    tell_of_many(PlainProgress(stream, verbose=False))
    assert stream.getvalue().splitlines() == [
        "Verified 0 of 2 pacts, 1 interaction ...",
        "Verified 0 of 2 pacts, 2 interactions ...",
        "Verified 1 of 2 pacts, 3 interactions, 1 not passed ...",
    ]
    stream = io.StringIO()
    tell_of_many(PlainProgress(stream, verbose=True))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "Storefront 1 (1 of 2 pacts)"
    assert lines[3].startswith("✓ Storefront")
    assert lines[4] == "App 1 (2 of 2 pacts)"
    assert lines[-1].startswith("✗ App")


def test_the_bar_is_over_all_pacts() -> None:
    stream = io.StringIO()
    bar = BarProgress(stream)
    with bar:
        tell_of_many(bar)
        [task] = bar._progress.tasks
    assert (task.completed, task.total, task.fields["bad"]) == (2, 2, "1 not passed")
    assert task.fields["name"] == "App 1"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_counts_and_time_are_whole_on_any_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    with BarProgress(stream) as progress:
        progress.step("Verifying")
        progress.total(100)
        for number in range(100):
            progress.verified(replace(FAILED, description=f"a request for thing number {number} of them all"))
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue()).replace("\r", "\n").split("\n")
    assert all(len(line) <= columns for line in lines)
    assert any(re.search(r"Verifying .* 100/100 100 not passed \d:\d\d:\d\d", line) for line in lines), lines
