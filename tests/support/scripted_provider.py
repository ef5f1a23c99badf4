"""A provider for tests, as a real process: it behaves, or misbehaves, as its options say.

`GET /things/N` answers `{"id": N, "name": "thing"}`; `/hang` never answers; `/_states` takes any state but "refused".
With `--notes FILE` it writes down when it begins and ends with each request for a thing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Answers as the options say."""

    options: argparse.Namespace
    served = 0
    noting = threading.Lock()

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(503 if self.options.never_ready else 200, {"status": "ok"})
            return
        self._note("begin")
        type(self).served += 1
        if self.options.die_after is not None and type(self).served > self.options.die_after:
            print("fatal: out of memory", flush=True)
            os._exit(7)
        if self.path.startswith("/hang"):
            threading.Event().wait()
        elif self.path.startswith("/redirect"):
            time.sleep(self.options.takes)
            self.send_response(302)
            self.send_header("Location", f"{self.options.redirect_to}/things/1")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.startswith("/things/"):
            time.sleep(self.options.takes)
            while type(self).served > 1 and self.options.holds_on and Path(self.options.holds_on).exists():
                time.sleep(0.02)
            self._note("end")  # before the answer, after which the next request may begin
            self._answer(200, {"id": int(self.path.rsplit("/", 1)[1]), "name": "thing"})
        else:
            self._answer(404, {"error": "not found"})

    def do_POST(self) -> None:
        change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.startswith("/_messages"):
            self._answer(200, {"id": 1, "name": change["description"]})
        elif change.get("state") == "refused":
            self._answer(500, {"error": "no such state here"})
        else:
            self._answer(200, {})

    def _note(self, what: str) -> None:
        if self.options.notes is not None:
            with self.noting, Path(self.options.notes).open("a", encoding="utf-8") as notes:
                notes.write(f"{time.time():.6f} {what} {self.path}\n")

    def _answer(self, status: int, document: object) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # whoever asked may have been killed
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        if self.options.talkative:
            print(
                format % args, *sorted(f"{name}: {value}" for name, value in self.headers.items()), flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "0")))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--die-after", type=int)
    parser.add_argument("--never-ready", action="store_true")
    parser.add_argument("--exit-at-once", action="store_true")
    parser.add_argument("--stubborn", action="store_true", help="ignores SIGTERM")
    parser.add_argument("--grandchild", help="starts a process, and writes its id to this file")
    parser.add_argument("--redirect-to", default="")
    parser.add_argument("--talkative", action="store_true")
    parser.add_argument("--takes", type=float, default=0.0, help="seconds, for each thing and redirect")
    parser.add_argument(
        "--holds-on", help="answers but the first thing are held back while there is this file"
    )
    parser.add_argument("--notes", help="requests for things are written down in this file")
    options = parser.parse_args()
    Handler.options = options
    if options.exit_at_once:
        print("fatal: no database", flush=True)
        sys.exit(4)
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.grandchild:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(options.grandchild).write_text(str(child.pid), encoding="utf-8")
    server = ThreadingHTTPServer((options.host, options.port), Handler)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
