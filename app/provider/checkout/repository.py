"""The local repository of a remote, and the checkouts of its commits."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from app.process.locks import Busy, locked
from app.provider.checkout.failure import BAD_COMMIT, CONFIGURATION, NO_SUCH_COMMIT, TIMED_OUT, CheckoutFailed
from app.provider.checkout.git import Git, GitFailed
from verifier.commit_id import is_commit_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from app.provider.checkout.process import Supervision
    from app.provider.checkout.remote import Remote

COMMITS = "refs/commits/"
"""The refs of commits that were fetched by their id."""
MAX_COMMITS = 100
KEPT_COMMITS = 50
STALE_SECONDS = 24 * 3600
"""An unfinished file of that age in the repository is that of a killed fetch."""
BRANCHES = "+refs/heads/*:refs/remotes/origin/*"
TAGS = "+refs/tags/*:refs/tags/*"


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
        self, commit: str | None, default_branch: str | None, folder: Path
    ) -> tuple[str, str | None]:
        """Check a commit out into a folder that doesn't exist yet.

        Args:
            commit: Its id, or the beginning of it; None for the head of the default branch.
            default_branch: That branch; the remote's HEAD unless given.
            folder: The folder.

        Returns:
            The commit's full id, and the branch if its head was checked out.

        Raises:
            CheckoutFailed: The commit can't be checked out.
        """
        try:
            with locked(self._home / "lock", wait=self._supervision.left):
                return self._check_out_or_repair(commit, default_branch, folder)
        except Busy:
            raise CheckoutFailed(
                f"time ran out while other runs fetched {self._remote.url}", kind=TIMED_OUT, retryable=True
            ) from None

    def _check_out_or_repair(
        self, commit: str | None, default_branch: str | None, folder: Path
    ) -> tuple[str, str | None]:
        try:
            return self._check_out(commit, default_branch, folder)
        except GitFailed as error:
            if not error.damaged:
                raise error.as_failure(self._remote) from error
        # git was killed, or the disk was full, and what it left would make every later command fail
        shutil.rmtree(self._path)
        try:
            return self._check_out(commit, default_branch, folder)
        except GitFailed as error:
            raise error.as_failure(self._remote) from error

    def _check_out(
        self, commit: str | None, default_branch: str | None, folder: Path
    ) -> tuple[str, str | None]:
        self._create()
        self._limit_size()
        branch = None
        if commit is None:
            commit, branch = self._head(default_branch)
        full = self._fetch(commit)
        try:
            # forced twice: a run that was killed here may have left the folder registered
            self._run("worktree", "add", "--force", "--force", "--quiet", "--detach", str(folder), full)
        except GitFailed as error:
            if error.damaged:
                raise
            raise CheckoutFailed(
                f"commit {full} of {self._remote.url} could not be checked out: {error}",
                retryable=True,
                output=error.output,
            ) from error
        return full, branch

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

    def _fetch(self, commit: str) -> str:
        """Fetch a commit unless it is in the repository, and return its full id."""
        sha256 = self._run("rev-parse", "--show-object-format") == ["sha256"]
        whole = len(commit) == (64 if sha256 else 40)
        if not whole:
            self._fetch_refs(BRANCHES, TAGS, prune=True)
            return self._resolve(commit)
        if not self._has(commit):
            try:
                self._fetch_refs(f"+{commit}:{COMMITS}{commit}")
            except GitFailed as error:
                if not error.no_such:
                    raise
                # the server sends no commit by its id, only those of its branches and tags
                self._fetch_refs(BRANCHES, TAGS, prune=True)
        if not self._has(commit):
            raise self._no_such(commit)
        return commit

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

    def _resolve(self, beginning: str) -> str:
        """Return the one commit whose id begins so; refs are not searched, since a branch may have such a name."""
        try:
            candidates = self._run("rev-parse", f"--disambiguate={beginning}")
        except GitFailed:
            candidates = []
        commits = [name for name in candidates if self._run("cat-file", "-t", name) == ["commit"]]
        if len(commits) > 1:
            raise CheckoutFailed(
                f"{beginning} is the beginning of {len(commits)} commits of {self._remote.url}: dispatch all of its id",
                kind=BAD_COMMIT,
            )
        if not commits:
            raise self._no_such(beginning)
        return commits[0]

    def _no_such(self, commit: str) -> CheckoutFailed:
        return CheckoutFailed(
            f"{self._remote.url} has no commit {commit}: push it, and dispatch again; or it is gone with its branch",
            kind=NO_SUCH_COMMIT,
        )

    def _limit_size(self) -> None:
        """Remove old refs, merge packs, and remove the files of killed fetches."""
        names = self._run("for-each-ref", "--sort=-creatordate", "--format=%(refname)", COMMITS)
        if len(names) < MAX_COMMITS:
            return
        for name in names[KEPT_COMMITS:]:
            self._run("update-ref", "-d", name)
        self._run("repack", "--quiet", "-d", "--geometric=2")
        for unfinished in (self._path / "objects/pack").glob("*tmp*"):
            with suppress(FileNotFoundError):
                if time.time() - unfinished.stat().st_mtime > STALE_SECONDS:
                    unfinished.unlink()
