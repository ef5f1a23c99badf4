"""The report of many pacts for machines: schema version 2, whose verifications have the form of version 1.

`verifications.schema.json`, beside this module, describes it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from broker.text.harmless import write_json
from verifier.report.json import to_document as one_document

if TYPE_CHECKING:
    from verifier.report.run_findings import PactFindings, RunFindings

SCHEMA_VERSION = 2


class ManyJsonReport:
    """Writes the findings of a run as one JSON object."""

    def write(self, findings: RunFindings, stream: TextIO) -> None:
        """Write the object, indented, with a line end."""
        write_json(to_document(findings), stream)


def to_document(findings: RunFindings) -> dict[str, Any]:
    """Return the report as JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "outcome": findings.outcome.value,
        "exit_code": findings.exit_code,
        "provider": findings.provider,
        "provider_version": findings.provider_version,
        "provider_branch": findings.provider_branch,
        "started_at": findings.started_at.isoformat(),
        "duration": findings.duration,
        "planned": findings.planned,
        "interrupted": findings.interrupted,
        "error": None if findings.error is None else asdict(findings.error),
        "notes": list(findings.notes),
        "environments": [asdict(environment) for environment in findings.environments],
        "verifications": [_verification(pact) for pact in findings.pacts],
    }


def _verification(pact: PactFindings) -> dict[str, Any]:
    asked = pact.asked
    return one_document(pact.findings) | {
        "exit_code": pact.exit_code,
        "pending": pact.pending,
        "wip": asked is not None and asked.wip,
        "reason": "" if asked is None else asked.reason,
        "notices": [] if asked is None else [{"when": n.when, "text": n.text} for n in asked.notices],
    }
