"""What the receiver may answer: what its OpenAPI document has, and nothing that is not for people."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema

from app.web.api.openapi import document as openapi_document
from fuzz.outcomes import check_text
from fuzz.target import Violation

NO_ROUTE = frozenset({400, 403, 404, 405, 308})
"""What a request is answered that no route takes."""


class Answered:
    """Checks answers against the OpenAPI document of the receiver."""

    def __init__(self) -> None:
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
        operations = [
            item.get(method.lower())
            for pattern, item in self._paths
            if pattern.fullmatch(path) and method.lower() in item
        ]
        if path.startswith("/runs/") or not operations:
            if (
                not path.startswith("/runs/")
                and status not in NO_ROUTE | {401}
                and method not in {"HEAD", "OPTIONS"}
            ):
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
