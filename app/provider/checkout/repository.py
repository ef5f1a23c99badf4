"""The local repository of a remote, and the checkouts of its commits."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.process.locks import Busy, locked
from app.provider.checkout.failure import (
    BAD_COMMIT,
    COMMIT_OF_NO_BRANCH,
    CONFIGURATION,
    NO_SUCH_COMMIT,
    TIMED_OUT,
    CheckoutFailed,
)
from app.provider.checkout.git import Git, GitFailed
from app.provider.checkout.removal import remove
from verifier.commit_id import is_commit_id
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from app.provider.checkout.process import Supervision
    from app.provider.checkout.remote import Remote

COMMITS = "refs/commits/"
"""The refs of commits that were fetched by their id, since no branch and no tag contains them."""
MAX_COMMITS = 100
"""So many of these refs, or of packs, make the repository be tidied up."""
KEPT_COMMITS = 50
STALE_SECONDS = 24 * 3600
"""An unfinished file of that age in the repository is that of a killed fetch."""
FETCHED_BRANCHES, FETCHED_TAGS = "refs/remotes/origin/", "refs/tags/"
BRANCHES = f"+refs/heads/*:{FETCHED_BRANCHES}*"
TAGS = f"+refs/tags/*:{FETCHED_TAGS}*"


def check_commit(commit: str) -> str:
    """Return a commit's id, or the beginning of one, in lower case.

    Raises:
        CheckoutFailed: It is something else, as a name or an option.
    """
    if not is_commit_id(commit):
        raise CheckoutFailed(
            f"{commit[:80]!r} is no commit: it must be 7 to 64 hexadecimal digits", kind=BAD_COMMIT
        )
    return commit.lower()


@dataclass(frozen=True)
class FoundCommit:
    """A commit of the remote.

    Attributes:
        commit: Its full id.
        branch: The branch whose head it is; None if a commit was requested.
        contained: Whether a branch or a tag of the remote contains it. Other commits are those of forks' pull requests,
            which hosts such as GitHub give out by their ids as if they were the repository's own.
    """

    commit: str
    branch: str | None
    contained: bool


class Repository:
    """The bare repository of one remote; git works on it for one run at a time, under a lock."""

    def __init__(
        self, home: Path, remote: Remote, environment: Mapping[str, str], supervision: Supervision
    ) -> None:
        self._home = home
        self._path = home / "repository.git"
        self._remote = remote
        self._supervision = supervision
        self._git = Git(remote, home, environment, supervision)

    def check_out(
        self, commit: str | None, default_branch: str | None, folder: Path, *, any_commit: bool
    ) -> FoundCommit:
        """Check a commit out into a folder, as a repository of its own.

        Args:
            commit: Its id, or the beginning of it; None for the head of the default branch.
            default_branch: That branch; the remote's HEAD unless given.
            folder: The folder.
            any_commit: Whether it may be a commit that no branch and no tag contains.

        Raises:
            CheckoutFailed: The commit can't be checked out.
        """
        try:
            with locked(self._home / "lock", wait=self._supervision.left):
                return self._check_out_or_repair(commit, default_branch, folder, any_commit=any_commit)
        except Busy:
            raise CheckoutFailed(
                f"time ran out while other runs fetched {self._remote.url}", kind=TIMED_OUT, retryable=True
            ) from None

    def _check_out_or_repair(
        self, commit: str | None, default_branch: str | None, folder: Path, *, any_commit: bool
    ) -> FoundCommit:
        try:
            return self._check_out(commit, default_branch, folder, any_commit=any_commit)
        except GitFailed as error:
            if not error.damaged:
                raise error.as_failure(self._remote) from error
        # git was killed, or the disk was full, and what it left would make every later command fail
        shutil.rmtree(self._path)
        try:
            return self._check_out(commit, default_branch, folder, any_commit=any_commit)
        except GitFailed as error:
            raise error.as_failure(self._remote) from error

    def _check_out(
        self, commit: str | None, default_branch: str | None, folder: Path, *, any_commit: bool
    ) -> FoundCommit:
        self._create()
        self._limit_size()
        if commit is None:
            head, branch = self._head(default_branch)
            found = FoundCommit(self._fetch(head, any_commit=True)[0], branch, contained=True)
        else:
            full, contained = self._fetch(commit, any_commit=any_commit)
            found = FoundCommit(full, None, contained)
        try:
            self._make_checkout(found.commit, folder)
        except GitFailed as error:
            if error.damaged:
                raise
            raise CheckoutFailed(
                f"commit {found.commit} of {self._remote.url} could not be checked out: {error}",
                retryable=True,
                output=error.output,
            ) from error
        return found

    def _make_checkout(self, commit: str, folder: Path) -> None:
        """Make a repository that shares nothing with this one but its objects, which it reads.

        In a worktree of this repository, the code of a commit could change what git does for the next one by `git
        config`, and which branches there are by `git update-ref`.
        """
        remove(folder)
        [kind] = self._run("rev-parse", "--show-object-format")
        self._git.run("init", "--quiet", "--template=", f"--object-format={kind}", str(folder))
        alternates = folder / ".git/objects/info/alternates"
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_text(f"{self._path / 'objects'}\n")
        inside = (f"--git-dir={folder / '.git'}", f"--work-tree={folder}")
        self._git.run(*inside, "config", "remote.origin.url", self._remote.url)
        self._git.run(*inside, "checkout", "--quiet", "--detach", commit)

    def _run(self, *arguments: str) -> list[str]:
        return self._git.run(f"--git-dir={self._path}", *arguments)

    def _create(self) -> None:
        """Make the repository with the remote's object format, if there is none; it gets its name when complete."""
        if self._path.exists():
            return
        beginning = self._home / "repository.new"
        shutil.rmtree(beginning, ignore_errors=True)
        refs = self._git.run("ls-remote", "--", self._remote.url, "HEAD", "refs/heads/*")
        kind = "sha256" if refs and len(refs[0].split("\t")[0]) == 64 else "sha1"
        self._git.run("init", "--quiet", "--bare", "--template=", f"--object-format={kind}", str(beginning))
        self._git.run(f"--git-dir={beginning}", "config", "remote.origin.url", self._remote.url)
        beginning.rename(self._path)

    def _head(self, branch: str | None) -> tuple[str, str | None]:
        """Return the head of a branch of the remote, or of its default branch, and that branch."""
        ref = "HEAD" if branch is None else f"refs/heads/{branch}"
        found = None
        for line in self._run("ls-remote", "--symref", "origin", ref):
            value, _, name = line.partition("\t")
            if name == ref and value.startswith("ref: refs/heads/"):
                branch = value.removeprefix("ref: refs/heads/")
            elif name == ref:
                found = value
        if found is None or not is_commit_id(found):
            which = "default branch: set default_branch" if ref == "HEAD" else f"branch {branch!r}"
            raise CheckoutFailed(f"{self._remote.url} has no {which}", kind=CONFIGURATION)
        return found, branch

    def _fetch(self, commit: str, *, any_commit: bool) -> tuple[str, bool]:
        """Fetch a commit unless it is in the repository.

        Returns:
            Its full id, and whether a branch or a tag contains it.
        """
        sha256 = self._run("rev-parse", "--show-object-format") == ["sha256"]
        whole = len(commit) == (64 if sha256 else 40)
        if whole and self._is_contained(commit):
            return commit, True
        try:
            self._fetch_refs(BRANCHES, TAGS, prune=True)
        except GitFailed as error:
            fetched_before = any_commit and whole and not error.damaged and self._has(commit)
            if not fetched_before:
                raise
        if not whole:
            return self._resolve(commit), True
        if self._is_contained(commit):
            return commit, True
        if not any_commit:
            raise self._of_no_branch(commit)
        self._fetch_by_id(commit)
        return commit, False

    def _fetch_by_id(self, commit: str) -> None:
        if self._has(commit):
            return
        try:
            self._fetch_refs(f"+{commit}:{COMMITS}{commit}")
        except GitFailed as error:
            if not error.no_such:
                raise
            raise self._no_such(commit) from error
        if not self._has(commit):
            raise self._no_such(commit)

    def _fetch_refs(self, *refs: str, prune: bool = False) -> None:
        options = ["--prune"] if prune else []
        self._run("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *options, "origin", *refs)

    def _has(self, commit: str) -> bool:
        """Return whether a commit is in the repository, with all its objects."""
        try:
            if self._run("cat-file", "-t", commit) != ["commit"]:
                raise self._no_such(commit)
            self._run("rev-list", "--objects", "--quiet", commit, "--not", "--all")
        except GitFailed:
            return False
        return True

    def _is_contained(self, commit: str) -> bool:
        """Return whether a commit is in the repository, and in a branch or a tag as they were fetched last."""
        refs = (FETCHED_BRANCHES, FETCHED_TAGS)
        return self._has(commit) and bool(
            self._run("for-each-ref", "--count=1", f"--contains={commit}", "--format=%(refname)", *refs)
        )

    def _resolve(self, beginning: str) -> str:
        """Return the one commit of a branch or a tag whose id begins so; a branch of such a name is not meant."""
        try:
            candidates = self._run("rev-parse", f"--disambiguate={beginning}")
        except GitFailed:
            candidates = []
        commits = [
            name
            for name in candidates
            if self._run("cat-file", "-t", name) == ["commit"] and self._is_contained(name)
        ]
        if len(commits) > 1:
            raise CheckoutFailed(
                f"{beginning} is the beginning of {count(len(commits), 'commit')} of {self._remote.url}: "
                "dispatch all of its id",
                kind=BAD_COMMIT,
            )
        if not commits:
            raise self._no_such(beginning)
        return commits[0]

    def _no_such(self, commit: str) -> CheckoutFailed:
        return CheckoutFailed(
            f"{self._remote.url} has no commit {commit} in a branch or a tag: push it, and dispatch again; or it is "
            "gone with its branch",
            kind=NO_SUCH_COMMIT,
        )

    def _of_no_branch(self, commit: str) -> CheckoutFailed:
        """Return the failure of a commit that is not fetched, since no branch and no tag contains it."""
        listed = (line.partition("\t") for line in self._run("ls-remote", "origin"))
        elsewhere = next((name for value, _, name in listed if value == commit), None)
        if elsewhere is None and not self._has(commit):
            return self._no_such(commit)
        where = f"; it is {elsewhere}" if elsewhere else ""
        return CheckoutFailed(
            f"commit {commit} is in no branch and no tag of {self._remote.url}{where}: such a commit may be of a "
            "fork's pull request, and its code is not run. Push it to a branch, and dispatch again; or set any_commit "
            "= true for this checkout, if whoever may open a pull request may run code here",
            kind=COMMIT_OF_NO_BRANCH,
        )

    def _limit_size(self) -> None:
        """Remove old refs, merge packs, and remove the files of killed fetches."""
        names = self._run("for-each-ref", "--sort=-creatordate", "--format=%(refname)", COMMITS)
        packs = self._path / "objects/pack"
        if len(names) < MAX_COMMITS and len(list(packs.glob("*.pack"))) < MAX_COMMITS:
            return
        for name in names[KEPT_COMMITS:]:
            self._run("update-ref", "-d", name)
        self._run("repack", "--quiet", "-d", "--geometric=2")
        for unfinished in packs.glob("*tmp*"):
            with suppress(FileNotFoundError):
                if time.time() - unfinished.stat().st_mtime > STALE_SECONDS:
                    unfinished.unlink()
