"""Whom PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STAND_INS = ("postgres", "nobody")
"""Whom it runs as when we are root, unless its folder belongs to somebody already; the first one that exists."""


class AccountUnusable(Exception):
    """Nobody can run the server there; the message says what to do."""


@dataclass(frozen=True)
class ServerAccount:
    """The user of the server's processes and files; nothing is set where it is the user that we are."""

    name: str
    uid: int | None = None
    gid: int | None = None

    @property
    def extra_groups(self) -> tuple[()] | None:
        """None of root's groups."""
        return None if self.uid is None else ()

    def take(self, folder: Path) -> None:
        """Make a folder of ours this user's."""
        if self.uid is not None and self.gid is not None and folder.stat().st_uid != self.uid:
            os.chown(folder, self.uid, self.gid, follow_symlinks=False)

    def owns_private(self, folder: Path) -> bool:
        """Say whether a folder is this user's, and closed to everyone else."""
        try:
            found = folder.lstat()
        except FileNotFoundError:
            return False
        mine = os.geteuid() if self.uid is None else self.uid
        return stat.S_ISDIR(found.st_mode) and found.st_uid == mine and stat.S_IMODE(found.st_mode) == 0o700

    def check_reach(self, folder: Path) -> None:
        """See that this user can get to a folder. Nobody's permissions are changed for it.

        Raises:
            AccountUnusable: a folder on the way is closed to it.
        """
        if self.uid is None:
            return
        for step in reversed([folder, *folder.parents]):
            found = step.stat()
            if found.st_uid == self.uid:
                passable = found.st_mode & stat.S_IXUSR
            elif found.st_gid == self.gid:
                passable = found.st_mode & stat.S_IXGRP
            else:
                passable = found.st_mode & stat.S_IXOTH
            if not passable:
                raise AccountUnusable(
                    f"PostgreSQL does not run as root, and as {self.name} it can't get to {folder}, because {step} is "
                    "closed to it: choose another place, such as /var/lib/pact-dispatch, run this as another user than "
                    "root, or set DATABASE_URL to a PostgreSQL that runs"
                )


def server_account(folder: Path) -> ServerAccount:
    """Choose the user for a folder, which may not exist yet.

    Raises:
        AccountUnusable: the folder is another user's, or there is no user to choose.
        OSError: the folder can't be looked at.
    """
    owner = folder.stat().st_uid if folder.exists() else None
    us = os.geteuid()
    if us != 0:
        if owner not in {None, us}:
            raise AccountUnusable(
                f"{folder} belongs to {_name(owner)}, and this runs as {_name(us)}: run it as {_name(owner)}, or "
                "choose another data directory"
            )
        return ServerAccount(_name(us))
    for stand_in in (owner, *STAND_INS) if owner else STAND_INS:
        try:
            found = pwd.getpwuid(stand_in) if isinstance(stand_in, int) else pwd.getpwnam(stand_in)
        except KeyError:
            continue
        return ServerAccount(found.pw_name, found.pw_uid, found.pw_gid)
    raise AccountUnusable(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as: run this as another "
        "user, or set DATABASE_URL to a PostgreSQL that runs"
    )


def _name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid or 0).pw_name
    except KeyError:
        return f"user {uid}"
