"""The reports of many pacts: what is in them, and that no text in them becomes a command, markup or an output."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from referencing import Registry, Resource

from broker.client.for_verification import Notice, PactForVerification
from tests.support.examples import ERROR, FAILED, PASSED, PENDING_FAILED, verification
from tests.support.paths import ROOT
from verifier.errors import ErrorKind
from verifier.report.interface import Findings
from verifier.report.many.console import ManyConsoleReport
from verifier.report.many.github import ManyGitHubReport
from verifier.report.many.html import ManyHtmlReport, page
from verifier.report.many.json import ManyJsonReport
from verifier.report.many.junit import ManyJunitReport
from verifier.report.run_findings import EnvironmentAnswer, PactFindings, RunFindings
from verifier.verification import PublishedResult, VerificationError

if TYPE_CHECKING:
    from pathlib import Path

REPORTS = ROOT / "verifier" / "report"
ONE, MANY = (
    json.loads(file.read_text(encoding="utf-8"))
    for file in (REPORTS / "verification.schema.json", REPORTS / "many" / "verifications.schema.json")
)
SCHEMA = jsonschema.Draft202012Validator(
    MANY, registry=Registry().with_resource(ONE["$id"], Resource.from_contents(ONE))
)
PUBLISHED = PublishedResult("http://broker.example/results/1", success=True, provider_version="abc")
HOSTILE = "\x1b[2J<script>alert(1)</script> | a |\r\n::error::pwned\n::set-output name=outcome::passed\u202e"


def asked(consumer: str, *notices: str, **values: Any) -> PactForVerification:
    url = f"http://broker.example/pacts/provider/Products/consumer/{consumer}/pact-version/abc"
    found = tuple(Notice("before_verification", text) for text in notices)
    return PactForVerification(url, consumer, "1", "abc", "latest from main branch", notices=found, **values)


def named(consumer: str, *results: Any, number: int = 1, **values: Any) -> Any:
    values["id"] = f"{number:08x}-0000-4000-8000-{number:012x}"
    return verification(*results, consumer=consumer, consumer_version="1", **values)


GOOD = PactFindings(
    Findings(named("Good", PASSED), publishing=True, published=PUBLISHED),
    asked("Good", "because\n    * it is"),
)
BAD = PactFindings(
    Findings(named("Bad", PASSED, FAILED, number=2), publishing=True, publish_error="403"), asked("Bad")
)
PENDING = PactFindings(
    Findings(named("Wip", FAILED, number=3), publishing=True, published=PUBLISHED),
    asked("Wip", pending=True, wip=True),
)
LOST = PactFindings(
    Findings(named("Lost", number=4, error=VerificationError(ErrorKind.PROVIDER_DIED, "it died", output="last words"))),
    asked("Lost"),
)  # fmt: skip
RUN = RunFindings(
    started_at=datetime(2026, 1, 31, tzinfo=UTC),
    pacts=(BAD, GOOD, PENDING, LOST),
    planned=4,
    provider="Products",
    provider_version="abc",
    provider_branch="main",
    duration=2.5,
    environments=(
        EnvironmentAnswer("production", deployable=False, blocked_by=("Bad 1 (no result)",)),
        EnvironmentAnswer("staging", deployable=True),
        EnvironmentAnswer("test", deployable=False, reasons=("unknown version",)),
    ),
    notes=("one pact was left out",),
)
NONE = RunFindings(
    started_at=datetime(2026, 1, 31, tzinfo=UTC), error=VerificationError(ErrorKind.NO_PACTS, "there is none")
)


def hostile() -> RunFindings:
    result = replace(FAILED, description=HOSTILE, request=HOSTILE, states=(HOSTILE,))
    error = VerificationError(ErrorKind.PROVIDER_DIED, HOSTILE, output=HOSTILE)
    pacts = (
        PactFindings(Findings(named(HOSTILE, result)), replace(asked("x", HOSTILE), reason=HOSTILE)),
        PactFindings(
            Findings(named(HOSTILE, number=2, error=error, notes=(HOSTILE,)), publish_error=HOSTILE)
        ),
    )
    answer = EnvironmentAnswer(HOSTILE, deployable=False, blocked_by=(HOSTILE,))
    return replace(RUN, pacts=pacts, provider=HOSTILE, notes=(HOSTILE,), error=error, environments=(answer,))


def written(report: Any, findings: RunFindings = RUN) -> str:
    stream = io.StringIO()
    report.write(findings, stream)
    return stream.getvalue()


def test_console_has_a_line_for_each_pact_with_those_that_failed_last() -> None:
    text = written(ManyConsoleReport())
    heads = re.findall(r"^([✓✗!~]) (\w+) 1  (.*?)  ", text, re.MULTILINE)
    assert heads[:4] == [
        ("✓", "Good", "Passed: 1 interaction"),
        ("~", "Wip", "Failed: 1 of 1 interaction (work in progress, so it does not count)"),
        ("!", "Lost", "Could not verify"),
        ("✗", "Bad", "Failed: 1 of 2 interactions"),
    ]
    assert "    | because\n    |     * it is\n" in text
    assert "    | last words" in text
    end = text.splitlines()[-5:]
    assert end[0] == "Failed: 1 of 4 pacts, and 1 not verified (beside 1 pending that failed) in 2.5 s"
    assert end[1] == "Note: one pact was left out"
    assert end[2] == "Published, and confirmed by the broker: 2 of 4 results"
    assert end[3] == "Bad 1: Not published: 403"
    assert end[4] == (
        "Can Products abc be deployed? production: no, blocked by Bad 1 (no result); staging: yes; "
        "test: no (unknown version)"
    )
    assert "because" not in written(ManyConsoleReport(quiet=True))


def test_json_is_what_its_schema_says() -> None:
    for findings in (RUN, NONE, hostile(), replace(RUN, interrupted=True)):
        document = json.loads(written(ManyJsonReport(), findings))
        SCHEMA.validate(document)
    document = json.loads(written(ManyJsonReport()))
    assert [
        (one["consumer"], one["exit_code"], one["pending"], one["wip"]) for one in document["verifications"]
    ] == [
        ("Bad", 4, False, False),
        ("Good", 0, False, False),
        ("Wip", 0, True, True),
        ("Lost", 3, False, False),
    ]
    jsonschema.Draft202012Validator.check_schema(MANY)


@pytest.mark.parametrize("missing", sorted(MANY["required"]))
def test_schema_misses_what_is_missing(missing: str) -> None:
    document = json.loads(written(ManyJsonReport()))
    del document[missing]
    with pytest.raises(jsonschema.ValidationError, match=missing):
        SCHEMA.validate(document)


def test_junit_has_a_suite_for_each_pact_and_counts_no_pending_one() -> None:
    root = ET.fromstring(written(ManyJunitReport()))
    assert [suite.get("name") for suite in root] == [
        f"Pact between {name} 1 and Products" for name in ("Good", "Wip", "Lost", "Bad")
    ]
    totals = {key: root.get(key) for key in ("tests", "failures", "errors")}
    assert totals == {"tests": "5", "failures": "1", "errors": "1"}
    assert sum(int(suite.attrib["skipped"]) for suite in root) == 1
    again = ET.fromstring(written(ManyJunitReport(), replace(RUN, pacts=(GOOD, GOOD))))
    assert len({suite.get("name") for suite in again}) == 2
    assert ET.fromstring(written(ManyJunitReport(), NONE)).get("errors") == "1"


def test_page_begins_with_an_overview_whose_links_lead_to_the_pacts() -> None:
    text = page(RUN)
    rows = re.findall(r'<a href="#(pact-\d)" title="\w+ 1">(\w+) 1</a>', text)
    assert [name for _, name in rows] == ["Bad", "Lost", "Wip", "Good"], "the worst first"
    assert all(f'id="{place}"' in text for place, _ in rows)
    ids = re.findall(r'id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert "Can Products abc be deployed?" in text
    assert "there is none" in page(NONE)


def test_github_gets_a_table_annotations_and_outputs(tmp_path: Path) -> None:
    summary, output = tmp_path / "summary.md", tmp_path / "output"
    variables = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    lines = written(ManyGitHubReport(variables)).splitlines()
    assert [re.sub(r"(::\w+ title=.*?)(%3A|::).*", r"\1", line) for line in lines] == [
        "::error title=The result was not published",
        "::error title=Broken contract of Bad and Products",
        "::error title=Could not verify the pact of Lost and Products",
        "::warning title=Broken contract of Wip and Products",
    ]
    text = summary.read_text(encoding="utf-8")
    table = re.findall(r"^\| (.. ?[\w ]+) \| (\w+) 1 \|", text, re.MULTILINE)
    assert [name for _, name in table] == ["Bad", "Lost", "Wip", "Good"]
    assert "production" in text
    assert re.search(r"outcome<<(.*)\nfailed\n\1", output.read_text(encoding="utf-8"))


def test_pending_interactions_of_a_pact_that_counts_are_warnings() -> None:
    pact = PactFindings(Findings(named("Good", PASSED, PENDING_FAILED)))
    [line] = written(ManyGitHubReport({}), replace(RUN, pacts=(pact,))).splitlines()
    assert line.startswith("::warning title=Pending%2C and not honoured")


@pytest.mark.parametrize(
    "report",
    [ManyConsoleReport(), ManyJsonReport(), ManyJunitReport(), ManyHtmlReport(), ManyGitHubReport({})],
    ids=lambda report: type(report).__name__,
)
def test_no_text_becomes_a_command_or_markup(report: Any) -> None:
    text = written(report, hostile())
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script>alert" not in text or isinstance(
        report, ManyConsoleReport | ManyJsonReport | ManyGitHubReport
    )
    if isinstance(report, ManyJunitReport):
        ET.fromstring(text)
    commands = [line for line in text.splitlines() if line.startswith("::")]
    assert not any(line.startswith(("::error::", "::set-output")) for line in commands)


def test_summary_of_hostile_texts_has_no_markup(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    written(ManyGitHubReport({"GITHUB_STEP_SUMMARY": str(summary)}), hostile())
    text = summary.read_text(encoding="utf-8")
    assert "<script" not in re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert all(row.count("|") in {6, 7} for row in text.splitlines() if row.startswith(("| ❌", "| ⚠")))


def test_nothing_to_verify_is_said() -> None:
    assert "Could not verify in" in written(ManyConsoleReport(), NONE)
    assert "No pacts to verify" in written(ManyConsoleReport(), replace(NONE, error=None))
    assert "Interrupted: 4 of 9 pacts were verified" in written(
        ManyConsoleReport(), replace(RUN, planned=9, interrupted=True)
    )


def test_an_interaction_that_could_not_be_verified_is_shown_with_its_pact() -> None:
    pact = PactFindings(Findings(named("Good", ERROR)))
    assert "Could not verify: 1 of 1 pact" in written(ManyConsoleReport(), replace(RUN, pacts=(pact,)))
