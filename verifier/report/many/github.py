"""The report of many pacts for a GitHub workflow: a table of pacts in the summary, annotations, and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from verifier.report.amounts import seconds
from verifier.report.failures import failures
from verifier.report.github import GitHubReport, annotations_of
from verifier.report.github_summary import (
    MARKS,
    OUTCOMES,
    details_of,
    escaped,
    fitted,
    publication_of,
    table_of,
)
from verifier.report.many.phrases import (
    deployable,
    name_of,
    outcome_of,
    parties,
    publications,
    total,
    word_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verifier.report.run_findings import PactFindings, RunFindings


class ManyGitHubReport:
    """Writes the findings of a run where a workflow shows them.

    Args:
        environment: The environment with the names of GitHub's files.
        json_report: The file with the JSON report, for the output `report`.
    """

    def __init__(self, environment: Mapping[str, str], *, json_report: str | None = None) -> None:
        self._files = GitHubReport(environment, json_report=json_report)

    def write(self, findings: RunFindings, stream: TextIO) -> None:
        """Write the annotations to the stream, which the runner reads, and the rest to GitHub's files."""
        worst_first = findings.worst_last()[::-1]
        excused = {pact.verification.id for pact in worst_first if pact.is_pending_failure}
        others = [] if findings.error is None else [("Could not verify the pacts", findings.error.message)]
        lines = annotations_of([pact.findings for pact in worst_first], excused=excused, others=others)
        stream.writelines(line + "\n" for line in lines)
        # as after one pact; of many there is no single consumer and no single result
        outputs = {
            "outcome": findings.outcome.value,
            "result-url": "",
            "consumer": "",
            "consumer-version": "",
        }
        self._files.write_outputs(outputs, stream)
        self._files.write_summary(lambda room: fitted(_parts(findings, worst_first), room=room), stream)


def _parts(findings: RunFindings, worst_first: list[PactFindings]) -> Iterator[str]:
    """Return the summary in parts, each of which may be the last."""
    yield f"## {OUTCOMES[findings.outcome]} {escaped(total(findings))}\n\n"
    yield "| | |\n| --- | --- |\n"
    for label, value in parties(findings):
        yield f"| {label} | {escaped(value)} |\n"
    for line in publications(findings):
        yield f"\n{escaped(line, longest=2000)}\n"
    if answer := deployable(findings):
        yield f"\n{escaped(answer, longest=2000)}\n"
    if findings.error is not None:
        yield f"\n{escaped(findings.error.message, longest=2000)}\n"
    for note in findings.notes:
        yield f"\n> {escaped(note)}\n"
    if worst_first:
        yield "\n| | consumer | interactions | why | result | time |\n| --- | --- | --- | --- | --- | --- |\n"
    for pact in worst_first:
        yield _row(pact)
    for pact in worst_first:
        yield from _pact(pact)


def _row(pact: PactFindings) -> str:
    word = word_of(pact)
    verification = pact.verification
    cells = (
        f"{MARKS[word]} {word}",
        escaped(name_of(pact)),
        str(len(verification.interactions)),
        escaped(pact.asked.reason if pact.asked is not None else ""),
        "published" if pact.findings.published is not None else "not published",
        seconds(verification.duration),
    )
    return f"| {' | '.join(cells)} |\n"


def _pact(pact: PactFindings) -> Iterator[str]:
    verification = pact.verification
    word = word_of(pact)
    yield f"\n## {MARKS[word]} {escaped(name_of(pact))}\n"
    yield f"\n{escaped(outcome_of(pact))}. {publication_of(pact.findings)}\n"
    for notice in (*pact.before, *pact.after):
        yield f"\n> {escaped(notice, longest=2000)}\n"
    if verification.error is not None:
        yield f"\n{escaped(verification.error.message, longest=2000)}\n"
    for note in verification.notes:
        yield f"\n> {escaped(note)}\n"
    if word != "passed":
        yield from table_of(verification.interactions)
    for failure in failures(verification.interactions):
        yield from details_of(failure)
