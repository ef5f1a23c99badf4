"""A provider's source, checked out at a commit and set up, ready for its command.

In the folder that `checked_out` is given, each remote has one of its own:

    NAME-HASH/lock            held while git works on the repository
    NAME-HASH/repository.git  what was fetched so far, bare
    NAME-HASH/0, 1, ...       slots, each for one run at a time (see `slots`)
    NAME-HASH/trash           what is being removed

Submodules are not fetched; a setup that needs them runs `git submodule update --init`.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.provider.checkout.failure import CheckoutFailed
from app.provider.checkout.process import Supervision
from app.provider.checkout.remote import Remote
from app.provider.checkout.repository import Repository, check_commit
from app.provider.checkout.setup import Setup, prepare
from app.provider.checkout.slots import take_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["CheckedOut", "CheckoutFailed", "CheckoutSource", "checked_out"]


@dataclass(frozen=True)
class CheckoutSource:
    """Where a provider's source is, and how it is made ready. It comes from the configuration alone.

    Attributes:
        url: what `git clone` takes: https, http, ssh, git or file, `HOST:PATH`, or a folder. Credentials in it
            are given to git unseen.
        setup: the command line that makes it ready; run without a shell, in the checkout.
        cache_key_files: lock files; while they, the setup and its variables are the same, what the setup made is
            used again.
        cache_paths: what the setup makes, relative to the checkout: `.venv`, `node_modules`.
        environment: variables for git and the setup; the values may be secrets.
        default_branch: what is checked out when no commit is asked for; the remote's HEAD unless given.
    """

    url: str = field(repr=False)
    setup: str | None = None
    cache_key_files: tuple[str, ...] = ()
    cache_paths: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    default_branch: str | None = None


@dataclass(frozen=True)
class CheckedOut:
    """A checkout.

    Attributes:
        folder: where it is.
        commit: the full id of what is there.
        branch: the branch that was asked for its head; None when a commit was asked for.
    """

    folder: Path
    commit: str
    branch: str | None


@contextmanager
def checked_out(
    root: Path,
    source: CheckoutSource,
    commit: str | None,
    *,
    deadline: float,
    guard: Callable[[int | None], None],
    on_output: Callable[[str], None],
) -> Iterator[CheckedOut]:
    """Check a commit out and set it up; it is removed at the end.

    Several processes of one machine may do so in one folder at once; each has a checkout of its own. What a killed
    one left is removed by a later one.

    Args:
        root: the folder for checkouts, on a local file system.
        source: what is checked out.
        commit: 7 to 64 hexadecimal digits; None for the head of the default branch.
        deadline: the `time.monotonic()` by which it must be ready.
        guard: called with the process group of each command that runs, and with None after it, so that somebody
            else can stop the group if this process is killed.
        on_output: called with each line that the setup prints, up to a limit, from another thread.

    Raises:
        CheckoutFailed: the remote is away, there is no such commit, the setup failed, or time ran out.
    """
    remote = Remote.of(source.url)
    wanted = None if commit is None else check_commit(commit)
    setup = Setup.of(
        source.setup,
        cache_key_files=source.cache_key_files,
        cache_paths=source.cache_paths,
        environment=source.environment,
    )
    home = root.absolute() / remote.folder_name
    with ExitStack() as stack:
        try:
            slot = stack.enter_context(take_slot(home, remote.name))
            with slot.in_use_by_commands(deadline) as kept_open:
                supervision = Supervision(deadline, guard, kept_open)
                found = Repository(home, remote, source.environment, supervision).check_out(
                    wanted, source.default_branch, slot.folder
                )
                if setup is not None:
                    prepare(setup, slot, supervision, on_output)
        except OSError as error:
            raise CheckoutFailed(
                f"the checkout could not be written: {error.strerror}: {error.filename or home}",
                retryable=True,
            ) from error
        yield CheckedOut(slot.folder, *found)
