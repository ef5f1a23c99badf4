"""Starting the engine's child process, before this one has imported anything.

Both processes take as long to import what they need as to verify a handful of interactions, so they do it at the same
time. That is why this module imports nothing that Python hasn't loaded at its start, and does without `subprocess`,
which takes 10 ms with what it imports.
"""

from __future__ import annotations

import os
import sys
import time

from verifier.environment import without_secrets

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would be imported for this alone
    from types import TracebackType
    from typing import Self

POLL_SECONDS = 0.005
"""How often `wait` looks whether the child has ended, if its patience is limited."""
_used: set[str] = set()
"""The folders of this process's children."""


class SpawnedChild:
    """A process that runs `verifier.engine.child`, in a process group of its own.

    Use it as a context manager: leaving it kills the child.

    Args:
        folder: The folder of another child that this one replaces; by default one is made.

    Attributes:
        folder: The folder for its files, which it removes if this process is killed.
        pid: Its process id, which is also that of its process group.
        commands: The pipe to it, which it reads messages from.
        events: The pipe from it, to which it writes messages.
        returncode: How it ended, negative for a signal; None until `wait` has seen it.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder or _new_folder()
        commands, commands_end = os.pipe()
        events, events_end = os.pipe()
        output = os.open(f"{self.folder}/output.log", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        _used.add(self.folder)
        _lock(output)
        os.set_inheritable(events_end, True)
        try:
            self.pid = _spawn_apart(
                [sys.executable, _isolation(), "-m", "verifier.engine.child", str(events_end), self.folder],
                without_secrets(os.environ),
                [
                    (os.POSIX_SPAWN_DUP2, commands, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
            )
        except BaseException:
            for descriptor in (commands_end, events, output):
                os.close(descriptor)
            raise
        finally:
            os.close(commands)
            os.close(events_end)
        self.commands = os.fdopen(commands_end, "wb")
        self.events = os.fdopen(events, "rb")
        self._output = output
        self.returncode: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def poll(self) -> int | None:
        """Return how it ended, or None if it has not."""
        if self.returncode is None:
            self._reap(os.WNOHANG)
        return self.returncode

    def _reap(self, options: int) -> None:
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:  # another part of the program has done so, and knows how it ended
            self.returncode = 0
            return
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)

    def wait(self, seconds: float) -> int | None:
        """Wait until it has ended, and return how; None if it has not within the time."""
        end = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        return self.returncode

    def hang_up(self) -> None:
        """End the pipe to it, whatever another thread is doing with that: what it still writes is lost."""
        from contextlib import suppress  # noqa: PLC0415 - see `_send_kill`

        with suppress(OSError, ValueError):  # it is closed
            commands = self.commands.fileno()
            try:
                nowhere = os.open(os.devnull, os.O_WRONLY)
            except OSError:  # no descriptor is free
                os.close(commands)
                return
            # the number stays taken: `commands` would close whatever had it by then
            os.dup2(nowhere, commands, inheritable=False)
            os.close(nowhere)

    def kill(self) -> int:
        """End it and what it started (plugins), and return how it ended."""
        from contextlib import suppress  # noqa: PLC0415 - see `_send_kill`

        self._send_kill()
        if self.returncode is None:
            self._reap(0)
        with suppress(
            OSError
        ):  # the child has ended, or another thread has closed the descriptor, to abandon it
            self.commands.close()
        return self.returncode or 0

    def _send_kill(self) -> None:
        # what this process had to import before it could do anything with the child
        from signal import SIGKILL  # noqa: PLC0415

        from verifier.child_process import signal_group  # noqa: PLC0415

        signal_group(self.pid, SIGKILL)

    def last_output(self, max_bytes: int) -> bytes:
        """Return the end of what the child has printed; nothing once it is closed."""
        if self._output < 0:
            return b""
        size = os.fstat(self._output).st_size
        return os.pread(self._output, max_bytes, max(size - max_bytes, 0))

    def close(self) -> None:
        """End it, and remove its files."""
        import shutil  # noqa: PLC0415 - see `_send_kill`

        self._send_kill()
        from verifier.engine.abandoned import remove_abandoned  # noqa: PLC0415

        # while the system frees the child's memory: 2 ms each
        shutil.rmtree(self.folder, ignore_errors=True)
        remove_abandoned(os.path.dirname(self.folder), but=_used)  # noqa: PTH120
        self.kill()
        self._forget_output()
        if os.path.exists(self.folder):  # noqa: PTH110 - it was just writing a file
            shutil.rmtree(self.folder, ignore_errors=True)
        _used.discard(self.folder)

    def replaced(self) -> SpawnedChild:
        """End it, and start another one with the same folder."""
        self.kill()
        self._forget_output()
        return SpawnedChild(self.folder)

    def _forget_output(self) -> None:
        if self._output >= 0:
            os.close(self._output)
            self._output = -1


def _lock(output: int) -> None:
    """Lock a file while this process has it open, so that no other run takes its folder for an abandoned one."""
    try:  # noqa: SIM105 - nor `contextlib`
        os.lockf(output, os.F_TLOCK, 0)
    except OSError:  # a file system without locks
        pass


def _spawn_apart(
    words: list[str], variables: dict[str, str], file_actions: list[tuple[int, int, int]]
) -> int:
    """Start a program that Ctrl-C on this terminal doesn't reach, and return its id.

    It leads a session, or a process group where the system starts no program in a new session (macOS before 10.15).
    """
    try:
        return os.posix_spawn(sys.executable, words, variables, file_actions=file_actions, setsid=True)
    except NotImplementedError:
        return os.posix_spawn(sys.executable, words, variables, file_actions=file_actions, setpgroup=0)


def _isolation() -> str:
    # -P: no module in the current directory, a provider's repository, replaces another one; -I: nor one in
    # PYTHONPATH, if this process ignores it as well
    return "-I" if sys.flags.isolated else "-P"


def _new_folder() -> str:
    """Make a temporary folder that no other account can read, without `tempfile`, which takes 4 ms to import."""
    path = f"{os.environ.get('TMPDIR') or '/tmp'}/pact-dispatch-{os.urandom(8).hex()}"  # noqa: S108 - it must be new
    try:
        os.mkdir(path, 0o700)  # noqa: PTH102 - nor `pathlib`
    except OSError:
        import tempfile  # noqa: PLC0415 - which knows other places

        return tempfile.mkdtemp(prefix="pact-dispatch-")
    return path
