"""`pact-dispatch webhooks ...`: a function for each of its commands, from the options to the exit code."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from app.commands.credentials import broker_access
from app.commands.runner import CommandFailed, ExitCode
from app.commands.webhook_explanation import explain
from app.commands.webhooks import rendering
from app.commands.webhooks.requested import for_create, for_update
from broker.client import BrokerClient
from broker.http.errors import BrokerError, BrokerRefused, NotFound
from broker.text.harmless import one_line
from broker.text.terminal import loss_of
from broker.webhooks import Webhooks, carried_over
from broker.webhooks.hidden_secrets import (
    hidden_headers,
    in_the_clear,
    redacted,
    redacted_body,
    redacted_headers,
    redacted_urls,
    secret_names,
)
from broker.webhooks.triggered import TriggeredWebhooks
from broker.webhooks.user_secrets import NoSecrets, UserSecrets
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from app.commands.runner import Messages
    from app.commands.webhooks.requested import RequestedWebhook
    from broker.webhooks import Execution
    from broker.webhooks.definition import Webhook

RETRY_SECONDS = 5.0
"""How long a request to a broker that is away is retried: someone is waiting."""
SHOWING = frozenset({"list", "show", "logs"})
"""The commands that do nothing but print: if that is lost, they could not do it."""

Connect: TypeAlias = "Callable[..., BrokerClient]"
"""Opens the session with the broker; takes the secrets that no message may show."""


def run(options: argparse.Namespace, messages: Messages) -> int:
    """Run the command that is named below `webhooks`."""
    if options.webhooks_command is None:
        options.print_help()
        return ExitCode.USAGE
    rendering.check_format(getattr(options, "output", "table"))

    def connect(*secrets: str) -> BrokerClient:
        access = broker_access(options, messages)
        messages.hide(*secrets)
        return BrokerClient(access, retry_time=RETRY_SECONDS, on_retry=messages.say)

    code = _COMMANDS[options.webhooks_command](options, connect)
    if options.webhooks_command not in SHOWING:
        return code
    loss = loss_of(sys.stdout)
    return code if loss is None or isinstance(loss, BrokenPipeError) else ExitCode.COULD_NOT


def _list(options: argparse.Namespace, connect: Connect) -> int:
    """List webhooks: all, or those for a consumer, a provider, an event."""
    with connect() as client:
        found = Webhooks(client).matching(
            consumer=options.consumer, provider=options.provider, event=options.event
        )
    shown = [redacted(webhook) for webhook in found]
    if options.output == "table":
        rendering.write_list(shown, sys.stdout)
    else:
        documents = [rendering.webhook_document(webhook) for webhook in shown]
        rendering.write_document(documents, options.output, sys.stdout)
    for webhook in found:
        if in_the_clear(webhook):
            _warn(_clear_text(in_the_clear(webhook), f"webhook {webhook.uuid}"))
    return ExitCode.DONE


def _show(options: argparse.Namespace, connect: Connect) -> int:
    """Show a webhook."""
    with connect() as client:
        webhook = Webhooks(client).get(options.uuid)
    _write(webhook, options)
    hidden = hidden_headers(webhook)
    if hidden:
        _note(
            f"the broker doesn't show the value of {', '.join(hidden)}: whether a token stands there or the name of a "
            "secret can't be seen from outside"
        )
    if in_the_clear(webhook):
        _warn(_clear_text(in_the_clear(webhook), "the webhook"))
    return ExitCode.DONE


def _create(options: argparse.Namespace, connect: Connect) -> int:
    """Create a webhook, or replace the one of the same UUID."""
    requested = for_create(options, os.environ)
    webhook = requested.webhook
    if options.dry_run:
        return _dry_run(requested, "create or replace")
    with connect(*requested.secrets) as client:
        webhooks = Webhooks(client)
        _check_secrets(webhook, UserSecrets(client))
        existing = webhooks.find(webhook.uuid)
        written, created = webhooks.put(carried_over(webhook, existing) if existing else webhook)
        same = webhooks.sent_to_same_target(written) if created else []
    _warn_of(requested)
    for other in same:
        _warn(
            f"webhook {other.uuid} sends from the same scope to the same URL: each event may be delivered twice. "
            f"Delete it (webhooks delete {other.uuid}), or delete this one and create with --uuid {other.uuid}"
        )
    _note(f"{'created' if created else 'updated'} {written.uuid} ({written.scope})")
    _write(written, options, requested.secret_headers)
    return ExitCode.DONE


def _update(options: argparse.Namespace, connect: Connect) -> int:
    """Change what is given of a webhook."""
    with connect() as client:
        webhooks = Webhooks(client)
        existing = webhooks.get(options.uuid)
        requested = for_update(options, os.environ, existing, webhooks.keeps_hidden_values)
    if options.dry_run:
        return _dry_run(requested, "replace")
    with connect(*requested.secrets) as client:
        written, _ = Webhooks(client).put(requested.webhook)
    _warn_of(requested)
    _note(f"updated {written.uuid} ({written.scope})")
    _write(written, options, requested.secret_headers)
    return ExitCode.DONE


def _delete(options: argparse.Namespace, connect: Connect) -> int:
    """Delete a webhook."""
    with connect() as client:
        webhooks = Webhooks(client)
        if not options.yes and sys.stdin.isatty() and sys.stderr.isatty():
            webhook = redacted(webhooks.get(options.uuid))
            about = f" ({webhook.description})" if webhook.description else ""
            target = f"{webhook.request.method} {webhook.request.url}"
            _note(f"webhook {webhook.uuid}{about}, {webhook.scope}: {target}")
            print("Delete it? [y/N] ", end="", file=sys.stderr, flush=True)
            if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
                raise CommandFailed(ExitCode.FAILED, "nothing was deleted")
        webhooks.delete(options.uuid)
    _note(f"deleted {options.uuid}")
    return ExitCode.DONE


def _test(options: argparse.Namespace, connect: Connect) -> int:
    """Have the broker send a webhook's request once."""
    with connect() as client:
        webhooks = Webhooks(client)
        webhook = webhooks.get(options.uuid)
        execution = _redacted(webhooks.execute(options.uuid))
        explanation = explain(execution, options.uuid)
        if not execution.success:
            more = _missing_secrets(webhook, execution, UserSecrets(client))
            explanation = f"{explanation} {more}".strip()
    if options.output == "table":
        rendering.write_execution(execution, explanation, sys.stdout)
    else:
        rendering.write_document(
            rendering.execution_document(execution, explanation), options.output, sys.stdout
        )
    if not webhook.enabled:
        _warn(f"the webhook is disabled: no event triggers it (webhooks update {webhook.uuid} --enable)")
    return ExitCode.DONE if execution.success else ExitCode.FAILED


def _logs(options: argparse.Namespace, connect: Connect) -> int:
    """Show what was triggered, each attempt with its answer."""
    if options.consumer_version and not (options.consumer and options.provider):
        raise UsageError("--consumer-version goes with --consumer and --provider")
    with connect() as client:
        triggered = TriggeredWebhooks(client)
        if options.uuid:
            Webhooks(client).get(options.uuid)
        found = []
        if options.consumer_version:
            found += triggered.of_version(
                options.consumer, options.provider, options.consumer_version, webhook=options.uuid
            )
        elif options.consumer and options.provider:
            found += triggered.latest(options.consumer, options.provider, webhook=options.uuid)
        else:
            for pair in triggered.pairs(options.consumer, options.provider):
                with suppress(NotFound):  # it was deleted since it was listed
                    found += triggered.latest(*pair, webhook=options.uuid)
    if options.output == "table":
        rendering.write_triggered(found, sys.stdout)
    else:
        documents = [rendering.triggered_document(one) for one in found]
        rendering.write_document(documents, options.output, sys.stdout)
    return ExitCode.DONE


def _redacted(execution: Execution) -> Execution:
    """Return the execution with stars for the credentials that the broker doesn't hide."""
    return replace(
        execution,
        line=redacted_urls(execution.line),
        headers=redacted_headers(execution.headers),
        body=redacted_body(execution.body),
    )


def _check_secrets(webhook: Webhook, secrets: UserSecrets) -> None:
    """Check that the secrets that a webhook names are there: else the names are sent as they stand.

    Raises:
        NoSecrets: This broker has none at all.
    """
    names = secret_names(webhook)
    if not names:
        return
    try:
        known = {secret.name for secret in secrets.all()}
    except NoSecrets as error:
        raise NoSecrets(
            f"{error}, and would send ${{user.{names[0]}}} as it stands, so nothing was created. Either give the token "
            "itself (--header-from-env 'Authorization=Bearer VARIABLE'): it is then kept in the broker's database. Or "
            "send to the receiver or its relay, which keeps GitHub's token, so that the broker needs none but the "
            "receiver's"
        ) from error
    except BrokerRefused:
        _warn(f"whether the broker has the secret {', '.join(names)} can't be seen with these credentials")
        return
    for name in names:
        if name not in known:
            _warn(_missing(name))


def _missing_secrets(webhook: Webhook, execution: Execution, secrets: UserSecrets) -> str:
    """Return what may be wrong with the broker's secrets, as far as it can be seen."""
    names = secret_names(webhook)
    hidden = hidden_headers(webhook) if execution.status in {401, 404} else ()
    if not names and not hidden:
        return ""
    try:
        known = sorted(secret.name for secret in secrets.all())
    except NoSecrets:
        return "The broker has no secrets: a ${user.NAME} in the webhook is sent as it stands."
    except BrokerError:
        return ""
    hints = [_missing(name) for name in names if name not in known]
    if hidden:
        hints.append(
            f"the broker hides what {', '.join(hidden)} is; a ${{user.NAME}} there must be one of its secrets: "
            f"{', '.join(known) or 'it has none yet'}"
        )
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in hints)


def _missing(name: str) -> str:
    return (
        f"the broker has no secret {name} yet: until it has, ${{user.{name}}} is sent as it stands. Create it in "
        "PactFlow's settings, or by a POST to /secrets"
    )


def _dry_run(requested: RequestedWebhook, what: str) -> int:
    _warn_of(requested)
    _note(f"would {what} webhook {requested.webhook.uuid}; nothing was sent")
    shown = redacted(requested.webhook, requested.secret_headers)
    rendering.write_document(shown.document(), "json", sys.stdout)
    return ExitCode.DONE


def _write(
    webhook: Webhook, options: argparse.Namespace, secret_headers: frozenset[str] = frozenset()
) -> None:
    shown = redacted(webhook, secret_headers)
    if options.output == "table":
        rendering.write_webhook(shown, sys.stdout)
    else:
        rendering.write_document(rendering.webhook_document(shown), options.output, sys.stdout)


def _warn_of(requested: RequestedWebhook) -> None:
    for warning in requested.warnings:
        _warn(warning)
    places = in_the_clear(requested.webhook, requested.secret_headers)
    if places:
        _warn(_clear_text(places, "the webhook"))


def _clear_text(places: tuple[str, ...], which: str) -> str:
    return (
        f"{which} holds a credential itself: {', '.join(places)}. Better: a secret of the broker's "
        "(PactFlow, or /secrets of pact-dispatch broker), and ${user.NAME} in its place; with the open-source broker: "
        "the receiver or its relay, which keeps GitHub's token"
    )


def _warn(text: str) -> None:
    sys.stderr.write(f"warning: {one_line(text)}\n")


def _note(text: str) -> None:
    sys.stderr.write(f"{one_line(text)}\n")


_COMMANDS = {
    "list": _list,
    "show": _show,
    "create": _create,
    "update": _update,
    "delete": _delete,
    "test": _test,
    "logs": _logs,
}
