"""Whose process listens on a port, with real ones."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from shlex import quote as quoted

import pytest

from verifier.provider.port import free_port
from verifier.provider.port_owner import is_other_process

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells")
LISTEN = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_the_leader_itself_and_what_descends_from_it_are_no_others() -> None:
    shells = [
        [sys.executable, "-c", LISTEN],
        ["sh", "-c", f"{quoted(sys.executable)} -c '{LISTEN}'; true"],
        ["sh", "-c", f"setsid {sys.executable} -c '{LISTEN}'; true"],
    ]
    for command in shells:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as started:
            assert started.stdout is not None
            assert started.stdin is not None
            port = int(started.stdout.readline())
            assert not is_other_process(port, started.pid), command
            assert is_other_process(port, 2**22 - 1), command
            started.stdin.close()


def test_this_process_is_another_one_than_a_child() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        subprocess.Popen(["sleep", "60"], start_new_session=True) as child,
    ):
        try:
            assert is_other_process(server.getsockname()[1], child.pid)
            assert not is_other_process(server.getsockname()[1], os.getsid(0))
        finally:
            child.kill()


def test_a_port_that_nobody_listens_on_is_nobodys() -> None:
    assert not is_other_process(free_port(), os.getpid())
