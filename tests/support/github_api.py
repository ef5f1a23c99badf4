"""GitHub's REST API, as far as it is used here: a server on loopback that checks what it is sent.

Each request must be one that GitHub's own description allows (`github_description`).
It answers as GitHub documents it, refuses what GitHub refuses, and keeps what GitHub would call malformed in
`problems`, which must be empty when the `with` block ends.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import jsonschema
import jwt

from tests.support.github_state import READ, WRITE, App, Repository, Token
from tests.support.loopback import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler
    from types import TracebackType

TIME_LIMIT = 60.0
LARGEST = 64 * 1024
DOCUMENTATION = "https://docs.github.com/rest"
SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

DISPATCH = {
    "type": "object",
    "required": ["event_type"],
    "additionalProperties": False,
    "properties": {
        "event_type": {"type": "string", "minLength": 1, "maxLength": 100},
        "client_payload": {"type": "object", "maxProperties": 10},
    },
}
WORKFLOW_DISPATCH = {
    "type": "object",
    "required": ["ref"],
    "additionalProperties": False,
    "properties": {
        "ref": {"type": "string"},
        "inputs": {"type": "object", "maxProperties": 25, "additionalProperties": {"type": "string"}},
    },
}
STATUS = {
    "type": "object",
    "required": ["state"],
    "additionalProperties": False,
    "properties": {
        "state": {"enum": ["error", "failure", "pending", "success"]},
        "target_url": {"type": ["string", "null"], "pattern": "^https?://"},
        "description": {"type": ["string", "null"], "maxLength": 140},
        "context": {"type": "string", "maxLength": 255},
    },
}
ACCESS_TOKEN = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "repositories": {"type": "array"},
        "repository_ids": {"type": "array"},
        "permissions": {"type": "object"},
    },
}


@dataclass(frozen=True)
class Asked:
    """A request, and what it was answered (0: the connection was cut)."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    answered: int


@dataclass
class Fault:
    """What happens to requests of a method whose path has a pattern, `times` times.

    Attributes:
        status: what is answered; 0: the connection is cut.
        after: the request is carried out all the same, before that.
        until: the answer waits for it.
    """

    method: str
    path: str
    status: int = 0
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1_000_000
    after: bool = False
    until: threading.Event | None = None

    @classmethod
    def secondary_rate_limit(cls, seconds: int, *, times: int = 1, status: int = 403) -> Fault:
        """GitHub's answer to too many writes at once."""
        message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        return cls("POST", "", status, message, {"Retry-After": str(seconds)}, times)


@dataclass(frozen=True)
class Answer:
    """An answer."""

    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """GitHub's way of saying no."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        headers = more.pop("headers", {})
        document = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status), **more}
        self.answer = Answer(status, document, headers)


@dataclass(frozen=True)
class _Request:
    """A request whose sender is known."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    token: Token | None
    app: App | None
    by_number: bool = False


class GitHubApi(LoopbackServer):
    """The server, on a free port of loopback; `stop` and `start` let it be away for a while.

    Args:
        repositories: that there are.
        tokens: that there are.
        app: that there is.
        prefix: `/api/v3`, as a GitHub Enterprise Server has it.
    """

    protocol_version = "HTTP/1.1"

    def __init__(
        self,
        *repositories: Repository,
        tokens: tuple[Token, ...] = (),
        app: App | None = None,
        prefix: str = "",
    ) -> None:
        super().__init__()
        self.repositories = {repository.full_name.lower(): repository for repository in repositories}
        self.tokens = list(tokens)
        self.app = app
        self.prefix = prefix
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self.problems: list[str] = []
        self.remaining, self.limit, self.reset = 4999, 5000, int(time.time()) + 3600
        self.moves_at: str | None = None
        """The URL that redirects for repositories that were moved lead to; this one's unless it is set."""
        self._heard = threading.Condition()
        self._number = 0
        self._routes: list[tuple[str, str, Callable[..., Answer]]] = [
            ("POST", r"/repos/([^/]+/[^/]+)/dispatches", self._dispatch),
            ("POST", r"/repos/([^/]+/[^/]+)/actions/workflows/([^/]+)/dispatches", self._start_workflow),
            ("POST", r"/repos/([^/]+/[^/]+)/statuses/([^/]+)", self._set_status),
            ("GET", r"/repos/([^/]+/[^/]+)/commits/([^/]+)/status(?:es)?", self._statuses),
            ("GET", r"/repos/([^/]+/[^/]+)/commits/([^/]+)", self._commit),
            ("GET", r"/repos/([^/]+/[^/]+)/contents/(.*)", self._contents),
            ("GET", r"/repos/([^/]+/[^/]+)/actions/workflows", self._workflows),
            ("GET", r"/repos/([^/]+/[^/]+)/actions(?:/workflows/([^/]+))?/runs", self._runs),
            ("GET", r"/repos/([^/]+/[^/]+)/actions/runs/(\d+)", self._run),
            ("GET", r"/repos/([^/]+/[^/]+)/installation", self._installation),
            ("GET", r"/repos/([^/]+/[^/]+)", self._repository),
            ("POST", r"/app/installations/(\d+)/access_tokens", self._access_token),
            ("GET", r"/app", self._app),
            ("GET", r"/user", self._user),
            ("GET", r"/rate_limit", self._rate_limit),
        ]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None:
            assert not self.problems, self.problems

    @property
    def url(self) -> str:
        """The API's base URL."""
        return super().url + self.prefix

    def repository(self, name: str) -> Repository:
        """Give a repository that is there."""
        return self.repositories[name.lower()]

    def wait_for(self, what: Callable[[], Any], seconds: float = TIME_LIMIT) -> None:
        """Wait until something holds that a request brings about."""
        with self._heard:
            met = self._heard.wait_for(what, seconds)
        assert met, [(asked.method, asked.path, asked.answered) for asked in self.asked]

    def count(self, method: str, path: str, answered: int | None = None) -> int:
        """Count the requests of a method whose path has a pattern."""
        return sum(
            asked.method == method
            and re.search(path, asked.path) is not None
            and answered in {None, asked.answered}
            for asked in self.asked
        )

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Serve one request."""
        headers = {name.lower(): value for name, value in handler.headers.items()}
        fault = self._fault(handler.command, handler.path)
        if fault is not None and fault.until is not None:
            fault.until.wait(TIME_LIMIT)
        with self._heard:
            if fault is None or fault.after:
                answer = self._answer(handler.command, handler.path, headers, body)
            if fault is not None:
                document = (
                    {"message": fault.message, "documentation_url": DOCUMENTATION} if fault.message else None
                )
                answer = Answer(fault.status, document, fault.headers)
            sent: Any = body.decode(errors="replace")
            with suppress(ValueError):
                sent = json.loads(body)
            self.asked.append(Asked(handler.command, handler.path, headers, sent, answer.status))
            self._number += 1
            number = self._number
            self._heard.notify_all()
        if answer.status == 0:
            handler.close_connection = True
            return
        content = b"" if answer.document is None else json.dumps(answer.document).encode()
        with suppress(ConnectionError):  # who asked may have gone
            handler.send_response(answer.status)
            handler.send_header("X-GitHub-Request-Id", f"ABCD:{number}")
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            if content:
                handler.send_header("Content-Type", "application/json; charset=utf-8")
            if answer.status != 204:
                handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)

    def _fault(self, method: str, path: str) -> Fault | None:
        with self._heard:
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None

    def _answer(self, method: str, target: str, headers: dict[str, str], raw: bytes) -> Answer:
        parts = urlsplit(target)
        token: Token | None = None
        try:
            if not parts.path.startswith(self.prefix):
                raise Refused(404, "Not Found")
            if not headers.get("user-agent"):
                self._problem(f"{method} {target} has no User-Agent")
                raise Refused(403, "Request forbidden by administrative rules.")
            accept = headers.get("accept", "*/*")
            if not re.search(r"\*/\*|application/(vnd\.github\S*|json)", accept):
                self._problem(f"{method} {target} accepts {accept}")
                raise Refused(415, "Unsupported 'Accept' header")
            token, app = self._who(headers.get("authorization"))
            if self.remaining <= 0 and parts.path != f"{self.prefix}/rate_limit":
                raise Refused(403, "API rate limit exceeded for user ID 1.")
            self.remaining -= 1
            path = unquote(parts.path.removeprefix(self.prefix))
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            body = self._body(method, target, headers, raw)
            path, by_number = self._named(path)
            request = _Request(method, path, query, body, token, app, by_number)
            for route_method, pattern, route in self._routes:
                match = re.fullmatch(pattern, path)
                if match and route_method == method:
                    answer = route(request, *match.groups())
                    break
            else:
                self._problem(f"{method} {target} is not played here")
                raise Refused(404, "Not Found")
        except Refused as refused:
            answer = refused.answer
        return Answer(answer.status, answer.document, {**self._headers(token), **answer.headers})

    def _named(self, path: str) -> tuple[str, bool]:
        """Give a path with the name of a repository for its number, and whether it had that."""
        match = re.fullmatch(r"/repositories/(\d+)(/.*)?", path)
        if match is None:
            return path, False
        names = [repository.full_name for repository in self.repositories.values()]
        if not 0 < int(match[1]) <= len(names):
            raise Refused(404, "Not Found")
        return f"/repos/{names[int(match[1]) - 1]}{match[2] or ''}", True

    def _headers(self, token: Token | None) -> dict[str, str]:
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(self.remaining, 0)),
            "X-RateLimit-Reset": str(self.reset),
            "X-GitHub-Media-Type": "github.v3; format=json",
        }
        if token is not None and token.expires is not None:
            headers["GitHub-Authentication-Token-Expiration"] = f"{token.expires:%Y-%m-%d %H:%M:%S} UTC"
        if token is not None and token.classic:
            scopes = {"contents": "repo", "statuses": "repo:status", "actions": "workflow"}
            headers["X-OAuth-Scopes"] = ", ".join(scopes[right] for right in token.rights if right in scopes)
        return headers

    def _who(self, given: str | None) -> tuple[Token | None, App | None]:
        if given is None:
            return None, None
        scheme, _, value = given.partition(" ")
        if scheme.lower() not in {"bearer", "token"}:
            raise Refused(401, "Bad credentials")
        if value.count(".") == 2:
            return None, self._app_of(value)
        issued = self.app.issued if self.app else []
        for token in (*self.tokens, *issued):
            expired = token.expires is not None and token.expires <= datetime.now(UTC)
            if token.value == value and not token.revoked and not expired:
                return token, None
        raise Refused(401, "Bad credentials")

    def _app_of(self, value: str) -> App:
        if self.app is None:
            raise Refused(401, "A JSON web token could not be decoded")
        try:
            claims = jwt.decode(
                value, self.app.public_key, ["RS256"], options={"require": ["iat", "exp", "iss"]}
            )
        except jwt.InvalidTokenError:
            raise Refused(401, "A JSON web token could not be decoded") from None
        if str(claims["iss"]) != self.app.id:
            raise Refused(401, "Integration not found")
        if claims["exp"] - time.time() > 600:
            raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")
        return self.app

    def _body(self, method: str, target: str, headers: dict[str, str], raw: bytes) -> Any:
        if method == "GET":
            if raw:
                self._problem(f"GET {target} has a body")
            return None
        if len(raw) > LARGEST:
            self._problem(f"{method} {target} has {len(raw)} bytes")
            raise Refused(413, "Payload Too Large")
        if raw and not headers.get("content-type", "").startswith("application/json"):
            self._problem(f"{method} {target} has the Content-Type {headers.get('content-type')}")
        try:
            return json.loads(raw) if raw else {}
        except ValueError:
            self._problem(f"{method} {target} is no JSON")
            raise Refused(400, "Problems parsing JSON") from None

    def _problem(self, text: str) -> None:
        self.problems.append(text)

    def _check(self, request: _Request, schema: dict[str, Any], resource: str) -> dict[str, Any]:
        errors = list(jsonschema.Draft202012Validator(schema).iter_errors(request.body))
        if errors:
            self._problem(f"{request.method} {request.path}: {errors[0].message}")
            fields = [
                {"resource": resource, "code": "custom", "field": error.json_path, "message": error.message}
                for error in errors
            ]
            raise Refused(422, "Validation Failed", errors=fields)
        body: dict[str, Any] = request.body
        return body

    def _seen(self, request: _Request, name: str, right: str, level: str) -> Repository:
        """Find the repository that the sender may do this to, or refuse as GitHub does."""
        repository = self.repositories.get(name.lower())
        token = request.token
        if repository is None or (repository.private and (token is None or not token.sees(repository))):
            raise Refused(404, "Not Found")
        if repository.moved_to is not None and not request.by_number:
            status, message = (
                (301, "Moved Permanently") if request.method == "GET" else (307, "Temporary Redirect")
            )
            number = list(self.repositories).index(name.lower()) + 1
            query = f"?{urlencode(request.query)}" if request.query else ""
            rest = request.path.removeprefix(f"/repos/{name}")
            location = f"{self.moves_at or self.url}/repositories/{number}{rest}{query}"
            raise Refused(status, message, url=location, headers={"Location": location})
        if (level == READ and not repository.private) or (token is not None and token.may(right, level)):
            return repository
        if token is None or token.classic:
            raise Refused(404, "Not Found")
        kind = "integration" if token.value.startswith("ghs_") else "personal access token"
        accepted = {"X-Accepted-GitHub-Permissions": f"{right}={level}"}
        raise Refused(403, f"Resource not accessible by {kind}", headers=accepted)

    def _dispatch(self, request: _Request, name: str) -> Answer:
        repository = self._seen(request, name, "contents", WRITE)
        repository.dispatch(self._check(request, DISPATCH, "RepositoryDispatch"))
        return Answer(204)

    def _start_workflow(self, request: _Request, name: str, workflow: str) -> Answer:
        repository = self._seen(request, name, "actions", WRITE)
        path = f".github/workflows/{workflow}"
        if path not in repository.workflows():
            raise Refused(404, "Not Found")
        body = self._check(request, WORKFLOW_DISPATCH, "WorkflowDispatch")
        if body["ref"].removeprefix("refs/heads/") != repository.default_branch:
            raise Refused(422, f"No ref found for: {body['ref']}")
        problem = repository.start_workflow(path, body)
        if problem is not None:
            raise Refused(422, problem)
        return Answer(204)

    def _set_status(self, request: _Request, name: str, sha: str) -> Answer:
        repository = self._seen(request, name, "statuses", WRITE)
        body = self._check(request, STATUS, "Status")
        if not SHA.fullmatch(sha):
            self._problem(f"{sha} is no full commit id")
            raise Refused(
                422, "Validation Failed", errors=[{"resource": "Status", "code": "custom", "field": "sha"}]
            )
        if repository.commits is not None and sha not in repository.commits:
            raise Refused(422, f"No commit found for SHA: {sha}")
        repository.statuses.append({"sha": sha, "context": "default", **body})
        return Answer(201, self._status(repository, len(repository.statuses) - 1))

    def _statuses(self, request: _Request, name: str, sha: str) -> Answer:
        repository = self._seen(request, name, "statuses", READ)
        numbers = [n for n, status in enumerate(repository.statuses) if status["sha"] == sha]
        return Answer(200, [self._status(repository, number) for number in reversed(numbers)])

    def _status(self, repository: Repository, number: int) -> dict[str, Any]:
        url = f"{self.url}/repos/{repository.full_name}/statuses/{repository.statuses[number]['sha']}"
        return {"id": number + 1, "url": url, **repository.statuses[number]}

    def _commit(self, request: _Request, name: str, ref: str) -> Answer:
        repository = self._seen(request, name, "contents", READ)
        sha = repository.head if ref == repository.default_branch else ref
        if repository.commits is not None and sha not in {*repository.commits, repository.head}:
            raise Refused(422, f"No commit found for SHA: {ref}")
        return Answer(200, {"sha": sha, "url": f"{self.url}/repos/{repository.full_name}/commits/{sha}"})

    def _contents(self, request: _Request, name: str, path: str) -> Answer:
        repository = self._seen(request, name, "contents", READ)
        ref = request.query.get("ref", repository.default_branch)
        if ref not in {repository.default_branch, repository.head}:
            raise Refused(404, f"No commit found for the ref {ref}")
        path = path.strip("/")
        if path in repository.files:
            return Answer(200, self._file(repository, path))
        below = sorted(file for file in repository.files if file.startswith(f"{path}/") or not path)
        if not below:
            raise Refused(404, "Not Found")
        names = sorted({file.removeprefix(path).lstrip("/").split("/", 1)[0] for file in below})
        members = [f"{path}/{member}".lstrip("/") for member in names]
        listed = [self._file(repository, member) for member in members if member in repository.files]
        return Answer(200, [{k: v for k, v in f.items() if k not in {"content", "encoding"}} for f in listed])

    def _file(self, repository: Repository, path: str) -> dict[str, Any]:
        content = repository.files[path].encode()
        return {
            "type": "file",
            "name": path.rsplit("/", 1)[-1],
            "path": path,
            "sha": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
            "size": len(content),
            "encoding": "base64",
            "content": base64.encodebytes(content).decode(),
            "url": f"{self.url}/repos/{repository.full_name}/contents/{path}?ref={repository.default_branch}",
        }

    def _workflows(self, request: _Request, name: str) -> Answer:
        repository = self._seen(request, name, "actions", READ)
        workflows = [
            {
                "id": number,
                "name": path.rsplit("/", 1)[-1],
                "path": path,
                "state": "disabled_manually" if path in repository.disabled_workflows else "active",
                "url": f"{self.url}/repos/{repository.full_name}/actions/workflows/{number}",
            }
            for number, path in enumerate(sorted(repository.workflows()), start=1)
        ]
        return Answer(200, {"total_count": len(workflows), "workflows": workflows})

    def _runs(self, request: _Request, name: str, workflow: str | None) -> Answer:
        repository = self._seen(request, name, "actions", READ)
        paths = sorted(repository.workflows())
        runs = repository.runs
        if workflow is not None:
            path = paths[int(workflow) - 1] if workflow.isdecimal() else f".github/workflows/{workflow}"
            runs = [run for run in runs if run.path == path]
        if "event" in request.query:
            runs = [run for run in runs if run.event == request.query["event"]]
        found = [self._workflow_run(repository, run.id) for run in reversed(runs)]
        return Answer(200, {"total_count": len(found), "workflow_runs": found})

    def _run(self, request: _Request, name: str, number: str) -> Answer:
        repository = self._seen(request, name, "actions", READ)
        if int(number) not in {run.id for run in repository.runs}:
            raise Refused(404, "Not Found")
        return Answer(200, self._workflow_run(repository, int(number)))

    def _workflow_run(self, repository: Repository, number: int) -> dict[str, Any]:
        run = next(run for run in repository.runs if run.id == number)
        return {
            "id": run.id,
            "name": run.path.rsplit("/", 1)[-1],
            "path": run.path,
            "event": run.event,
            "status": run.status,
            "conclusion": run.conclusion,
            "head_branch": run.head_branch,
            "head_sha": run.head_sha,
            "created_at": f"{run.created_at:%Y-%m-%dT%H:%M:%SZ}",
            "updated_at": f"{run.created_at:%Y-%m-%dT%H:%M:%SZ}",
            "url": f"{self.url}/repos/{repository.full_name}/actions/runs/{run.id}",
            "html_url": f"https://github.com/{repository.full_name}/actions/runs/{run.id}",
        }

    def _repository(self, request: _Request, name: str) -> Answer:
        repository = self._seen(request, name, "metadata", READ)
        owner, short = repository.full_name.split("/")
        push = request.token is not None and request.token.may("contents", WRITE)
        return Answer(
            200,
            {
                "id": 1,
                "name": short,
                "full_name": repository.moved_to or repository.full_name,
                "private": repository.private,
                "archived": repository.archived,
                "default_branch": repository.default_branch,
                "owner": {"login": owner, "id": 1, "type": "Organization"},
                "url": f"{self.url}/repos/{repository.full_name}",
                "html_url": f"https://github.com/{repository.full_name}",
                "permissions": {"admin": False, "push": push, "pull": True},
            },
        )

    def _installation(self, request: _Request, name: str) -> Answer:
        if request.app is None:
            raise Refused(401, "A JSON web token could not be decoded")
        number = request.app.installation_of(name)
        if number is None:
            raise Refused(404, "Not Found")
        return Answer(200, {"id": number, "app_id": 1, "permissions": request.app.rights})

    def _access_token(self, request: _Request, number: str) -> Answer:
        if request.app is None:
            raise Refused(401, "A JSON web token could not be decoded")
        asked = self._check(request, ACCESS_TOKEN, "InstallationToken")
        if int(number) not in request.app.installations:
            raise Refused(404, "Not Found")
        try:
            token = request.app.issue(int(number), asked.get("repositories"), asked.get("permissions"))
        except LookupError as error:
            raise Refused(422, str(error)) from None
        assert token.expires is not None
        expires = f"{token.expires:%Y-%m-%dT%H:%M:%SZ}"
        return Answer(201, {"token": token.value, "expires_at": expires, "permissions": token.rights})

    def _app(self, request: _Request) -> Answer:
        if request.app is None:
            raise Refused(401, "A JSON web token could not be decoded")
        return Answer(200, {"id": 1, "slug": "pact-dispatch", "permissions": request.app.rights})

    def _user(self, request: _Request) -> Answer:
        if request.token is None:
            raise Refused(401, "Requires authentication")
        return Answer(200, {"id": 1, "login": "octocat", "type": "User"})

    def _rate_limit(self, _: _Request) -> Answer:
        core = {"limit": self.limit, "remaining": max(self.remaining, 0), "reset": self.reset, "used": 0}
        return Answer(200, {"resources": {"core": core}, "rate": core})
