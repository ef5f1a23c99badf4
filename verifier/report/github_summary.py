"""The summary of a workflow's step, as Markdown. No text of a pact or a provider is interpreted as markup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from broker.text.harmless import lines_of, one_line
from verifier.report.difference import difference
from verifier.report.interface import (
    count,
    more_differences,
    parties,
    publication,
    remarks,
    result_word,
    seconds,
    summary,
)
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.report.interface import Findings
    from verifier.verification import InteractionResult, Mismatch

ROWS_SHOWN = 300
MISMATCHES_SHOWN = 20
"""The maximum for one interaction."""
LONGEST_TEXT = 500
LONGEST_DIFF = 100
MARKS = {"passed": "✅", "failed": "❌", "not verified": "⚠️", "pending": "🟡"}
OUTCOMES = {Outcome.PASSED: "✅", Outcome.FAILED: "❌", Outcome.ERROR: "⚠️"}
MORE = "\n*The summary ends here, since GitHub takes no more of it: the other reports have everything.*\n"


def markdown(findings: Findings, *, room: int) -> str:
    """Return the summary.

    Args:
        findings: The findings.
        room: How many bytes of UTF-8 it may have; what doesn't fit is left out, from the end.
    """
    parts = []
    room -= len(MORE.encode())
    for part in _parts(findings):
        room -= len(part.encode())
        if room < 0:
            parts.append(MORE)
            break
        parts.append(part)
    return "".join(parts) if len(parts) > 1 else ""


def problem(message: str) -> str:
    """Return the summary of a run in which nothing was verified."""
    return f"## ⚠️ Could not verify\n\n{_text(message, longest=2000)}\n"


def _parts(findings: Findings) -> Iterator[str]:
    """Return the summary in parts, each of which may be the last."""
    verification = findings.verification
    mark = "⚠️" if findings.publish_error else OUTCOMES[verification.outcome]
    yield f"## {mark} {_text(summary(findings))}\n\n"
    yield "| | |\n| --- | --- |\n"
    for label, value in parties(verification):
        yield f"| {label} | {_text(value)} |\n"
    yield f"\n{_publication(findings)}\n"
    if verification.error is not None:
        yield f"\n{_text(verification.error.message, longest=2000)}\n"
        if verification.error.output:
            yield f"\nIts last output:\n\n{_fence('text', lines_of(verification.error.output))}"
    for note in verification.notes:
        yield f"\n> {_text(note)}\n"
    yield from _table(verification.interactions)
    for result in verification.interactions:
        if result.outcome != Outcome.PASSED:
            yield from _details(result)


def _publication(findings: Findings) -> str:
    published = findings.published
    if published is None:
        return _text(publication(findings), longest=2000)
    sentence = _text(publication(findings).split(": ", maxsplit=1)[0])
    return f"{sentence}. {_link('The result in the broker', published.url)}"


def _table(results: tuple[InteractionResult, ...]) -> Iterator[str]:
    if not results:
        return
    # if there are too many rows, those that passed are left out
    shown = sorted(results, key=lambda result: result.outcome == Outcome.PASSED)
    shown = list(results) if len(results) <= ROWS_SHOWN else shown[:ROWS_SHOWN]
    yield "\n| | interaction | request | provider states | time |\n| --- | --- | --- | --- | --- |\n"
    for result in shown:
        word = result_word(result)
        cells = (
            f"{MARKS[word]} {word}",
            "<br>".join(
                [_text(result.description), *(_text(f"{label}: {value}") for label, value in remarks(result))]
            ),
            _text(result.request),
            _text("; ".join(result.states)),
            seconds(result.duration),
        )
        yield f"| {' | '.join(cells)} |\n"
    if len(results) > len(shown):
        yield f"\n... and {count(len(results) - len(shown), 'interaction')} more.\n"


def _details(result: InteractionResult) -> Iterator[str]:
    word = result_word(result)
    yield f"\n### {MARKS[word]} {_text(result.description)}\n"
    if result.reason:
        yield f"\n{_fence('text', lines_of(result.reason))}"
    for mismatch in result.mismatches[:MISMATCHES_SHOWN]:
        yield _mismatch(mismatch)
    left_out = max(0, len(result.mismatches) - MISMATCHES_SHOWN) + result.more_mismatches
    if more := more_differences(left_out):
        yield f"\n{more}.\n"


def _mismatch(mismatch: Mismatch) -> str:
    shown = f"\n**{_text(mismatch.where)}**: {_text(mismatch.description)}\n"
    if mismatch.expected is None and mismatch.actual is None:
        return shown
    lines = [f"{sign} {one_line(line)}" for sign, line in difference(mismatch, longest=LONGEST_DIFF)]
    return f"{shown}\n{_fence('diff', lines)}"


def _text(text: str, *, longest: int = LONGEST_TEXT) -> str:
    """Return a text in which each ASCII symbol is a character reference, so that Markdown and HTML interpret none."""
    line = one_line(text)
    line = line if len(line) <= longest else line[: longest - 1] + "…"
    return "".join(c if c.isalnum() or c == " " or not c.isascii() else f"&#{ord(c)};" for c in line)


def _fence(language: str, lines: list[str]) -> str:
    """Return lines in a fence that is longer than any run of backquotes in them, which could end it."""
    text = "\n".join(line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…" for line in lines)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"


def _link(words: str, url: str) -> str:
    if urlsplit(url).scheme not in {"http", "https"}:
        return _text(url)
    return f"[{words}](<{quote(url, safe=':/?#[]@!$&()*+,;=%~')}>)"
