"""The report for machines: the saved verification, and what became of its publication.

`verification.schema.json`, beside this module, describes it; `Verification.from_dict` reads it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from broker.text.harmless import write_json

if TYPE_CHECKING:
    from verifier.report.interface import Findings


class JsonReport:
    """Writes findings as one JSON object."""

    def write(self, findings: Findings, stream: TextIO) -> None:
        """Write the object, indented, with a line end."""
        write_json(to_document(findings), stream)


def to_document(findings: Findings) -> dict[str, Any]:
    """Return the report as JSON values."""
    return findings.verification.to_dict() | {
        "published": asdict(findings.published) if findings.published else None,
        "publish_error": findings.publish_error,
        "exit_code": findings.exit_code,
    }
