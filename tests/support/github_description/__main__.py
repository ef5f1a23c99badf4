"""Write `requests.json` anew from the whole description: `python -m tests.support.github_description FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.support.github_description import FILE

LEFT_OUT = {"description", "example", "examples", "nullable", "title"}


def whole(document: dict[str, Any], part: Any, *, names: bool = False) -> Any:
    """Return a part of the description, with its references filled in and as JSON Schema has it.

    Args:
        document: The whole description.
        part: The part.
        names: Whether it is the names of properties that it maps.
    """
    if isinstance(part, list):
        return [whole(document, item) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part and not names:
        target: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return whole(document, target)
    kept = {
        name: whole(document, value, names=name == "properties")
        for name, value in part.items()
        if names or name not in LEFT_OUT
    }
    if part.get("nullable") is True and isinstance(kept.get("type"), str):
        kept["type"] = [kept["type"], "null"]
    return kept


def main() -> None:
    """Write the endpoints that `requests.json` has."""
    document = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    extracted: dict[str, Any] = {}
    for path, methods in json.loads(FILE.read_text("utf-8")).items():
        for method in methods:
            operation = document["paths"][path][method]
            body = operation.get("requestBody", {})
            extracted.setdefault(path, {})[method] = {
                "parameters": [
                    {"name": found["name"], "in": found["in"], "schema": found["schema"]}
                    for found in whole(document, operation.get("parameters", []))
                ],
                "required": body.get("required", False),
                "body": whole(document, body["content"]["application/json"]["schema"]) if body else None,
            }
    FILE.write_text(f"{json.dumps(extracted, indent=1)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
