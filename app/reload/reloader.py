"""The reload of the configuration in one process: it is read first, and taken only if nothing is wrong with it."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import structlog

from app.config.sources import read_sources
from app.config.values import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

log = structlog.get_logger("reload")


@dataclass(frozen=True)
class ReadConfiguration(Generic[T]):
    """A configuration that a process may take.

    Attributes:
        value: What it goes by then.
        digest: The digest of the files.
        restart: The keys that were changed, and that count only when it starts.
    """

    value: T
    digest: str | None
    restart: tuple[str, ...] = ()


@dataclass(frozen=True)
class Configured:
    """Which configuration a process has.

    Attributes:
        digest: The digest of its files.
        restart: The keys that it takes with its next start.
        refused: What is wrong with the one that it was last told to take; None if it has taken that.
        at: When it has taken it, by `time.monotonic()`.
    """

    digest: str | None
    restart: tuple[str, ...] = ()
    refused: str | None = None
    at: float = field(default_factory=time.monotonic)


class Reloader(Generic[T]):
    """Takes the configuration anew.

    Args:
        process: The name of the process, for people.
        file: The configuration file.
        digest: The digest of the files that the process began with.
        read: Reads the configuration.
        take: Has the process go by what was read.
        latest: Returns the digest of what a process that starts should have; that of the files unless given.
    """

    def __init__(
        self,
        process: str,
        file: Path,
        digest: str | None,
        *,
        read: Callable[[], ReadConfiguration[T]],
        take: Callable[[T], None],
        latest: Callable[[], str | None] | None = None,
    ) -> None:
        self._process = process
        self._file = file
        self._read = read
        self._take = take
        self._latest = latest or (lambda: read_sources(file).digest)
        self._lock = threading.Lock()
        self._prepared: ReadConfiguration[T] | None = None
        self.configured = Configured(digest)
        self.on_take: Callable[[], None] = lambda: None
        """Called when another configuration is taken."""
        self.on_change: Callable[[], None] = lambda: None
        """Called then, and when one is refused."""

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request of the control socket: `check`, and then `take` or `drop`."""
        about = {"process": self._process, "file": str(self._file.absolute())}
        with self._lock:
            match request.get("do"):
                case "check":
                    return {**about, **self._check()}
                case "take":
                    return {**about, **self._take_prepared()}
                case "drop":
                    self._prepared = None
                    return about
        return {**about, "error": "the request is none that this version knows"}

    def reload(self) -> bool:
        """Take the configuration, if nothing is wrong with it; return whether that is so. Everything is logged."""
        with self._lock:
            checked = self._check()
            for mistake in checked.get("mistakes", ()):
                log.error("a mistake in the configuration", mistake=mistake)
            return not checked.keys() & {"error", "mistakes"} and "error" not in self._take_prepared()

    def catch_up(self) -> None:
        """Take the configuration if another one was taken, or was written, since the process has read it."""
        if self._latest() != self.configured.digest:
            self.reload()

    def _check(self) -> dict[str, Any]:
        self._prepared = None
        try:
            self._prepared = self._read()
        except ConfigurationError as error:
            log.warning("configuration not taken", process=self._process, mistakes=len(error.mistakes))
            self._refused(error.mistakes[0])
            return {"mistakes": error.mistakes}
        except Exception as error:
            log.exception("the configuration could not be read")
            self._refused(f"{type(error).__name__}: the log says more")
            return {"error": f"it could not read its configuration: {type(error).__name__}: {error}"}
        return {"digest": self._prepared.digest, "restart": list(self._prepared.restart)}

    def _take_prepared(self) -> dict[str, Any]:
        prepared, self._prepared = self._prepared, None
        if prepared is None:
            return {"error": "it has read no configuration that it could take: it may have just started"}
        try:
            self._take(prepared.value)
        except Exception as error:
            log.exception("the configuration could not be taken")
            return {"error": f"it could not take the configuration: {type(error).__name__}: {error}"}
        self.configured = Configured(prepared.digest, prepared.restart)
        self.on_take()
        log.info(
            "configuration taken",
            process=self._process,
            pid=os.getpid(),
            configuration=prepared.digest,
            **({"with_the_next_start": list(prepared.restart)} if prepared.restart else {}),
        )
        self.on_change()
        return {"digest": prepared.digest, "restart": list(prepared.restart)}

    def _refused(self, why: str) -> None:
        self.configured = replace(self.configured, refused=why)
        self.on_change()
