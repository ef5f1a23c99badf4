"""Runs as text for people (no I/O but to the stream)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

from app.commands.run_document import age, deliveries_of, party, state_of, took
from app.commands.tables import write_fields, write_table
from app.records.run import RunStatus
from app.records.run_findings import findings_of
from broker.http.json_values import objects_at, text_at
from broker.text.harmless import lines_of, one_line
from verifier.report.console import ConsoleReport
from verifier.verification import Outcome, Verification

if TYPE_CHECKING:
    from collections.abc import Sequence


def write_list(runs: Sequence[dict[str, Any]], stream: TextIO) -> None:
    """Write runs as a table."""
    if not runs:
        stream.write("no runs\n")
        return
    for_people = stream is sys.stdout and stream.isatty()
    rows = [
        (
            str(run.get("id")),
            state_of(run),
            age(run.get("created_at")) if for_people else str(run.get("created_at")),
            took(run),
            party(run, "consumer") or ("every pact" if run.get("pact_url") is None else ""),
            party(run, "provider"),
        )
        for run in runs
    ]
    write_table(
        ("RUN", "STATE", "WHEN", "TOOK", "CONSUMER", "PROVIDER"),
        rows,
        stream,
        unbroken=("RUN", "WHEN", "TOOK"),
    )


def write_run(run: dict[str, Any], verification: dict[str, Any] | None, stream: TextIO) -> None:
    """Write a run, and the report of its verification if it has one."""
    relay = run.get("relay")
    write_fields(
        (
            ("run", text_at(run, "id")),
            ("state", state_of(run)),
            ("consumer", party(run, "consumer")),
            ("provider", party(run, "provider")),
            ("branch", text_at(run, "provider_branch")),
            ("pact", text_at(run, "pact_url") or "every one that the broker asks for"),
            ("part of", text_at(run, "parent_id")),
            ("dispatch", f"{run.get('event_type')} to {run.get('repository')}"),
            ("commit", text_at(run, "sha")),
            ("because", text_at(run, "reason")),
            ("created", text_at(run, "created_at")),
            ("started", text_at(run, "started_at")),
            ("finished", text_at(run, "finished_at")),
            ("took", took(run)),
            ("next try", text_at(run, "retry_at")),
            ("attempts", str(run.get("attempts") or "")),
            ("error", text_at(run, "error")),
            ("result", text_at(run, "result_url")),
            ("not published", text_at(run, "publish_error")),
            ("passed on to", text_at(relay, "repository")),
            ("trace", text_at(run, "trace_id")),
            ("deliveries", ", ".join(deliveries_of(run))),
        ),
        stream,
    )
    pacts = objects_at(run, "pacts") or []
    if pacts:
        stream.write("\n")
        rows = [(str(one.get("run_id")), _state_of_pact(one), party(one, "consumer")) for one in pacts]
        write_table(("RUN", "STATE", "CONSUMER"), rows, stream, unbroken=("RUN",))
    for status in objects_at(run, "commit_statuses") or []:
        values = (text_at(status, name) for name in ("context", "state", "result", "error"))
        write_fields((("commit status", ", ".join(value for value in values if value)),), stream)
    output = text_at(run, "error_output")
    if output:
        stream.write("\nprinted last:\n")
        stream.writelines(f"    | {line}\n" for line in lines_of(output))
    if verification is not None:
        stream.write("\n")
        _write_verification(run, verification, stream)


def _state_of_pact(pact: dict[str, Any]) -> str:
    state = state_of({**pact, "status": RunStatus.FINISHED})
    return f"{state} (pending)" if pact.get("pending") and pact.get("outcome") == Outcome.FAILED else state


def _write_verification(run: dict[str, Any], verification: dict[str, Any], stream: TextIO) -> None:
    """Write what did not pass as `verify` does; of a receiver of another version, what can be told."""
    try:
        findings = findings_of(
            Verification.from_dict(verification),
            text_at(run, "publishing"),
            result_url=text_at(run, "result_url"),
            publish_error=text_at(run, "publish_error"),
        )
    except ValueError:
        for result in objects_at(run, "interactions") or []:
            if (outcome := text_at(result, "outcome")) != Outcome.PASSED:
                stream.write(one_line(f"  {outcome}: {text_at(result, 'description')}") + "\n")
        stream.write("It was verified by another version: --json has all of it\n")
        return
    ConsoleReport(quiet=True).write(findings, stream)
