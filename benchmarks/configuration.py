"""What a configuration of many providers costs: to read it, to check it, and to reload it.

    python -m benchmarks.configuration [--providers 1 100 1000] [--quick] [--json FILE]

Each provider stands in a file of its own in `conf.d`, is checked out and started for each run, and has a secret. The
reload is that of a `serve` with two web processes and a worker, on an embedded database: how long the command takes in
all, and how long a dispatch has to wait meanwhile at most. Lookups are those of a dispatch: by repository, and by name.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.config.file import load
from tests.support.processes import BIN
from tests.support.receiver import ReceiverProcess, configuration

BROKER = "http://127.0.0.1:9"
SECRET = "BENCHMARK_SECRET"
COLUMNS = ("load", "lookup", "check-config", "reload", "slowest dispatch")


def provider(number: int) -> str:
    """Return the file of a provider."""
    name = f"Provider {number}"
    text = configuration(
        "",
        {
            "name": name,
            "repository": f"acme/provider-{number}",
            "branch": "main",
            "timeout": 600,
            "states_setup_url": "http://127.0.0.1:{port}/_states",
            "checkout": {
                "url": f"https://github.com/acme/provider-{number}",
                "setup": "uv sync",
                "command": "uv run provider --port {port}",
                "cache_key_files": ["uv.lock"],
                "cache_paths": [".venv"],
            },
            "environment": {"DATABASE_PASSWORD": {"env": SECRET}},
        },
    )
    return text[text.index("[[") :]


class Dispatches:
    """Sends dispatches until it is told to end, and notes the longest time that one has taken."""

    def __init__(self, receiver: ReceiverProcess) -> None:
        self.slowest = 0.0
        self._receiver = receiver
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def end(self) -> None:
        """End."""
        self._ending.set()
        self._thread.join()

    def _send(self) -> None:
        url = f"{BROKER}/pacts/provider/Provider%200/consumer/C/version/1"
        while not self._ending.wait(0.005):
            started = time.monotonic()
            self._receiver.dispatch(url, repository="acme/provider-0").raise_for_status()
            self.slowest = max(self.slowest, time.monotonic() - started)


def measure(folder: Path, providers: int) -> dict[str, float]:
    """Return the seconds."""
    folder.chmod(0o755)  # where root runs this, the database is another account's
    (folder / "conf.d").mkdir()
    for number in range(providers):
        (folder / "conf.d" / f"{number:05}.toml").write_text(provider(number), encoding="utf-8")
    environment = {**os.environ, SECRET: "a-value", "PACT_DISPATCH_TOKENS": "broker:a-token-of-the-broker"}
    config = configuration(BROKER, server={"processes": 2}, worker={"retry_seconds": [3600]})
    with ReceiverProcess(folder, config, environment={SECRET: "a-value"}) as receiver:
        started = time.monotonic()
        settings = load(receiver.config, environment)
        found = {"load": time.monotonic() - started}
        started = time.monotonic()
        for one in settings.providers:
            assert settings.provider_of(one.repository) is settings.provider_named(one.name) is one
        found["lookup"] = (time.monotonic() - started) / providers
        place = ["--config", str(receiver.config), "--data-dir", str(folder / "data")]
        for command in ("check-config", "reload"):
            (folder / "conf.d" / "new.toml").write_text(provider(providers), encoding="utf-8")
            dispatches = Dispatches(receiver)
            started = time.monotonic()
            subprocess.run(
                [BIN / "pact-dispatch", command, *place], check=True, capture_output=True, env=environment
            )
            found[command] = time.monotonic() - started
            dispatches.end()
        found["slowest dispatch"] = dispatches.slowest
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--providers", type=int, nargs="+", default=[1, 100, 1000], metavar="N")
    parser.add_argument("--quick", action="store_true", help="1 and 20 providers")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    table = Table(title="seconds")
    for column in ("providers", *COLUMNS):
        table.add_column(column)
    figures = {}
    for providers in [1, 20] if options.quick else options.providers:
        with tempfile.TemporaryDirectory() as folder:
            figures[providers] = found = measure(Path(folder), providers)
        table.add_row(
            str(providers),
            *(f"{found[column]:.3f}" if column != "lookup" else f"{found[column]:.6f}" for column in COLUMNS),
        )
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
