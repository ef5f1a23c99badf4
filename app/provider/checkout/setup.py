"""Runs a checkout's setup command, and caches what it makes as long as the lock files stay the same."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.process.environment import child_environment
from app.provider.checkout.failure import CONFIGURATION, SETUP_FAILED, CheckoutFailed
from app.provider.checkout.git import safe_directory
from app.provider.checkout.removal import remove
from broker.http.reason import why
from broker.text.redacted_lines import RedactedLines
from verifier.child_process import why_not_started
from verifier.errors import UsageError
from verifier.provider.command_line import split_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from app.provider.checkout.process import Supervision
    from app.provider.checkout.slots import Slot
    from broker.text.redaction import Redaction
    from verifier.confinement import Confinement

OUTPUT_LINES = 40
"""The last lines of the setup's output that a failure has."""
MAX_LINE = 500
MAX_LINES = 2000
MAX_SETUPS = 5
"""The number of setups that are cached in each slot."""
KEY_VERSION = 2
"""Part of each cache key: what was cached before it changed is not used any more. Setups of version 1 may be those of
commits that no branch contains."""
# copied, so that the provider doesn't change the cache; without copying bytes if the file system can
_COPY = "cp -a -c" if sys.platform == "darwin" else "cp -a --reflink=auto"
_REPLACE = (
    '{ rm -rf -- "$2" 2>/dev/null || { chmod -R u+w -- "$2" && rm -rf -- "$2"; }; } '
    f'&& mkdir -p -- "$(dirname -- "$2")" && exec {_COPY} -- "$1" "$2"'
)
"""A script that copies `$1` to `$2`, and removes what was there. It is run with the rights of the provider's commands,
which may have put symbolic links anywhere."""


@dataclass(frozen=True)
class Setup:
    """How a checkout is set up.

    Attributes:
        words: The command.
        cache_key_files: Lock files, relative to the checkout.
        cache_paths: What the command makes, relative to the checkout.
        environment: Variables for it, besides those of this process.
    """

    words: tuple[str, ...]
    cache_key_files: tuple[str, ...] = ()
    cache_paths: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        command: str | None,
        *,
        cache_key_files: tuple[str, ...],
        cache_paths: tuple[str, ...],
        environment: Mapping[str, str],
    ) -> Setup | None:
        """Return the setup of a command; None if there is none.

        Raises:
            CheckoutFailed: It is no command line.
        """
        if command is None:
            return None
        try:
            return cls(
                tuple(split_words(command, "the checkout's setup")), cache_key_files, cache_paths, environment
            )
        except UsageError as error:
            raise CheckoutFailed(str(error), kind=CONFIGURATION) from error

    def uncached(self) -> Setup:
        """Return the setup of a commit that is not trusted: what it makes is not cached, and nothing cached is used."""
        return replace(self, cache_key_files=(), cache_paths=())

    def key(self, folder: Path) -> str | None:
        """Return the cache key: a hash of all that the result depends on; None if it is not cached."""
        if not self.cache_key_files or not self.cache_paths:
            return None
        contents = [
            hashlib.sha256((folder / name).read_bytes()).hexdigest() if (folder / name).is_file() else None
            for name in self.cache_key_files
        ]
        parts = [
            KEY_VERSION,
            self.words,
            list(zip(self.cache_key_files, contents, strict=True)),
            self.cache_paths,
            sorted(self.environment.items()),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def prepare(
    setup: Setup,
    slot: Slot,
    supervision: Supervision,
    redaction: Redaction,
    on_output: Callable[[str], None],
) -> None:
    """Set a checkout up, or restore what the same setup made before.

    Args:
        setup: The setup.
        slot: The slot of the checkout, which this process holds.
        supervision: The limits of the commands.
        redaction: What takes the secrets out of what it prints.
        on_output: Called with each line that the setup prints, up to a limit.

    Raises:
        CheckoutFailed: The setup failed, or time ran out.
    """
    key = setup.key(slot.folder)
    account = supervision.confinement.account
    if key is not None and account is not None:
        key += f"-{account.uid}"  # another account could not read it
    cached = None if key is None else slot.setups / key
    if cached is not None and cached.exists():
        _check_inside(setup, slot.folder)
        _restore(setup, cached, slot.folder, supervision)
        cached.touch()
        on_output(
            f"{', '.join(setup.cache_paths)} put back: {', '.join(setup.cache_key_files)} did not change"
        )
        return
    _run(setup, slot.folder, supervision, redaction, on_output)
    if cached is not None:
        try:
            _check_inside(setup, slot.folder)
            _cache(setup, cached, slot.folder, supervision)
        except OSError as error:
            on_output(
                f"what the setup made could not be kept for the next run: {why(error)}: {error.filename or cached}"
            )


def _check_inside(setup: Setup, folder: Path) -> None:
    """Make sure that no link of the commit leads from the checkout to where this process copies from, or to.

    Raises:
        CheckoutFailed: One does.
    """
    for name in setup.cache_paths:
        if not (folder / name).parent.resolve().is_relative_to(folder.resolve()):
            raise CheckoutFailed(
                f"cache_paths: {name} is not in the checkout: the commit has a symbolic link in its place",
                kind=SETUP_FAILED,
            )


def _run(
    setup: Setup,
    folder: Path,
    supervision: Supervision,
    redaction: Redaction,
    on_output: Callable[[str], None],
) -> None:
    last: deque[str] = deque(maxlen=OUTPUT_LINES)
    printed = 0

    def show(line: str) -> None:
        nonlocal printed
        printed += 1
        last.append(line)
        if printed <= MAX_LINES:
            on_output(line)
        elif printed == MAX_LINES + 1:
            on_output(f"(more than {MAX_LINES} lines: the rest is left out)")

    account = supervision.confinement.account
    lines = RedactedLines(redaction, show, MAX_LINE)
    try:
        code = supervision.run(
            setup.words,
            doing="the setup ran",
            folder=folder,
            environment=_environment(setup, supervision.confinement),
            on_line=lines.add,
            confined=True,
        )
        lines.close()
    except CheckoutFailed as error:
        lines.close()
        error.output = "\n".join(last)
        raise
    except OSError as error:
        raise CheckoutFailed(
            f"the setup could not be started: {why_not_started(error)} "
            f"(run in the checkout{f' as {account.name}' if account else ''})",
            kind=SETUP_FAILED,
        ) from error
    if code != 0:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise CheckoutFailed(
            f"the setup {how}: {setup.words[0]}",
            kind=SETUP_FAILED,
            retryable=code < 0,
            output="\n".join(last),
        )


def _environment(setup: Setup, confinement: Confinement) -> dict[str, str]:
    """Return the setup's environment, in which git finds the checkout, not the folder of this process."""
    inherited = {
        name: value
        for name, value in confinement.environment(child_environment(os.environ)).items()
        if name
        not in {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"}
    }
    variables = inherited | dict(setup.environment)
    return variables if confinement.account is None else variables | safe_directory(variables)


def _cache(setup: Setup, cached: Path, folder: Path, supervision: Supervision) -> None:
    """Cache what the setup made, completely or not at all."""
    beginning = cached.parent / "new"
    remove(beginning)
    beginning.mkdir(parents=True)
    account = supervision.confinement.account
    if account is not None:
        os.chown(beginning, account.uid, account.gid)
    try:
        for name in setup.cache_paths:
            if os.path.lexists(folder / name):
                _copy(folder / name, beginning / name, supervision)
        beginning.rename(cached)
    except BaseException:
        remove(beginning)
        raise
    entries = sorted(cached.parent.iterdir(), key=lambda entry: entry.stat().st_mtime)
    for entry in entries[:-MAX_SETUPS]:
        remove(entry)


def _restore(setup: Setup, cached: Path, folder: Path, supervision: Supervision) -> None:
    for name in setup.cache_paths:
        if os.path.lexists(cached / name):
            _copy(cached / name, folder / name, supervision)


def _copy(source: Path, target: Path, supervision: Supervision) -> None:
    """Copy a file or a folder with its attributes, in the place of what is there.

    Raises:
        OSError: It can't be copied.
    """
    output: deque[str] = deque(maxlen=1)
    code = supervision.run(
        ("sh", "-c", _REPLACE, "sh", str(source), str(target)),
        doing=f"{source.name} was copied",
        folder=source.parent,
        environment=child_environment(os.environ),
        on_line=output.append,
        confined=True,
    )
    if code != 0:
        raise OSError(code, "".join(output) or "cp failed", str(source))
