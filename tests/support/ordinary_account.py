"""Starts a process as an ordinary account, also where root runs the tests.

Root reads whatever it likes. Where it runs the tests, the process is started in a user namespace, in which root's files
are those of an account without rights.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from functools import cache

import pytest

NAME = "daemon"


@cache
def ordinary_account() -> tuple[str, ...]:
    """Return the words that come before a command; skip the test where no such process can be started."""
    if sys.platform != "linux":
        pytest.skip("other systems have no /proc")
    if os.geteuid() != 0:
        return ()
    found = pwd.getpwnam(NAME)
    words = ("unshare", "--user", f"--map-user={found.pw_uid}", f"--map-group={found.pw_gid}", "--")
    if subprocess.run([*words, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("root runs the tests, and user namespaces are forbidden here")
    return words
