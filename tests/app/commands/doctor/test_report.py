"""The report of the doctor for people."""

from __future__ import annotations

import io

from app.commands.doctor.chain import LINKS, Chain, Report
from app.commands.doctor.report import write_text
from app.commands.finding import Finding, State


def test_the_columns_are_below_each_other_however_long_the_names_are() -> None:
    findings = tuple(Finding(State.WARNING, "FOUND", f"do {name}", name=name) for name in LINKS)
    stream = io.StringIO()
    write_text(Report("http://broker.example.org", (Chain(None, findings),)), str, stream)
    lines = [line for line in stream.getvalue().splitlines() if line.startswith("  ")]
    columns = {max(line.find(text) for text in ("FOUND", "to do:")) for line in lines}
    assert (len(lines), len(columns)) == (2 * len(LINKS), 1)
