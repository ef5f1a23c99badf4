"""The report of many pacts as one self-contained page, with an overview first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TextIO

from jinja2 import PackageLoader

from broker.text.harmless import inert_markup
from verifier.report.failures import failures
from verifier.report.html import shared_values, template_of
from verifier.report.interface import publication, result_word
from verifier.report.many.phrases import (
    deployable,
    name_of,
    outcome_of,
    parties,
    publications,
    total,
    word_of,
)
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier.report.failures import Failure
    from verifier.report.run_findings import PactFindings, RunFindings


class ManyHtmlReport:
    """Writes the findings of a run as an HTML page."""

    def write(self, findings: RunFindings, stream: TextIO) -> None:
        """Write the page."""
        stream.write(page(findings) + "\n")


def page(findings: RunFindings) -> str:
    """Return the findings of a run as an HTML page."""
    filters: dict[str, Callable[..., Any]] = {
        "pact_name": name_of,
        "pact_word": word_of,
        "pact_outcome": outcome_of,
        "class_of": _class_of,
        "empty_word": _empty_word,
        "failures_of": _failures_of,
        "publication": publication,
    }
    template = template_of("run.html.jinja", (PackageLoader("verifier.report.many", "."),), filters)
    return inert_markup(
        template.render(
            findings=findings,
            pacts=findings.worst_last()[::-1],
            total=total(findings),
            parties=parties(findings),
            publications=publications(findings),
            deployable=deployable(findings),
            words=list(_words(findings).items()),
            **shared_values(),
        )
    )


def _words(findings: RunFindings) -> Counter[str]:
    """Return how often each word for an outcome is shown: for an interaction, or a pact of which there are none."""
    words: Counter[str] = Counter()
    for pact in findings.pacts:
        words.update(map(result_word, pact.verification.interactions))
        if not pact.verification.interactions:
            words[_empty_word(pact)] += 1
    return words


def _empty_word(pact: PactFindings) -> str:
    return "passed" if pact.verification.outcome == Outcome.PASSED else "not verified"


def _class_of(pact: PactFindings) -> str:
    return "error" if pact.is_pending_failure else pact.verification.outcome.value


def _failures_of(pact: PactFindings) -> list[Failure]:
    return failures(pact.verification.interactions)
