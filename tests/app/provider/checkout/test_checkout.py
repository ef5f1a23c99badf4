"""A provider's source at a commit: found, checked out, and removed again, whatever the remote and the dispatch are."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from app.provider.checkout import CheckedOut, CheckoutFailed, CheckoutSource, checked_out, repository
from tests.support.killable import Killable, group_lives, wait_until
from tests.support.loopback import closed_port
from tests.support.origin import GitServer, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIME_LIMIT = 60.0


@contextmanager
def checkout(
    root: Path,
    url: str,
    commit: str | None,
    *,
    seconds: float = TIME_LIMIT,
    branch: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[CheckedOut]:
    with checked_out(
        root,
        CheckoutSource(url=url, default_branch=branch, environment=environment or {}),
        commit,
        deadline=time.monotonic() + seconds,
        guard=lambda _: None,
        on_output=print,
    ) as found:
        yield found


def read(root: Path, url: str, commit: str | None) -> str:
    """Check out, and give what is in `version`."""
    with checkout(root, url, commit) as found:
        return (found.folder / "version").read_text()


def failure(root: Path, url: str, commit: str | None, *, seconds: float = TIME_LIMIT) -> CheckoutFailed:
    with pytest.raises(CheckoutFailed) as caught, checkout(root, url, commit, seconds=seconds):
        pass
    return caught.value


@contextmanager
def seen_processes() -> Iterator[set[str]]:
    """Collect the command lines of all processes."""
    lines: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for process in psutil.process_iter():
                with suppress(psutil.Error):
                    lines.add(" ".join(process.cmdline()))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield lines
    finally:
        over.set()
        watcher.join()


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "git" / "products.git")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "checkouts"


def leftovers(root: Path) -> list[Path]:
    """Checkouts that are there, and what is being removed."""
    return [*root.glob("*/[0-9]*/products"), *root.glob("*/trash/*")]


def test_the_commit_that_was_asked_for_is_there_and_gone_afterwards(root: Path, origin: Origin) -> None:
    first = origin.commit({"version": "1"})
    origin.commit({"version": "2"})
    with checkout(root, origin.url, first) as found:
        assert (found.folder / "version").read_text() == "1"
        assert (found.commit, found.branch) == (first, None)
        head = subprocess.check_output(["git", "-C", found.folder, "rev-parse", "HEAD"], text=True)
        assert head.strip() == first
    assert not found.folder.exists()
    wait_until(lambda: not leftovers(root), "it was not removed")


@pytest.mark.parametrize("form", ["url", "folder"])
def test_without_a_commit_it_is_the_head_of_the_default_branch(root: Path, origin: Origin, form: str) -> None:
    origin.commit({"version": "1"})
    origin.git("checkout", "--quiet", "-b", "trunk")
    url = origin.url if form == "url" else str(origin.folder)
    for version in ("2", "3"):
        head = origin.commit({"version": version})
        with checkout(root, url, None) as found:
            assert (found.folder / "version").read_text() == version
            assert (found.commit, found.branch) == (head, "trunk")


def test_the_default_branch_can_be_configured(root: Path, origin: Origin) -> None:
    first = origin.commit({"version": "1"})
    origin.git("branch", "release/1")
    origin.git("branch", "other/refs/heads/release/1")
    origin.commit({"version": "2"})
    with checkout(root, origin.url, None, branch="release/1") as found:
        assert (found.commit, found.branch) == (first, "release/1")
    with pytest.raises(CheckoutFailed, match="has no branch 'release/\\*'") as caught:  # noqa: SIM117
        with checkout(root, origin.url, None, branch="release/*"):
            pass
    assert (caught.value.kind, caught.value.retryable) == ("configuration", False)


@pytest.mark.parametrize("way", ["smart", "old", "dumb"])
def test_it_is_fetched_over_http(tmp_path: Path, root: Path, origin: Origin, way: str) -> None:
    first = origin.commit({"version": "1"})
    origin.commit({"version": "2"})
    origin.git("tag", "of-no-branch")
    with GitServer(tmp_path / "git", way=way) as server:
        url = f"http://{server.host}/products.git/.git"
        origin.git("update-server-info")
        assert read(root, url, first) == "1"
        assert read(root, url, None) == "2"
        origin.git("reset", "--quiet", "--hard", first)
        third = origin.commit({"version": "3"})
        origin.git("update-server-info")
        assert read(root, url, third) == "3"
        assert read(root, url, first[:9]) == "1"
        found = failure(root, url, "1" * 40)
        assert (found.kind, found.retryable) == ("no-such-commit", False), found.output


def test_an_abbreviated_commit_is_resolved(root: Path, origin: Origin) -> None:
    first = origin.commit({"version": "1"})
    origin.commit({"version": "2"})
    # a branch of that name is not what is meant
    origin.git("branch", first[:8], "main")
    with checkout(root, origin.url, first[:8].upper()) as found:
        assert found.commit == first
    assert failure(root, origin.url, "f" * 12).kind == "no-such-commit"


def twins(tree: str) -> tuple[str, str]:
    """Find two commits, as git writes them, whose ids begin with the same seven digits."""
    seen: dict[str, str] = {}
    for number in count():
        text = f"tree {tree}\nauthor D <d@e.f> {number} +0000\ncommitter D <d@e.f> {number} +0000\n\ntwin\n"
        name = hashlib.sha1(f"commit {len(text)}\0{text}".encode()).hexdigest()
        if name[:7] in seen:
            return seen[name[:7]], text
        seen[name[:7]] = text
    raise AssertionError


def test_an_ambiguous_commit_is_an_error(root: Path, origin: Origin) -> None:
    origin.commit({"version": "1"})
    commits = [
        origin.git("hash-object", "-t", "commit", "-w", "--stdin", text=text)
        for text in twins(origin.git("rev-parse", "HEAD^{tree}"))
    ]
    for commit in commits:
        origin.git("branch", f"with-{commit}", commit)
    found = failure(root, origin.url, commits[0][:7])
    assert (found.kind, found.retryable) == ("bad-commit", False)
    assert f"{commits[0][:7]} is the beginning of 2 commits" in str(found)
    assert read(root, origin.url, commits[1][:20]) == "1"


@pytest.mark.parametrize(
    "commit",
    [
        "",
        "main",
        "HEAD",
        "abcdef",
        "--upload-pack=touch /tmp/x",
        "a" * 65,
        "abcdef1\n",
        "abcdef1;id",
        "../../abcdef1",
    ],
)
def test_what_is_no_commit_reaches_no_command(root: Path, origin: Origin, commit: str) -> None:
    origin.commit({"version": "1"})
    found = failure(root, origin.url, commit)
    assert (found.kind, found.retryable) == ("bad-commit", False)
    assert not root.exists()


def test_the_id_of_something_else_is_no_commit(root: Path, origin: Origin) -> None:
    origin.commit({"version": "1"})
    tree = origin.git("rev-parse", "HEAD^{tree}")
    blob = origin.git("rev-parse", "HEAD:version")
    for name in (tree, blob, tree[:10]):
        assert failure(root, origin.url, name).kind == "no-such-commit"


def test_a_repository_with_long_ids_is_checked_out(root: Path, tmp_path: Path) -> None:
    origin = Origin(tmp_path / "git" / "products.git", "--object-format=sha256")
    first = origin.commit({"version": "1"})
    assert len(first) == 64
    origin.commit({"version": "2"})
    assert read(root, origin.url, first) == "1"
    assert read(root, origin.url, first[:40]) == "1"


@pytest.mark.parametrize(
    "url", ["", "-oProxyCommand=id", "ext::sh -c id", "foo://x/y", "https://x/\ny", "https://[x/y"]
)
def test_a_url_that_git_must_not_be_given_is_refused(root: Path, url: str) -> None:
    found = failure(root, url, None)
    assert (found.kind, found.retryable) == ("configuration", False)
    assert not root.exists()


def test_a_remote_that_is_away_is_an_outage(root: Path, tmp_path: Path, origin: Origin) -> None:
    commit = origin.commit({"version": "1"})
    for url in (f"http://127.0.0.1:{closed_port()}/p.git", f"git://127.0.0.1:{closed_port()}/p.git"):
        found = failure(root, url, commit)
        assert (found.kind, found.retryable) == ("remote-unavailable", True), str(found)
        assert url in str(found)
    with GitServer(tmp_path / "git", status=503) as server:
        found = failure(root, f"http://{server.host}/products.git/.git", commit)
        assert (found.kind, found.retryable) == ("remote-unavailable", True)


def test_what_was_fetched_once_needs_no_remote(root: Path, tmp_path: Path, origin: Origin) -> None:
    first = origin.commit({"version": "1"})
    second = origin.commit({"version": "2"})
    with GitServer(tmp_path / "git") as server:
        url = f"http://{server.host}/products.git/.git"
        assert read(root, url, second) == "2"
    assert read(root, url, first) == "1"
    assert failure(root, url, None).kind == "remote-unavailable"


def test_a_remote_that_refuses_is_no_outage(root: Path, tmp_path: Path, origin: Origin) -> None:
    commit = origin.commit({"version": "1"})
    with GitServer(tmp_path / "git", credentials="ci:right-password") as server:
        for url in (
            f"http://{server.host}/products.git/.git",
            f"http://ci:wrong-password@{server.host}/products.git/.git",
        ):
            found = failure(root, url, commit)
            assert (found.kind, found.retryable) == ("remote-refused", False), str(found)
            assert "wrong-password" not in str(found) + found.output
    found = failure(root, str(tmp_path / "nothing"), commit)
    assert (found.kind, found.retryable) == ("remote-refused", False)


def test_credentials_of_the_url_are_used_and_shown_to_nobody(
    root: Path, tmp_path: Path, origin: Origin
) -> None:
    commit = origin.commit({"version": "1"})
    with (
        GitServer(tmp_path / "git", credentials="x-access-token:s3cr$t p%ss") as server,
        seen_processes() as shown,
    ):
        url = f"http://x-access-token:s3cr$t%20p%25ss@{server.host}/products.git/.git"
        assert read(root, url, commit) == "1"
        assert failure(root, url, "1" * 40).kind == "no-such-commit"
        wait_until(lambda: any("git" in line for line in shown), "no git was seen")
        assert "s3cr" not in repr(CheckoutSource(url=url))
    assert "x-access-token:s3cr$t p%ss" in server.authorizations
    assert not any("s3cr" in line for line in shown)
    wait_until(lambda: not leftovers(root), "it was not removed")
    texts = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    assert texts
    assert not any(b"s3cr" in text for text in texts)


def test_a_token_alone_is_a_username(root: Path, tmp_path: Path, origin: Origin) -> None:
    commit = origin.commit({"version": "1"})
    with GitServer(tmp_path / "git", credentials="ghp_token:") as server:
        assert read(root, f"http://ghp_token@{server.host}/products.git/.git", commit) == "1"


def test_credentials_may_come_from_the_variables_of_the_provider(
    root: Path, tmp_path: Path, origin: Origin
) -> None:
    commit = origin.commit({"version": "1"})
    with GitServer(tmp_path / "git", credentials="ci:password") as server:
        header = f"Authorization: Basic {base64.b64encode(b'ci:password').decode()}"
        environment = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.http://{server.host}/.extraHeader",
            "GIT_CONFIG_VALUE_0": header,
        }
        with checkout(
            root, f"http://{server.host}/products.git/.git", commit, environment=environment
        ) as found:
            assert found.commit == commit


def test_credentials_do_not_follow_a_redirect_to_another_origin(
    root: Path, tmp_path: Path, origin: Origin
) -> None:
    commit = origin.commit({"version": "1"})
    with (
        GitServer(tmp_path / "git", credentials="ci:password") as other,
        GitServer(tmp_path / "git", moved_to=f"http://{other.host}") as server,
    ):
        found = failure(root, f"http://ci:password@{server.host}/products.git/.git", commit)
        assert found.kind == "remote-refused"
        assert other.authorizations == []


def test_a_remote_that_hangs_is_given_up_in_time(root: Path, tmp_path: Path, origin: Origin) -> None:
    commit = origin.commit({"version": "1"})
    with GitServer(tmp_path / "git", hang_on="/info/refs") as server:
        found = failure(root, f"http://{server.host}/products.git/.git", commit, seconds=1)
        assert (found.kind, found.retryable) == ("timed-out", True)


def test_no_hook_runs_and_no_setting_of_the_surroundings_leads_astray(
    root: Path, tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.commit({"version": "1"})
    ran = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{ran}'\n")
        (hooks / name).chmod(0o755)
    (tmp_path / "config").write_text(f"[core]\n\thooksPath = {hooks}\n[init]\n\ttemplateDir = {tmp_path}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert read(root, origin.url, commit) == "1"
    assert not ran.exists()
    assert not (tmp_path / "index").exists()


def test_runs_beside_each_other_have_folders_of_their_own(root: Path, origin: Origin) -> None:
    commits = [origin.commit({"version": str(number)}) for number in range(4)]
    with ExitStack() as stack:
        found = [stack.enter_context(checkout(root, origin.url, commit)) for commit in commits]
        assert len({each.folder for each in found}) == 4
        assert [(each.folder / "version").read_text() for each in found] == ["0", "1", "2", "3"]
    # and one after another the same, which what a setup makes may depend on
    with checkout(root, origin.url, commits[3]) as again:
        assert again.folder == found[0].folder


def test_processes_that_begin_at_once_all_get_theirs(root: Path, origin: Origin) -> None:
    commits = [origin.commit({"version": str(number)}) for number in range(4)]
    runs = [Killable(root, origin.url, commit) for commit in commits]
    folders = [Path(run.wait_for("ready ").removeprefix("ready ")) for run in runs]
    assert len(set(folders)) == 4
    assert [(folder / "version").read_text() for folder in folders] == ["0", "1", "2", "3"]
    for run in runs:
        run.finish()


def test_what_a_killed_run_left_is_removed_by_a_later_one(root: Path, origin: Origin) -> None:
    commit = origin.commit({"version": "1"})
    runs = [Killable(root, origin.url, commit) for _ in range(3)]
    folders = [Path(run.wait_for("ready ").removeprefix("ready ")) for run in runs]
    # a file with an obstinate folder around it
    (folders[0] / "read-only").mkdir()
    (folders[0] / "read-only" / "file").touch()
    (folders[0] / "read-only").chmod(0o500)
    runs[0].kill()
    runs[1].kill()
    assert read(root, origin.url, commit) == "1"
    wait_until(lambda: leftovers(root) == [folders[2]], "there are leftovers, or a living one's is gone")
    assert (folders[2] / "version").read_text() == "1"
    runs[2].finish()


def test_a_run_killed_while_it_fetches_leaves_nothing_in_the_way(
    root: Path, tmp_path: Path, origin: Origin
) -> None:
    first = origin.commit({"version": "1"})
    with GitServer(tmp_path / "git", hang_on="git-upload-pack") as server:
        # what asks for the refs works, what asks for the commit hangs
        url = f"http://{server.host}/products.git/.git"
        server.hang_on = None
        assert read(root, url, first) == "1"
        second = origin.commit({"version": "2"})
        server.hang_on = "/git-upload-pack"
        run = Killable(root, url, second)
        wait_until(server.reached.is_set, "it did not fetch")
        (git,) = [child for child in psutil.Process(run.process.pid).children() if child.name() == "git"]
        run.kill()
        wait_until(lambda: not group_lives(git.pid), "git went on without the run")
        server.hang_on = None
        assert read(root, url, second) == "2"


def test_what_a_killed_git_left_is_got_over(root: Path, origin: Origin) -> None:
    first = origin.commit({"version": "1"})
    assert read(root, origin.url, first) == "1"
    (bare,) = root.glob("*/repository.git")
    second = origin.commit({"version": "2"})
    (bare / "refs/remotes/origin/main.lock").touch()
    assert read(root, origin.url, second) == "2"
    for pack in bare.glob("objects/pack/*.pack"):
        pack.unlink()
    assert read(root, origin.url, first) == "1"
    (bare / "HEAD").unlink()
    assert read(root, origin.url, first) == "1"
    (bare.parent / "repository.new" / "objects").mkdir(parents=True)
    assert read(root, origin.url, origin.commit({"version": "3"})) == "3"


def test_a_repository_stays_small_over_many_commits(
    root: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "MAX_COMMITS", 6)
    monkeypatch.setattr(repository, "KEPT_COMMITS", 2)
    commits = [origin.commit({"version": str(number)}) for number in range(9)]
    for number, commit in enumerate(commits):
        assert read(root, origin.url, commit) == str(number)
    (bare,) = root.glob("*/repository.git")
    assert len(list(bare.glob("objects/pack/*.pack"))) < 6
    assert read(root, origin.url, commits[0]) == "0"


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(root: Path, origin: Origin) -> None:
    commit = origin.commit({"version": "1"})
    root.write_text("a file, not a folder")
    found = failure(root, origin.url, commit)
    assert (found.kind, found.retryable) == ("checkout-failed", True)
    assert str(root) in str(found)
