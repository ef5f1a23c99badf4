"""The report as text for people and as JSON (no I/O but to the stream)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from app.commands.doctor.chain import LONGEST
from app.commands.finding import State
from broker.text import harmless
from broker.text.harmless import one_line
from verifier.report.amounts import count
from verifier.report.paint import Paint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from app.commands.doctor.chain import Case, Chain, Report
    from app.commands.finding import Finding

SCHEMA_VERSION = 1
STATUSES = {
    State.OK: "ok",
    State.WARNING: "warning",
    State.FAILED: "broken",
    State.UNKNOWN: "unknown",
}
"""The states as `doctor.schema.json` has them."""
_STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "red", State.UNKNOWN: "dim"}
_ID_WIDTH = 20
"""The columns of the names of checks, unless one that is shown has a longer name."""


def document_of(report: Report, hide: Callable[[str], str]) -> dict[str, Any]:
    """Return the report as JSON values; see `doctor.schema.json`.

    Args:
        report: The report.
        hide: Takes the secrets out of a text.
    """
    first = report.first_broken
    return {
        "schema_version": SCHEMA_VERSION,
        "broker": _text(report.broker, hide),
        "chains": [
            {
                "pact": _case(chain.case, hide),
                "checks": [_finding(finding, hide) for finding in chain.findings],
                "first_broken": chain.first_broken.name if chain.first_broken else None,
            }
            for chain in report.chains
        ],
        "first_broken": {"pact": _case(first[0].case, hide), **_finding(first[1], hide)} if first else None,
        "pacts_left_out": report.left_out,
    }


def write_json(report: Report, hide: Callable[[str], str], stream: TextIO) -> None:
    """Write the report as JSON, so that no CI takes a part of it for a command."""
    harmless.write_json(document_of(report, hide), stream)


def write_text(report: Report, hide: Callable[[str], str], stream: TextIO) -> None:
    """Write the report for people, on a terminal in colour: the verdict with what to do, then the links in order."""
    paint = Paint(stream)

    def line(text: str) -> str:
        return one_line(_text(text, hide))

    stream.writelines(f"{text}\n" for text in _verdict(report, line, paint))
    first = report.first_broken
    names = [finding.name for chain in report.chains for finding in chain.findings]
    width = max([_ID_WIDTH, *map(len, names)])
    for chain in report.chains:
        stream.write(f"\n{paint(line(_title(chain)), 'bold')}\n")
        previous = ""
        for finding in chain.findings:
            status = paint(f"{STATUSES[finding.state]:<8}", _STYLES[finding.state])
            stream.write(f"  {status} {finding.name:<{width}} {line(finding.found)}\n")
            is_first = first is not None and finding is first[1]  # what to do about it stands above
            if finding.state is not State.OK and finding.to_do not in {"", previous} and not is_first:
                what = "to look at it" if finding.state is State.UNKNOWN else "to do"
                stream.write(f"  {'':<8} {'':<{width}} {what}: {line(finding.to_do)}\n")
                previous = finding.to_do
    if report.left_out:
        stream.write(
            f"\nNot looked at, besides: {count(report.left_out, 'pact')}; ask for them by --consumer and --version\n"
        )


def _verdict(report: Report, line: Callable[[str], str], paint: Paint) -> Iterator[str]:
    """Yield the lines that tell the first broken link and how to fix it, or that there is none."""
    first = report.first_broken
    if first is not None:
        chain, finding = first
        where = f" ({line(_title(chain))})" if chain.case and len(report.chains) > 1 else ""
        yield paint(f"First broken link: {finding.name}{where}", "bold red")
        yield f"  {line(finding.found)}"
        if finding.to_do:
            yield f"  {paint('To fix it:', 'bold')} {line(finding.to_do)}"
        return
    unseen = sorted(
        {one.name for chain in report.chains for one in chain.findings if one.state is State.UNKNOWN}
    )
    going = any(one.under_way for chain in report.chains for one in chain.findings)
    yield (
        paint("No broken link was found", "bold green")
        + ("; a verification is under way" if going else "")
        + (f"; not looked at: {', '.join(unseen)}" if unseen else "")
    )


def _title(chain: Chain) -> str:
    case = chain.case
    return f"{case.consumer} {case.version} -> {case.provider}" if case else "The chain"


def _case(case: Case | None, hide: Callable[[str], str]) -> dict[str, str] | None:
    if case is None:
        return None
    return {
        "consumer": _text(case.consumer, hide),
        "consumer_version": _text(case.version, hide),
        "provider": _text(case.provider, hide),
    }


def _finding(finding: Finding, hide: Callable[[str], str]) -> dict[str, Any]:
    return {
        "id": finding.name,
        "status": STATUSES[finding.state],
        "found": _text(finding.found, hide),
        "todo": _text(finding.to_do, hide),
    }


def _text(text: str, hide: Callable[[str], str]) -> str:
    text = hide(text)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
