"""Repositories to check out from, on disk and over HTTP."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from typing import TYPE_CHECKING

from tests.support.loopback import LoopbackServer

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path


class Origin:
    """A repository that a team pushes to."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", *options)
        self.git("config", "user.name", "Dev")
        self.git("config", "user.email", "dev@example.org")

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def commit(self, files: dict[str, str]) -> str:
        """Commit files, and return the commit's id."""
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str, text: str | None = None) -> str:
        return subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
        ).stdout.strip()


class GitServer(LoopbackServer):
    """An HTTP server for the repositories in a folder.

    Args:
        root: where they are.
        way: "smart", by git's protocol; "old", by its first version, which gives no commit by its id; "dumb", as
            files, as any web server can.
        credentials: USER:PASSWORD that it asks for.
        hang_on: answers to paths with this never come.
        status: it answers this to everything, if given.
        moved_to: it redirects to this origin, if given.
    """

    def __init__(
        self,
        root: Path,
        *,
        way: str = "smart",
        credentials: str | None = None,
        hang_on: str | None = None,
        status: int | None = None,
        moved_to: str | None = None,
    ) -> None:
        super().__init__()
        self.root = root
        self.way = way
        self.credentials = credentials
        self.hang_on = hang_on
        self.status = status
        self.moved_to = moved_to
        self.authorizations: list[str] = []
        self.reached = threading.Event()
        self._over = threading.Event()

    @property
    def host(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Be away, and let go of the requests that hang."""
        self._over.set()
        super().stop()

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer a request."""
        request = handler
        authorization = request.headers.get("Authorization")
        if authorization:
            self.authorizations.append(base64.b64decode(authorization.split()[1]).decode())
        if self.hang_on is not None and self.hang_on in request.path:
            self.reached.set()
            self._over.wait()
        elif self.status is not None:
            request.send_error(self.status)
        elif self.moved_to is not None:
            request.send_response(302)
            request.send_header("Location", f"{self.moved_to}{request.path}")
            request.end_headers()
        elif self.credentials is not None and self.credentials not in self.authorizations[-1:]:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="git"')
            request.end_headers()
        elif self.way != "dumb":
            self._git_backend(request, body)
        else:
            self._file(request)

    def _file(self, request: BaseHTTPRequestHandler) -> None:
        path = self.root / request.path.partition("?")[0].lstrip("/")
        if path.is_file():
            request.send_response(200)
            request.end_headers()
            request.wfile.write(path.read_bytes())
        else:
            request.send_error(404)

    def _git_backend(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        path, _, query = request.path.partition("?")
        environment = os.environ | {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", "") if self.way == "smart" else "",
            "REQUEST_METHOD": request.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        }
        # it ends with 1 when it tells the client of an error
        answer = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE, check=False
        ).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        request.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)
