"""What looks after the processes of `serve`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from tests.processes import TIME_LIMIT

PROGRAM = """
from app.supervision import Supervisor

supervisor = Supervisor()
supervisor._start = lambda *_: print("running", flush=True)
supervisor.add("nothing", [])
supervisor.run()
"""


def test_signals_from_all_sides_don_t_stop_it_and_one_to_stop_does() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        end = time.monotonic() + 2
        while time.monotonic() < end:
            process.send_signal(signal.SIGCHLD)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIME_LIMIT)
        assert process.returncode == 0
