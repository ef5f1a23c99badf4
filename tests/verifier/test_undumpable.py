"""Every command keeps its process from being read by others of its account."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have nothing like it")

AFTER = """
import ctypes, os, sys
def dumpable():
    return ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
before = dumpable()
{program}
after = dumpable()
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, str(dumpable()).encode())
    os._exit(0)
print(before, after, os.read(reader, 1).decode())
"""
PROGRAMS = {
    "the function": "from verifier.undumpable import become_undumpable; become_undumpable()",
    "verify": "from verifier.cli import run; run(['missing.json', '--provider-base-url', 'http://127.0.0.1:1', '-q'])",
    "pact-dispatch": "from app.cli import main; main(['check-config', '--config', 'missing.toml'])",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_nobody_reads_this_process_nor_its_forks(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER.format(program=program)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "1 0 0"
