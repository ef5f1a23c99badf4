"""What looks after the processes of `serve`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from tests.support.processes import TIME_LIMIT

PROGRAM = """
from app.process.supervision import Supervisor

supervisor = Supervisor(stop_seconds=10)
supervisor._start = lambda *_: print("running", flush=True)
supervisor.add("nothing", [], environment={})
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


STUBBORN = """
import subprocess, sys
from app.process.supervision import Supervisor

program = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
supervisor = Supervisor(stop_seconds=0.2)
def start(supervised, now):
    supervised.process = subprocess.Popen([sys.executable, "-c", program])
supervisor._start = start
supervisor.add("stubborn", [], environment={})
supervisor.run()
print(supervisor._processes[0].process.returncode)
"""


def test_what_does_not_stop_in_the_time_it_has_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=TIME_LIMIT)
    assert out == f"{-signal.SIGKILL}\n"
