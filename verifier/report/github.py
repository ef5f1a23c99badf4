"""The report for a GitHub workflow: the summary of the step, annotations of the run, and outputs for later steps."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from broker.text.harmless import one_line
from verifier.report.amounts import count
from verifier.report.failures import failures, text_of
from verifier.report.github_summary import markdown, problem
from verifier.report.interface import publication
from verifier.report.workflow_commands import ANNOTATIONS_SHOWN, annotation
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from verifier.report.failures import Failure
    from verifier.report.interface import Findings

LARGEST_SUMMARY = 1024 * 1024 - 1024
"""GitHub shows up to 1 MiB for each step, and nothing of a larger summary."""


class GitHubReport:
    """Writes findings where a workflow shows them.

    Args:
        environment: The environment with the names of GitHub's files: `GITHUB_STEP_SUMMARY`, `GITHUB_OUTPUT`.
        json_report: The file with the JSON report, for the output `report`.
    """

    def __init__(self, environment: Mapping[str, str], *, json_report: str | None = None) -> None:
        self._environment = environment
        self._json_report = json_report

    def write(self, findings: Findings, stream: TextIO) -> None:
        """Write the annotations to the stream, which the runner reads, and the rest to GitHub's files."""
        verification = findings.verification
        stream.writelines(line + "\n" for line in annotated(findings))
        published = findings.published
        self.write_outputs(
            {
                "outcome": verification.outcome.value,
                "result-url": published.url if published else "",
                "consumer": verification.consumer,
                "consumer-version": verification.consumer_version or "",
            },
            stream,
        )
        self.write_summary(lambda room: markdown(findings, room=room), stream)

    def write_problem(self, message: str, stream: TextIO) -> None:
        """Write why nothing was verified."""
        stream.write(annotation("error", "Could not verify the pact", message) + "\n")
        self.write_outputs({"outcome": Outcome.ERROR.value}, stream)
        self.write_summary(lambda _: problem(message), stream)

    def write_outputs(self, outputs: dict[str, str], stream: TextIO) -> None:
        """Write the outputs of the step, with that of the JSON report."""
        outputs["report"] = str(Path(self._json_report).absolute()) if self._json_report else ""
        text = ""
        for name, value in outputs.items():
            # a random delimiter, so that no value can end early and set another output
            delimiter = f"end-{uuid.uuid4()}"
            text += f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
        self._append("GITHUB_OUTPUT", lambda _: text, stream)

    def write_summary(self, write: Callable[[int], str], stream: TextIO) -> None:
        """Write the summary of the step, made from how many bytes it may have."""
        self._append("GITHUB_STEP_SUMMARY", lambda there: write(LARGEST_SUMMARY - there), stream)

    def _append(self, variable: str, write: Callable[[int], str], stream: TextIO) -> None:
        """Append a text, made from how many bytes the step has written already, to one of GitHub's files."""
        path = self._environment.get(variable)
        if not path:
            return
        try:
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(write(file.tell()))
        except OSError as error:
            # the exit code is about the contract, and that is known
            stream.write(f"verify: {one_line(path)} ({variable}) could not be written: {error.strerror}\n")


def annotated(findings: Findings) -> Iterator[str]:
    """Return the annotations of one verification."""
    return annotations_of([findings])


def annotations_of(
    verified: Iterable[Findings], *, excused: Collection[str] = (), others: Sequence[tuple[str, str]] = ()
) -> Iterator[str]:
    """Return the annotations: each failure, as far as GitHub shows them, and why nothing is known or published.

    Args:
        verified: The verifications, the one that matters most first.
        excused: The ids of those that are pending as a whole, so that nothing that is wrong with them counts.
        others: Titles and messages of other errors.
    """
    errors, warnings = list(others), []
    for findings in verified:
        found, excusable = _found(findings)
        if findings.verification.id in excused:
            warnings += found
        else:
            errors += found
        if findings.publish_error is not None:
            errors.insert(0, ("The result was not published", publication(findings)))
        warnings += excusable
    for level, entries in (("error", errors), ("warning", warnings)):
        shown = entries if len(entries) <= ANNOTATIONS_SHOWN else entries[: ANNOTATIONS_SHOWN - 1]
        yield from (annotation(level, title, message) for title, message in shown)
        if len(entries) > len(shown):
            yield annotation(
                level,
                f"{len(entries) - len(shown)} more",
                "The summary and the log of the run have all of them.",
            )


def _found(findings: Findings) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return what is wrong with a pact, as titles and messages: what counts, and what is pending."""
    verification = findings.verification
    about = f"{verification.consumer or 'a consumer'} and {verification.provider or 'its provider'}"
    errors = []
    if verification.error is not None:
        errors.append((f"Could not verify the pact of {about}", verification.error.message))
    broken = [f for f in failures(verification.interactions) if f.first.outcome == Outcome.FAILED]
    errors += [
        (f"Broken contract of {about}: {_names(failure)}", _reason(failure))
        for failure in broken
        if not failure.first.pending
    ]
    warnings = [
        (f"Pending, and not honoured: {_names(failure)}", _reason(failure))
        for failure in broken
        if failure.first.pending
    ]
    return errors, warnings


def _names(failure: Failure) -> str:
    names = "; ".join(result.description for result in failure.results)
    return names if len(failure.results) == 1 else f"{count(len(failure.results), 'interaction')}: {names}"


def _reason(failure: Failure) -> str:
    """Return what is wrong with interactions, in a line for each difference."""
    request = failure.first.request if len(failure.results) == 1 else ""
    return "\n".join([*([request] if request else []), *text_of(failure)])
