"""Variables in webhooks: `${pactbroker.NAME}` and `${user.NAME}`, put into URLs, headers and bodies (no I/O).

A variable that isn't known stays as it is, and a value is never searched for variables itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_VARIABLE = re.compile(r"\$\{((?:pactbroker|user)\.[A-Za-z0-9_]+)\}")
_SECRET = re.compile(r"\$\{user\.([A-Za-z0-9_]+)\}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")


@dataclass(frozen=True)
class Template:
    """The request of a webhook as it was configured; a body of None is none."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any = None
    username: str | None = None
    password: str | None = None

    def secret_names(self) -> set[str]:
        """Return the names of the secrets that the request uses."""
        return set(
            _SECRET.findall(
                json.dumps([self.url, *self.headers.values(), self.body, self.username, self.password])
            )
        )


@dataclass(frozen=True)
class Rendered:
    """A request to be sent, its variables replaced. Header names are as they were configured."""

    method: str
    url: str
    headers: dict[str, str]
    body: str | None
    username: str | None
    password: str | None


def render(template: Template, values: Mapping[str, str]) -> Rendered:
    """Return the request with its variables replaced.

    Args:
        template: The request.
        values: The values, by name with its prefix, such as `pactbroker.pactUrl`.
    """
    body = template.body
    if body is not None:
        body = replace(body, values) if isinstance(body, str) else _compact(_replace_all(body, values))
    return Rendered(
        method=template.method,
        url=replace(template.url, values, lambda value: quote(value, safe="")),
        # White space around a header's value means nothing, and isn't allowed before it.
        headers={name: replace(text, values, _one_line).strip() for name, text in template.headers.items()},
        body=body,
        username=None if template.username is None else replace(template.username, values),
        password=None if template.password is None else replace(template.password, values),
    )


def replace(text: str, values: Mapping[str, str], written: Callable[[str], str] = lambda value: value) -> str:
    """Return the text with each known variable replaced by its value, written in the given way."""

    def value_of(match: re.Match[str]) -> str:
        value = values.get(match[1])
        return match[0] if value is None else written(value)

    return _VARIABLE.sub(value_of, text)


def _replace_all(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return replace(value, values)
    if isinstance(value, dict):
        return {replace(key, values): _replace_all(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_all(item, values) for item in value]
    return value


def _one_line(value: str) -> str:
    """Return a value as a header may carry it: a line break would begin another header."""
    return _CONTROL.sub(" ", value)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
