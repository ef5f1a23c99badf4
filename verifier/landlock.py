"""Landlock, by which a Linux process without rights takes rights from itself and from what it starts.

Used here for one effect alone: a process in a domain may not trace processes outside of it, nor read their
environment, memory and descriptors in `/proc`, even if they are of its own account and dumpable. From Linux 6.12 on it
may send them no signals either. It may open the same files as before.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from functools import cache

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The numbers of the system calls, which are the same on all architectures."""
_VERSION = 1
_PATH_BENEATH = 1
_SCOPE_SIGNAL = 1 << 1
_MAKE_BLOCK, _REFER = 1 << 11, 1 << 13
"""The rights to make block devices, and to move files between folders."""
_WITH_REFER, _WITH_SCOPES = 2, 6
"""The versions of the interface (Linux 5.19 and 6.12). In the first one a domain can't move files between folders."""
_PR_SET_NO_NEW_PRIVS = 38
"""From `<linux/prctl.h>`."""


@cache
def is_available() -> bool:
    """Return whether this kernel can separate processes so: Linux alone knows these calls by these numbers."""
    if sys.platform != "linux":
        return False
    version: int = _libc().syscall(_CREATE_RULESET, None, 0, _VERSION)
    return version >= _WITH_REFER


def enter_domain() -> None:
    """Put this thread, and what it starts from now on, into a domain of its own.

    Set-user-ID programs, such as sudo, give no rights in it.

    Raises:
        OSError: The kernel refuses it, although it is available.
    """
    libc = _libc()
    if libc.syscall(_CREATE_RULESET, None, 0, _VERSION) >= _WITH_SCOPES:
        ruleset = _call(_CREATE_RULESET, struct.pack("=QQQ", 0, 0, _SCOPE_SIGNAL), 24, 0)
    else:
        # a domain needs a restriction: it takes two rights away, and gives them back for all files
        rights = _MAKE_BLOCK | _REFER
        ruleset = _call(_CREATE_RULESET, struct.pack("=Q", rights), 8, 0)
        root = os.open("/", os.O_PATH | os.O_CLOEXEC)
        try:
            _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, root), 0)
        finally:
            os.close(root)
    try:
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise _error()
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: int | bytes) -> int:
    result: int = _libc().syscall(number, *arguments)
    if result < 0:
        raise _error()
    return result


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), "Landlock")
