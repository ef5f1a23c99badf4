"""The options of the commands that belong to a receiver: where its configuration and its data are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get("PACT_DISPATCH_CONFIG") or "pact-dispatch.toml"),
        metavar="FILE",
        help="the configuration (PACT_DISPATCH_CONFIG; default: pact-dispatch.toml)",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("PACT_DISPATCH_DATA_DIR") or "pact-dispatch-data"),
        metavar="DIR",
        help="checkouts, and the embedded PostgreSQL where DATABASE_URL isn't set (PACT_DISPATCH_DATA_DIR; default: "
        "pact-dispatch-data)",
    )
