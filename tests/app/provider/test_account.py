"""Which account a provider's commands run as, and what is said where there is none."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

from app.provider.account import ProviderAccountUnusable, provider_account

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNTS = {
    "root": pwd.struct_passwd(("root", "x", 0, 0, "", "/root", "")),
    "nobody": pwd.struct_passwd(("nobody", "x", 65534, 65533, "", "/nonexistent", "")),
    "daemon": pwd.struct_passwd(("daemon", "x", 23, 24, "", "/", "")),
    "ci": pwd.struct_passwd(("ci", "x", 1234, 1235, "", "/nonexistent", "")),
}


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Has this process take itself for root, on a machine with these accounts; gives what it gave away."""
    given: list[tuple[str, int, int]] = []

    def give(path: Path, uid: int, gid: int, **_: object) -> None:
        given.append((path.name, uid, gid))

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", give)
    monkeypatch.setattr(os, "getgrouplist", lambda _, gid: [gid, 99])
    monkeypatch.setattr(pwd, "getpwnam", ACCOUNTS.__getitem__)
    return given


def test_without_root_providers_have_the_workers_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: ACCOUNTS["ci"])
    assert provider_account(None, tmp_path, taken=()) is None
    assert provider_account("ci", tmp_path, taken=()) is None
    with pytest.raises(ProviderAccountUnusable, match="only root can start providers as nobody"):
        provider_account("nobody", tmp_path, taken=())


def test_root_starts_them_as_an_account_without_rights_with_a_home_of_its_own(
    data_dir: Path, as_root: list[tuple[str, int, int]]
) -> None:
    account = provider_account(None, data_dir, taken=())
    assert account is not None
    assert (account.name, account.uid, account.gid, account.groups) == ("nobody", 65534, 65533, (65533, 99))
    assert account.home == str(data_dir / "homes/nobody")
    assert as_root == [("nobody", 65534, 65533)]


@pytest.mark.usefixtures("as_root")
def test_one_that_is_meant_for_it_comes_first(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meant = pwd.struct_passwd(("pact-provider", "x", 77, 78, "", "/nonexistent", ""))
    monkeypatch.setattr(pwd, "getpwnam", {**ACCOUNTS, "pact-provider": meant}.__getitem__)
    account = provider_account(None, data_dir, taken=())
    assert account is not None
    assert account.name == "pact-provider"


@pytest.mark.usefixtures("as_root")
def test_the_databases_account_is_never_a_providers(data_dir: Path) -> None:
    account = provider_account(None, data_dir, taken={65534})
    assert account is not None
    assert account.name == "daemon"
    with pytest.raises(ProviderAccountUnusable, match="nobody is the account of the embedded database"):
        provider_account("nobody", data_dir, taken={65534})
    with pytest.raises(ProviderAccountUnusable, match="useradd --system pact-provider"):
        provider_account(None, data_dir, taken={65534, 23})


@pytest.mark.usefixtures("as_root")
def test_what_is_configured_counts_root_too(data_dir: Path) -> None:
    account = provider_account("ci", data_dir, taken=())
    assert account is not None
    assert account.name == "ci"
    assert provider_account("root", data_dir, taken=()) is None
    with pytest.raises(ProviderAccountUnusable, match="there is no account missing on this machine"):
        provider_account("missing", data_dir, taken=())


@pytest.mark.usefixtures("as_root")
def test_a_data_directory_that_is_closed_to_it_is_named(data_dir: Path) -> None:
    inside = data_dir / "closed" / "data"
    inside.mkdir(parents=True)
    inside.parent.chmod(0o700)
    with pytest.raises(ProviderAccountUnusable, match=f"because {inside.parent} is closed to that account"):
        provider_account(None, inside, taken=())
