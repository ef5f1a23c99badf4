"""A Pact Broker to test with: in the test's own process, or as `pact-dispatch broker` where that matters."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self
from unittest.mock import patch

import requests

from app.cli import main
from broker.embedded import server
from broker.embedded.application import create_app
from broker.embedded.deliveries.threads import THREADS, Deliveries
from broker.embedded.storage.database import Database
from broker.embedded.storage.encryption import KEY_VARIABLE, Vault
from broker.embedded.webhooks.records import check_key
from broker.embedded.webhooks.settings import TIMEOUT_SECONDS
from tests.support.served import Served

if TYPE_CHECKING:
    from types import TracebackType

BIN = Path(sys.executable).parent
TIME_LIMIT = 60.0


class EmbeddedBroker:
    """The embedded broker's application and its deliveries, served by a thread of the test until the end of `with`.

    It takes the options of `pact-dispatch broker`, as its command reads them. It starts in a twentieth of the time
    that a process takes; what only a process can show (its output, a kill, gunicorn) is for `BrokerProcess`.
    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        database: str = "broker.sqlite3",
        webhook_timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self.directory = directory
        self.database = directory / database
        self._webhook_timeout = webhook_timeout
        self.url = ""
        self.session = requests.Session()
        self.session.trust_env = False
        self._options = options
        self._served: Served | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, again if need be."""
        arguments = ["broker", "--bind", "127.0.0.1:0", "--database", str(self.database), *self._options]
        with patch.object(server, "serve") as serve:
            assert main(arguments) == 0, arguments
        settings: server.Settings = serve.call_args.args[0]
        webhooks = replace(settings.webhooks, timeout_seconds=self._webhook_timeout)
        self._database = Database(settings.database, connections=server.THREADS + THREADS)
        vault = Vault(
            os.environ.get(KEY_VARIABLE), settings.database.with_name(f"{settings.database.name}.key")
        )
        self._database.prepare()
        check_key(self._database, vault)
        app = create_app(
            self._database,
            vault=vault,
            base_url=settings.base_url,
            webhooks_as=webhooks,
            accounts=settings.accounts,
            hosts=settings.served_hosts(settings.host),
        )
        self._deliveries = Deliveries(self._database, vault, webhooks)
        app.on_triggered = self._deliveries.wake
        self._deliveries.start()
        self._served = Served(app)
        self.url = self._served.url

    def stop(self) -> int:
        """Stop it, and return the exit status that a process would have."""
        self.session.close()
        if self._served is not None:
            self._served.close()
            self._served = None
            self._deliveries.stop(server.STOP_SECONDS)
            self._database.close()
        return 0

    def publish(
        self,
        pact: dict[str, Any],
        version: str,
        branch: str | None = None,
        tags: tuple[str, ...] = (),
        build_url: str | None = None,
    ) -> dict[str, Any]:
        """Publish a pact by a real HTTP request, and return the broker's answer."""
        consumer, provider = pact["consumer"]["name"], pact["provider"]["name"]
        body = {
            "pacticipantName": consumer,
            "pacticipantVersionNumber": version,
            "branch": branch,
            "tags": list(tags),
            "buildUrl": build_url,
            "contracts": [
                {
                    "consumerName": consumer,
                    "providerName": provider,
                    "specification": "pact",
                    "contentType": "application/json",
                    "content": base64.b64encode(json.dumps(pact).encode()).decode(),
                }
            ],
        }
        response = self.session.post(f"{self.url}/contracts/publish", json=body, timeout=TIME_LIMIT)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def get(self, path: str, **options: Any) -> requests.Response:
        """Send a GET to a path or a URL of the broker."""
        return self.request("GET", path, **options)

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request to a path or a URL of the broker."""
        url = path if path.startswith("http") else f"{self.url}{path}"
        options.setdefault("timeout", TIME_LIMIT)
        return self.session.request(method, url, **options)


class BrokerProcess(EmbeddedBroker):
    """`pact-dispatch broker` as a real process, on a free port, until the end of the `with` block."""

    def __init__(self, directory: Path, *options: str, database: str = "broker.sqlite3") -> None:
        super().__init__(directory, *options, database=database)
        self.log = directory / "broker.log"
        self._process: subprocess.Popen[str] | None = None
        self._heard = threading.Condition()
        self._output: list[str] = []
        self._silent = False

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process; it was started."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it, again if need be, and wait until it listens."""
        command = [str(BIN / "pact-dispatch"), "broker", "--bind", "127.0.0.1:0"]
        command += ["--database", str(self.database), *self._options]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        assert self._process.stdout is not None
        self._output, self._silent = [], False
        self._listener = threading.Thread(target=self._listen, args=[self._process.stdout], daemon=True)
        self._listener.start()
        self.url = self.wait_for_output(r"listening on (http://\S+),")[1]

    def stop(self) -> int:
        """Stop it as a service manager does, and return its exit status."""
        self.session.close()
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it and its worker without warning."""
        self._end(signal.SIGKILL)

    def wait_for_output(self, pattern: str) -> re.Match[str]:
        """Wait until it has printed a line with the pattern since it was started, and return the match."""

        def found() -> re.Match[str] | None:
            return next((match for line in self._output if (match := re.search(pattern, line))), None)

        with self._heard:
            self._heard.wait_for(lambda: found() or self._silent, TIME_LIMIT)
            match = found()
        if match is None:
            self.kill()
            raise AssertionError(f"no {pattern!r} in {self._output}; errors: {self.log.read_text()}")
        return match

    def _listen(self, stdout: IO[str]) -> None:
        """Keep what the process prints: it must never wait for a reader."""
        for line in stdout:
            with self._heard:
                self._output.append(line)
                self._heard.notify_all()
        with self._heard:
            self._silent = True
            self._heard.notify_all()

    def _end(self, kind: signal.Signals) -> int:
        process = self.process
        if process.poll() is None:
            if kind is signal.SIGKILL:
                os.killpg(process.pid, kind)
            else:
                process.send_signal(kind)
        status = process.wait(TIME_LIMIT)
        self._listener.join(TIME_LIMIT)
        if process.stdout is not None:
            process.stdout.close()
        return status
