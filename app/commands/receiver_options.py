"""The options of the commands that belong to a receiver: where its configuration and its data are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from app.config.variables import CONFIG, DATA_DIR
from app.process.environment import DATABASE_URL

if TYPE_CHECKING:
    import argparse


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get(CONFIG) or "pact-dispatch.toml"),
        metavar="FILE",
        help=f"the configuration ({CONFIG}; default: pact-dispatch.toml)",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get(DATA_DIR) or "pact-dispatch-data"),
        metavar="DIR",
        help=f"checkouts, and the embedded PostgreSQL where {DATABASE_URL} isn't set ({DATA_DIR}; default: "
        "pact-dispatch-data)",
    )
