"""One installation of the receiver: its configuration, its data directory and its database."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.commands.options import data_dir_of
from app.commands.runner import CommandFailed, ExitCode
from app.config.broker_access import broker_access
from app.config.file import load
from app.config.provider import CheckoutProvider, CommandProvider
from app.config.values import ConfigurationError, secret
from app.config.variables import DATA_DIR
from app.database.connections import EMBEDDED_FOLDER, NoReceiversDatabase, await_tables, database, migrate
from app.database.database_url import DatabaseUnusable, UrlUnusable, check_url, described
from app.database.embedded.account import AccountUnusable, server_account
from app.database.embedded.cluster import DATA_FOLDER
from app.process.environment import DATABASE_URL
from app.provider.account import ProviderAccountUnusable, provider_account
from broker.http.listening import CannotListen

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from app.config.settings import Settings
    from verifier.confinement import Account

ROOTS_UMASK = 0o022
"""PostgreSQL and providers run as other accounts than root, and must get to what is theirs, whatever umask root has.

What must be closed to them has a mode of its own.
"""
MIGRATE_SECONDS = 30.0
"""How long a command waits for its database: started together, they come up in any order."""


@dataclass(frozen=True)
class Installation:
    """What the options and the environment say of the receiver.

    Attributes:
        config: The configuration file.
        settings: Its content.
        data_dir: The directory of the checkouts and of the embedded database.
        database_url: The value of `DATABASE_URL`; None for the embedded database.
        exists: Whether the database must be a receiver's already.
        migrates: Whether its tables are made, or brought up to date; they are waited for where not.
    """

    config: Path
    settings: Settings
    data_dir: Path
    database_url: str | None
    exists: bool = False
    migrates: bool = True

    @classmethod
    def read(
        cls, options: argparse.Namespace, *, verifies: bool = True, exists: bool = False
    ) -> Installation:
        """Read the configuration, and make the data directory.

        Args:
            options: The command line.
            verifies: Whether the process needs the secrets of the broker and of the providers.
            exists: Whether it must be there already: the command acts on a receiver, and starts none.

        Raises:
            ConfigurationError: Something can't be used; every mistake is named.
        """
        mistakes: list[str] = []
        url = None
        try:
            url = _database_url()
        except ConfigurationError as error:
            mistakes += error.mistakes
        try:
            settings = load(options.config, os.environ if verifies else None)
        except ConfigurationError as error:
            raise ConfigurationError(*error.mistakes, *mistakes) from error
        try:
            if verifies:
                broker_access(settings, os.environ)
        except ConfigurationError as error:
            mistakes += error.mistakes
        data_dir = data_dir_of(options.data_dir, settings)
        if os.geteuid() == 0:
            os.umask(ROOTS_UMASK)
        try:
            if not exists:
                data_dir.mkdir(parents=True, exist_ok=True)
            elif url is None and not mistakes and not (data_dir / EMBEDDED_FOLDER / DATA_FOLDER).is_dir():
                mistakes.append(
                    f"there is no database of a receiver in {data_dir}, and {DATABASE_URL} is not set. Name the folder "
                    f"that the receiver uses (it writes it when it starts): --data-dir, {DATA_DIR}, or data_dir in "
                    f"{options.config}"
                )
        except OSError as error:
            mistakes.append(f"--data-dir: {data_dir} can't be used: {error.strerror}")
        if mistakes:
            raise ConfigurationError(*mistakes)
        migrates = not getattr(options, "no_migrate", False)
        return cls(options.config, settings, data_dir, url, exists, migrates)

    def read_again(self) -> Installation:
        """Read the configuration of a process that runs: its data directory stays.

        Raises:
            ConfigurationError: Something can't be used; every mistake is named.
        """
        mistakes = []
        url = None
        try:
            url = _database_url()
        except ConfigurationError as error:
            mistakes += error.mistakes
        try:
            settings = load(self.config, os.environ)
        except ConfigurationError as error:
            raise ConfigurationError(*error.mistakes, *mistakes) from error
        if mistakes:
            raise ConfigurationError(*mistakes)
        return replace(self, settings=settings, database_url=url)

    def provider_accounts(self) -> dict[str, Account]:
        """Return the accounts that commands of providers run as, by the provider's name; this process's for others.

        Raises:
            ConfigurationError: One of them can't be used.
        """
        taken = set()
        if self.database_url is None:
            with suppress(AccountUnusable, OSError):  # which is told when the database is started
                taken.add(server_account(self.data_dir / EMBEDDED_FOLDER).uid)
        accounts: dict[str, Account] = {}
        known: dict[str | None, Account | None] = {}
        mistakes: dict[str, None] = {}
        for provider in self.settings.providers:
            if not isinstance(provider, CommandProvider | CheckoutProvider):
                continue
            name = provider.user or self.settings.worker.provider_user
            try:
                if name not in known:
                    known[name] = provider_account(name, self.data_dir, taken=taken)
                account = known[name]
            except ProviderAccountUnusable as error:
                key = f"{provider.name}: user" if provider.user else "worker.provider_user"
                mistakes[f"{self.config}: {key}: {error}"] = None
            else:
                accounts |= {provider.name: account} if account is not None else {}
        if mistakes:
            raise ConfigurationError(*mistakes)
        return accounts

    @property
    def described_database(self) -> str:
        """The database, in words without its password."""
        if self.database_url is not None:
            return described(self.database_url)
        return f"the embedded database in {self.data_dir / EMBEDDED_FOLDER}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """Yield the connection string of the database, whose tables are up to date.

        Raises:
            DatabaseUnusable: It can't be started or reached, or is none of a receiver where it must be.
        """
        with database(self.database_url, self.data_dir) as conninfo:
            if self.migrates:
                self._migrate(conninfo)
            else:
                await_tables(conninfo, wait=MIGRATE_SECONDS)
            yield conninfo

    def _migrate(self, conninfo: str) -> None:
        try:
            migrate(conninfo, wait=MIGRATE_SECONDS, makes=not self.exists)
        except NoReceiversDatabase as error:
            raise ConfigurationError(
                f"{error}, so nothing was done. Name the database that the receiver uses (it writes it when it "
                f"starts): {DATABASE_URL}, or without it --data-dir"
            ) from error


def _database_url() -> str | None:
    """Return the URL of the database, if there is one.

    Raises:
        ConfigurationError: It can't be used.
    """
    url = secret(DATABASE_URL, os.environ)
    if url is None:
        return None
    try:
        return check_url(url)
    except UrlUnusable as error:
        raise ConfigurationError(str(error)) from None


@contextmanager
def failures_explained() -> Iterator[None]:
    """Turn what keeps a command of the receiver from starting into what the runner tells people."""
    try:
        yield
    except ConfigurationError as error:
        raise CommandFailed(ExitCode.USAGE, *error.mistakes) from error
    except UrlUnusable as error:
        raise CommandFailed(ExitCode.USAGE, str(error)) from error
    except (CannotListen, DatabaseUnusable) as error:
        raise CommandFailed(ExitCode.COULD_NOT, str(error)) from error
