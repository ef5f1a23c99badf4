"""The console report: readable, and safe to show whatever the texts in it are."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pytest

from broker.text.harmless import lines_of, one_line
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
from verifier.report.amounts import seconds
from verifier.report.console import ConsoleReport
from verifier.report.interface import Findings, publication, result_word, summary
from verifier.verification import (
    Exchange,
    HttpMessage,
    InteractionResult,
    Outcome,
    PublishedResult,
    Verification,
    VerificationError,
)

COMMAND = "::error::pwned"
HOSTILE = (
    "\x1b[2J\x1b[31mred\x1b[0m\r\n::error::pwned\n"
    "\x9b1mx\x07\x08\u2028::set-output name=a::b\u202etxt\x85::warning::"
)
PUBLISHED = PublishedResult("http://broker.example/results/1", success=True, provider_version="abc1234")
DIED = VerificationError("provider-died", "the provider was killed", output="first\nlast words")


@pytest.fixture(autouse=True)
def _no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(findings: Findings, *, quiet: bool = False, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    ConsoleReport(quiet=quiet).write(findings, stream)
    return stream.getvalue()


def report(made: Verification, *, quiet: bool = False, **values: Any) -> str:
    return written(Findings(made, **values), quiet=quiet)


def hostile() -> Findings:
    mismatch = replace(PRICE, identifier=HOSTILE, description=HOSTILE, expected=HOSTILE, actual=HOSTILE)
    long = replace(mismatch, expected=HOSTILE * 20, actual="\n".join([HOSTILE] * 20))
    return Findings(
        verification(
            replace(
                FAILED,
                description=HOSTILE,
                request=HOSTILE,
                states=(HOSTILE,),
                comments=(HOSTILE,),
                test_name=HOSTILE,
                mismatches=(mismatch, long, replace(mismatch, expected="a\n::error::short", actual=None)),
            ),
            replace(ERROR, reason=HOSTILE),
            consumer=HOSTILE,
            provider=HOSTILE,
            consumer_version=HOSTILE,
            provider_version=HOSTILE,
            provider_branch=HOSTILE,
            provider_tags=(HOSTILE,),
            pact_url=HOSTILE,
            specification=HOSTILE,
            error=replace(DIED, message=HOSTILE, output=HOSTILE),
            notes=(HOSTILE,),
        ),
        publishing=True,
        publish_error=HOSTILE,
    )


def test_report_says_who_what_and_how_it_went() -> None:
    text = report(verification(PASSED, FAILED, notes=("a note",)))
    for part in (
        "Consumer  Storefront 1.2.3",
        "Provider  Products abc1234 on main, tagged main, prod",
        "(specification 4.0)",
        "✓ a request for a product  GET /products/7  12 ms",
        "given a product exists (id: 7)",
        "✗ the price",
        "Failed: 1 of 2 interactions in 1.5 s",
        "Note: a note",
        "Not published: --publish-verification-results was not given",
    ):
        assert part in text


def test_mismatch_leads_to_the_cause() -> None:
    lines = [line.strip() for line in report(verification(FAILED)).splitlines()]
    assert '$.price  expected 34.9  got "34.90"' in lines
    assert "status and headers are as expected" in lines


def test_long_values_are_compared_line_by_line() -> None:
    expected = '{"name": "Kettle", "price": 34.9, "tags": ["kitchen", "steel", "copper", "enamel"]}'
    mismatch = replace(PRICE, expected=expected, actual=expected.replace("34.9", "35.9"))
    text = report(verification(replace(FAILED, mismatches=(mismatch,))))
    assert '| - expected   "price": 34.9\n' in text
    assert '| + actual     "price": 35.9\n' in text
    assert "enamel" not in text, "what is far from the difference is left out"


def test_failures_of_the_same_cause_are_shown_once() -> None:
    others = [replace(FAILED, description=f"the price of {n}") for n in range(14)]
    lines = report(verification(PASSED, *others, ERROR)).splitlines()
    assert "  ✗ 14 interactions fail for the same cause:" in lines
    assert sum("expected 34.9" in line and not line.startswith("  ✗") for line in lines) == 1
    assert sum("a lost one" in line for line in lines) == 2
    assert "      ... and 9 more" in lines


def test_the_names_of_all_that_failed_come_last() -> None:
    other = replace(FAILED, description="another", mismatches=(replace(PRICE, identifier="$.cost"),))
    lines = report(verification(FAILED, PASSED, other, PENDING_FAILED, ERROR)).splitlines()
    end = lines.index("Failed: 2 of 5 interactions in 1.5 s")
    assert lines[end - 5 : end] == [
        '  ✗ the price: $.price: expected 34.9, got "34.90"',
        '  ✗ another: $.cost: expected 34.9, got "34.90"',
        '  ✗ a wish: $.price: expected 34.9, got "34.90"',
        "  ! a lost one: connection refused",
        "",
    ]


def test_a_pact_that_fails_everywhere_is_a_screen_or_three() -> None:
    places = [f"$.items[{n}].price.{field}" for n in range(33) for field in ("amount", "currency", "tax")]
    mismatches = tuple(replace(PRICE, identifier=place) for place in places)
    broken = [
        replace(FAILED, description=f"page {n}", request=f"GET /catalogue?page={n}", mismatches=mismatches)
        for n in range(14)
    ]
    text = report(verification(*broken, PASSED, PASSED, PASSED))
    assert len(text.splitlines()) < 60
    assert '      $.items[*].price.currency  expected 34.9  got "34.90"  (33 times)\n' in text


def test_endless_difference_is_cut() -> None:
    mismatch = replace(PRICE, expected="\n".join(f"line {n}" for n in range(500)), actual="x" * 100)
    text = report(verification(replace(FAILED, mismatches=(mismatch,))))
    assert len(text.splitlines()) < 90
    assert "lines more" in text


def test_missing_side_of_a_mismatch_is_nothing() -> None:
    text = report(verification(replace(FAILED, mismatches=(replace(PRICE, actual=None),))))
    assert "$.price  expected 34.9  got nothing\n" in text


def test_mismatch_without_values_is_one_line() -> None:
    text = report(verification(replace(FAILED, mismatches=(replace(PRICE, expected=None, actual=None),))))
    assert f"      $.price  {PRICE.description}\n" in text


def test_error_is_shown_with_the_last_output() -> None:
    text = report(verification(PASSED, error=DIED))
    for part in (
        "Could not verify in 1.5 s",
        "the provider was killed",
        "Its last output:",
        "    | last words",
    ):
        assert part in text


def test_pending_failure_is_marked() -> None:
    text = report(verification(PASSED, PENDING_FAILED))
    assert "a wish (pending)" in text
    assert "Passed: 2 interactions, 1 of them pending and failing" in text


def test_what_the_consumer_says_of_an_interaction_is_shown() -> None:
    text = report(verification(COMMENTED))
    for line in (
        "test StockTest.reads()",
        "comment Asked for by every page",
        "comment and by the shop's till",
    ):
        assert f"      {line}\n" in text


def test_differences_that_were_left_out_are_counted() -> None:
    assert "      ... and 49900 more differences\n" in report(verification(MANY_MISMATCHES))


def test_quiet_leaves_out_what_passed() -> None:
    text = report(verification(PASSED, FAILED, ERROR), quiet=True)
    assert "a request for a product" not in text
    assert "Consumer" not in text
    for part in (
        "the price",
        "a lost one",
        "connection refused",
        "Failed: 1 of 3 interactions",
        "Not published",
    ):
        assert part in text


def test_quiet_run_that_passed_is_two_lines() -> None:
    assert report(verification(PASSED, PASSED), quiet=True).splitlines() == [
        "Passed: 2 interactions in 1.5 s",
        "Not published: --publish-verification-results was not given",
    ]


@pytest.mark.parametrize("quiet", [False, True])
def test_hostile_text_never_reaches_the_terminal_raw(quiet: bool) -> None:  # noqa: FBT001
    text = written(hostile(), quiet=quiet)
    assert all(character == "\n" or character.isprintable() for character in text)
    assert text.count("\n") == len(text.splitlines()), "nothing else breaks a line"


@pytest.mark.parametrize("quiet", [False, True])
def test_hostile_text_never_starts_a_line(quiet: bool) -> None:  # noqa: FBT001
    for line in written(hostile(), quiet=quiet).splitlines():
        assert not line.lstrip().startswith("::"), line


def test_workflow_command_at_the_start_of_a_text_never_starts_a_line() -> None:
    """GitHub trims a line before it looks for `::`, so blanks alone don't help."""
    mismatch = replace(PRICE, description=COMMAND, expected=COMMAND, actual=f"{COMMAND}\n" * 20)
    text = report(
        verification(
            replace(FAILED, description=COMMAND, request=COMMAND, states=(COMMAND,), mismatches=(mismatch,)),
            replace(ERROR, reason=f"{COMMAND}\n{COMMAND}"),
            consumer=COMMAND,
            provider=COMMAND,
            pact_url=COMMAND,
            error=replace(DIED, output=f"{COMMAND}\n  {COMMAND}"),
            notes=(COMMAND,),
        ),
        publish_error=COMMAND,
    )
    assert text.count(COMMAND) > 20
    assert not any(line.strip().startswith("::") for line in text.splitlines())


def test_hostile_text_is_safe_on_a_terminal_too() -> None:
    text = written(hostile(), stream=Terminal())
    assert "\x1b[31mred" not in text
    assert "\x1b[2J" not in text
    assert not any(character in text for character in "\r\x07\x08\x9b\x85\u2028\u202e")


def test_no_colours_where_there_is_no_terminal() -> None:
    assert "\x1b" not in report(verification(PASSED, FAILED, ERROR))


def test_colours_on_a_terminal() -> None:
    assert "\x1b[" in written(Findings(verification(PASSED, FAILED)), stream=Terminal())


def test_colours_when_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in report(verification(PASSED, FAILED))


def test_no_colours_when_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = written(Findings(verification(PASSED, FAILED)), stream=Terminal())
    assert "\x1b[" not in text


def test_colours_change_nothing_but_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = report(verification(PASSED, FAILED, ERROR))
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert (
        "".join(one_line(line) + "\n" for line in report(verification(PASSED, FAILED, ERROR)).splitlines())
        == plain
    )


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[1;31;40mred\x1b[m", "red"),
        ("a\nb", "a\\nb"),
        ("a\tb", "a\\tb"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\u202e", "\\u202e"),
        ("\ud800", "\\ud800"),
        ("héllo ☃", "héllo ☃"),
        ("", ""),
    ],
)
def test_one_line_is_one_line(text: str, safe: str) -> None:
    assert one_line(text) == safe


def test_text_is_split_into_safe_lines() -> None:
    assert lines_of("a\r\nb\tc\n\x1b[2Jd") == ["a", "b    c", "\\x1b[2Jd"]
    assert lines_of("") == [""]


# --- what every report says


@pytest.mark.parametrize(
    ("findings", "exit_code"),
    [
        (Findings(verification(PASSED)), 0),
        (Findings(verification(PASSED, PENDING_FAILED)), 0),
        (Findings(verification(FAILED)), 1),
        (Findings(verification(FAILED, ERROR)), 1),
        (Findings(verification(ERROR)), 3),
        (Findings(verification(PASSED, error=DIED)), 3),
        (Findings(verification()), 0),
        (Findings(verification(consumer="")), 3),
        (Findings(verification(PASSED), publishing=True, published=PUBLISHED), 0),
        (Findings(verification(FAILED), publishing=True, published=replace(PUBLISHED, success=False)), 1),
        (Findings(verification(PASSED), publishing=True, publish_error="403"), 4),
        (Findings(verification(FAILED), publishing=True, publish_error="403"), 4),
    ],
)
def test_exit_code_says_how_it_went(findings: Findings, exit_code: int) -> None:
    assert findings.exit_code == exit_code


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ((PASSED,), "Passed: 1 interaction"),
        ((PASSED, FAILED, PENDING_FAILED), "Failed: 1 of 3 interactions"),
        ((ERROR,), "Could not verify"),
        ((), "Passed: 0 interactions"),
    ],
)
def test_summary(results: tuple[InteractionResult, ...], words: str) -> None:
    assert summary(Findings(verification(*results))) == words


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        (Findings(verification(PASSED)), "was not given"),
        (Findings(verification(ERROR), publishing=True), "there is no result to publish"),
        (
            Findings(verification(PASSED), publishing=True, published=PUBLISHED),
            "confirmed by the broker as passed: http://broker.example/results/1",
        ),
        (
            Findings(
                verification(FAILED),
                publishing=True,
                published=replace(PUBLISHED, success=False, already_there=True),
            ),
            "as failed: http://broker.example/results/1 (it was there already)",
        ),
        (Findings(verification(PASSED), publishing=True, publish_error="403"), "Not published: 403"),
    ],
)
def test_publication(findings: Findings, words: str) -> None:
    assert words in publication(findings)


@pytest.mark.parametrize(
    ("duration", "text"),
    [(None, ""), (0.0, "0 ms"), (0.0124, "12 ms"), (0.9, "900 ms"), (1.0, "1.0 s"), (75, "75.0 s")],
)
def test_seconds_for_people(duration: float | None, text: str) -> None:
    assert seconds(duration) == text


@pytest.mark.parametrize(
    ("result", "word"),
    [
        (PASSED, "passed"),
        (FAILED, "failed"),
        (PENDING_FAILED, "pending"),
        (ERROR, "not verified"),
        (replace(PASSED, pending=True, outcome=Outcome.PASSED), "passed"),
    ],
)
def test_result_word(result: InteractionResult, word: str) -> None:
    assert result_word(result) == word


@pytest.mark.parametrize(
    ("made", "remembers", "line"),
    [
        ((PASSED, FAILED), False, "--filter-description '^the price$'"),
        ((PASSED, FAILED, ERROR), False, "--filter-description '^(the price|a lost one)$'"),
        ((PASSED, replace(FAILED, description="a (b)?")), False, r"--filter-description '^a \(b\)\?$'"),
        ((PASSED, FAILED), True, "the same again with --last-failed"),
        ((PASSED, *[replace(FAILED, description=f"price {n}") for n in range(20)]), False, "--json FILE now"),
        ((PASSED, replace(FAILED, description="a\nb")), False, "--json FILE now"),
    ],
)
def test_the_report_says_how_to_verify_only_what_did_not_pass(
    made: tuple[InteractionResult, ...], line: str, *, remembers: bool
) -> None:
    stream = io.StringIO()
    ConsoleReport(remembers=remembers).write(Findings(verification(*made)), stream)
    assert f"To verify only what did not pass: {line}" in stream.getvalue().splitlines()[-1]


@pytest.mark.parametrize("made", [(PASSED, PASSED), (FAILED,), (FAILED, ERROR)])
def test_where_that_is_all_or_nothing_it_says_nothing_of_it(made: tuple[InteractionResult, ...]) -> None:
    assert "To verify only" not in report(verification(*made))


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_word_is_broken_on_a_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    words = "a request for all of the products that a customer of the shop has looked at since yesterday"
    broken = replace(
        FAILED,
        description=words,
        mismatches=(replace(PRICE, description=f"{words} " * 2, expected=None, actual=None),),
    )
    lost = replace(ERROR, reason=f"{words} " * 3)
    text = written(Findings(verification(PASSED, broken, lost, notes=(words,))), stream=Terminal())
    assert all(len(line) <= columns for line in text.splitlines() if "/pacts/" not in line)
    for word in words.split():
        assert re.search(rf"\b{word}\b", text)
    assert "".join(words.split()) in "".join(text.split())


def test_a_command_stays_on_a_line_to_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    request = HttpMessage(f"GET /{'a' * 100} HTTP/1.1", (("host", "localhost"),), "")
    text = written(
        Findings(verification(replace(FAILED, exchange=Exchange(request, None)))), stream=Terminal()
    )
    assert f"curl -i http://localhost/{'a' * 100}" in text


def test_a_url_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    published = replace(PUBLISHED, url=f"http://broker.example/{'a' * 100}/1")
    text = written(Findings(verification(PASSED), publishing=True, published=published), stream=Terminal())
    assert published.url in text


def test_of_a_cause_that_a_thousand_share_a_few_names_are_enough() -> None:
    lost = [replace(ERROR, description=f"number {n}") for n in range(1000)]
    lines = report(verification(PASSED, *lost)).splitlines()
    assert len(lines) < 30
    assert "  ! ... and 995 more, the same" in lines
