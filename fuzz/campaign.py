"""Giving a target many inputs: in rounds with a seed each, each fault shrunk and kept, and then counted only."""

from __future__ import annotations

import hashlib
import logging
import signal
import threading
import time
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.errors import HypothesisDeprecationWarning

from fuzz.stopwatch import Stopwatch
from fuzz.target import TooSlow, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from fuzz.target import Check, Target

ROUND = 1000
"""Inputs of a round: few enough that its seed brings a fault back within a minute."""
LIMIT_SECONDS = 5.0
"""How long one input may take."""
HANGING_SECONDS = 20.0
"""When an input that doesn't end is ended, unless the machine has been too busy to tell."""
MOST_SECONDS = 600.0
"""When it is ended in any case."""
OURS = ("app", "broker", "verifier")
ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Finding:
    """A fault that inputs of a target have brought about.

    Attributes:
        target: The target's name.
        kind: What it is, the same for the same fault.
        detail: The exception with its traceback.
        seed: The seed of the round that it was found in; None for an input from a file.
        file: The smallest input that was found to bring it about.
        times: How many inputs have brought it about.
    """

    target: str
    kind: str
    detail: str
    seed: int | None
    file: Path
    times: int = 1


@dataclass
class Result:
    """What came of a target.

    Attributes:
        target: The target's name.
        inputs: How many inputs it was given.
        seconds: How long that took.
        findings: The faults found.
    """

    target: str
    inputs: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)


class Watch:
    """What a check can't see by itself: how long it took, and errors that were only logged or ended a thread.

    Args:
        check: The target's check.
        interrupts: Whether an input that doesn't end is interrupted; that takes the main thread's alarm.
    """

    def __init__(self, check: Check, *, interrupts: bool) -> None:
        self._check = check
        self._interrupts = interrupts
        self._logged: list[str] = []
        self._slow: set[str] = set()
        self._stopwatch = Stopwatch()
        self._began = 0.0

    def __call__(self, given: Any) -> None:
        """Give the target an input.

        Raises:
            Exception: It has brought about what must not be.
        """
        self._logged.clear()
        if self._is_slow(given):
            what = str(getattr(given, "operation", ""))
            if what in self._slow or self._is_slow(given):  # the disk may have been busy
                self._slow.add(what)
                raise TooSlow(LIMIT_SECONDS, what)
        if self._logged:
            raise Violation("traceback in a log or a thread", self._logged[0])

    def _is_slow(self, given: Any) -> bool:
        self._began = time.monotonic()
        self._stopwatch = Stopwatch()
        if self._interrupts:
            signal.setitimer(signal.ITIMER_REAL, HANGING_SECONDS)
        try:
            self._check(given)
        finally:
            if self._interrupts:
                signal.setitimer(signal.ITIMER_REAL, 0)
        return self._stopwatch.exceeds(LIMIT_SECONDS)

    def _hangs(self, _number: int, _frame: FrameType | None) -> None:
        if time.monotonic() - self._began < MOST_SECONDS and not self._stopwatch.exceeds(LIMIT_SECONDS):
            signal.setitimer(signal.ITIMER_REAL, HANGING_SECONDS)
            return
        raise TooSlow(HANGING_SECONDS)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch until the end of the `with` block."""
        handler = _Tracebacks(self._logged)
        before, threading.excepthook = threading.excepthook, self._thread_ended
        logging.getLogger().addHandler(handler)
        alarm = signal.signal(signal.SIGALRM, self._hangs) if self._interrupts else None
        try:
            yield
        finally:
            if self._interrupts:
                signal.signal(signal.SIGALRM, alarm)
            logging.getLogger().removeHandler(handler)
            threading.excepthook = before

    def _thread_ended(self, ended: threading.ExceptHookArgs) -> None:
        lines = traceback.format_exception(ended.exc_type, ended.exc_value, ended.exc_traceback)
        self._logged.append("".join(lines))


class _Tracebacks(logging.Handler):
    def __init__(self, logged: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._logged = logged

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and not record.name.startswith("urllib3"):  # as `app.process.logs` has it
            self._logged.append(
                f"{record.getMessage()}\n{logging.Formatter().formatException(record.exc_info)}"
            )


class Campaign:
    """Inputs for one target.

    Args:
        target: The target.
        check: Its check, opened.
        folder: Where the inputs that bring faults about are kept.
        tell: Called with a line about what happens.
        interrupts: Whether an input that doesn't end is interrupted, which takes the main thread.
    """

    def __init__(
        self,
        target: Target,
        check: Check,
        *,
        folder: Path,
        tell: Callable[[str], None],
        interrupts: bool = True,
    ) -> None:
        self._target = target
        self._watch = Watch(check, interrupts=interrupts)
        self._folder = folder / target.name
        self._tell = tell
        self._found: dict[str, Finding] = {}
        self._counted: Counter[str] = Counter()
        self._inputs = 0

    def run(self, inputs: int, seed: int) -> Result:
        """Give the target inputs: first those that have brought faults about before, then new ones."""
        started = time.monotonic()
        with self._watch.watching():
            for file in sorted(self._folder.glob("*.json")):
                self._again(file)
            number = 0
            while self._inputs < inputs:
                self._round(min(ROUND, inputs - self._inputs), seed + number)
                number += 1
        return self._result(started)

    def run_file(self, file: Path) -> Result:
        """Give the target one input that was kept."""
        started = time.monotonic()
        with self._watch.watching():
            self._again(file)
        return self._result(started)

    def _result(self, started: float) -> Result:
        for kind, finding in self._found.items():
            finding.times = max(1, self._counted[kind])
        return Result(self._target.name, self._inputs, time.monotonic() - started, list(self._found.values()))

    def _again(self, file: Path) -> None:
        self._inputs += 1
        try:
            self._watch(self._target.loaded(file.read_bytes()))
        except Exception as error:  # noqa: BLE001 - whatever it is
            self._keep(error, None, file)
        else:
            self._tell(f"{self._target.name}: {file} does no harm any more")

    def _round(self, inputs: int, seed: int) -> None:
        caught: list[tuple[Exception, Any]] = []
        wanted: list[str] = []

        def one(given: Any) -> None:
            self._inputs += 1
            try:
                self._watch(given)
            except Exception as error:
                kind = kind_of(error)
                self._counted[kind] += 1
                if isinstance(error, TooSlow) and kind not in self._found:  # shrinking it would take hours
                    self._keep(error, seed, self._written(error, given))
                # One fault is shrunk in a round; another one is met again in a later round.
                if kind in self._found or (wanted and kind != wanted[0]):
                    return
                wanted[:] = [kind]
                caught.append((error, given))
                raise

        run = hypothesis.seed(seed)(
            hypothesis.settings(
                max_examples=inputs,
                database=None,
                deadline=None,
                report_multiple_bugs=False,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
                verbosity=Verbosity.quiet,
            )(hypothesis.given(self._target.inputs)(one))
        )
        try:
            with warnings.catch_warnings():
                # threads of a connection pool draw their waits while an input is made
                warnings.simplefilter("ignore", HypothesisDeprecationWarning)
                run()
        except Exception:
            if not caught:  # a fault of the target itself
                raise
        if caught:
            error, given = caught[-1]
            self._keep(error, seed, self._written(error, given))

    def _written(self, error: Exception, given: Any) -> Path:
        name = hashlib.sha256(kind_of(error).encode()).hexdigest()[:12]
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{name}.json"
        file.write_bytes(self._target.saved(given))
        return file

    def _keep(self, error: Exception, seed: int | None, file: Path) -> None:
        kind = kind_of(error)
        detail = "".join(traceback.format_exception(error, limit=-12))
        self._found.setdefault(kind, Finding(self._target.name, kind, detail, seed, file))
        self._tell(f"{self._target.name}: {kind}")


def kind_of(error: BaseException) -> str:
    """Return what an error is, the same for the same fault: its type, and the function of ours that it is from."""
    if isinstance(error, Violation):
        return error.kind
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        file = Path(frame.filename)
        if file.is_relative_to(ROOT) and file.relative_to(ROOT).parts[0] in OURS:
            return f"{type(error).__name__} in {file.relative_to(ROOT)}, {frame.name}"
    return f"{type(error).__name__} in {frames[-1].name if frames else 'nothing'}"
