"""Texts for people, over all of the source: numbers with their nouns, and sentences without gaps."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOUNS = frozenset(
    {
        "attempts",
        "days",
        "deliveries",
        "interactions",
        "lines",
        "minutes",
        "pacts",
        "processes",
        "results",
        "versions",
        "webhooks",
        "workers",
    }
)
"""What is counted for people."""


def sources() -> Iterator[Path]:
    for folder in ("app", "verifier"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def test_each_number_has_its_noun_by_the_one_function() -> None:
    """`1 interactions` can't be, where `count` puts the two together."""
    found = []
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            values = node.values if isinstance(node, ast.JoinedStr) else []
            for value, text in pairwise(values):
                if not isinstance(value, ast.FormattedValue) or not isinstance(text, ast.Constant):
                    continue
                noun = re.match(r" (?:more |other )?([a-z]+)\b", str(text.value))
                limit = isinstance(value.value, ast.Name) and value.value.id.isupper()
                if noun and noun[1] in NOUNS and not limit:
                    found.append(
                        f"{file.relative_to(ROOT)}:{value.lineno} {ast.unparse(value.value)}{noun[0]}"
                    )
    assert "\n".join(found) == ""


def test_no_word_runs_into_the_next_where_a_text_goes_on_in_the_next_line() -> None:
    first = re.compile(r'(?:^|[\s=(,])[rf]{0,2}"([^"]*)"$')
    second = re.compile(r'^\s*[rf]{0,2}"([^"]*)')
    found = []
    for file in sources():
        lines = file.read_text(encoding="utf-8").split("\n")
        for number, (line, next_line) in enumerate(pairwise(lines), start=1):
            ends, begins = first.search(line), second.match(next_line)
            if ends and begins and re.search(r"[\w.,;:)]$", ends[1]) and re.match(r"[A-Za-z(]", begins[1]):
                found.append(f"{file.relative_to(ROOT)}:{number} {ends[1][-20:]}|{begins[1][:20]}")
    assert found == []


PRIVATE = (
    r"again and again makes",
    r"house words?",
    r"\bmend(s|ed|ing)?\b",
    r"whatever is killed",
    r"(the|that) whole way",
    r"which of them is said",
    r"did(n't| not) take (the|its) result",
)
"""Phrases that only their writers understand, or second words for one thing (see the glossary in CONTRIBUTING.md)."""


def texts_for_people() -> Iterator[tuple[str, str]]:
    """Yield the pages, the texts of the source, and the templates, each with its place."""
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        if page.name != "CHANGELOG.md":
            yield page.name, page.read_text(encoding="utf-8")
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node.value
    for folder in ("app", "verifier", "broker"):
        for file in sorted((ROOT / folder).rglob("*.jinja")):
            yield f"{file.relative_to(ROOT)}", file.read_text(encoding="utf-8")


def test_texts_use_ordinary_words_and_one_for_each_thing() -> None:
    pattern = re.compile("|".join(PRIVATE), re.IGNORECASE)
    found = [(place, match[0]) for place, text in texts_for_people() if (match := pattern.search(text))]
    assert found == []
