"""`pact-dispatch database`, with real servers."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest

from app.command_line import parser
from app.commands.database import command as database_command
from app.database.connections import EMBEDDED_FOLDER, database, migrate
from app.database.embedded import beside
from app.database.embedded.beside import KEPT, MOVED, NEXT, PREFIX
from app.database.embedded.binaries import MAJOR, find_binaries
from app.database.transfer import restore as transfer
from app.database.transfer import rows
from app.database.transfer.rows import fingerprints, sequences
from tests.support.commands import pact_dispatch
from tests.support.databases import fresh_database, reachable_folder
from tests.support.foreign_postgres import (
    PASSWORD,
    QUOTED_PASSWORD,
    Foreign,
    foreign_postgres,
    older_embedded,
)
from tests.support.history_rows import add_history
from tests.support.paths import DOCS, ROOT
from tests.support.processes import BIN, TIME_LIMIT
from tests.support.receiver import wait_until
from tests.support.running import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import CompletedProcess

pytestmark = pytest.mark.process
AWAY = "postgresql://nobody@127.0.0.1:9/none"
RUNS = 40
HOSTILE = """
CREATE FUNCTION harm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {0}'''; EXCEPTION WHEN insufficient_privilege THEN END;
    RETURN NEW;
END; $$;
CREATE TRIGGER harm BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION harm();
CREATE TRIGGER harm BEFORE INSERT OR UPDATE ON schema_versions FOR EACH ROW EXECUTE FUNCTION harm();
"""
AT_ONCE = """
CREATE FUNCTION harm_now() RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
ALTER TABLE run_logs ADD CHECK (harm_now() IS NULL);
CREATE OR REPLACE FUNCTION harm_now() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
    COPY (SELECT 1) TO PROGRAM 'touch {0}'; RETURN NULL;
END; $$;
"""
"""Is carried out while the rows are restored."""


def run(*words: str | Path, **variables: str) -> CompletedProcess[str]:
    done = pact_dispatch("database", *map(str, words), environment=environment(**variables))
    assert "Traceback" not in done.stderr
    assert "this is a mistake" not in done.stderr
    return done


def state(url: str) -> tuple[Any, Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return fingerprints(connection), sequences(connection)


def state_of(data_dir: Path) -> tuple[Any, Any]:
    with database(None, data_dir) as url:
        return state(url)


def make(data_dir: Path) -> None:
    with database(None, data_dir) as url:
        migrate(url)
        add_history(url, runs=RUNS, refused=2)


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A data directory with runs, and a dump of it, for tests that don't change them."""
    with reachable_folder() as folder:
        make(folder / "data")
        done = run("dump", "--data-dir", folder / "data", folder / "a.dump")
        assert done.returncode == 0, done.stderr
        yield folder


@pytest.fixture
def filled(template: Path, data_dir: Path) -> Path:
    """A data directory with runs, of the test's own."""
    subprocess.run(["cp", "-a", str(template / "data"), str(data_dir / "data")], check=True)
    return data_dir / "data"


def leftovers(data_dir: Path) -> list[str]:
    """What stands beside the data, and processes that work on it."""
    folder = data_dir / EMBEDDED_FOLDER
    files = [file.name for file in folder.iterdir() if file.name.startswith((PREFIX, NEXT, "new-"))]
    return files + [
        f"{process.pid} {process.info['name']}"
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(data_dir.resolve())
    ]


def test_a_dump_is_whole_and_its_owners_alone(template: Path) -> None:
    dump = template / "again.dump"
    dump.write_text("an older one")
    done = run("dump", "--data-dir", template / "data", dump)
    assert done.returncode == 0
    assert f"{dump}: {dump.stat().st_size / 1e6:.1f} MB, a dump of the embedded database in " in done.stderr
    assert f"{RUNS} runs (0 waiting), {RUNS + 2} deliveries, schema app/0" in done.stderr
    assert "keep it as you keep secrets" in done.stderr
    assert dump.stat().st_mode & 0o777 == 0o600
    assert not list(template.glob(".*"))
    listed = subprocess.run([find_binaries() / "pg_restore", "--list", dump], capture_output=True, check=True)
    assert b"TABLE DATA public runs" in listed.stdout
    found = json.loads(run("dump", "--data-dir", template / "data", dump, "--json").stdout)
    assert (found["file"], found["bytes"], found["runs"]) == (str(dump), dump.stat().st_size, RUNS)
    info = json.loads(run("info", "--data-dir", template / "data", "--json").stdout)
    assert (info["runs"], info["waiting"], info["deliveries"], info["kept"]) == (RUNS, 0, RUNS + 2, [])
    assert f"runs        {RUNS}, of which 0 wait" in run("info", "--data-dir", template / "data").stdout


def test_a_dump_goes_through_a_pipe(template: Path, data_dir: Path) -> None:
    command = [str(BIN / "pact-dispatch"), "database"]
    variables = {**environment(), "PATH": os.environ["PATH"]}
    with (data_dir / "piped").open("wb") as file:
        dumping = subprocess.Popen(
            [*command, "dump", "--data-dir", str(template / "data"), "-"],
            stdout=subprocess.PIPE,
            env=variables,
        )
        assert dumping.stdout is not None
        shutil.copyfileobj(dumping.stdout, file)
        assert dumping.wait(TIME_LIMIT) == 0
    with (data_dir / "piped").open("rb") as file:
        restore = [*command, "restore", "--data-dir", str(data_dir / "new"), "-"]
        reading = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        assert subprocess.run(restore, stdin=reading.stdout, env=variables, check=False).returncode == 0
        assert reading.wait(TIME_LIMIT) == 0
    assert state_of(data_dir / "new") == state_of(template / "data")


def test_a_reader_of_a_dump_that_ends_early_is_named(template: Path) -> None:
    command = [str(BIN / "pact-dispatch"), "database", "dump", "--data-dir", str(template / "data"), "-"]
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        command, stdout=writes, stderr=subprocess.PIPE, text=True, env=environment(), check=False
    )
    os.close(writes)
    assert done.returncode == 3
    assert "the dump is not whole: what reads it has ended, or closed the pipe, before its end" in done.stderr


@pytest.mark.parametrize(
    ("words", "url"),
    [
        (("dump", "-"), "mysql://u:sek-ret@127.0.0.1/things"),
        (("restore", "none"), "postgresql://u:sek-ret@127.0.0.1:99999/things"),
        (("info",), "postgresql://u:sek@ret@127.0.0.1/things"),
    ],
)
def test_a_url_that_is_none_is_a_mistake_of_the_configuration(
    template: Path, words: tuple[str, ...], url: str
) -> None:
    by_variable = run(*words, "--data-dir", template / "data", DATABASE_URL=url)
    by_option = run("move", "--data-dir", template / "data", "--to", url)
    for done, name, other in ((by_variable, "DATABASE_URL", "--to"), (by_option, "--to", "DATABASE_URL")):
        assert (done.returncode, done.stdout) == (2, "")
        assert name in done.stderr
        assert other not in done.stderr
        assert not re.search("sek|ret@|99999", done.stderr)


def test_a_dump_that_was_killed_leaves_nothing_behind_the_next_one(template: Path, data_dir: Path) -> None:
    dump = data_dir / "a.dump"
    dump.write_text("an older one")
    killed(
        lambda: any(file.stat().st_size for file in data_dir.glob(".a.dump.*.partial")),
        *("dump", "--data-dir", template / "data", dump),
    )
    assert dump.read_text() == "an older one"
    [left] = data_dir.glob(".*")
    others = [
        data_dir / name for name in (".a.dump.x.partial", ".a.dump.b.abcdefgh.partial", ".b.abcdefgh.partial")
    ]
    for other in others:
        other.touch()
    done = run("dump", "--data-dir", template / "data", dump)
    assert done.returncode == 0, done.stderr
    assert sorted(data_dir.glob(".*")) == sorted(others)
    assert not left.exists()


def test_a_terminal_shows_how_far_it_is(template: Path) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [BIN / "pact-dispatch", "database", "dump", "--data-dir", template / "data", template / "shown.dump"],
        stderr=theirs,
        env={**environment(), "PATH": os.environ["PATH"], "TERM": "xterm"},
    )
    os.close(theirs)
    said = b""
    with suppress(OSError):  # nobody has the other end any more
        while chunk := os.read(ours, 4096):
            said += chunk
    os.close(ours)
    assert done.wait(TIME_LIMIT) == 0
    assert b"\x1b[2K" in said
    assert b"\\x1b" not in said
    assert b"starting" in said
    assert f"{RUNS} runs".encode() in said


def test_what_is_replaced_is_kept_and_only_where_it_is_asked_for(template: Path, filled: Path) -> None:
    with database(None, filled) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM runs WHERE outcome = 'failed'")
        before = state(url)
        done = run("restore", "--data-dir", filled, template / "a.dump", "--replace")
        assert done.returncode == 3
        assert "a pact-dispatch process uses the PostgreSQL" in done.stderr
        assert "stop the receiver first" in done.stderr
    done = run("restore", "--data-dir", filled, template / "a.dump")
    assert done.returncode == 3
    assert "--replace puts the dump in its place, and keeps it" in done.stderr
    assert state_of(filled) == before

    done = run("restore", "--data-dir", filled, template / "a.dump", "--replace")
    assert done.returncode == 0, done.stderr
    assert f"is restored: {RUNS} runs, {RUNS + 2} deliveries" in done.stderr
    assert state_of(filled) == state_of(template / "data")
    [kept] = (filled / EMBEDDED_FOLDER).glob(f"{KEPT}*")
    assert f"is kept in {kept}" in done.stderr
    assert leftovers(filled) == []
    shutil.rmtree(filled / EMBEDDED_FOLDER / "data")
    kept.rename(filled / EMBEDDED_FOLDER / "data")
    assert state_of(filled) == before
    done = run("restore", "--data-dir", filled, template / "a.dump", "--replace", "--json")
    found = json.loads(done.stdout)
    assert (found["runs"], found["deliveries"], found["rows"]["runs"]) == (RUNS, RUNS + 2, RUNS)
    assert (found["not_copied"], Path(found["kept_in"]).parent) == ([], filled / EMBEDDED_FOLDER)
    assert found["database"].startswith("the embedded database in ")
    assert done.stderr == ""


def test_no_bad_file_touches_the_database(template: Path, filled: Path, postgres: str) -> None:
    before = state_of(filled)
    whole = (template / "a.dump").read_bytes()
    bad = filled / "bad.dump"
    for content, said in (
        (b"CREATE TABLE runs ();\n", "is no dump in the custom format"),
        (b"", "is no dump in the custom format"),
        (
            whole[: len(whole) // 2],
            "end of file: it is not whole; copy it again from where it was made, or take another one",
        ),
        *((whole[:kept], "not whole; copy it again") for kept in (5, 20, 1_000)),
        (
            whole[:30_000] + bytes([whole[30_000] ^ 1]) + whole[30_001:],
            "damaged or changed since it was written: its checksum is another one; copy it again",
        ),
        (whole[:5] + b"\x01\x63" + whole[7:-100], "a newer pg_dump has written it"),
    ):
        bad.write_bytes(content)
        done = run("restore", "--data-dir", filled, bad, "--replace")
        assert (done.returncode, said in done.stderr) == (3, True), done.stderr
    for name, said in (("nothing", "No such file"), (".", "Is a directory")):
        done = run("restore", "--data-dir", filled, filled / name, "--replace")
        assert (done.returncode, said in done.stderr) == (3, True), done.stderr
    newer = "INSERT INTO schema_versions (name) VALUES ('app/9999_newer.sql')"
    for change, said in (
        (newer, "the dump's database was brought up to date by a newer version of pact-dispatch"),
        ("DROP TABLE schema_versions", "it has no table schema_versions"),
    ):
        with dump_of_changed(postgres, change, filled) as dump:
            done = run("restore", "--data-dir", filled, dump, "--replace")
        assert (done.returncode, said in done.stderr) == (3, True), done.stderr
    assert leftovers(filled) == []
    assert state_of(filled) == before


@contextmanager
def dump_of_changed(postgres: str, change: str, folder: Path) -> Iterator[Path]:
    """Dump a database in which something was changed."""
    with fresh_database(postgres) as url:
        add_history(url, runs=3)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(change.encode())
        dump = folder / "changed.dump"
        subprocess.run([find_binaries() / "pg_dump", "-Fc", "-f", dump, url], check=True)
        yield dump


def test_what_a_dump_brings_beside_its_values_is_not_taken_over(data_dir: Path, postgres: str) -> None:
    mark = data_dir / "harm"
    data_dir.chmod(0o777)
    hostile = HOSTILE.format(mark)
    with dump_of_changed(postgres, hostile, data_dir) as dump:
        done = run("restore", "--data-dir", data_dir / "data", dump)
    assert done.returncode == 0, done.stderr
    with database(None, data_dir / "data") as url, psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*) FROM pg_proc WHERE proname LIKE 'harm%'").fetchone()
        assert found == (0,)
        assert connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate").fetchall() == [
            ("postgres",)
        ]
        assert connection.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin").fetchall() == [
            ("postgres",)
        ]
        connection.execute("UPDATE schema_versions SET name = name")
    with dump_of_changed(postgres, hostile + AT_ONCE.format(mark), data_dir) as dump:
        done = run("restore", "--data-dir", data_dir / "data", dump, "--replace")
    assert (done.returncode, "permission denied to COPY to or from an external program" in done.stderr) == (
        3,
        True,
    )
    assert not mark.exists()


def test_a_dump_of_an_older_version_is_brought_up_to_date(data_dir: Path, postgres: str) -> None:
    older = (
        "DROP INDEX deliveries_refused_of_repository; "
        "DELETE FROM schema_versions WHERE name = 'app/0016_refused_of_a_repository.sql'"
    )
    with dump_of_changed(postgres, older, data_dir) as dump:
        done = run("restore", "--data-dir", data_dir / "data", dump)
    assert done.returncode == 0, done.stderr
    with database(None, data_dir / "data") as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (3,)


def test_an_external_database_is_dumped_and_restored(data_dir: Path, postgres: str, template: Path) -> None:
    with fresh_database(postgres) as url, fresh_database(postgres) as other:
        add_history(url, runs=7)
        variables = {"DATABASE_URL": url}
        done = run("dump", "--data-dir", data_dir, data_dir / "x.dump", **variables)
        assert done.returncode == 0, done.stderr
        assert "7 runs (0 waiting)" in done.stderr
        add_history(other, runs=7)
        before = state(other)
        done = run("restore", "--data-dir", data_dir, template / "a.dump", DATABASE_URL=other)
        assert done.returncode == 3
        assert "has runs (7)" in done.stderr
        # the receiver's connections may have a name of their own
        renamed = f"{other}{'&' if '?' in other else '?'}application_name=pacts"
        for name, its_url in (("pact-dispatch", other), ("pacts", renamed)):
            with psycopg.connect(other, application_name=name):
                done = run(
                    *("restore", "--data-dir", data_dir, template / "a.dump", "--replace"),
                    DATABASE_URL=its_url,
                )
            assert "a receiver uses the database" in done.stderr
        assert state(other) == before
        done = run("restore", "--data-dir", data_dir, template / "a.dump", "--replace", DATABASE_URL=other)
        assert done.returncode == 0, done.stderr
        assert state(other) == state_of(template / "data")
        assert leftovers(data_dir) == []


@pytest.mark.parametrize("words", ["restore", "move"])
def test_what_a_database_has_got_since_it_was_empty_is_not_replaced(
    words: str, filled: Path, template: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_database(postgres) as other:

        def meanwhile(*arguments: Any, **options: Any) -> Any:
            add_history(other, runs=3)
            found.append(state(other))
            return copy(*arguments, **options)

        found: list[Any] = []
        copy = transfer.copy_between
        for module in (transfer, database_command):
            monkeypatch.setattr(module, "copy_between", meanwhile)
        dump = [template / "a.dump"] if words == "restore" else []
        done = run(words, "--data-dir", filled, *dump, DATABASE_URL=other)
        assert (done.returncode, "has runs (3)" in done.stderr) == (3, True), done.stderr
        assert [state(other)] == found


def test_a_dump_beside_a_newer_version_says_to_take_that_one(data_dir: Path, postgres: str) -> None:
    with fresh_database(postgres) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO schema_versions (name, works_since) VALUES ('app/9999_next.sql', 'app/0001')"
            )
        done = run("dump", "--data-dir", data_dir, data_dir / "x.dump", DATABASE_URL=url)
        assert done.returncode == 3
        assert (
            "a newer version of pact-dispatch has made its tables (it has app/9999_next.sql)" in done.stderr
        )
        assert "do this with that version, here or on another machine" in done.stderr
        assert not list(data_dir.glob("*.dump"))
        assert not list(data_dir.glob(".*"))


@pytest.fixture(scope="module")
def foreign() -> Iterator[Foreign]:
    with reachable_folder() as folder, foreign_postgres(folder) as server:
        yield server


def test_an_embedded_database_moves_to_an_older_server_with_tls_and_a_user_without_rights(
    filled: Path, foreign: Foreign
) -> None:
    before = state_of(filled)
    assert foreign.major < MAJOR
    with database(None, filled):
        done = run("move", "--data-dir", filled, DATABASE_URL=foreign.url)
        assert (done.returncode, "stop the receiver first" in done.stderr) == (3, True)
        done = run("move", "--data-dir", filled, "--to", AWAY)
        assert (done.returncode, "stop the receiver first" in done.stderr) == (3, True)
    done = run("move", "--data-dir", filled, "--to", AWAY)
    assert (
        done.returncode,
        "check that it runs, that it can be reached from here, and --to" in done.stderr,
    ) == (
        3,
        True,
    )
    done = run("move", "--data-dir", filled)
    assert (done.returncode, "where to? Set DATABASE_URL" in done.stderr) == (2, True)
    wrong = foreign.url.replace(QUOTED_PASSWORD, "wrong")
    done = run("move", "--data-dir", filled, DATABASE_URL=wrong)
    assert (done.returncode, "check the user and the password" in done.stderr) == (3, True)

    done = run("move", "--data-dir", filled, DATABASE_URL=foreign.url)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stderr
    assert QUOTED_PASSWORD not in done.stderr
    assert f"{RUNS} runs, {RUNS + 2} deliveries" in done.stderr
    assert "set DATABASE_URL to it for all processes" in done.stderr
    assert state(foreign.url) == before
    done = run("dump", "--data-dir", filled, filled / "x.dump", DATABASE_URL=foreign.url)
    assert (done.returncode, f"PostgreSQL {foreign.major}." in done.stderr) == (0, True), done.stderr
    with psycopg.connect(foreign.admin_url) as connection:
        owners = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        assert owners.fetchall() == [("plain",)]

    done = run("info", "--data-dir", filled)
    assert done.returncode == 3
    assert "was moved to the database (host 127.0.0.1" in done.stderr
    assert "set DATABASE_URL to that" in done.stderr
    migrate(foreign.url)
    add_history(foreign.url, runs=1)
    done = run("move", "--data-dir", filled, "--to", foreign.url)
    assert (done.returncode, "--replace puts these in their place" in done.stderr) == (3, True)
    assert "everybody on this machine can read the password in --to" in done.stderr
    assert run("move", "--data-dir", filled, "--to", "nonsense").returncode == 2
    (filled / EMBEDDED_FOLDER / MOVED).unlink()
    done = run("move", "--data-dir", filled, "--replace", "--json", DATABASE_URL=foreign.url)
    found = json.loads(done.stdout)
    assert found["database"].startswith("the database (host 127.0.0.1")
    assert (found["runs"], found["kept_in"]) == (RUNS, str(filled / EMBEDDED_FOLDER))
    assert PASSWORD not in done.stdout
    assert QUOTED_PASSWORD not in done.stdout


@pytest.fixture(scope="module")
def of_16() -> Iterator[Path]:
    """A data directory of PostgreSQL 16, for copies."""
    with reachable_folder() as folder:
        (folder / "data").mkdir(mode=0o755)
        with older_embedded(folder / "data") as url:
            migrate(url)
            add_history(url, runs=RUNS, refused=2)
        yield folder / "data"


@pytest.fixture
def old(of_16: Path, data_dir: Path) -> Path:
    subprocess.run(["cp", "-a", str(of_16), str(data_dir / "data")], check=True)
    return data_dir / "data"


def old_state(data_dir: Path) -> tuple[Any, Any]:
    with older_embedded(data_dir) as url:
        return state(url)


def test_the_data_of_an_older_version_are_taken_over_and_kept(old: Path) -> None:
    before = old_state(old)
    done = run("info", "--data-dir", old)
    assert (done.returncode, "`pact-dispatch database upgrade` takes over" in done.stderr) == (3, True)
    done = run("upgrade", "--data-dir", old, "--old-binaries", find_binaries())
    assert f"the programs of PostgreSQL 16 are needed, and in {find_binaries()} are those of" in done.stderr

    done = run("upgrade", "--data-dir", old)
    assert done.returncode == 0, done.stderr
    assert f"is one of PostgreSQL {MAJOR} now, with the" in done.stderr
    assert state_of(old) == before
    assert "nothing to do" in run("upgrade", "--data-dir", old).stderr
    found = json.loads(run("upgrade", "--data-dir", old, "--json").stdout)
    assert (found["postgresql_before"], found["postgresql"], found["rows"]) == (MAJOR, MAJOR, {})
    [kept] = (old / EMBEDDED_FOLDER).glob(f"{KEPT}*")
    assert f"the old data are kept in {kept}" in done.stderr
    assert leftovers(old) == []
    shutil.rmtree(old / EMBEDDED_FOLDER / "data")
    kept.rename(old / EMBEDDED_FOLDER / "data")
    assert old_state(old) == before


def killed(when: Callable[[], bool], *words: str | Path) -> None:
    """Run a command, and kill its process at a moment."""
    process = subprocess.Popen(
        [str(BIN / "pact-dispatch"), "database", *map(str, words)],
        env={**environment(), "PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
    )
    end = time.monotonic() + TIME_LIMIT
    while not when() and process.poll() is None:
        assert time.monotonic() < end
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_an_upgrade_that_was_killed_is_started_again(old: Path) -> None:
    before = old_state(old)
    killed(lambda: bool(list((old / EMBEDDED_FOLDER).glob(f"{PREFIX}*/data"))), "upgrade", "--data-dir", old)
    assert run("info", "--data-dir", old).returncode == 3
    found = json.loads(run("upgrade", "--data-dir", old, "--json").stdout)
    assert (found["postgresql_before"], found["postgresql"], found["runs"]) == (16, MAJOR, RUNS)
    assert list((old / EMBEDDED_FOLDER).glob(f"{KEPT}*")) == [Path(found["kept_in"])]
    assert state_of(old) == before
    wait_until(lambda: leftovers(old) == [], "what the killed one had started has ended")


def test_a_restore_that_was_killed_changes_nothing_and_leaves_nothing(template: Path, filled: Path) -> None:
    before = state_of(filled)
    folder = filled / EMBEDDED_FOLDER
    killed(
        lambda: bool(list(folder.glob(f"{PREFIX}*/data"))),
        *("restore", "--data-dir", filled, template / "a.dump", "--replace"),
    )
    assert state_of(filled) == before
    wait_until(lambda: leftovers(filled) == [], "what the killed one had started has ended")


@pytest.mark.parametrize("renamed", [False, True])
def test_data_that_are_complete_are_put_in_place_by_the_next_process(filled: Path, *, renamed: bool) -> None:
    before, folder = state_of(filled), filled / EMBEDDED_FOLDER
    if renamed:  # killed between the two
        (folder / "data").rename(folder / NEXT)
    else:
        subprocess.run(["cp", "-a", str(folder / "data"), str(folder / NEXT)], check=True)
    assert json.loads(run("info", "--data-dir", filled, "--json").stdout)["runs"] == RUNS
    assert state_of(filled) == before
    assert len(list(folder.glob(f"{KEPT}*"))) == (0 if renamed else 1)


def test_an_interrupted_restore_cleans_up(template: Path, filled: Path) -> None:
    before = state_of(filled)
    process = subprocess.Popen(
        [
            BIN / "pact-dispatch",
            "database",
            "restore",
            "--data-dir",
            filled,
            template / "a.dump",
            "--replace",
        ],
        env={**environment(), "PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + TIME_LIMIT
    while not list((filled / EMBEDDED_FOLDER).glob(f"{PREFIX}*/data")):
        assert time.monotonic() < end
    process.terminate()
    _, said = process.communicate(timeout=TIME_LIMIT)
    assert (process.returncode, "interrupted: the database is as it was" in said) == (130, True), said
    assert leftovers(filled) == []
    assert state_of(filled) == before


@pytest.fixture(params=[signal.SIGTERM, signal.SIGINT])
def interrupt_at(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Any, str], None]:
    """Have a signal to stop come when a function is called, each time."""

    def interrupt(module: Any, name: str) -> None:
        function = getattr(module, name)

        def interrupted(*arguments: Any, **options: Any) -> Any:
            os.kill(os.getpid(), request.param)
            return function(*arguments, **options)

        monkeypatch.setattr(module, name, interrupted)

    return interrupt


@pytest.mark.parametrize("moment", ["_sync", "_remove"])
def test_a_signal_when_a_dump_is_in_place_does_not_interrupt_the_restore(
    template: Path, filled: Path, interrupt_at: Callable[[Any, str], None], moment: str
) -> None:
    with database(None, filled) as url:
        add_history(url, runs=7)
    interrupt_at(beside, moment)
    done = run("restore", "--data-dir", filled, template / "a.dump", "--replace")
    assert (done.returncode, "is restored" in done.stderr) == (0, True), done.stderr
    assert state_of(filled) == state_of(template / "data")


def test_a_signal_when_an_upgrade_is_in_place_does_not_interrupt_it(
    old: Path, interrupt_at: Callable[[Any, str], None]
) -> None:
    before = old_state(old)
    interrupt_at(beside, "_sync")
    done = run("upgrade", "--data-dir", old)
    assert (done.returncode, "the old data are kept in" in done.stderr) == (0, True), done.stderr
    assert state_of(old) == before


def test_an_interrupted_restore_into_another_database_changes_nothing(
    data_dir: Path, postgres: str, template: Path, interrupt_at: Callable[[Any, str], None]
) -> None:
    interrupt_at(rows, "_compare")
    with fresh_database(postgres) as url:
        add_history(url, runs=7)
        before = state(url)
        done = run("restore", "--data-dir", data_dir, template / "a.dump", "--replace", DATABASE_URL=url)
        assert (done.returncode, "the database is as it was" in done.stderr) == (130, True), done.stderr
        assert state(url) == before
    assert leftovers(data_dir) == []


def test_a_signal_when_another_database_has_the_rows_does_not_interrupt_the_restore(
    data_dir: Path, postgres: str, template: Path, interrupt_at: Callable[[Any, str], None]
) -> None:
    interrupt_at(beside, "_remove")
    with fresh_database(postgres) as url:
        add_history(url, runs=7)
        done = run("restore", "--data-dir", data_dir, template / "a.dump", "--replace", DATABASE_URL=url)
        assert (done.returncode, "is restored" in done.stderr) == (0, True), done.stderr
        assert state(url) == state_of(template / "data")
    assert leftovers(data_dir) == []


def test_a_signal_when_all_is_moved_does_not_leave_the_embedded_database_in_use(
    filled: Path, postgres: str, interrupt_at: Callable[[Any, str], None]
) -> None:
    before = state_of(filled)
    interrupt_at(database_command, "mark_moved")
    with fresh_database(postgres) as url:
        add_history(url, runs=7)
        done = run("move", "--data-dir", filled, "--replace", DATABASE_URL=url)
        assert (done.returncode, "moved to" in done.stderr) == (0, True), done.stderr
        assert state(url) == before
    assert (filled / EMBEDDED_FOLDER / MOVED).exists()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Have a file system of its own in a folder."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def leave_room(disk: Path, megabytes: int) -> None:
    (disk / "filling").unlink(missing_ok=True)
    (disk / "filling").write_bytes(b"\0" * (shutil.disk_usage(disk).free - megabytes * 1_000_000))


def test_a_full_disk_is_named_and_nothing_is_lost(template: Path, of_16: Path, data_dir: Path) -> None:
    with small_disk(data_dir / "tiny", 1) as disk:
        (disk / "filling").write_bytes(b"\0" * 1_040_000)
        done = run("dump", "--data-dir", template / "data", disk / "a.dump")
        assert (done.returncode, "No space left on device" in done.stderr) == (3, True), done.stderr
        assert [file.name for file in disk.iterdir()] == ["filling"]
    with small_disk(data_dir / "small", 140) as disk:
        subprocess.run(["cp", "-a", str(template / "data"), str(disk / "data")], check=True)
        before = state_of(disk / "data")
        leave_room(disk, 45)
        done = run("restore", "--data-dir", disk / "data", template / "a.dump", "--replace")
        assert (done.returncode, "No space left" in done.stderr) == (3, True), done.stderr
        assert leftovers(disk / "data") == []
        assert state_of(disk / "data") == before
        shutil.rmtree(disk / "data")
        subprocess.run(["cp", "-a", str(of_16), str(disk / "data")], check=True)
        leave_room(disk, 30)
        done = run("upgrade", "--data-dir", disk / "data")
        assert (done.returncode, "MB free" in done.stderr) == (3, True), done.stderr
        assert leftovers(disk / "data") == []
        old_state(disk / "data")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dump", "x.dump"), "there is no embedded database in"),
        (("info",), "there is no embedded database in"),
        (("move", "--to", "postgresql://a@b/c"), "there is no embedded database in"),
        (("upgrade",), "there is no embedded database in"),
    ],
)
def test_where_there_is_no_database_it_is_said(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = run(*words, "--data-dir", tmp_path)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_a_command_the_help_is_shown() -> None:
    done = run()
    assert (done.returncode, "upgrade" in done.stdout) == (2, True)


def test_the_page_shows_the_newest_schema() -> None:
    text = (DOCS / "database.md").read_text(encoding="utf-8")
    newest = max(file.name for file in (ROOT / "app/database/migrations").glob("*.sql"))
    assert re.findall(r"^schema +(\S+)$", text, re.MULTILINE) == [f"app/{newest}"]


def test_the_page_gives_commands_that_there_are() -> None:
    text = (DOCS / "database.md").read_text(encoding="utf-8")
    found = re.findall(r"pact-dispatch (database [a-z]+ (?:--|/)[^\n|>]*)", text)
    assert len(found) == 7, found
    for command in found:
        options = parser().parse_args(shlex.split(command.replace(r"$(date +\%u)", "1")))
        assert options.database_command in command
