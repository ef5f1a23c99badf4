"""The report as one self-contained page: no script and no request."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

from broker.text.harmless import inert_markup
from verifier.report.amounts import count, seconds
from verifier.report.exchange import curl, written
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
    versions,
)
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verifier.report.interface import Findings

LONGEST_DIFF = 200
SHOWN_OPEN = 3
"""How many failures are unfolded."""
SHOWN_ALIKE = 100
"""How many interactions that share a cause are named."""


class HtmlReport:
    """Writes findings as an HTML page."""

    def write(self, findings: Findings, stream: TextIO) -> None:
        """Write the page."""
        stream.write(page(findings) + "\n")


@cache
def _environment(
    loaders: tuple[BaseLoader, ...], filters: tuple[tuple[str, Callable[..., str]], ...]
) -> Environment:
    """Return the templates, which are compiled once in a process."""
    environment = Environment(
        loader=ChoiceLoader([*loaders, PackageLoader("verifier.report", ".")]),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "seconds": seconds,
        "word": result_word,
        "remarks": remarks,
        "more_differences": more_differences,
        "curl": curl,
        "matched": matched,
        "written": written,
        "shared_cause": shared_cause,
        **dict(filters),
    }
    return environment


def page(
    findings: Findings,
    *loaders: BaseLoader,
    template: str = "page.html.jinja",
    filters: Mapping[str, Callable[..., str]] | None = None,
    **more: Any,
) -> str:
    """Return findings as an HTML page.

    Args:
        findings: The findings.
        loaders: Where `template` is, if it isn't the report's own.
        template: The template, which may extend the report's own.
        filters: Further filters for it.
        more: Further values for it.
    """
    environment = _environment(loaders, tuple((filters or {}).items()))
    verification = findings.verification
    counts = [
        (verification.count(outcome), word, outcome.value)
        for outcome, word in (
            (Outcome.FAILED, "failed"),
            (Outcome.ERROR, "not verified"),
            (Outcome.PASSED, "passed"),
        )
    ]
    values = {
        "findings": findings,
        "verification": verification,
        "summary": summary(findings),
        "parties": parties(verification),
        "publication": publication(findings),
        "counts": counts,
        "failures": failures(verification.interactions),
        "versions": versions(verification),
        "longest_diff": LONGEST_DIFF,
        "shown_open": SHOWN_OPEN,
        "shown_alike": SHOWN_ALIKE,
        "total": count(len(verification.interactions), "interaction"),
    }
    return inert_markup(environment.get_template(template).render(values | more))
