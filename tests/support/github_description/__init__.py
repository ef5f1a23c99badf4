"""GitHub's own description of the endpoints that are used here, for the requests to the server in `github_api.py`.

`requests.json` has the parameters and the request bodies of these endpoints alone, out of
`generated/api.github.com.json` of the npm package `@octokit/openapi` 23.0.2, which has
https://github.com/github/rest-api-description. LICENSE is its licence.
`python -m tests.support.github_description api.github.com.json` writes it anew.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

FILE = Path(__file__).with_name("requests.json")
NUMBER = re.compile(r"-?\d+")


def violations(method: str, path: str, query: dict[str, str], body: Any) -> list[str]:
    """Return what a request has that GitHub doesn't describe: nothing, if it is valid.

    Args:
        method: The method.
        path: The path, unquoted.
        query: The parameters of the query.
        body: The body's JSON; None if there is none.
    """
    operation, values = _operation(method, path)
    if operation is None:
        return [f"{method} {path} is not described by GitHub"]
    known = {
        parameter["name"]: parameter for parameter in operation["parameters"] if parameter["in"] == "query"
    }
    found = [f"{name} is no parameter of {method} {path}" for name in query.keys() - known.keys()]
    schemas = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
    for name, value in (values | {name: query[name] for name in query.keys() & known.keys()}).items():
        found += _errors(schemas[name], _typed(schemas[name], value), name)
    if body is None:
        return found + (["it has no body"] if operation["required"] else [])
    if operation["body"] is None:
        return [*found, f"{method} {path} takes no body"]
    return found + _errors(operation["body"], body, "body")


def _errors(schema: dict[str, Any], value: Any, what: str) -> list[str]:
    return [
        f"{what}{error.json_path.removeprefix('$')}: {error.message}"
        for error in jsonschema.Draft202012Validator(schema).iter_errors(value)
    ]


def _typed(schema: dict[str, Any], value: str) -> Any:
    """Return a parameter's value as its type, where the text is one of it."""
    kinds = str(schema)
    if "'integer'" in kinds and NUMBER.fullmatch(value):
        return int(value)
    return {"true": True, "false": False}.get(value, value) if "'boolean'" in kinds else value


def _operation(method: str, path: str) -> tuple[dict[str, Any] | None, dict[str, str]]:
    for template, operations in _described().items():
        # what ends with a path, or a ref, takes the rest
        pattern = re.sub(r"\\{(path|ref|sha)\\}", r"(?P<\1>.+)", re.escape(template))
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", pattern)
        if method.lower() in operations and (match := re.fullmatch(pattern, path)):
            return operations[method.lower()], match.groupdict()
    return None, {}


@cache
def _described() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    # the most specific first
    return dict(sorted(described.items(), key=lambda item: (item[0].count("{"), -len(item[0]))))
