"""What was found, as text for people and as JSON (no requests)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from app.commands.doctor.check import LONGEST, Status
from verifier.report.text import inert_json, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.commands.doctor.check import Case, Chain, Check, Report

SCHEMA_VERSION = 1
_ID_WIDTH = 20


def document_of(report: Report, hide: Callable[[str], str]) -> dict[str, Any]:
    """Give the report as JSON values; see `doctor.schema.json`.

    Args:
        report: the report.
        hide: takes the secrets out of a text.
    """
    first = report.first_broken
    return {
        "schema_version": SCHEMA_VERSION,
        "broker": _text(report.broker, hide),
        "chains": [
            {
                "pact": _case(chain.case, hide),
                "checks": [_check(check, hide) for check in chain.checks],
                "first_broken": chain.first_broken.id if chain.first_broken else None,
            }
            for chain in report.chains
        ],
        "first_broken": {"pact": _case(first[0].case, hide), **_check(first[1], hide)} if first else None,
        "pacts_left_out": report.left_out,
    }


def write_json(report: Report, hide: Callable[[str], str], stream: TextIO) -> None:
    """Write the report as JSON, so that no CI takes a part of it for a command."""
    stream.write(inert_json(json.dumps(document_of(report, hide), indent=2, ensure_ascii=True)) + "\n")


def write_text(report: Report, hide: Callable[[str], str], stream: TextIO) -> None:
    """Write the report for people: the links in their order, then the first broken one and how to mend it."""

    def line(text: str) -> str:
        return one_line(_text(text, hide))

    first = report.first_broken
    for chain in report.chains:
        stream.write(f"{line(_title(chain))}\n")
        said = ""
        for check in chain.checks:
            stream.write(f"  {check.status:<8} {check.id:<{_ID_WIDTH}} {line(check.found)}\n")
            last = first is not None and check is first[1]  # what to do about it is said at the end
            if check.status is not Status.OK and check.todo not in {"", said} and not last:
                what = "to look at it" if check.status is Status.UNKNOWN else "to do"
                stream.write(f"  {'':<8} {'':<{_ID_WIDTH}} {what}: {line(check.todo)}\n")
                said = check.todo
        stream.write("\n")
    if report.left_out:
        stream.write(
            f"{report.left_out} more pacts were not looked at: ask for them by --consumer and --version\n\n"
        )
    if first is not None:
        chain, check = first
        where = f" ({line(_title(chain))})" if chain.case and len(report.chains) > 1 else ""
        stream.write(f"First broken link: {check.id}{where}\n  {line(check.found)}\n")
        if check.todo:
            stream.write(f"  To mend it: {line(check.todo)}\n")
        return
    unseen = sorted(
        {check.id for chain in report.chains for check in chain.checks if check.status is Status.UNKNOWN}
    )
    going = any(check.under_way for chain in report.chains for check in chain.checks)
    stream.write("No broken link was found")
    stream.write("; a verification is under way" if going else "")
    stream.write(f"; not looked at: {', '.join(unseen)}\n" if unseen else "\n")


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


def _check(check: Check, hide: Callable[[str], str]) -> dict[str, Any]:
    return {
        "id": check.id,
        "status": str(check.status),
        "found": _text(check.found, hide),
        "todo": _text(check.todo, hide),
    }


def _text(text: str, hide: Callable[[str], str]) -> str:
    text = hide(text)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
