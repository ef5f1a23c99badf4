"""The webhook that the options of `webhooks create` and `update` ask for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.commands.credentials import secret_from_file, text_of_file
from app.commands.webhooks.template_options import filled_template
from broker.events import WebhookEvent
from broker.webhooks import stable_uuid
from broker.webhooks.definition import Party, Scope, Webhook, WebhookRequest
from broker.webhooks.hidden_secrets import CHAT_URL, hidden_headers, in_the_clear, is_stars
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

_UUID = re.compile(r"[A-Za-z0-9_-]{16,100}")
_NAME = r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)"
_HEADER = re.compile(_NAME + r":[ \t]*([\t\x20-\x7e]*)")
_HEADER_FROM = re.compile(_NAME + r"=(?:(Bearer|Basic|token) +)?(\S.*)")
_ORIGIN = re.compile(r"^[a-z]+://[^/?#]*")


@dataclass(frozen=True)
class RequestedWebhook:
    """A webhook as the options ask for it.

    Attributes:
        webhook: The whole webhook.
        secret_headers: The names, in lower case, of headers with values that are never shown.
        secrets: The values themselves, which no message may show.
        warnings: What is doubtful about the options.
    """

    webhook: Webhook
    secret_headers: frozenset[str]
    secrets: tuple[str, ...]
    warnings: tuple[str, ...]


def for_create(options: argparse.Namespace, environment: Mapping[str, str]) -> RequestedWebhook:
    """Read the options of `create`.

    Raises:
        UsageError: An option is missing, contradicts another one, or can't be read.
    """
    scope = _scope(options)
    parts = _RequestParts.read(options, environment)
    filled = filled_template(options, parts.url)
    url = filled.url if filled else parts.url
    if url is None:
        raise UsageError("where to? Give --url, or --template with --repository")
    headers = _merged(filled.headers if filled else {}, parts.headers)
    body = parts.body if parts.body is not None else (dict(filled.body) if filled else None)
    if isinstance(body, dict | list) and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    events = tuple(options.event or ()) or (filled.events if filled else ())
    if not events:
        raise UsageError(f"what triggers it? Give --event, one or more of {', '.join(WebhookEvent)}")
    uuid = options.uuid or stable_uuid(scope, url, options.template or "")
    _check_uuid(uuid)
    webhook = Webhook(
        uuid=uuid,
        scope=scope,
        events=events,
        request=WebhookRequest(
            method=options.method or "POST",
            url=_url(url),
            headers=headers,
            body=body,
            username=options.username,
            password=parts.password,
        ),
        description=options.description or (filled.description if filled else None),
        enabled=not options.disabled,
    )
    _check_password(webhook)
    return parts.put_into(webhook)


def for_update(
    options: argparse.Namespace,
    environment: Mapping[str, str],
    existing: Webhook,
    keeps_hidden_values: Callable[[], bool],
) -> RequestedWebhook:
    """Read the options of `update`; what they don't give stays as it is.

    What the broker hides stays as it is only on a broker that is known to keep it, and only while the request goes to
    the host that it was meant for. Stars are never sent as a password.

    Args:
        options: The parsed options.
        environment: The variables that secrets may be in.
        existing: The webhook as the broker shows it.
        keeps_hidden_values: Tells whether the broker keeps the value of a header that comes back as stars, and a
            password that is left out.

    Raises:
        UsageError: Nothing is changed, or a hidden value would be lost.
    """
    parts = _RequestParts.read(options, environment)
    request = existing.request
    changed = replace(
        request,
        method=options.method or request.method,
        url=_url(parts.url) if parts.url else request.url,
        headers=_merged(request.headers, parts.headers),
        body=request.body if parts.body is None else parts.body,
        username=options.username or request.username,
        password=parts.password or request.password,
    )
    webhook = replace(
        existing,
        request=changed,
        events=tuple(options.event or ()) or existing.events,
        description=options.description or existing.description,
        enabled=existing.enabled if options.enabled is None else options.enabled,
    )
    if webhook == existing:
        raise UsageError("nothing to change: give what shall be different, as --event or --disable")
    _check_password(webhook)
    hidden = hidden_headers(webhook)
    keeps_password = changed.password is not None and is_stars(changed.password)
    elsewhere = _origin(changed.url) != _origin(request.url)
    if (hidden or keeps_password) and (elsewhere or not keeps_hidden_values()):
        why = (
            "it must not follow to another host unasked"
            if elsewhere
            else "this broker isn't known to keep what it hides"
        )
        if keeps_password:
            raise UsageError(
                f"the broker doesn't show the webhook's password, and {why}: give it anew, with --password-env or "
                "--password-file"
            )
        raise UsageError(
            f"the broker doesn't show the value of {', '.join(hidden)}, and {why}: give it anew, as in "
            f"--header-from-env '{hidden[0]}=Bearer VARIABLE' or --header '{hidden[0]}: Bearer ${{user.NAME}}'"
        )
    return parts.put_into(webhook)


@dataclass(frozen=True)
class _RequestParts:
    """The parts of a webhook's request that options give."""

    url: str | None
    url_is_secret: bool
    headers: Mapping[str, str]
    password: str | None
    body: Any
    secret_headers: frozenset[str]
    on_command_line: frozenset[str]

    @classmethod
    def read(cls, options: argparse.Namespace, environment: Mapping[str, str]) -> _RequestParts:
        shown = dict(_header(text) for text in options.header or ())
        secret = dict(
            _header_from(
                text, "--header-from-env", lambda name: _variable(environment, name, "--header-from-env")
            )
            for text in options.header_from_env or ()
        )
        secret |= dict(
            _header_from(
                text, "--header-from-file", lambda file: secret_from_file(file, "--header-from-file")
            )
            for text in options.header_from_file or ()
        )
        password = None
        if options.password_env and options.password_file:
            raise UsageError("the password is given twice: by --password-env and by --password-file")
        if options.password_env:
            password = _variable(environment, options.password_env, "--password-env")
        if options.password_file:
            password = secret_from_file(options.password_file, "--password-file")
        return cls(
            url=_given_url(options, environment),
            url_is_secret=not options.url,
            headers={**shown, **secret},
            password=password,
            body=None if options.body is None else _body(options.body),
            secret_headers=frozenset(name.lower() for name in secret),
            on_command_line=frozenset(name.lower() for name in shown),
        )

    def put_into(self, webhook: Webhook) -> RequestedWebhook:
        """Return the webhook with what must not be shown of it, and what is doubtful."""
        exposed = [
            f"the value of {name} stands on the command line, where others on this machine can see it: "
            f"--header-from-env or --header-from-file keeps it from there"
            for name in webhook.request.headers
            if name.lower() in self.on_command_line and f"the header {name}" in in_the_clear(webhook)
        ]
        secrets = [
            value for name, value in self.headers.items() if f"the header {name}" in in_the_clear(webhook)
        ]
        secrets += [value for name, value in self.headers.items() if name.lower() in self.secret_headers]
        if self.password is not None:
            secrets.append(self.password)
        if self.url is not None and self.url_is_secret:
            secrets.append(self.url)
        if self.url is not None and not self.url_is_secret and CHAT_URL in in_the_clear(webhook):
            exposed.append(
                "the URL, which is a credential, stands on the command line, where others on this machine can see it: "
                "--url-from-env or --url-from-file keeps it from there"
            )
        return RequestedWebhook(webhook, self.secret_headers, tuple(secrets), tuple(exposed))


def _scope(options: argparse.Namespace) -> Scope:
    sides: dict[str, Party | None] = {}
    for role in ("consumer", "provider"):
        name, label = getattr(options, role), getattr(options, f"{role}_label")
        if name and label:
            raise UsageError(f"give --{role} or --{role}-label, not both")
        sides[role] = Party(name=name) if name else Party(label=label) if label else None
    scope = Scope(**sides)
    if scope == Scope() and not options.all_pacts:
        raise UsageError(
            "whose pacts? Give --provider, --consumer or both (or their labels), or --all-pacts for every pact"
        )
    if scope != Scope() and options.all_pacts:
        raise UsageError("--all-pacts is for every pact: leave it out, or the provider and the consumer")
    return scope


def _given_url(options: argparse.Namespace, environment: Mapping[str, str]) -> str | None:
    """Return the URL that an option gives, or None."""
    given = [name for name in ("url", "url_from_env", "url_from_file") if getattr(options, name)]
    if len(given) > 1:
        raise UsageError("the URL is given twice: give one of --url, --url-from-env and --url-from-file")
    if options.url_from_env:
        return _variable(environment, options.url_from_env, "--url-from-env")
    if options.url_from_file:
        return secret_from_file(options.url_from_file, "--url-from-file")
    url: str | None = options.url
    return url


def _merged(headers: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Replace headers by those of the same name that are given; case doesn't matter."""
    names = {name.lower() for name in given}
    return {name: value for name, value in headers.items() if name.lower() not in names} | dict(given)


def _header(text: str) -> tuple[str, str]:
    match = _HEADER.fullmatch(text)
    if match is None:
        raise UsageError("--header is not 'Name: value' in printable ASCII, as in 'Accept: application/json'")
    if is_stars(match[2]):
        raise UsageError(f"--header {match[1]}: stars are no value")
    return match[1], match[2]


def _header_from(text: str, option: str, value_of: Callable[[str], str]) -> tuple[str, str]:
    match = _HEADER_FROM.fullmatch(text)
    if match is None:
        raise UsageError(f"{option} is not NAME=SOURCE, as in 'Authorization=Bearer SOURCE'")
    value = value_of(match[3])
    if not value.isprintable() or not value.isascii():
        raise UsageError(f"{option} {match[1]}: the value has a character that a header can't have")
    return match[1], f"{match[2]} {value}" if match[2] else value


def _variable(environment: Mapping[str, str], name: str, option: str) -> str:
    value = environment.get(name, "").strip()
    if not value or is_stars(value):
        raise UsageError(f"{option}: the environment variable {name} is {'stars' if value else 'not set'}")
    return value


def _body(path: str) -> Any:
    text = text_of_file(path, "--body")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _url(url: str) -> str:
    if re.fullmatch(r"(?i)https?://[^\s/?#]+[^\s]*", url) is None:
        raise UsageError("--url is not an http:// or https:// URL")
    return url


def _check_uuid(uuid: str) -> None:
    if _UUID.fullmatch(uuid) is None:
        raise UsageError(f"--uuid {uuid!r} is not 16 to 100 of A-Z a-z 0-9 _ -")


def _check_password(webhook: Webhook) -> None:
    if webhook.request.password is not None and webhook.request.username is None:
        raise UsageError("a password goes with --username")


def _origin(url: str) -> str:
    match = _ORIGIN.match(url.lower())
    return match[0] if match else url
