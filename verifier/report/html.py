"""The report as one self-contained page that makes no request.

All of it can be read without its script, which filters and copies.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TextIO

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

from broker.http.answer_headers import source_of
from broker.look import style_sheet
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
from verifier.report.side_by_side import paired
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jinja2 import Template

    from verifier.report.interface import Findings

LONGEST_DIFF = 200
LONGEST_COMMAND = 20_000
"""The most characters of a command; it is copied as a whole."""
SHOWN_OPEN = 3
"""How many failures are unfolded."""
SHOWN_ALIKE = 100
"""How many interactions that share a cause are named."""


SCRIPT = files("verifier.report").joinpath("page.js").read_text(encoding="utf-8")
SCRIPT_SOURCE = source_of(SCRIPT)
"""The only script that the page's policy allows."""
STYLE = style_sheet() + files("verifier.report").joinpath("style.css").read_text(encoding="utf-8")
STYLE_SOURCE = source_of(STYLE)
"""The only style that it allows."""

FILTERS: dict[str, Callable[..., Any]] = {
    "seconds": seconds,
    "word": result_word,
    "remarks": remarks,
    "more_differences": more_differences,
    "curl": curl,
    "matched": matched,
    "paired": paired,
    "written": written,
    "shared_cause": shared_cause,
}
"""The filters of `interactions.html.jinja`, by their names."""


class HtmlReport:
    """Writes findings as an HTML page."""

    def write(self, findings: Findings, stream: TextIO) -> None:
        """Write the page."""
        stream.write(page(findings) + "\n")


@cache
def _environment(
    loaders: tuple[BaseLoader, ...], filters: tuple[tuple[str, Callable[..., Any]], ...]
) -> Environment:
    """Return the templates, which are compiled once in a process."""
    environment = Environment(
        loader=ChoiceLoader([*loaders, PackageLoader("verifier.report", ".")]),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS | dict(filters)
    return environment


def shared_values() -> dict[str, Any]:
    """Return the values that the templates need, whatever they show."""
    return {
        "script": SCRIPT,
        "script_source": SCRIPT_SOURCE,
        "style": STYLE,
        "style_source": STYLE_SOURCE,
        "longest_diff": LONGEST_DIFF,
        "longest_command": LONGEST_COMMAND,
        "longest_text": None,  # of a line of a comparison, and of a request or response
        "shown_open": SHOWN_OPEN,
        "shown_alike": SHOWN_ALIKE,
    }


def template_of(
    name: str, loaders: tuple[BaseLoader, ...], filters: Mapping[str, Callable[..., Any]]
) -> Template:
    """Return a template, which may use those of this report.

    Args:
        name: Its name.
        loaders: Where it is.
        filters: Further filters for it.
    """
    return _environment(loaders, tuple(filters.items())).get_template(name)


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
        "words": list(Counter(map(result_word, verification.interactions)).items()),
        **shared_values(),
        "total": count(len(verification.interactions), "interaction"),
    }
    return inert_markup(template_of(template, loaders, filters or {}).render(values | more))
