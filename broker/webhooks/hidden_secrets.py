"""Secrets in webhooks: where they are, which of them a broker hides, and what may be shown (no I/O).

A broker shows the value of a header whose name has `authorization` or `token` in it, and the password, as stars. Other
headers, the URL and the body are shown to everyone who may read webhooks.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from broker.http.strict_json import NotJson, parse_json
from broker.text.secret_names import STARS, is_secret_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from broker.webhooks.definition import Webhook

_LOGGED = re.compile(r"^((?:\[[^\]]*\] )?INFO: )(.*)$")
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]+")
_STARS = re.compile(r"\*{3,}")
_USER_INFORMATION = re.compile(r"(?<=://)[^\s/?#@]+@")
_VARIABLE = re.compile(r"\$\{(?:user|pactbroker)\.[^}]*\}")
_SECRET = re.compile(r"\$\{user\.([A-Za-z0-9_]+)\}")
_CHAT = re.compile(
    r"(?i)(?<=://)"
    r"(?P<host>hooks\.slack(?:-gov)?\.com|[\w.-]+\.(?:logic\.azure|environment\.api\.powerplatform|webhook\.office)\.com(?::443)?)"
    r"/[^\s\"]+"
)
"""A URL by which Slack or Teams lets anybody post who knows it."""
CHAT_URL = "the URL, by which anybody can post"
_SCHEME = re.compile(r"(?i)\b(bearer|basic|token|digest)\b")


def is_stars(value: str) -> bool:
    """Return whether a value is what brokers show instead of the real one."""
    return _STARS.fullmatch(value) is not None


def hidden_headers(webhook: Webhook) -> tuple[str, ...]:
    """Return the names of the headers whose values the broker hides."""
    return tuple(name for name, value in webhook.request.headers.items() if is_stars(value))


def secret_names(webhook: Webhook) -> tuple[str, ...]:
    """Return the names of the secrets that are in a webhook as `${user.NAME}`, as far as the broker shows it."""
    request = webhook.request
    texts = [request.url, *request.headers.values(), request.username or "", request.password or ""]
    texts += _texts(request.body)
    return tuple(dict.fromkeys(name for text in texts for name in _SECRET.findall(text)))


def in_the_clear(webhook: Webhook, secret_headers: Collection[str] = ()) -> tuple[str, ...]:
    """Return the places that hold a credential itself, not the name of a secret.

    A value that the broker hides is not among them, since it can't be seen.

    Args:
        webhook: The webhook.
        secret_headers: More names of headers, in lower case, whose values are secret.
    """
    request = webhook.request
    places = [
        f"the header {name}"
        for name, value in request.headers.items()
        if _is_secret_header(name, secret_headers) and _is_literal(value)
    ]
    if request.password is not None and _is_literal(request.password):
        places.append("the password")
    if _USER_INFORMATION.search(request.url):
        places.append("the URL's user name and password")
    if (chat := _CHAT.search(request.url)) and STARS not in chat[0]:
        places.append(CHAT_URL)
    query = request.url.partition("#")[0].partition("?")[2]
    places += [
        f"{name} in the URL"
        for name, value in parse_qsl(query)
        if is_secret_name(name) and _is_literal(value)
    ]
    places += [f"{path} in the body" for path in _in_body(request.body, "")]
    return tuple(places)


def redacted(webhook: Webhook, secret_headers: Collection[str] = ()) -> Webhook:
    """Return a webhook with stars for credentials, so that it can be shown.

    Args:
        webhook: The webhook.
        secret_headers: More names of headers, in lower case, whose values are secret.
    """
    request = webhook.request
    password = request.password
    if password is not None and _is_literal(password):
        password = STARS
    shown = replace(
        request,
        headers=redacted_headers(request.headers, secret_headers),
        password=password,
        url=redacted_urls(request.url),
        body=redacted_body(request.body),
    )
    return replace(webhook, request=shown)


def redacted_headers(headers: Mapping[str, str], secret_headers: Collection[str] = ()) -> dict[str, str]:
    """Return headers with stars for credentials."""
    return {
        name: STARS if _is_literal(value) and _is_secret_header(name, secret_headers) else value
        for name, value in headers.items()
    }


def redacted_body(body: Any) -> Any:
    """Return a body with stars for what its names call a credential."""
    if isinstance(body, list):
        return [redacted_body(part) for part in body]
    if not isinstance(body, dict):
        return body
    return {
        name: STARS
        if isinstance(value, str) and is_secret_name(name) and _is_literal(value)
        else redacted_body(value)
        for name, value in body.items()
    }


def redacted_urls(text: str) -> str:
    """Return a text with stars for credentials in its URLs."""
    text = _USER_INFORMATION.sub(f"{STARS}@", text)
    text = _CHAT.sub(rf"\g<host>/{STARS}", text)
    return re.sub(
        r"(?<=[?&])([^\s=&#]+)=([^\s&#\"]*)",
        lambda match: (
            f"{match[1]}={STARS}" if is_secret_name(match[1]) and _is_literal(match[2]) else match[0]
        ),
        text,
    )


def redacted_log(logs: str) -> list[str]:
    """Return the lines of a broker's log of a delivery, with stars for credentials that the broker doesn't hide."""
    return [_LOGGED.sub(_redacted_line, line) for line in logs.splitlines()]


def _redacted_line(match: re.Match[str]) -> str:
    text = match[2]
    name, colon, value = text.partition(": ")
    if colon and _HEADER_NAME.fullmatch(name):
        text = f"{name}: {redacted_headers({name: value})[name]}"
    elif text.startswith(("{", "[")):
        with suppress(NotJson):
            text = json.dumps(
                redacted_body(parse_json(text.encode())), separators=(",", ":"), ensure_ascii=False
            )
    return match[1] + redacted_urls(text)


def _is_secret_header(name: str, secret_headers: Collection[str]) -> bool:
    return is_secret_name(name) or name.lower() in secret_headers


def _is_literal(value: str) -> bool:
    """Return whether a value is more than variables, stars and the name of a scheme."""
    rest = _SCHEME.sub("", _VARIABLE.sub("", value)).strip()
    return bool(rest) and not is_stars(rest)


def _texts(body: Any) -> list[str]:
    if isinstance(body, dict):
        return [text for item in body.items() for part in item for text in _texts(part)]
    if isinstance(body, list):
        return [text for part in body for text in _texts(part)]
    return [body] if isinstance(body, str) else []


def _in_body(body: Any, path: str) -> list[str]:
    if isinstance(body, list):
        return [found for part in body for found in _in_body(part, path)]
    if not isinstance(body, dict):
        return []
    found = []
    for name, value in body.items():
        here = f"{path}.{name}".removeprefix(".")
        if isinstance(value, str) and is_secret_name(name) and _is_literal(value):
            found.append(here)
        found += _in_body(value, here)
    return found
