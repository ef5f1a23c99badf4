"""How long something takes, whatever else the machine has to do meanwhile."""

from __future__ import annotations

import re
from pathlib import Path
from time import monotonic, process_time, sleep

PRESSURE = Path("/proc/pressure/cpu")
"""Where Linux says for how long anything on the machine has waited for a processor."""
COUNTED_SECONDS = 2.1
"""How late a wait may be counted there."""
_WAITED = re.compile(r"^some .* total=(\d+)$", re.MULTILINE)


class Stopwatch:
    """Measures how long something takes from now on, without the time in which anything waited for a processor.

    On a busy machine that is less than it would take by itself, and so it is never taken for slow wrongly. Where the
    system doesn't tell, all of the time counts.
    """

    def __init__(self) -> None:
        self._began = monotonic()
        self._worked = process_time()
        self._waited = _waited_seconds()

    def exceeds(self, limit: float) -> bool:
        """Return whether it has taken longer than so many seconds, or this process alone has computed for longer."""
        passed = monotonic() - self._began
        if process_time() - self._worked > limit:
            return True
        return passed > limit and passed - self.waited() > limit

    def waited(self) -> float:
        """Return for how many seconds anything has waited for a processor; rather more than fewer."""
        if self._waited == 0.0:
            return 0.0
        sleep(COUNTED_SECONDS)
        return _waited_seconds() - self._waited


def _waited_seconds() -> float:
    try:
        found = _WAITED.search(PRESSURE.read_text(encoding="ascii"))
    except OSError:
        return 0.0
    return int(found[1]) / 1e6 if found is not None else 0.0
