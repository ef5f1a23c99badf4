"""Keeps other processes of the same account from reading this process's memory and environment.

A provider under test usually runs as the account of the process that verifies it. Without this, it could read the
secrets there: from `/proc/PID/environ`, which has the environment that a process was started with whatever it removed
since then, from `/proc/PID/mem`, and from the descriptors in `/proc/PID/fd`.
"""

from __future__ import annotations

import sys

_PR_SET_DUMPABLE = 4
"""From `<linux/prctl.h>`."""


def become_undumpable() -> None:
    """Forbid this process, and its forks, to be traced, read through `/proc`, or written to a core file.

    Only root, or a process with `CAP_SYS_PTRACE`, still can. A program that this process executes starts without the
    protection, and asks for its own. Other systems than Linux have nothing like it, and nothing is done there.
    """
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - it takes 2 ms, and other systems don't need it

    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
