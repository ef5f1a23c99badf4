"""The report for a GitHub workflow: what is in it, and that no text in it becomes a command, markup or an output."""

from __future__ import annotations

import html
import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from tests.support.examples import (
    COMMENTED,
    ERROR,
    FAILED,
    MANY_MISMATCHES,
    PASSED,
    PENDING_FAILED,
    PRICE,
    verification,
)
from verifier.report.github import LARGEST_SUMMARY, GitHubReport, annotated
from verifier.report.github_summary import markdown
from verifier.report.interface import Findings
from verifier.report.workflow_commands import annotation, masks
from verifier.verification import PublishedResult, VerificationError

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.verification import InteractionResult

PUBLISHED = PublishedResult("http://broker.example/results/1", success=False, provider_version="abc1234")
HOSTILE = (
    "| a | <script>alert(1)</script> <!-- [x](javascript:y) ![i](http://evil.example/i.png) `c` ```\n\n"
    "# h\n\n***b*** @team www.evil.example &lt;b&gt; ~~s~~ \\| ##[error]x\r\n::set-output name=outcome::passed\n"
    "</table></details>````\n::error::y"
)
COMMAND = re.compile(r"::(\w+) title=([^:]*)::(.*)")


def unescaped(text: str) -> str:
    for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, character)
    return text


def hostile() -> Findings:
    broken = replace(
        FAILED,
        description=HOSTILE,
        request=HOSTILE,
        states=(HOSTILE,),
        comments=(HOSTILE,),
        test_name=HOSTILE,
        mismatches=(
            replace(PRICE, identifier=HOSTILE, description=HOSTILE, expected=HOSTILE, actual=HOSTILE * 2),
            replace(PRICE, identifier=HOSTILE, expected="```", actual="`````"),
        ),
    )
    return Findings(
        verification(
            PASSED,
            broken,
            replace(ERROR, reason=HOSTILE),
            replace(broken, pending=True),
            consumer=HOSTILE,
            provider=HOSTILE,
            consumer_version=HOSTILE,
            provider_tags=(HOSTILE,),
            pact_url=HOSTILE,
            error=VerificationError("provider-died", HOSTILE, output=HOSTILE),
            notes=(HOSTILE,),
        ),
        publishing=True,
        published=replace(PUBLISHED, url=f"http://broker.example/a>b) {HOSTILE}"),
    )


def summary(findings: Findings, *, room: int = LARGEST_SUMMARY) -> str:
    return markdown(findings, room=room)


def rendered(text: str) -> str:
    """As GitHub renders it, but for its sanitizer: HTML in it stays HTML."""
    return str(MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(text))


# --- annotations


@pytest.mark.parametrize(
    ("title", "message", "line"),
    [
        ("a", "b", "::error title=a::b"),
        ("100%: a, b", "50%\nc: d, e", "::error title=100%25%3A a%2C b::50%25%0Ac: d, e"),
        ("a\r\nb", "c\r\nd", "::error title=a\\r\\nb::c%0Ad"),
        ("\x1b[31ma", "##[error]b", "::error title=a::## [error]b"),
    ],
)
def test_annotation_is_one_line_that_the_runner_reads_back(title: str, message: str, line: str) -> None:
    assert annotation("error", title, message) == line


def test_annotation_is_not_endless() -> None:
    assert len(annotation("error", "t" * 10_000, "m" * 100_000)) < 5000


def test_each_broken_interaction_is_an_error_that_says_what_is_wrong() -> None:
    [line] = annotated(Findings(verification(PASSED, FAILED)))
    level, title, message = COMMAND.fullmatch(line).groups()  # type: ignore[union-attr]
    assert level == "error"
    assert unescaped(title) == "Broken contract of Storefront and Products: the price"
    assert unescaped(message) == 'GET /products/7\n$.price: expected 34.9, got "34.90"'


def test_interactions_that_fail_for_the_same_cause_are_one_error() -> None:
    [line] = annotated(Findings(verification(PASSED, FAILED, replace(FAILED, description="its price"))))
    assert "Products%3A 2 interactions%3A the price; its price::" in line


def various(result: InteractionResult, number: int) -> list[InteractionResult]:
    """Make as many results that differ in what is wrong."""
    [mismatch] = result.mismatches
    return [replace(result, mismatches=(replace(mismatch, actual=f'"{n}"'),)) for n in range(number)]


def test_more_than_github_shows_are_counted() -> None:
    lines = list(annotated(Findings(verification(*various(FAILED, 25), *various(PENDING_FAILED, 12)))))
    errors = [line for line in lines if line.startswith("::error ")]
    warnings = [line for line in lines if line.startswith("::warning ")]
    assert (len(errors), len(warnings)) == (10, 10)
    assert errors[-1].startswith("::error title=16 more::")
    assert warnings[-1].startswith("::warning title=3 more::")


def test_an_outage_is_one_error_that_says_why() -> None:
    error = VerificationError("provider-died", "the provider was killed")
    [line] = annotated(Findings(verification(ERROR, error=error)))
    assert "Could not verify" in line
    assert line.endswith("::the provider was killed")


def test_a_result_that_was_not_published_comes_first() -> None:
    lines = list(annotated(Findings(verification(FAILED), publishing=True, publish_error="403")))
    assert lines[0] == "::error title=The result was not published::Not published: 403"
    assert len(lines) == 2


def test_a_pact_that_is_honoured_has_no_annotation() -> None:
    assert list(annotated(Findings(verification(PASSED)))) == []


def test_no_text_becomes_a_command() -> None:
    lines = list(annotated(hostile()))
    assert len(lines) == 3
    for line in lines:
        assert COMMAND.fullmatch(line), line
        assert "##[" not in line
        assert line.isprintable()


def test_every_line_of_a_secret_is_masked() -> None:
    assert masks(["abc", "50%\nde\n"]) == ["::add-mask::abc", "::add-mask::50%25", "::add-mask::de"]


# --- the summary


def test_summary_leads_from_the_outcome_to_the_cause() -> None:
    findings = Findings(verification(PASSED, FAILED, notes=("a note",)), publishing=True, published=PUBLISHED)
    text = html.unescape(summary(findings))
    for part in (
        "## ❌ Failed: 1 of 2 interactions",
        "| Consumer | Storefront 1.2.3 |",
        "| Provider | Products abc1234 on main, tagged main, prod |",
        "[The result in the broker](<http://broker.example/results/1>)",
        "| ✅ passed | a request for a product | GET /products/7 | a product exists (id: 7) | 12 ms |",
        "| ❌ failed | the price | GET /products/7 |",
        "### ❌ the price",
        '| $.price | 34.9 | "34.90" |',
        "status and headers are as expected.",
        "> a note",
    ):
        assert part in text
    assert "### ✅" not in text


def test_summary_shows_what_the_consumer_says_of_an_interaction() -> None:
    page = rendered(summary(Findings(verification(COMMENTED))))
    for words in (
        "test: StockTest.reads()",
        "comment: Asked for by every page",
        "comment: and by the shop's till",
    ):
        assert words in page


def test_differences_that_were_left_out_are_counted() -> None:
    findings = Findings(verification(MANY_MISMATCHES))
    assert "... and 49900 more differences." in rendered(summary(findings))
    assert "... and 49900 more differences" in "".join(annotated(findings))


def test_summary_says_why_nothing_is_known() -> None:
    error = VerificationError("provider-died", "the provider was killed", output="first\nlast words")
    text = html.unescape(summary(Findings(verification(ERROR, error=error), publishing=True)))
    assert "## ⚠️ Could not verify" in text
    assert "the provider was killed" in text
    assert "first\nlast words" in text
    assert "Nothing was published" in text


def test_summary_says_that_the_result_was_not_published() -> None:
    text = html.unescape(
        summary(Findings(verification(PASSED), publishing=True, publish_error="it said 403"))
    )
    assert text.startswith("## ⚠️ Passed")
    assert "Not published: it said 403" in text


def test_hostile_text_stays_text() -> None:
    page = rendered(summary(hostile()))
    tags = {tag.lower() for tag in re.findall(r"</?([A-Za-z][\w-]*)", page)}
    known = {
        "br",
        "h2",
        "h3",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "p",
        "strong",
        "a",
        "blockquote",
        "pre",
    }
    assert tags == known | {"code"}
    assert "<!--" not in page
    assert [link.startswith("http://broker.example/a%3") for link in re.findall('href="([^"]*)"', page)] == [
        True
    ]
    assert "<script>alert(1)</script>" in html.unescape(page)


def test_hostile_text_adds_no_row_and_no_column() -> None:
    page = rendered(summary(hostile()))
    table = page.split("<table>")[2].split("</table>")[0]
    rows = table.split("<tr>")[2:]
    assert len(rows) == 4
    assert all(row.count("<td>") == 5 for row in rows)


def test_summary_keeps_within_its_room() -> None:
    broken = replace(FAILED, mismatches=(replace(PRICE, expected="é\n" * 500, actual="ü\n" * 500),) * 30)
    findings = Findings(
        verification(
            *[
                replace(broken, mismatches=(replace(broken.mismatches[0], actual=f"{n}\n" * 500),))
                for n in range(9000)
            ]
        )
    )
    for room in (10_000, LARGEST_SUMMARY):
        text = summary(findings, room=room)
        assert room * 0.8 < len(text.encode()) <= room
        assert "The summary ends here" in text
    assert summary(findings, room=10) == ""


def test_of_many_interactions_those_that_failed_are_shown() -> None:
    text = html.unescape(summary(Findings(verification(*[PASSED] * 1000, FAILED))))
    assert "| ❌ failed | the price |" in text
    assert "... and 701 interactions more." in text


# --- the files


def files(tmp_path: Path) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }


def outputs(text: str) -> dict[str, str]:
    """Read a file of outputs as the runner does."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        if line:
            name, _, delimiter = line.partition("<<")
            value: list[str] = []
            while (part := next(lines)) != delimiter:
                value.append(part)
            found[name] = "\n".join(value)
    return found


def test_outputs_are_there_for_the_next_steps(tmp_path: Path) -> None:
    findings = Findings(verification(FAILED), publishing=True, published=PUBLISHED)
    GitHubReport(files(tmp_path), json_report="r.json").write(findings, io.StringIO())
    found = outputs((tmp_path / "output").read_text(encoding="utf-8"))
    assert found.pop("report").endswith("/r.json")
    assert found == {
        "outcome": "failed",
        "result-url": PUBLISHED.url,
        "consumer": "Storefront",
        "consumer-version": "1.2.3",
    }


def test_no_text_names_an_output_of_its_own(tmp_path: Path) -> None:
    made = verification(FAILED, consumer="a\nEOF\nend-\noutcome=passed\noutcome<<X\npassed\nX\n")
    for _ in range(2):
        GitHubReport(files(tmp_path)).write(Findings(made), io.StringIO())
    text = (tmp_path / "output").read_text(encoding="utf-8")
    found = outputs(text)
    assert found.keys() == {"outcome", "result-url", "consumer", "consumer-version", "report"}
    assert found["outcome"] == "failed"
    assert found["consumer"] == made.consumer
    delimiters = re.findall(r"^outcome<<(end-\S+)$", text, re.MULTILINE)
    assert len(set(delimiters)) == 2


def test_what_the_step_wrote_before_counts(tmp_path: Path) -> None:
    there = "x" * (LARGEST_SUMMARY - 2000)
    (tmp_path / "summary.md").write_text(there, encoding="utf-8")
    GitHubReport(files(tmp_path)).write(Findings(verification(*[FAILED] * 100)), io.StringIO())
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert text.startswith(there)
    assert len(there) < len(text.encode()) <= LARGEST_SUMMARY


def test_a_run_that_did_not_come_to_verifying_says_why(tmp_path: Path) -> None:
    stream = io.StringIO()
    GitHubReport(files(tmp_path)).write_problem("which <b>pact</b>?\n::error::x", stream)
    assert stream.getvalue() == "::error title=Could not verify the pact::which <b>pact</b>?%0A::error::x\n"
    assert outputs((tmp_path / "output").read_text(encoding="utf-8")) == {"outcome": "error", "report": ""}
    assert "<b>" not in (tmp_path / "summary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "variables", [{}, {"GITHUB_OUTPUT": "/nowhere/x", "GITHUB_STEP_SUMMARY": "/nowhere/y"}]
)
def test_files_that_are_not_there_do_not_change_what_is_known(variables: dict[str, Any]) -> None:
    stream = io.StringIO()
    GitHubReport(variables).write(Findings(verification(PASSED)), stream)
    assert stream.getvalue().count("could not be written") == len(variables)
