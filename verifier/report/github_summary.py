"""The summary of a workflow's step, as Markdown. No text of a pact or a provider is interpreted as markup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from broker.text.harmless import lines_of, one_line
from verifier.report.amounts import count, seconds
from verifier.report.exchange import answer_in_a_line, curl
from verifier.report.failures import failures
from verifier.report.interface import (
    matched,
    more_differences,
    parties,
    publication,
    remarks,
    result_word,
    shared_cause,
    summary,
)
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from broker.text.differences import Difference
    from verifier.report.failures import Failure
    from verifier.report.interface import Findings
    from verifier.verification import InteractionResult

ROWS_SHOWN = 300
NAMES_SHOWN = 20
"""How many interactions that share a cause are named where it is shown."""
LONGEST_TEXT = 500
LONGEST_DIFF = 30
MARKS = {"passed": "✅", "failed": "❌", "not verified": "⚠️", "pending": "🟡"}
OUTCOMES = {Outcome.PASSED: "✅", Outcome.FAILED: "❌", Outcome.ERROR: "⚠️"}
MORE = "\n*The summary ends here, since GitHub takes no more of it: the other reports have everything.*\n"


def markdown(findings: Findings, *, room: int) -> str:
    """Return the summary.

    Args:
        findings: The findings.
        room: How many bytes of UTF-8 it may have; what doesn't fit is left out, from the end.
    """
    return fitted(_parts(findings), room=room)


def fitted(all_parts: Iterable[str], *, room: int) -> str:
    """Return as many parts of a summary as there is room for, and a word about the others."""
    parts = []
    room -= len(MORE.encode())
    for part in all_parts:
        room -= len(part.encode())
        if room < 0:
            parts.append(MORE)
            break
        parts.append(part)
    return "".join(parts) if len(parts) > 1 else ""


def problem(message: str) -> str:
    """Return the summary of a run in which nothing was verified."""
    return f"## ⚠️ Could not verify\n\n{escaped(message, longest=2000)}\n"


def _parts(findings: Findings) -> Iterator[str]:
    """Return the summary in parts, each of which may be the last."""
    verification = findings.verification
    mark = "⚠️" if findings.publish_error else OUTCOMES[verification.outcome]
    yield f"## {mark} {escaped(summary(findings))}\n\n"
    yield "| | |\n| --- | --- |\n"
    for label, value in parties(verification):
        yield f"| {label} | {escaped(value)} |\n"
    yield f"\n{publication_of(findings)}\n"
    if verification.error is not None:
        yield f"\n{escaped(verification.error.message, longest=2000)}\n"
        if verification.error.output:
            yield f"\nIts last output:\n\n{_fence('text', lines_of(verification.error.output))}"
    for note in verification.notes:
        yield f"\n> {escaped(note)}\n"
    yield from table_of(verification.interactions)
    for failure in failures(verification.interactions):
        yield from details_of(failure)


def publication_of(findings: Findings) -> str:
    """Return what became of the result, with a link to it."""
    published = findings.published
    if published is None:
        return escaped(publication(findings), longest=2000)
    sentence = escaped(publication(findings).split(": ", maxsplit=1)[0])
    return f"{sentence}. {_link('The result in the broker', published.url)}"


def table_of(results: tuple[InteractionResult, ...]) -> Iterator[str]:
    """Return a table of interactions, in parts."""
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
                [
                    escaped(result.description),
                    *(escaped(f"{label}: {value}") for label, value in remarks(result)),
                ]
            ),
            escaped(result.request),
            escaped("; ".join(result.states)),
            seconds(result.duration),
        )
        yield f"| {' | '.join(cells)} |\n"
    if len(results) > len(shown):
        yield f"\n... and {count(len(results) - len(shown), 'interaction')} more.\n"


def details_of(failure: Failure) -> Iterator[str]:
    """Return what is wrong with interactions of the same cause, in parts."""
    word = result_word(failure.first)
    yield f"\n### {MARKS[word]} {escaped(_title(failure))}\n"
    yield from _names(failure)
    if failure.reason:
        yield f"\n{_fence('text', lines_of(failure.reason))}"
    if failure.differences:
        yield "\n| where | expected | got |\n| --- | --- | --- |\n"
        for one in failure.differences:
            yield _row(one)
        for one in failure.differences:
            if lines := [f"{sign} {one_line(line)}" for sign, line in one.lines(LONGEST_DIFF)]:
                yield f"\n**{escaped(one.where)}**\n\n{_fence('diff', lines)}"
    if more := more_differences(failure.more):
        yield f"\n{more}.\n"
    if failure.matched:
        yield f"\n{matched(failure)}.\n"
    if exchange := failure.exchange:
        yield f"\nIt answered {escaped(answer_in_a_line(exchange))}. To send it again:\n\n"
        yield _fence("sh", [one_line(curl(exchange))])


def _title(failure: Failure) -> str:
    return failure.first.description if len(failure.results) == 1 else shared_cause(failure)


def _names(failure: Failure) -> Iterator[str]:
    if len(failure.results) == 1:
        return
    yield "\n"
    for result in failure.results[:NAMES_SHOWN]:
        yield f"- {escaped(result.description)}\n"
    if len(failure.results) > NAMES_SHOWN:
        yield f"- ... and {len(failure.results) - NAMES_SHOWN} more\n"


def _row(one: Difference) -> str:
    where = escaped(one.where) + (f" ({one.times} times)" if one.times > 1 else "")
    if one.expected is None or one.actual is None:
        return f"| {where} | {escaped(one.sentence)} | |\n"
    return f"| {where} | {escaped(one.expected)} | {escaped(one.actual)} |\n"


def escaped(text: str, *, longest: int = LONGEST_TEXT) -> str:
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
        return escaped(url)
    return f"[{words}](<{quote(url, safe=':/?#[]@!$&()*+,;=%~')}>)"
