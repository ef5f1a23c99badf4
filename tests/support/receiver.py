"""The receiver for tests: as `pact-dispatch serve`, `web` or `worker`, or with its web side in the test's process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import psutil
import psycopg
import requests
import structlog
from psycopg.rows import dict_row

from app.config.file import load
from app.config.values import secret
from app.config.variables import API_TOKENS, TOKENS, WEBHOOK_SECRET
from app.database.connections import open_pool
from app.intake.credentials import Tokens
from app.web.application import create_app
from app.web.context import Receiver
from tests.support.processes import BIN, TIME_LIMIT
from tests.support.served import Served

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TOKEN = "a-token-of-the-broker"
API_TOKEN = "a-token-for-reading-the-api"
REPOSITORY = "acme/products"
PROVIDER = "Products"


def configuration(broker_url: str, *providers: Mapping[str, Any], **sections: Mapping[str, Any]) -> str:
    """Write a pact-dispatch.toml; each provider without a name is that of the examples."""
    lines = ["[broker]", f"url = {json.dumps(broker_url)}"]
    for name, section in sections.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
    for given in providers:
        provider = {"name": PROVIDER, "repository": REPOSITORY, **given}
        lines.append("[[providers]]")
        tables = {key: value for key, value in provider.items() if isinstance(value, dict)}
        lines += [f"{key} = {json.dumps(value)}" for key, value in provider.items() if key not in tables]
        for key, table in tables.items():
            lines.append(f"[providers.{key}]")
            for member, value in table.items():
                text = (
                    "{ " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items()) + " }"
                    if isinstance(value, dict)
                    else json.dumps(value)
                )
                lines.append(f"{json.dumps(member)} = {text}")
    return "\n".join(lines) + "\n"


def with_providers_as_this_account(config: str) -> str:
    """Have root run providers as root, where it runs the tests: their folders are closed to other accounts."""
    if os.geteuid() != 0 or "provider_user" in config:
        return config
    key = '[worker]\nprovider_user = "root"\n'
    return config.replace("[worker]\n", key) if "[worker]\n" in config else f"{config}\n{key}"


class ReceiverProcess:
    """One `pact-dispatch` process of the receiver, until the end of the `with` block."""

    def __init__(
        self,
        folder: Path,
        config: str,
        *options: str,
        command: str = "serve",
        database_url: str | None = None,
        environment: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.config = folder / "pact-dispatch.toml"
        config = config if prefix else with_providers_as_this_account(config)
        self.config.write_text(config, encoding="utf-8")
        self.log = folder / f"{command}.log"
        self._command = command
        self._options = options
        self._prefix = prefix
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PACT_")},
            "PACT_DO_NOT_TRACK": "true",
            "PACT_DISPATCH_TOKENS": f"broker:{TOKEN}",
            "PACT_DISPATCH_API_TOKENS": f"tests:{API_TOKEN}",
            **({"DATABASE_URL": database_url} if database_url else {}),
            **(environment or {}),
        }
        self.database_url = database_url
        self._database: psycopg.Connection[Any] | None = None
        self.url = ""
        self.process: subprocess.Popen[str] | None = None
        self.session = requests.Session()
        self.session.trust_env = False
        self._before = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._leave_database()

    def start(self) -> None:
        """Start it, and wait until it listens, or works."""
        self.begin()
        self.wait_until_up()

    def begin(self) -> None:
        """Start it."""
        command = [*self._prefix, str(BIN / "pact-dispatch"), self._command, "--config", str(self.config)]
        command += ["--data-dir", str(self.folder / "data")]
        if self._command != "worker":
            command += ["--bind", "127.0.0.1:0"]
        self._before = len(_text(self.log))
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, *self._options],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                text=True,
                start_new_session=True,
            )

    def wait_until_up(self) -> None:
        """Wait until it listens, or works, since it was started last."""
        if self._command != "worker":
            pattern = r"listening on (http://\S+)"
            self.url = self.wait_until(lambda: re.search(pattern, self._lately()), "it listens")[1]
        if self._command != "web":
            self.wait_until(lambda: "worker started" in self._lately(), "its worker works")

    def _lately(self) -> str:
        return _text(self.log)[self._before :]

    def stop(self) -> int:
        """Stop it as a service manager does, and return its exit status."""
        self.session.close()
        self._leave_database()
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIME_LIMIT)

    def kill(self) -> None:
        """End it without warning, and nothing else."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(TIME_LIMIT)

    def output(self) -> str:
        """Give what it has printed and logged."""
        return "".join(self._outputs())

    def _outputs(self) -> list[str]:
        """Give what is in each file that it is printed and logged to."""
        return [_text(self.log)]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Give the log's entries of an event."""
        # what comes after the last line end of a file is being written
        lines = [line for text in self._outputs() for line in text.split("\n")[:-1]]
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if entry.get("event") == event]

    def descendants(self) -> list[psutil.Process]:
        """Give the processes that it started, and theirs."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def workers(self) -> list[psutil.Process]:
        """Give its worker processes."""
        return [child for child in self.descendants() if "worker" in command_line(child)]

    def dispatch(
        self,
        pact_url: str,
        *,
        event_type: str = "pact_changed",
        repository: str = REPOSITORY,
        token: str | None = TOKEN,
        **payload: Any,
    ) -> requests.Response:
        """Send a dispatch as a broker's webhook does."""
        return self.session.post(
            f"{self.url}/repos/{repository}/dispatches",
            json={"event_type": event_type, "client_payload": {"pact_url": pact_url, **payload}},
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=TIME_LIMIT,
        )

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the database."""
        found: list[dict[str, Any]] = self._ask(query, values).fetchall()
        return found

    def execute(self, statement: str) -> None:
        """Change the database."""
        self._ask(statement, ())

    def _ask(self, query: str, values: tuple[Any, ...]) -> psycopg.Cursor[Any]:
        """Ask over a connection that is kept: who waits for something in the database asks 50 times a second."""
        assert self.database_url is not None
        if self._database is not None:
            with suppress(psycopg.OperationalError):  # the database was away since then
                return self._database.execute(query.encode(), values or None)
            self._leave_database()
        self._database = psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row)
        return self._database.execute(query.encode(), values or None)

    def _leave_database(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def runs(self) -> list[dict[str, Any]]:
        """Give all runs, oldest first."""
        return self.rows("SELECT * FROM runs ORDER BY created_at, id")

    def wait_for_runs(self, number: int = 1, *, within: float = TIME_LIMIT) -> list[dict[str, Any]]:
        """Wait until there are so many runs, and all of them are done; gives them, oldest first."""

        def done() -> list[dict[str, Any]] | None:
            found = self.runs()
            ended = all(
                run["status"] in {"finished", "cancelled"} and run["publishing"] != "pending" for run in found
            )
            return found if len(found) >= number and ended else None

        runs: list[dict[str, Any]] = self.wait_until(done, f"{number} runs are done", within=within)
        return runs

    def wait_until(self, condition: Callable[[], Any], what: str, *, within: float = TIME_LIMIT) -> Any:
        """Wait until something is so.

        Raises:
            AssertionError: it isn't in time, or the process ended.
        """
        return wait_until(condition, what, within=within, context=self.output)


class LocalReceiver(ReceiverProcess):
    """A receiver whose web side is served by threads of the test, and whose worker, if it has one, is a process.

    It starts in a third of the time that `serve` takes. What gunicorn does, and what `serve` does for its processes
    (start them again, stop them), is for `ReceiverProcess`.

    Args:
        command: `serve` for both sides, `web` for one without a worker.
    """

    _served: Served | None = None

    def start(self) -> None:
        """Start both sides, and wait until the worker works."""
        self._web_log = self.folder / "web-in-the-test.log"
        self._log_file = self._web_log.open("a", encoding="utf-8")
        self._structlog = structlog.get_config()
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.dict_tracebacks,
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.PrintLoggerFactory(self._log_file),
        )
        self._receiver = Receiver(
            settings=load(self.config, self._environment),
            pool=open_pool(self._environment["DATABASE_URL"], size=8),
            tokens=Tokens(TOKENS, self._environment),
            api_tokens=Tokens(API_TOKENS, self._environment, for_api=True),
            webhook_secret=secret(WEBHOOK_SECRET, self._environment),
        )
        self._served = Served(create_app(self._receiver))
        self.url = self._served.url
        if self._command == "serve":
            self._command = "worker"
        if self._command == "worker":
            super().start()

    def stop(self) -> int:
        """Stop both sides, and return the worker's exit status."""
        if self._served is not None:
            self._served.close()
            self._served = None
            self._receiver.close()
            structlog.configure(**self._structlog)
            self._log_file.close()
        self.session.close()
        return super().stop() if self.process is not None else 0

    def _outputs(self) -> list[str]:
        """Give what each side has printed and logged."""
        return [*super()._outputs(), _text(self._web_log)]

    def workers(self) -> list[psutil.Process]:
        """Give its worker."""
        return [psutil.Process(self.process.pid)] if self.process is not None else []


def wait_until(
    condition: Callable[[], Any],
    what: str,
    *,
    within: float = TIME_LIMIT,
    context: Callable[[], str] = str,
) -> Any:
    """Wait until something is so, and return it."""
    end = time.monotonic() + within
    pause = threading.Event()
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {within:g} s: {what}\n{context()[-6000:]}")
        pause.wait(0.02)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process still does something."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def command_line(process: psutil.Process) -> list[str]:
    """Give the words of a process's command line; none if it has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []
