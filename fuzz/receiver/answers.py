"""What the receiver may answer: what its OpenAPI document has, the dashboard's pages, and nothing not for people."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from app.web.api.openapi import document as openapi_document
from fuzz.outcomes import check_text
from fuzz.target import Violation

if TYPE_CHECKING:
    from werkzeug.routing import Map

NO_ROUTE = frozenset({400, 403, 404, 405, 308})
"""What a request is answered that no route takes."""
OF_PAGES = frozenset({200, 303, 400, 401, 403, 404, 405, 409, 413, 422})
"""What the routes of the dashboard answer."""


class Answered:
    """Checks answers against the OpenAPI document of the receiver, and those of the dashboard against what a page is.

    Args:
        routes: The routes of the receiver.
    """

    def __init__(self, routes: Map) -> None:
        self._routes = routes.bind("127.0.0.1")
        self._document = openapi_document()
        self._validators: dict[int, Any] = {}
        self._paths = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), item)
            for path, item in self._document["paths"].items()
        ]

    def check(self, method: str, path: str, status: int, headers: dict[str, str], body: bytes) -> None:
        """Raise unless an answer is one that is documented.

        Raises:
            Violation: It isn't.
        """
        path = "/" + path.removeprefix("/")
        where = f"{method} {path}"
        if status >= 500 and (path, status) != ("/readyz", 503):  # there is no worker
            raise Violation(f"status {status}", f"{where}: {body[:500]!r}")
        text = body.decode()
        check_text(text, "an answer")
        if self._is_of_dashboard(method, path):
            check_page(where, status, headers, text)
            return
        operations = [
            item.get(method.lower())
            for pattern, item in self._paths
            if pattern.fullmatch(path) and method.lower() in item
        ]
        if not operations:
            if status not in NO_ROUTE | {401} and method not in {"HEAD", "OPTIONS"}:
                raise Violation(f"status {status} of what is no route", where)
            return
        responses = operations[0]["responses"]
        if str(status) not in responses and status not in {400, 404, 405}:
            raise Violation(f"status {status} is not documented", where)
        if status >= 400 and path != "/readyz":
            self._check_problem(where, headers, text)
        content = responses.get(str(status), {}).get("content", {}).get("application/json")
        if content is not None and headers.get("content-type", "").startswith("application/json"):
            self._validator(content["schema"]).validate(json.loads(text))

    def _is_of_dashboard(self, method: str, path: str) -> bool:
        try:
            endpoint, _ = self._routes.match(path, method)
        except (HTTPException, RequestRedirect):
            return False
        return str(endpoint).startswith(("dashboard", "files.", "live."))

    def _check_problem(self, where: str, headers: dict[str, str], text: str) -> None:
        if not headers.get("content-type", "").startswith("application/json"):
            raise Violation("a problem that is not JSON", f"{where}: {headers}")
        problem = json.loads(text)
        if not isinstance(problem.get("message"), str) or not problem["message"]:
            raise Violation("a problem without a message", f"{where}: {text[:500]}")

    def _validator(self, schema: Any) -> Any:
        if id(schema) not in self._validators:
            whole = {**schema, "components": self._document["components"]}
            self._validators[id(schema)] = jsonschema.Draft202012Validator(whole)
        return self._validators[id(schema)]


def check_page(where: str, status: int, headers: dict[str, str], text: str) -> None:
    """Raise unless an answer of the dashboard is one that a browser may be given.

    Raises:
        Violation: It isn't.
    """
    if status not in OF_PAGES and not where.startswith("OPTIONS "):
        raise Violation(f"status {status} of a page", f"{where}: {text[:500]}")
    if not headers.get("content-type", "").startswith("text/html"):
        return
    if "\x1b" in text:
        raise Violation("an escape sequence in a page", where)
    if status != 303 and "script-src 'self'; style-src 'self'" not in headers.get(
        "content-security-policy", ""
    ):
        raise Violation("a page without its policy", f"{where}: {headers}")
