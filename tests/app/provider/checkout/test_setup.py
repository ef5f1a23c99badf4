"""A checkout's setup: run without secrets, stopped in time, and its result kept while its lock files stay the same."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from app.provider.checkout import CheckedOut, CheckoutFailed, CheckoutSource, checked_out, setup
from app.provider.checkout.setup import MAX_LINES, MAX_SETUPS
from tests.support.killable import Killable, group_lives, wait_until
from tests.support.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

TIME_LIMIT = 60.0
PYTHON = shlex.quote(sys.executable)
MAKE = """
import os, pathlib
made = pathlib.Path("made")
made.mkdir()
(made / "lock").write_text(pathlib.Path("app.lock").read_text())
(made / "link").symlink_to("lock")
(made / "closed").mkdir()
(made / "closed" / "tool").write_text("#!/bin/sh\\n")
(made / "closed" / "tool").chmod(0o755)
(made / "closed").chmod(0o555)
print("made it")
"""


def script(text: str) -> str:
    return f"{PYTHON} -c {shlex.quote(text)}"


class Checkouts:
    """Checks out with a setup, and keeps what was printed and which groups were guarded."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkouts"
        self.origin = Origin(folder / "git" / "products")
        self.output: list[str] = []
        self.guarded: list[int | None] = []

    @contextmanager
    def one(
        self, commit: str | None = None, *, seconds: float = TIME_LIMIT, **source: Any
    ) -> Iterator[CheckedOut]:
        self.output, self.guarded = [], []
        with checked_out(
            self.root,
            CheckoutSource(url=self.origin.url, **source),
            commit,
            deadline=time.monotonic() + seconds,
            guard=self.guarded.append,
            on_output=self.output.append,
        ) as found:
            yield found

    def failure(self, **source: Any) -> CheckoutFailed:
        with pytest.raises(CheckoutFailed) as caught, self.one(**source):
            pass
        assert all(not group_lives(group) for group in self.guarded if group is not None)
        return caught.value


KEPT: dict[str, Any] = {
    "setup": script(MAKE),
    "cache_key_files": ("app.lock",),
    "cache_paths": ("made", "absent"),
}


@pytest.fixture
def checkouts(tmp_path: Path) -> Checkouts:
    made = Checkouts(tmp_path)
    made.origin.commit({"app.lock": "1", "code": "1"})
    return made


def test_the_setup_runs_in_the_checkout_with_its_variables_and_no_secrets(
    checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PACT_BROKER_TOKEN", "PACT_DISPATCH_TOKENS", "PACT_DISPATCH_WEBHOOK_SECRET", "DATABASE_URL"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("ORDINARY", "yes")
    with checkouts.one(
        setup=script(
            "import os; print(os.getcwd(), os.environ['TOKEN'], os.environ['ORDINARY'], sorted(os.environ.values()))"
        ),
        environment={"TOKEN": "for the setup"},
    ) as found:
        (line,) = checkouts.output
        assert line.startswith(f"{found.folder} for the setup yes")
        assert "s3cret" not in line
        assert "/nowhere" not in line


def test_git_works_in_the_setup(checkouts: Checkouts) -> None:
    with checkouts.one(setup="git log -1 --format=%H") as found:
        assert checkouts.output == [found.commit]


def test_each_command_is_guarded_while_it_runs(checkouts: Checkouts) -> None:
    with checkouts.one(setup=script("import os; print(os.getpgrp())")):
        assert int(checkouts.output[0]) in checkouts.guarded
        assert checkouts.guarded[-1] is None
        assert checkouts.guarded[1::2] == [None] * (len(checkouts.guarded) // 2)


def test_a_setup_that_fails_says_why(checkouts: Checkouts) -> None:
    found = checkouts.failure(setup=script("print('no such package: left-pad'); raise SystemExit(3)"))
    assert (found.kind, found.retryable) == ("setup-failed", False)
    assert "ended with exit code 3" in str(found)
    assert found.output == "no such package: left-pad"
    found = checkouts.failure(setup=script("import os; os.kill(os.getpid(), 9)"))
    assert (found.kind, found.retryable) == ("setup-failed", True)
    found = checkouts.failure(setup="no-such-program --all")
    assert (found.kind, found.retryable) == ("setup-failed", False)
    assert "No such file or directory: no-such-program" in str(found)


@pytest.mark.parametrize("command", ["", "make && make install", "A=1 make", "make 'all"])
def test_a_setup_that_is_no_command_line_is_a_mistake_of_the_configuration(
    checkouts: Checkouts, command: str
) -> None:
    found = checkouts.failure(setup=command)
    assert (found.kind, found.retryable) == ("configuration", False)
    assert str(found).startswith("the checkout's setup")


def test_a_setup_that_hangs_is_stopped_with_all_that_it_started(
    checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print('started', flush=True);"
        "time.sleep(600)"
    )
    now = time.monotonic
    # time is out once it has started, however long that took
    monkeypatch.setattr(time, "monotonic", lambda: now() + (TIME_LIMIT if checkouts.output else 0))
    found = checkouts.failure(setup=script(stubborn))
    assert (found.kind, found.retryable) == ("timed-out", True)
    assert "the setup ran" in str(found)
    assert found.output == "started"


def test_what_a_setup_leaves_running_is_stopped_and_not_waited_for(checkouts: Checkouts) -> None:
    leave = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    with checkouts.one(setup=script(leave)):
        groups = [group for group in checkouts.guarded if group is not None]
        wait_until(lambda: not any(map(group_lives, groups)), "something of it still runs")


def test_output_without_end_fills_neither_memory_nor_log(checkouts: Checkouts) -> None:
    chatter = "import sys\nfor n in range(100_000): print(n)\nsys.stdout.write('x' * 50_000_000)\nsys.exit(1)"
    before = psutil.Process().memory_info().rss
    found = checkouts.failure(setup=script(chatter))
    assert len(checkouts.output) == MAX_LINES + 1
    assert f"more than {MAX_LINES} lines" in checkouts.output[-1]
    assert "99999" in found.output
    assert max(map(len, found.output.splitlines())) <= 500
    assert psutil.Process().memory_info().rss - before < 20_000_000


def test_what_the_setup_made_is_put_back_while_the_lock_file_is_the_same(checkouts: Checkouts) -> None:
    with checkouts.one(**KEPT) as found:
        assert checkouts.output == ["made it"]
        (found.folder / "made" / "lock").write_text("changed by the run")
        (found.folder / "made" / "dirt").touch()
    checkouts.origin.commit({"code": "2"})
    with checkouts.one(**KEPT) as found:
        assert checkouts.output == ["made, absent put back: app.lock did not change"]
        made = found.folder / "made"
        assert (made / "lock").read_text() == "1"
        assert (made / "link").readlink() == Path("lock")
        assert sorted(path.name for path in made.iterdir()) == ["closed", "link", "lock"]
        assert (made / "closed").stat().st_mode & 0o777 == 0o555
        assert os.access(made / "closed" / "tool", os.X_OK)
        assert (found.folder / "code").read_text() == "2"


@pytest.mark.parametrize(
    "change",
    [
        {"setup": script(MAKE + "\n")},
        {"environment": {"NODE_ENV": "test"}},
        {"cache_paths": ("made",)},
        {"cache_key_files": ("app.lock", "other.lock")},
        {"cache_key_files": ()},
        {"cache_paths": ()},
    ],
)
def test_anything_else_that_the_result_depends_on_has_it_made_anew(
    checkouts: Checkouts, change: dict[str, Any]
) -> None:
    with checkouts.one(**KEPT):
        pass
    with checkouts.one(**{**KEPT, **change}):
        assert checkouts.output == ["made it"]


def test_a_changed_lock_file_has_it_made_anew_and_the_old_one_is_still_there(checkouts: Checkouts) -> None:
    first = checkouts.origin.git("rev-parse", "HEAD")
    second = checkouts.origin.commit({"app.lock": "2"})
    for commit, expected in (
        (first, "made it"),
        (second, "made it"),
        (first, "put back"),
        (second, "put back"),
    ):
        with checkouts.one(commit, **KEPT) as found:
            assert expected in checkouts.output[0]
            assert (found.folder / "made" / "lock").read_text() == (found.folder / "app.lock").read_text()


def test_only_the_setups_used_last_are_kept(checkouts: Checkouts) -> None:
    commits = [checkouts.origin.commit({"app.lock": str(number)}) for number in range(MAX_SETUPS + 1)]
    for commit in commits[:-1]:
        with checkouts.one(commit, **KEPT):
            pass
    with checkouts.one(commits[0], **KEPT):
        assert "put back" in checkouts.output[0]
    with checkouts.one(commits[-1], **KEPT):
        pass
    assert len(list(checkouts.root.glob("*/0/setups/*"))) == MAX_SETUPS
    with checkouts.one(commits[0], **KEPT):
        assert "put back" in checkouts.output[0]
    with checkouts.one(commits[1], **KEPT):
        assert checkouts.output == ["made it"]


def test_a_setup_that_failed_is_not_kept(checkouts: Checkouts) -> None:
    failing = KEPT | {"setup": script(MAKE + "raise SystemExit('then failed')")}
    for _ in range(2):
        assert "then failed" in checkouts.failure(**failing).output
    assert not list(checkouts.root.glob("*/0/setups/*"))


def test_what_cannot_be_kept_does_not_fail_the_run(
    checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "_REPLACE", "exit 1")
    with checkouts.one(**KEPT) as found:
        assert "could not be kept" in checkouts.output[-1]
        assert (found.folder / "made" / "lock").read_text() == "1"
    assert not list(checkouts.root.glob("*/0/setups/*"))


def test_what_a_run_that_was_killed_while_keeping_left_is_not_taken_for_a_setup(checkouts: Checkouts) -> None:
    with checkouts.one(**KEPT):
        pass
    (kept,) = checkouts.root.glob("*/0/setups/*")
    half = kept.rename(kept.parent / "new")
    (half / "made" / "lock").unlink()
    with checkouts.one(**KEPT) as found:
        assert checkouts.output == ["made it"]
        assert (found.folder / "made" / "lock").read_text() == "1"
    assert list(checkouts.root.glob("*/0/setups/*")) == [kept]


def test_a_kept_virtual_environment_works_where_it_is_put_back(checkouts: Checkouts) -> None:
    source: dict[str, Any] = {
        "setup": script(
            "import pathlib, venv; venv.create('.venv'); tool = pathlib.Path('.venv/bin/tool').absolute();"
            "tool.write_text(f'#!{tool.parent}/python\\nimport sys; print(sys.prefix)'); tool.chmod(0o755)"
        ),
        "cache_key_files": ("app.lock",),
        "cache_paths": (".venv",),
    }

    def where(found: CheckedOut) -> str:
        # as an installed script does: its first line is the path of the environment's Python
        tool = found.folder / ".venv/bin/tool"
        return subprocess.check_output([tool], text=True)

    with checkouts.one(**source) as found:
        first = where(found)
        assert first.strip() == str(found.folder / ".venv")
        # beside it, in another folder: made for that one, not copied to it
        beside = Checkouts.__new__(Checkouts)
        beside.root, beside.origin = checkouts.root, checkouts.origin
        with beside.one(**source) as other:
            assert not any("put back" in line for line in beside.output)
            assert where(other).strip() == str(other.folder / ".venv")
    with checkouts.one(**source) as found:
        assert "put back" in checkouts.output[0]
        assert where(found) == first


def test_a_setup_dies_with_a_killed_run_and_its_folder_is_used_only_then(checkouts: Checkouts) -> None:
    commit = checkouts.origin.git("rev-parse", "HEAD")
    stubborn = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('setting up', flush=True)\n"
        "while True: time.sleep(0.01); pathlib.Path('mine').touch()"
    )
    run = Killable(checkouts.root, checkouts.origin.url, commit, setup=script(stubborn))
    run.wait_for("setting up")
    run.kill()
    with checkouts.one() as found:
        # it withstood SIGTERM for a while, and was waited for
        assert not group_lives(run.group)
        assert not (found.folder / "mine").exists()
        assert found.folder.parent.name == "0"
    wait_until(lambda: not list(checkouts.root.glob("*/trash/*")), "what it left was not removed")
