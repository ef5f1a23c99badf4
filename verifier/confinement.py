"""How the commands of a provider are started, so that they can't get at the processes and the files of others."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

_OF_THE_HOME = ("XDG_", "SSH_AUTH_SOCK", "MAIL", "SUDO_")
"""How the names of variables begin that lead to another account's files."""


@dataclass(frozen=True)
class Account:
    """An account of the system that commands run as.

    Attributes:
        name: Its name.
        uid: Its id.
        gid: The id of its group.
        groups: The ids of all of its groups.
        home: Its home directory.
    """

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of another account as it is for this one."""
        kept = {name: value for name, value in variables.items() if not name.startswith(_OF_THE_HOME)}
        return kept | {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}


@dataclass(frozen=True)
class Confinement:
    """What the commands of a provider may do.

    Attributes:
        account: The account that they run as; None for that of this process. Only root can start as another one.
        apart: Whether they may neither read nor signal processes that they did not start themselves, nor gain rights by
            a set-user-ID program such as sudo. Only Linux with Landlock can do so; elsewhere it makes no difference.
    """

    account: Account | None = None
    apart: bool = False

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the environment that commands inherit, given that of this process."""
        return dict(variables) if self.account is None else self.account.environment(variables)

    def start(self, words: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a command.

        Args:
            words: The command.
            options: Those of `subprocess.Popen`.

        Raises:
            OSError: It can't be started.
        """
        import subprocess  # noqa: PLC0415 - a run whose provider is running starts nothing

        if self.account is not None:
            options |= {
                "user": self.account.uid,
                "group": self.account.gid,
                "extra_groups": self.account.groups,
            }
        if not self.apart or sys.platform != "linux":
            return subprocess.Popen(words, **options)
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - needed by the receiver alone

        from verifier.landlock import enter_domain, is_available  # noqa: PLC0415 - Linux alone has it

        if not is_available():
            return subprocess.Popen(words, **options)

        def start() -> subprocess.Popen[bytes]:
            enter_domain()
            return subprocess.Popen(words, **options)

        # A domain is a thread's, and can't be left: a thread enters it, starts the command, and ends.
        with ThreadPoolExecutor(1, "start-apart") as thread:
            starting = thread.submit(start)
            try:
                return starting.result()
            except BaseException:
                if starting.exception() is None:  # interrupted: nobody else knows of the process
                    starting.result().kill()
                raise


UNCONFINED = Confinement()
"""As this process itself."""
