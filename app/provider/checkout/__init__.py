"""A provider's source, checked out at a commit and set up, ready for its command.

In the folder that `checked_out` gets, each remote has a folder:

    NAME-HASH/lock            locked while git works on the repository
    NAME-HASH/repository.git  the bare repository, with what was fetched so far
    NAME-HASH/0, 1, ...       slots, each for one run at a time (see `slots`)
    NAME-HASH/trash           what is being removed

Submodules are not fetched; a setup that needs them runs `git submodule update --init`.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.provider.checkout.failure import CheckoutFailed
from app.provider.checkout.ownership import hand_over, open_way
from app.provider.checkout.process import Supervision
from app.provider.checkout.remote import Remote
from app.provider.checkout.repository import Repository, check_commit
from app.provider.checkout.setup import Setup, prepare
from app.provider.checkout.slots import take_slot
from broker.text.redaction import Redaction
from verifier.confinement import UNCONFINED, Confinement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["CheckedOut", "CheckoutFailed", "CheckoutSource", "checked_out"]


@dataclass(frozen=True)
class CheckoutSource:
    """Where a provider's source is, and how it is set up. It comes from the configuration only.

    Attributes:
        url: What `git clone` takes: https, http, ssh, git or file, `HOST:PATH`, or a folder. Credentials in it
            are passed to git without showing.
        setup: The command that sets it up; run without a shell, in the checkout.
        cache_key_files: Lock files; while they, the setup and its variables are the same, what the setup made is
            used again.
        cache_paths: What the setup makes, relative to the checkout: `.venv`, `node_modules`.
        environment: Variables for git and the setup; the values may be secrets.
        default_branch: The branch for a dispatch without a commit; the remote's HEAD unless given.
        redaction: What takes the secrets out of what the setup prints.
        any_commit: Whether commits that no branch and no tag contains are checked out, too: those of forks' pull
            requests. What is made for one of them is never used for another commit, nor the other way round.
    """

    url: str = field(repr=False)
    setup: str | None = None
    cache_key_files: tuple[str, ...] = ()
    cache_paths: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    default_branch: str | None = None
    redaction: Redaction = field(default=Redaction(()), repr=False)
    any_commit: bool = False


@dataclass(frozen=True)
class CheckedOut:
    """A checkout.

    Attributes:
        folder: Its folder.
        commit: The full id of the commit.
        branch: The branch whose head it is; None if a commit was requested.
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
    confinement: Confinement = UNCONFINED,
    starting: AbstractContextManager[object] | None = None,
) -> Iterator[CheckedOut]:
    """Check a commit out and set it up; the checkout is removed at the end.

    Several processes of one machine may do so in the same folder at once; each gets another checkout. What a killed
    process left is removed by a later one.

    Args:
        root: The folder for checkouts, on a local file system.
        source: The source to check out.
        commit: 7 to 64 hexadecimal digits; None for the head of the default branch.
        deadline: The `time.monotonic()` by which it must be ready.
        guard: Called with the process group of each command that runs, and with None after it, so that another
            process can stop the group if this one is killed.
        on_output: Called with each line that the setup prints, up to a limit, from another thread.
        confinement: What the setup may do to others.
        starting: Held from before a command is started until `guard` has been called with its group.

    Raises:
        CheckoutFailed: The remote is away, there is no such commit or it is one of no branch, the setup failed, or
            time ran out.
    """
    remote = Remote.of(source.url)
    commit = None if commit is None else check_commit(commit)
    setup = Setup.of(
        source.setup,
        cache_key_files=source.cache_key_files,
        cache_paths=source.cache_paths,
        environment=source.environment,
    )
    home = root.absolute() / remote.folder_name
    account = confinement.account
    with ExitStack() as stack:
        try:
            slot = stack.enter_context(take_slot(home, remote.name))
            if account is not None:
                open_way(slot, account)
            with slot.in_use_by_commands(deadline) as kept_open:
                supervision = Supervision(deadline, guard, kept_open, confinement, starting or nullcontext())
                found = Repository(home, remote, source.environment, supervision).check_out(
                    commit, source.default_branch, slot.folder, any_commit=source.any_commit
                )
                if account is not None:
                    hand_over(slot.folder, account, supervision)
                if setup is not None:
                    used = setup if found.contained else setup.uncached()
                    prepare(used, slot, supervision, source.redaction, on_output)
        except OSError as error:
            raise CheckoutFailed(
                f"the checkout could not be written: {error.strerror}: {error.filename or home}",
                retryable=True,
            ) from error
        yield CheckedOut(slot.folder, found.commit, found.branch)
