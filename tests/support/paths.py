"""Where the tests find files of the project."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
EXCHANGES = ROOT / "tests" / "exchanges"
"""Recorded answers of a real Pact Broker 2.120.0: `pacts`, `deployments`, `webhooks`."""
