"""Each reason of a refusal has words, and these are the same wherever people read them."""

from __future__ import annotations

import ast
from pathlib import Path

from app.intake.refusal_words import WORDS, words_of
from tests.support.paths import ROOT


def reasons_in_the_code() -> set[str]:
    """The reasons that refusals are made with: a text that is the first or second argument of `Refusal`."""
    found = set()
    for file in [*Path(ROOT, "app/intake").rglob("*.py"), *Path(ROOT, "app/web").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if name == "Refusal":
                reason = node.args[1]
            elif name in {"Refusal.not_found", "Refusal.bad_credentials", "Refusal.invalid"}:
                reason = node.args[0]
            else:
                continue
            assert isinstance(reason, ast.Constant), f"{file}:{node.lineno}"
            found.add(str(reason.value))
    return found


def test_each_reason_has_words_and_no_words_are_for_a_reason_that_there_is_not() -> None:
    assert reasons_in_the_code() == set(WORDS)
    assert words_of("of-a-later-version").to_do


def test_the_documentation_has_the_same_words() -> None:
    text = Path(ROOT, "docs/receiver-api.md").read_text(encoding="utf-8")
    for reason, words in WORDS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{reason}` |"))
        assert row.endswith(f"| {words.meaning} | {words.to_do} |")
