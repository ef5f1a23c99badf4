"""Commits that no branch and no tag contains, as a host gives them out for forks: not run unless that is wanted.

And what the code of one commit leaves behind: nothing of it reaches the next one.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from app.provider.checkout import CheckedOut, CheckoutFailed, CheckoutSource, checked_out, repository
from tests.support.origin import GitServer, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT: dict[str, Any] = {
    "setup": "sh -c 'cp version made; cat lock >> made'",
    "cache_key_files": ("lock",),
    "cache_paths": ("made",),
}


class Host:
    """A repository on a server that gives out each commit by its id, those of pull requests among them."""

    def __init__(self, folder: Path) -> None:
        self.origin = Origin(folder / "git" / "products.git")
        self.server = GitServer(folder / "git")
        self.root = folder / "checkouts"
        self.output: list[str] = []
        self.trusted = self.origin.commit({"version": "trusted\n", "lock": "1\n"})
        self.fork = self.pull_request({"version": "fork\n"})

    @property
    def url(self) -> str:
        return f"http://{self.server.host}/products.git/.git"

    def pull_request(self, files: dict[str, str], number: int = 1) -> str:
        """Make a commit that only `refs/pull/NUMBER/head` has, as GitHub does for a fork's."""
        self.origin.git("checkout", "--quiet", "--detach", "main")
        commit = self.origin.commit(files)
        self.origin.git("update-ref", f"refs/pull/{number}/head", commit)
        self.origin.git("checkout", "--quiet", "main")
        return commit

    @contextmanager
    def checkout(self, commit: str | None, **source: Any) -> Iterator[CheckedOut]:
        self.output = []
        with checked_out(
            self.root,
            CheckoutSource(url=self.url, **source),
            commit,
            deadline=time.monotonic() + 60,
            guard=lambda _: None,
            on_output=self.output.append,
        ) as found:
            yield found

    def read(self, commit: str | None, name: str = "version", **source: Any) -> str:
        with self.checkout(commit, **source) as found:
            return (found.folder / name).read_text()

    def failure(self, commit: str, **source: Any) -> CheckoutFailed:
        with pytest.raises(CheckoutFailed) as caught, self.checkout(commit, **source):
            pass
        return caught.value

    def fetched(self, commit: str) -> bool:
        [bare] = self.root.glob("*/repository.git")
        done = subprocess.run(["git", "-C", bare, "cat-file", "-e", commit], check=False, capture_output=True)
        return done.returncode == 0


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    with made.server:
        yield made


def test_a_forks_commit_is_refused_and_not_even_fetched(host: Host) -> None:
    found = host.failure(host.fork, setup="touch ran")
    assert (found.kind, found.retryable) == ("commit-of-no-branch", False)
    assert f"commit {host.fork} is in no branch and no tag of {host.url}; it is refs/pull/1/head" in str(
        found
    )
    assert "any_commit = true" in str(found)
    assert not host.fetched(host.fork)
    older = host.pull_request({"version": "newer"})
    assert older != host.fork
    # an earlier commit of the pull request is listed nowhere, yet the server gives it
    assert host.failure(host.fork).kind == "no-such-commit"
    assert not host.fetched(host.fork)


def test_a_forks_commit_is_run_where_that_is_wanted(host: Host) -> None:
    assert host.read(host.fork, any_commit=True) == "fork\n"
    host.pull_request({"version": "newer"})
    assert host.read(host.fork, any_commit=True) == "fork\n"
    assert host.failure("1" * 40, any_commit=True).kind == "no-such-commit"
    # for another provider with the same source, it is still refused
    found = host.failure(host.fork)
    assert (found.kind, found.retryable) == ("commit-of-no-branch", False)


def test_the_beginning_of_a_forks_commit_means_none(host: Host) -> None:
    assert host.failure(host.fork[:12]).kind == "no-such-commit"
    assert host.read(host.fork, any_commit=True) == "fork\n"
    for any_commit in (False, True):
        assert host.failure(host.fork[:12], any_commit=any_commit).kind == "no-such-commit"


@pytest.mark.parametrize("kind", ["branch", "tag", "annotated tag", "older commit of a branch"])
def test_a_commit_of_any_branch_or_tag_is_run(host: Host, kind: str) -> None:
    assert host.failure(host.fork).kind == "commit-of-no-branch"
    match kind:
        case "branch":
            host.origin.git("branch", "feature/merged", host.fork)
        case "tag":
            host.origin.git("tag", "v1", host.fork)
        case "annotated tag":
            host.origin.git("tag", "--annotate", "--message", "v1", "v1", host.fork)
        case _:
            host.origin.git("merge", "--quiet", "--no-edit", host.fork)
            host.origin.commit({"version": "later"})
    assert host.read(host.fork) == "fork\n"
    assert host.read(host.fork[:12]) == "fork\n"


def test_a_commit_whose_branch_was_rewritten_is_refused(host: Host) -> None:
    lost = host.origin.commit({"version": "2"})
    assert host.read(lost) == "2"
    host.origin.git("reset", "--quiet", "--hard", host.trusted)
    newer = host.origin.commit({"version": "3"})
    assert host.read(newer) == "3"
    assert host.failure(lost).kind == "commit-of-no-branch"
    assert host.failure(lost[:12]).kind == "no-such-commit"


def test_a_commit_of_a_branch_that_was_fetched_before_needs_no_remote(host: Host) -> None:
    newer = host.origin.commit({"version": "2"})
    assert host.read(newer) == "2"
    assert host.read(host.fork, any_commit=True) == "fork\n"
    host.server.status = 503
    assert host.read(host.trusted) == "trusted\n"
    assert host.read(host.fork, any_commit=True) == "fork\n"
    assert host.failure("1" * 40, any_commit=True).kind == "remote-unavailable"


def test_what_was_made_for_a_forks_commit_is_kept_for_nobody(host: Host) -> None:
    assert host.read(host.fork, "made", any_commit=True, **KEPT) == "fork\n1\n"
    assert host.read(host.trusted, "made", any_commit=True, **KEPT) == "trusted\n1\n"
    assert host.read(host.trusted, "made", **KEPT) == "trusted\n1\n"
    assert any("put back" in line for line in host.output)
    # nor does it get what was made for others
    assert host.read(host.fork, "made", any_commit=True, **KEPT) == "fork\n1\n"
    # in a branch, it is a commit like others
    host.origin.git("merge", "--quiet", "--no-edit", host.fork)
    assert host.read(host.fork, "made", any_commit=True, **KEPT) == "trusted\n1\n"


MEDDLING = """
git config core.fsmonitor "touch {ran}; false"
git config core.sshCommand "touch {ran}"
git config core.hooksPath "$PWD/hooks"
git config filter.x.smudge "touch {ran}; cat"
git config remote.origin.url http://127.0.0.1:1/elsewhere
git config url.http://127.0.0.1:1/.insteadOf http://
git config include.path "$PWD/included"
git update-ref refs/remotes/origin/trusted {fork} || true
git update-ref refs/heads/trusted HEAD
git replace HEAD HEAD~ || true
mkdir -p hooks; printf '#!/bin/sh\\ntouch {ran}\\n' > hooks/post-checkout; chmod +x hooks/post-checkout
cp -r hooks "$(git rev-parse --git-path hooks)"
echo '* filter=x' > "$(git rev-parse --git-path info)/attributes" || true
"""


def test_what_a_commits_code_does_to_its_repository_is_gone_with_it(host: Host, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    meddling = host.origin.commit(
        {"setup.sh": MEDDLING.format(ran=ran, fork=host.fork), ".gitattributes": "* filter=x\n"}
    )
    # the commits are known, so that the refs that it makes are of commits that are there
    assert host.read(host.fork, any_commit=True) == "fork\n"
    with host.checkout(meddling, setup="sh setup.sh") as found:
        config = subprocess.check_output(["git", "-C", found.folder, "config", "--list"], text=True)
        assert "elsewhere" in config, "it did meddle"
    newer = host.origin.commit({"version": "2"})
    assert host.read(newer) == "2"
    assert host.read(meddling, "setup.sh")
    assert host.failure(host.fork).kind == "commit-of-no-branch"
    assert not ran.exists()


def test_in_the_checkout_git_is_what_a_setup_needs(host: Host) -> None:
    host.origin.git("tag", "v1")
    newer = host.origin.commit({"version": "2"})
    setup = "git fetch --quiet --tags && git describe --tags > described && git log --oneline > log && git remote -v"
    with host.checkout(newer, setup=f"sh -c {shlex.quote(setup)}") as found:
        assert (found.folder / "described").read_text().startswith("v1-1-g")
        assert len((found.folder / "log").read_text().splitlines()) == 2
        assert host.output == [f"origin\t{host.url} (fetch)", f"origin\t{host.url} (push)"]
        status = subprocess.check_output(["git", "-C", found.folder, "status", "--porcelain"], text=True)
        assert status.split() == ["??", "described", "??", "log"]


@pytest.mark.parametrize("kept_before", [False, True])
def test_a_link_of_a_commit_has_nothing_copied_from_elsewhere_or_to_it(
    host: Host,
    tmp_path: Path,
    kept_before: bool,  # noqa: FBT001
) -> None:
    outside = tmp_path / "outside"
    (outside / "made").mkdir(parents=True)
    (outside / "made" / "secret").write_text("secret")
    source: dict[str, Any] = {
        "setup": "sh -c 'mkdir -p build/made; cp version build/made/mine'",
        "cache_key_files": ("lock",),
        "cache_paths": ("build/made",),
    }
    if kept_before:
        host.read(host.trusted, **source)
    (host.origin.folder / "build").symlink_to(outside)
    linking = host.origin.commit({})
    found = host.failure(linking, **source)
    assert found.kind == "setup-failed"
    assert "build/made is not in the checkout" in str(found)
    assert sorted(path.name for path in (outside / "made").iterdir()) == (
        ["secret"] if kept_before else ["mine", "secret"]
    )
    assert not list(host.root.glob("*/[0-9]*/setups/**/secret"))


def test_a_repository_with_many_fetches_stays_small(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "MAX_COMMITS", 6)
    monkeypatch.setattr(repository, "KEPT_COMMITS", 2)
    commits = [host.pull_request({"version": str(number)}, number) for number in range(9)]
    for number, commit in enumerate(commits):
        assert host.read(commit, any_commit=True) == str(number)
    [bare] = host.root.glob("*/repository.git")
    assert len(list(bare.glob("refs/commits/*"))) <= 6
    assert len(list(bare.glob("objects/pack/*.pack"))) <= 6
