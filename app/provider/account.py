"""The account that a provider's set-up and command run as, where root runs the worker."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

from app.process.reach import closed_step
from verifier.confinement import Account

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

WITHOUT_RIGHTS = ("pact-provider", "nobody", "daemon")
"""For root: the first of them that there is, unless it is the database's."""


class ProviderAccountUnusable(Exception):
    """No provider can run as this account; the message says what to do."""


def provider_account(name: str | None, data_dir: Path, *, taken: Collection[int | None]) -> Account | None:
    """Return the account for a provider; None for that of this process.

    Args:
        name: Its name, if it is configured.
        data_dir: The folder of the checkouts. The account gets a home in it, unless it has one.
        taken: The ids of accounts that have something to hide from providers.

    Raises:
        ProviderAccountUnusable: There is no such account, it can't get to the folder, or only root may start as it.
        OSError: The home can't be made.
    """
    if os.geteuid() != 0:
        if name is not None and name != _own_name():
            raise ProviderAccountUnusable(
                f"only root can start providers as {name}: run the worker as root, or leave it out"
            )
        return None
    found = _chosen(taken) if name is None else _configured(name, taken)
    if found.pw_uid == 0:
        return None
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    closed = closed_step(data_dir, found.pw_uid, groups)
    if closed is not None:
        raise ProviderAccountUnusable(
            f"root starts no providers as root, and as {found.pw_name} they can't get to {data_dir}, because {closed} "
            "is closed to that account: choose another data directory, such as /var/lib/pact-dispatch, run the worker "
            'as an account without rights, or set provider_user = "root" if providers may read and change everything'
        )
    return Account(found.pw_name, found.pw_uid, found.pw_gid, groups, str(_home(found, data_dir)))


def _chosen(taken: Collection[int | None]) -> pwd.struct_passwd:
    for name in WITHOUT_RIGHTS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        if found.pw_uid not in taken:
            return found
    raise ProviderAccountUnusable(
        "root starts no providers as root, and there is no account without rights for them: make one "
        f"(useradd --system {WITHOUT_RIGHTS[0]}), or run the worker as another account than root"
    )


def _configured(name: str, taken: Collection[int | None]) -> pwd.struct_passwd:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise ProviderAccountUnusable(f"there is no account {name} on this machine") from None
    if found.pw_uid in taken:
        raise ProviderAccountUnusable(f"{name} is the account of the embedded database: choose another one")
    return found


def _home(found: pwd.struct_passwd, data_dir: Path) -> Path:
    """Return the account's home; one in the data directory if it has none of its own."""
    home = data_dir.__class__(found.pw_dir)
    if home.is_dir() and home.stat().st_uid == found.pw_uid:
        return home
    made = data_dir / "homes" / found.pw_name
    made.parent.mkdir(mode=0o711, exist_ok=True)
    made.mkdir(mode=0o700, exist_ok=True)
    os.chown(made, found.pw_uid, found.pw_gid, follow_symlinks=False)
    return made


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
