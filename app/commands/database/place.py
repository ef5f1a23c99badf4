"""Which database the options and the environment mean."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.commands.installation import ROOTS_UMASK
from app.commands.options import data_dir_of
from app.config.file import load
from app.config.values import ConfigurationError, secret
from app.config.variables import DATA_DIR
from app.database.connections import EMBEDDED_FOLDER
from app.database.database_url import check_url, described
from app.database.embedded.beside import NEXT
from app.database.embedded.cluster import DATA_FOLDER
from app.process.environment import DATABASE_URL

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


@dataclass(frozen=True)
class Place:
    """The database of a receiver.

    Attributes:
        folder: The folder of the embedded database; beside it other servers may be started for a while.
        url: The URL of another database; None for the embedded one.
    """

    folder: Path
    url: str | None

    @classmethod
    def read(cls, options: argparse.Namespace) -> Place:
        """Read the options and the environment; the configuration is needed only where they name no data directory.

        Raises:
            ConfigurationError: Something can't be used.
            DatabaseUnusable: The URL can't be used.
        """
        if os.geteuid() == 0:
            os.umask(ROOTS_UMASK)
        url = secret(DATABASE_URL, os.environ)
        data_dir = (options.data_dir or data_dir_of(None, load(options.config, None))).absolute()
        return cls(data_dir / EMBEDDED_FOLDER, None if url is None else check_url(url))

    @property
    def description(self) -> str:
        """The database, in words without its password."""
        return f"the embedded database in {self.folder}" if self.url is None else described(self.url)

    def check_exists(self) -> None:
        """Check that there is an embedded database.

        Raises:
            ConfigurationError: There is none.
        """
        try:
            found = any((self.folder / name).is_dir() for name in (DATA_FOLDER, NEXT))
        except OSError as error:
            raise ConfigurationError(
                f"--data-dir: {self.folder} can't be looked into: {error.strerror}"
            ) from error
        if not found:
            raise ConfigurationError(
                f"there is no embedded database in {self.folder.parent}. Name the folder that the receiver uses (it "
                f"writes it when it starts): --data-dir, {DATA_DIR}, or data_dir in the configuration"
            )
