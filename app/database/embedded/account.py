"""The user that the embedded PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.process.reach import closed_step

if TYPE_CHECKING:
    from pathlib import Path

UNPRIVILEGED = ("postgres", "nobody")
"""For root: the first user that exists, unless the folder belongs to a user already."""


class AccountUnusable(Exception):
    """No user can run the server there; the message says what to do."""


@dataclass(frozen=True)
class ServerAccount:
    """The user of the server's processes and files; its ids are None if this process runs as that user."""

    name: str
    uid: int | None = None
    gid: int | None = None

    @property
    def extra_groups(self) -> tuple[()] | None:
        """No groups, so that the server has none of root's; None where nothing changes."""
        return None if self.uid is None else ()

    def take(self, folder: Path) -> None:
        """Give a folder to this user."""
        if self.uid is not None and self.gid is not None and folder.stat().st_uid != self.uid:
            os.chown(folder, self.uid, self.gid, follow_symlinks=False)

    def owns_private(self, folder: Path) -> bool:
        """Return whether a folder is this user's, and closed to other users."""
        try:
            found = folder.lstat()
        except FileNotFoundError:
            return False
        uid = os.geteuid() if self.uid is None else self.uid
        return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and stat.S_IMODE(found.st_mode) == 0o700

    def check_reach(self, folder: Path) -> None:
        """Check that this user can open a folder. No permissions are changed for it.

        Raises:
            AccountUnusable: One of its parents is closed to the user.
        """
        if self.uid is None:
            return
        closed = closed_step(folder, self.uid, (self.gid,))
        if closed is not None:
            raise AccountUnusable(
                f"PostgreSQL does not run as root, and as {self.name} it can't get to {folder}, because {closed} is "
                "closed to it: choose another place, such as /var/lib/pact-dispatch, run this as another user than "
                "root, or set DATABASE_URL to a PostgreSQL that runs"
            )


def server_account(folder: Path) -> ServerAccount:
    """Return the user for a folder, which may not exist yet.

    Raises:
        AccountUnusable: The folder is another user's, or there is no user to choose.
        OSError: The folder can't be read.
    """
    owner = folder.stat().st_uid if folder.exists() else None
    uid = os.geteuid()
    if uid != 0:
        if owner not in {None, uid}:
            raise AccountUnusable(
                f"{folder} belongs to {_name(owner)}, and this runs as {_name(uid)}: run it as {_name(owner)}, or "
                "choose another data directory"
            )
        return ServerAccount(_name(uid))
    for user in (owner, *UNPRIVILEGED) if owner else UNPRIVILEGED:
        try:
            found = pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
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
