"""The file of a dump: it has its name only when it is complete, and what others have left of it is removed."""

from __future__ import annotations

import fcntl
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from app.database.transfer import dump
from app.database.transfer.dump import new_file

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.dump"
    with new_file(path) as first:
        with new_file(path) as second:
            os.write(first, b"first")
            os.write(second, b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_another_process_goes_on_to_write_is_left_alone(tmp_path: Path) -> None:
    """`pg_dump` may outlive who has started it, and has the descriptor."""
    descriptor, left = dump._partial_file(tmp_path, ".a.dump.")
    inherited = os.dup(descriptor)
    os.close(descriptor)
    with new_file(tmp_path / "a.dump"):
        assert left.exists()
    os.close(inherited)
    with new_file(tmp_path / "a.dump"):
        assert not left.exists()


def test_only_files_of_dumps_to_the_same_name_are_removed(tmp_path: Path) -> None:
    kept = {
        ".a.dumpx.abcdefgh.partial",
        ".a.dump.b.abcdefgh.partial",
        "a.dump.abcdefgh.partial",
        ".a.dump.ab.partial",
    }
    for name in kept:
        (tmp_path / name).touch()
    (tmp_path / ".a.dump.linklink.partial").symlink_to(tmp_path / "a.dump.abcdefgh.partial")
    os.mkfifo(tmp_path / ".a.dump.fifofifo.partial")
    (tmp_path / ".a.dump.folderfo.partial").mkdir()
    (tmp_path / ".a.dump.00000000.partial").write_text("half")
    with new_file(tmp_path / "a.dump"):
        pass
    kept |= {".a.dump.linklink.partial", ".a.dump.fifofifo.partial", ".a.dump.folderfo.partial", "a.dump"}
    assert {file.name for file in tmp_path.iterdir()} == kept


def test_a_file_that_is_removed_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    make = tempfile.mkstemp

    def make_and_lose(**values: object) -> tuple[int, str]:
        descriptor, name = make(**values)  # type: ignore[call-overload]
        made.append(name)
        if len(made) == 1:
            (tmp_path / name).unlink()
        if len(made) == 2:
            removing.append(os.open(name, os.O_RDWR))
            fcntl.flock(removing[0], fcntl.LOCK_EX)
        return descriptor, name

    removing: list[int] = []
    monkeypatch.setattr(tempfile, "mkstemp", make_and_lose)
    with new_file(tmp_path / "a.dump") as descriptor:
        os.write(descriptor, b"whole")
    os.close(removing[0])
    assert len(made) == 3
    assert (tmp_path / "a.dump").read_bytes() == b"whole"


def test_many_that_begin_at_once_all_end(tmp_path: Path) -> None:
    def write(number: int) -> None:
        with new_file(tmp_path / "a.dump") as descriptor:
            os.write(descriptor, str(number).encode())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    assert [file.name for file in tmp_path.iterdir()] == ["a.dump"]
