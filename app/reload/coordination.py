"""The reload of the configuration in several processes: all of them take it, or none.

First each process reads its configuration, and tells what is wrong with it; only if nothing is, each takes what it has
read. One reload at a time goes on over a data directory.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from app.process.locks import Busy, locked
from app.reload.control import Closed, NotAnswered, ask, control_sockets

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "reload.lock"
LOCK_SECONDS = 60.0
"""How long another reload is waited for."""
ANSWER_SECONDS = 60.0
"""How long a process may take to read its configuration, or to take it."""
AT_ONCE = 16
"""How many processes are asked at once."""
TRIES = 3
"""How often all processes are asked while the files change under their hands."""
WORKER = "worker"

log = structlog.get_logger("reload")


class NotReloaded(Exception):
    """The reload could not begin."""


@dataclass(frozen=True)
class Answer:
    """What a process has answered.

    Attributes:
        process: Its name, for people.
        digest: The digest of the configuration that it has taken, or has now.
        restart: The keys that it takes with its next start.
        error: Why it has not taken it; None if it has.
    """

    process: str
    digest: str | None = None
    restart: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Report:
    """What came of a reload.

    Attributes:
        mistakes: What is wrong with the configuration; nothing has changed anywhere then.
        answers: What became of each process; of those that could not tell whether they can read it, if there are any.
        has_begun: Whether processes were told to take it; if not, each keeps what it has.
    """

    mistakes: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    has_begun: bool = False

    @property
    def is_done(self) -> bool:
        """Whether every process has taken the configuration."""
        return not self.mistakes and all(answer.error is None for answer in self.answers)


def reload(data_dir: Path, kind: str = "", *, file: Path | None = None) -> Report:
    """Have processes take their configuration as it now is, or say what is wrong with it.

    Args:
        data_dir: The data directory that they use.
        kind: How the names of their control sockets begin; all of them unless given.
        file: The configuration that one of them must read, at least; any unless given.

    Returns:
        What came of it; without any answer if no process was there.

    Raises:
        Closed: The processes are those of another account.
        NotReloaded: Another reload goes on.
    """
    if not control_sockets(data_dir, kind):
        return Report()
    try:
        with locked(data_dir / LOCK, wait=LOCK_SECONDS):
            return _reload(data_dir, kind, file)
    except Busy:
        raise NotReloaded(f"another reload goes on for more than {LOCK_SECONDS:g} s") from None
    except OSError as error:
        raise NotReloaded(f"{data_dir / LOCK}: {error.strerror}") from error


def _reload(data_dir: Path, kind: str, file: Path | None) -> Report:
    for _ in range(TRIES):
        found = _ask(control_sockets(data_dir, kind), {"do": "check"})
        mistakes = list(
            dict.fromkeys(mistake for one in found.values() for mistake in one.get("mistakes", []))
        )
        if not mistakes and file is not None:
            mistakes = _other_file(file, found)
        silent = [Answer(name, error=str(one["error"])) for name, one in _named(found) if "error" in one]
        if mistakes or silent:
            # one that has not answered would have to be waited for again
            _ask([path for path, one in found.items() if "error" not in one], {"do": "drop"})
            return Report(mistakes, silent)
        files = {(one.get("file"), one.get("digest")) for one in found.values()}
        if len(files) == len({file for file, _ in files}):
            break
    # what the web side accepts, the workers know already
    answers = []
    for workers in (True, False):
        part = [path for path in found if path.name.startswith(WORKER) is workers]
        taken = _ask(part, {"do": "take"})
        answers += [
            Answer(name, one.get("digest"), tuple(one.get("restart", ())), one.get("error"))
            for name, one in _named(taken)
        ]
    return Report([], answers, has_begun=True)


def log_report(report: Report) -> None:
    """Log what came of a reload that nobody waits for."""
    for mistake in report.mistakes:
        log.error("a mistake in the configuration", mistake=mistake)
    if report.mistakes:
        log.error(
            "the configuration is not taken: every process keeps what it has", mistakes=len(report.mistakes)
        )
    for answer in report.answers:
        if answer.error is not None:
            log.error("a process has not taken the configuration", process=answer.process, error=answer.error)
    if report.answers and not report.has_begun:
        log.error("the configuration is not taken: every process keeps what it has")
    if report.is_done:
        log.info("the configuration is taken", processes=len(report.answers))


def reload_and_log(data_dir: Path, kind: str = "") -> None:
    """Reload the configuration of processes, as `reload` does; log what came of it."""
    try:
        log_report(reload(data_dir, kind))
    except (Closed, NotReloaded) as error:
        log.error("the configuration is not taken", error=str(error))  # noqa: TRY400 - its message says all


def _named(found: dict[Path, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(str(one.get("process") or _name_of(path)), one) for path, one in found.items()]


def _name_of(path: Path) -> str:
    """Return the name of a process that has not answered, by its control socket: `worker 4711`."""
    kind, _, rest = path.stem.partition("-")
    numbers = rest.split("-")
    return f"{kind} {numbers[-2]}" if len(numbers) > 1 else path.stem


def _other_file(file: Path, found: dict[Path, dict[str, Any]]) -> list[str]:
    """Return what is wrong if no process reads a configuration."""
    read = {str(one["file"]) for one in found.values() if "file" in one}
    if not read or os.path.realpath(file) in {os.path.realpath(one) for one in read}:
        return []
    return [f"no process reads {file.absolute()}: they were started with {', '.join(sorted(read))}"]


def _ask(paths: list[Path], request: dict[str, Any]) -> dict[Path, dict[str, Any]]:
    """Return the answers of all processes but those that have ended."""

    def one(path: Path) -> dict[str, Any] | None:
        try:
            return ask(path, request, seconds=ANSWER_SECONDS)
        except NotAnswered as error:
            return None if error.is_gone else {"error": str(error)}

    if not paths:
        return {}
    with ThreadPoolExecutor(min(AT_ONCE, len(paths))) as pool:
        answers = list(pool.map(one, paths))
    return {path: answer for path, answer in zip(paths, answers, strict=True) if answer is not None}
