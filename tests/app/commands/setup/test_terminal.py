"""`pact-dispatch setup` on a terminal: the verdict first, and in colours."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from app.commands.finding import Finding, State
from app.commands.setup import rendering
from app.commands.setup.request import SetupRequest

if TYPE_CHECKING:
    import pytest

REQUEST = SetupRequest(
    target="github",
    repository="acme/products",
    provider="Products",
    consumer=None,
    base_url="https://api.github.com",
    token="github_pat_of_nobody_at_all",
    token_source="GITHUB_TOKEN",
    secret="githubToken",
    template="github",
    events=("contract_content_changed",),
    chooses_event=False,
    plan=False,
    wait_seconds=None,
)
STEPS = (
    Finding(State.OK, "It is there.", name="token"),
    Finding(State.FAILED, "It was refused.", "Give it another name.", name="secret"),
    Finding(State.SKIPPED, "One of the steps before it must work first.", name="webhook"),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(stream: io.StringIO) -> str:
    rendering.write_text(STEPS, REQUEST, stream, str)
    return stream.getvalue()


def test_the_verdict_stands_first_and_is_coloured_on_a_terminal_alone() -> None:
    plain = written(io.StringIO())
    assert plain.startswith("Not set up yet: step 2 (secret) failed. What to do stands there.\n")
    assert "\x1b" not in plain


def test_a_terminal_has_the_same_words_in_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = written(Terminal())
    first = coloured.splitlines()[0]
    assert first.startswith("\x1b[1;31mNot set up yet")
    assert "\x1b[32mok\x1b[0m" in coloured
    assert "\x1b[31mfailed\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == written(io.StringIO())
