"""What the configuration says of the machine it is read on."""

from __future__ import annotations

import argparse
import os
import stat
from typing import TYPE_CHECKING

import psycopg
import pytest

from app.commands.installation import Installation
from app.config.file import load
from app.config.values import ConfigurationError
from tests.support.commands import pact_dispatch
from tests.support.databases import of_database
from tests.support.receiver import configuration

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

STARTED = {"command": "run --port {port}", "version": "1"}


def installation(folder: Path, config: str) -> Installation:
    file = folder / "pact-dispatch.toml"
    file.write_text(config)
    return Installation(file, load(file, {}), folder, None)


def reconcile(folder: Path, config: str, *options: str, **variables: str) -> CompletedProcess[str]:
    (folder / "pact-dispatch.toml").write_text(config)
    place = ("--config", str(folder / "pact-dispatch.toml"))
    return pact_dispatch("reconcile", *place, *options, environment=variables)


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_a_command_that_acts_on_a_receiver_makes_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dry_run: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = configuration("http://127.0.0.1:9", {"base_url": "http://p", "version": "1"})
    places: list[tuple[str, tuple[str, ...], dict[str, str], str]] = [
        ("", (), {}, "pact-dispatch-data"),
        ("", ("--data-dir", "elsewhere"), {}, "elsewhere"),
        ("", (), {"PACT_DISPATCH_DATA_DIR": "of-the-variable"}, "of-the-variable"),
        ('data_dir = "of-the-file"\n', (), {}, "of-the-file"),
        ('data_dir = "of-the-file"\n', ("--data-dir", "elsewhere"), {}, "elsewhere"),
    ]
    for first_line, options, variables, folder in places:
        done = reconcile(tmp_path, first_line + config, *options, *dry_run, **variables)
        assert done.returncode == 2
        assert f"there is no database of a receiver in {tmp_path / folder}" in done.stderr
        assert "--data-dir" in done.stderr
        assert [file.name for file in tmp_path.iterdir()] == ["pact-dispatch.toml"]
    (tmp_path / "begun" / "postgres").mkdir(parents=True)  # a start that was broken off: it has no data yet
    assert reconcile(tmp_path, config, "--data-dir", "begun", *dry_run).returncode == 2
    assert list((tmp_path / "begun" / "postgres").iterdir()) == []


def test_mistakes_of_the_file_and_of_the_database_s_url_are_told_together(tmp_path: Path) -> None:
    config = configuration("http://127.0.0.1:9", {"base_url": "http://p", "version": "1"})
    done = reconcile(tmp_path, f"nonsense = 1\n{config}", DATABASE_URL="mysql://u:a-password@h/d")
    assert done.returncode == 2
    told = [line.removeprefix("pact-dispatch reconcile: ") for line in done.stderr.splitlines()]
    assert told == [
        f"{tmp_path / 'pact-dispatch.toml'}: nonsense: is no key of the configuration",
        "DATABASE_URL is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
    ]


def test_a_command_that_acts_on_a_receiver_makes_no_tables(tmp_path: Path, postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE without_tables TEMPLATE template0")
    url = of_database(postgres, "without_tables")
    config = configuration("http://127.0.0.1:9", {"base_url": "http://p", "version": "1"})
    done = reconcile(tmp_path, config, DATABASE_URL=url)
    assert done.returncode == 2
    assert "database without_tables" in done.stderr
    assert (
        "has no tables of a receiver, so nothing was done. Name the database that the receiver uses"
        in done.stderr
    )
    with psycopg.connect(url) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)


@pytest.mark.parametrize(("user", "mode"), [(0, 0o755), (1234, 0o700)])
def test_the_accounts_that_root_starts_others_as_get_to_the_data_whatever_umask_root_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, mode: int
) -> None:
    file = tmp_path / "pact-dispatch.toml"
    file.write_text(configuration("http://127.0.0.1:9", {"base_url": "http://p", "version": "1"}))
    options = argparse.Namespace(config=file, data_dir=tmp_path / "new" / "data")
    before = os.umask(0o077)
    try:
        monkeypatch.setattr(os, "geteuid", lambda: user)
        found = Installation.read(options, verifies=False)
    finally:
        os.umask(before)
    for folder in (found.data_dir, found.data_dir.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_accounts_that_can_not_be_used_are_named_with_their_keys(tmp_path: Path) -> None:
    own = {"name": "Other", "repository": "acme/other", "user": "none-either"}
    config = configuration(
        "http://b", STARTED, {**STARTED, **own}, worker={"provider_user": "no-such-account"}
    )
    with pytest.raises(ConfigurationError) as raised:
        installation(tmp_path, config).provider_accounts()
    first, second = raised.value.mistakes
    assert first.startswith(f"{tmp_path}/pact-dispatch.toml: worker.provider_user: ")
    assert "no-such-account" in first
    assert second.startswith(f"{tmp_path}/pact-dispatch.toml: Other: user: ")


def test_a_provider_that_runs_already_needs_no_account(tmp_path: Path) -> None:
    config = configuration("http://b", {"base_url": "http://p", "version": "1"})
    assert installation(tmp_path, config).provider_accounts() == {}
