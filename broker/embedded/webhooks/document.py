"""The document of a webhook as it is sent: read, or refused field by field (no I/O)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from broker.embedded.http.errors import invalid
from broker.embedded.webhooks.template import Template
from broker.events import WebhookEvent
from broker.text.secret_names import STARS, is_hidden_by_brokers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from broker.embedded.webhooks.settings import WebhookSettings

Errors = dict[str, list[str]]

MAX_TEXT = 10_000
"""The longest name and description; both are shown in a line."""
MAX_URL = 8_000

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True)
class Party:
    """Whose pacts a webhook is for: one pacticipant's, or those of all that have a label."""

    name: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Document:
    """What a webhook is to be."""

    description: str | None
    consumer: Party | None
    provider: Party | None
    enabled: bool
    events: tuple[str, ...]
    template: Template


@dataclass(frozen=True)
class Before:
    """What a webhook was, as far as a PUT may keep it."""

    description: str | None
    template: Template


def parse(
    fields: Mapping[str, Any],
    *,
    settings: WebhookSettings,
    is_known: Callable[[str], bool],
    events_required: bool = False,
) -> Document:
    """Return the webhook of a document.

    Args:
        fields: The JSON object that was sent.
        settings: The allow-lists.
        is_known: Whether there is a pacticipant of a name.
        events_required: Refuse a document without events, rather than take contract_content_changed.

    Raises:
        Refusal: 400 with all mistakes.
    """
    errors: Errors = {}
    description = _text(fields, "description", errors)
    if not isinstance(fields.get("enabled", True), bool):
        errors["enabled"] = ["must be boolean"]
    parties = {role: _party(fields.get(role), role, errors, is_known) for role in ("consumer", "provider")}
    request = fields.get("request")
    if not isinstance(request, dict):
        errors["request"] = ["is missing" if request is None else "must be an object"]
        request = {}
    template = _template(request, settings, errors) if "request" not in errors else None
    events = _events(fields.get("events"), errors, required=events_required and not errors)
    if errors or template is None:
        raise invalid(errors)
    return Document(
        description=description,
        consumer=parties["consumer"],
        provider=parties["provider"],
        enabled=fields.get("enabled", True),
        events=events,
        template=template,
    )


def with_what_a_put_keeps(document: Document, fields: Mapping[str, Any], before: Before) -> Document:
    """Return what a webhook is to be after a PUT of its document.

    A Pact Broker 2.120.0 keeps a description and a password that are left out; `null` clears either. It also keeps a
    password that comes as stars or as an empty text, and a hidden header that comes as stars. All else is replaced.

    Args:
        document: The document, as it was parsed.
        fields: The JSON object that was sent.
        before: What the webhook was.
    """
    template, old = document.template, before.template
    headers = {
        name: old.headers[name]
        if value == STARS and is_hidden_by_brokers(name) and name in old.headers
        else value
        for name, value in template.headers.items()
    }
    password = template.password
    if old.password is not None and ("password" not in fields["request"] or password in {STARS, ""}):
        password = old.password
    return replace(
        document,
        description=document.description if "description" in fields else before.description,
        template=Template(template.method, template.url, headers, template.body, template.username, password),
    )


def _template(request: dict[str, Any], settings: WebhookSettings, errors: Errors) -> Template:
    method = _text(request, "method", errors, "request.", required=True) or ""
    url = _text(request, "url", errors, "request.", required=True, most=MAX_URL) or ""
    if "request.url" not in errors and (mistakes := settings.mistakes_in_url(url)):
        errors["request.url"] = mistakes
    if "request.method" not in errors and (mistakes := settings.mistakes_in_method(method)):
        errors["request.method"] = mistakes
    return Template(
        method=method.upper(),
        url=url,
        headers=_headers(request.get("headers"), errors),
        body=request.get("body"),
        username=_text(request, "username", errors, "request."),
        password=_text(request, "password", errors, "request."),
    )


def _headers(headers: object, errors: Errors) -> dict[str, str]:
    if headers is None:
        return {}
    if not isinstance(headers, dict):
        errors["request.headers"] = ["must be an object"]
        return {}
    mistakes = []
    for name, value in headers.items():
        if _HEADER_NAME.fullmatch(name) is None:
            mistakes.append(f"{name[:100]!r} is not a header name")
        elif name.lower() in _FRAMING:
            mistakes.append(f"{name} is set when the request is sent")
        elif not isinstance(value, str):
            mistakes.append(f"{name} must be a string")
        elif any(character < " " and character != "\t" for character in value) or "\x7f" in value:
            mistakes.append(f"{name} must not contain control characters")
        elif len(value) > MAX_TEXT:
            mistakes.append(f"{name} must not be longer than {MAX_TEXT} characters")
    if mistakes:
        errors["request.headers"] = mistakes
        return {}
    return {name.lower(): value for name, value in headers.items()}


def _events(events: object, errors: Errors, *, required: bool) -> tuple[str, ...]:
    if events is None and not required:
        return (WebhookEvent.CONTENT_CHANGED,)
    if not isinstance(events, list):
        errors["events"] = ["is missing" if events is None else "must be an array"]
        return ()
    if not events:
        errors["events"] = ["must name at least one event"]
        return ()
    mistakes = [
        f"{text} (at index {index})" for index, event in enumerate(events) if (text := _mistake(event))
    ]
    if mistakes:
        errors["events"] = mistakes
        return ()
    return tuple(dict.fromkeys(event["name"] for event in events))


def _mistake(event: object) -> str | None:
    if not isinstance(event, dict):
        return "must be an object"
    if "name" not in event:
        return "name is missing"
    return None if event["name"] in tuple(WebhookEvent) else f"name must be one of: {', '.join(WebhookEvent)}"


def _party(party: object, role: str, errors: Errors, is_known: Callable[[str], bool]) -> Party | None:
    if party is None:
        return None
    if not isinstance(party, dict):
        errors[role] = ["must be an object"]
        return None
    name, label = _text(party, "name", errors, f"{role}."), _text(party, "label", errors, f"{role}.")
    if name is not None and label is not None:
        errors[f"{role}.label"] = ["name and label cannot be provided at the same time"]
    elif name is not None and not is_known(name):
        errors[f"{role}.name"] = ["does not match an existing pacticipant"]
    elif name is None and label is None and f"{role}.name" not in errors and f"{role}.label" not in errors:
        errors[f"{role}.name"] = ["is missing"]
    return Party(name, label)


def _text(
    fields: Mapping[str, Any],
    name: str,
    errors: Errors,
    prefix: str = "",
    *,
    required: bool = False,
    most: int = MAX_TEXT,
) -> str | None:
    value = fields.get(name)
    if value is None:
        if required:
            errors[prefix + name] = ["is missing"]
        return None
    if not isinstance(value, str):
        errors[prefix + name] = ["must be a string"]
    elif not value.strip() and (required or prefix in {"consumer.", "provider."}):
        errors[prefix + name] = ["can't be blank"]
    elif len(value) > most:
        errors[prefix + name] = [f"must not be longer than {most} characters"]
    else:
        return value
    return None
