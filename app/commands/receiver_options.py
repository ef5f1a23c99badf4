"""What the commands of the receiver share: where the configuration, the data and the database are."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands import COULD_NOT_START

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from app.config.settings import Settings

SERVER_LIBRARIES = frozenset(
    {
        "cryptography",
        "flask",
        "github",
        "gunicorn",
        "procrastinate",
        "psycopg",
        "psycopg_pool",
        "pydantic",
        "sqlalchemy",
        "structlog",
    }
)
WRONG_CONFIGURATION = 2
MIGRATE_SECONDS = 30.0
"""How long a command waits for its database: started together, they come up in any order."""


@dataclass(frozen=True)
class Place:
    """Where everything is.

    Attributes:
        config: the configuration file.
        settings: what it says.
        data_dir: checkouts, and the embedded database.
        database_url: `DATABASE_URL`; None for the embedded one.
    """

    config: Path
    settings: Settings
    data_dir: Path
    database_url: str | None


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


def find(options: argparse.Namespace) -> Place:
    """Read the configuration, and make the data directory.

    Raises:
        ConfigurationError: something can't be used; every mistake is named.
    """
    from app.config.file import load  # noqa: PLC0415
    from app.config.settings import ConfigurationError, broker_access, secret  # noqa: PLC0415 - see app.commands

    settings = load(options.config, os.environ)
    mistakes = []
    try:
        broker_access(settings, os.environ)
    except ConfigurationError as error:
        mistakes += error.mistakes
    url = None
    try:
        url = secret("DATABASE_URL", os.environ)
    except ConfigurationError as error:
        mistakes += error.mistakes
    data_dir = options.data_dir.absolute()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        mistakes.append(f"--data-dir: {data_dir} can't be made: {error.strerror}")
    if mistakes:
        raise ConfigurationError(mistakes)
    return Place(options.config, settings, data_dir, url)


def guarded(name: str, run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Have a command say in plain words why it could not start.

    Args:
        name: the command's.
        run: what it does.

    Returns:
        The same, with exit code 2 for a wrong configuration, and 3 for what is away or missing.
    """

    def start(options: argparse.Namespace) -> int:
        try:
            from app.config.settings import ConfigurationError  # noqa: PLC0415 - see app.commands
            from app.database.connections import DatabaseUnusable  # noqa: PLC0415
            from broker.http.listening import CannotListen  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] not in SERVER_LIBRARIES:
                raise
            print(
                f"pact-dispatch {name} needs {error.name}: pip install 'pact-dispatch[server]'",
                file=sys.stderr,
            )
            return COULD_NOT_START
        try:
            return run(options)
        except ConfigurationError as error:
            for mistake in error.mistakes:
                print(f"pact-dispatch {name}: {mistake}", file=sys.stderr)
            return WRONG_CONFIGURATION
        except (CannotListen, DatabaseUnusable) as error:
            print(f"pact-dispatch {name}: {error}", file=sys.stderr)
            return COULD_NOT_START

    return start
