"""`pact-dispatch webhooks ...`: one function each, from options to exit code."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from app.commands.webhook_explanation import explain
from app.commands.webhooks import rendering
from app.commands.webhooks.request import to_create, to_update
from broker.http.errors import BrokerError, BrokerRefused
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
from verifier.report.text import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from app.commands.webhooks.request import Wanted
    from broker.client import BrokerClient
    from broker.webhooks import Execution
    from broker.webhooks.definition import Webhook

DONE = 0
NOT_TAKEN = 1

Connect: TypeAlias = "Callable[[tuple[str, ...]], BrokerClient]"
"""Opens the session with the broker; takes the secrets that no message may show."""


def run_list(options: argparse.Namespace, connect: Connect, _: Mapping[str, str]) -> int:
    """List webhooks: all, or those for a consumer, a provider, an event."""
    with connect(()) as client:
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
    return DONE


def run_show(options: argparse.Namespace, connect: Connect, _: Mapping[str, str]) -> int:
    """Show a webhook."""
    with connect(()) as client:
        webhook = Webhooks(client).get(options.uuid)
    _show(webhook, options)
    hidden = hidden_headers(webhook)
    if hidden:
        _note(
            f"the broker doesn't show the value of {', '.join(hidden)}: whether a token stands there or the name of a "
            "secret can't be seen from outside"
        )
    if in_the_clear(webhook):
        _warn(_clear_text(in_the_clear(webhook), "the webhook"))
    return DONE


def run_create(options: argparse.Namespace, connect: Connect, environment: Mapping[str, str]) -> int:
    """Create a webhook, or bring the one of the same UUID to what is wanted."""
    wanted = to_create(options, environment)
    webhook = wanted.webhook
    if options.dry_run:
        return _dry_run(wanted, "create or replace")
    with connect(wanted.secrets) as client:
        webhooks = Webhooks(client)
        _check_secrets(webhook, UserSecrets(client))
        existing = webhooks.find(webhook.uuid)
        written, created = webhooks.put(carried_over(webhook, existing) if existing else webhook)
        same = webhooks.sent_to_same_target(written) if created else []
    _warn_of(wanted)
    for other in same:
        _warn(
            f"webhook {other.uuid} sends from the same scope to the same URL: each event may be delivered twice. "
            f"Delete it (webhooks delete {other.uuid}), or delete this one and create with --uuid {other.uuid}"
        )
    _note(f"{'created' if created else 'updated'} {written.uuid} ({written.scope})")
    _show(written, options, wanted.secret_headers)
    return DONE


def run_update(options: argparse.Namespace, connect: Connect, environment: Mapping[str, str]) -> int:
    """Change what is given of a webhook."""
    # what is given can be read before the broker is asked; the secrets in it must stay out of every message
    with connect(()) as client:
        webhooks = Webhooks(client)
        existing = webhooks.get(options.uuid)
        wanted = to_update(options, environment, existing, webhooks.keeps_hidden_headers)
    if options.dry_run:
        return _dry_run(wanted, "replace")
    with connect(wanted.secrets) as client:
        written, _ = Webhooks(client).put(wanted.webhook)
    _warn_of(wanted)
    _note(f"updated {written.uuid} ({written.scope})")
    _show(written, options, wanted.secret_headers)
    return DONE


def run_delete(options: argparse.Namespace, connect: Connect, _: Mapping[str, str]) -> int:
    """Delete a webhook."""
    with connect(()) as client:
        Webhooks(client).delete(options.uuid)
    _note(f"deleted {options.uuid}")
    return DONE


def run_test(options: argparse.Namespace, connect: Connect, _: Mapping[str, str]) -> int:
    """Have the broker send a webhook's request once, and say what came of it."""
    with connect(()) as client:
        webhooks = Webhooks(client)
        webhook = webhooks.get(options.uuid)
        execution = _redacted(webhooks.execute(options.uuid))
        explanation = explain(execution)
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
    return DONE if execution.success else NOT_TAKEN


def run_logs(options: argparse.Namespace, connect: Connect, _: Mapping[str, str]) -> int:
    """Show what was triggered, each attempt with its answer."""
    if options.consumer_version and not (options.consumer and options.provider):
        raise UsageError("--consumer-version goes with --consumer and --provider")
    with connect(()) as client:
        triggered = TriggeredWebhooks(client)
        if options.uuid:
            Webhooks(client).get(options.uuid)
        found = []
        for consumer, provider in _pairs(options, triggered):
            if options.consumer_version:
                found += triggered.of_version(
                    consumer, provider, options.consumer_version, webhook=options.uuid
                )
            else:
                found += triggered.latest(consumer, provider, webhook=options.uuid)
    if options.output == "table":
        rendering.write_triggered(found, sys.stdout)
    else:
        documents = [rendering.triggered_document(one) for one in found]
        rendering.write_document(documents, options.output, sys.stdout)
    return DONE


def _redacted(execution: Execution) -> Execution:
    """Put stars in the place of credentials that the broker doesn't hide."""
    return replace(
        execution,
        line=redacted_urls(execution.line),
        headers=redacted_headers(execution.headers),
        body=redacted_body(execution.body),
    )


def _pairs(options: argparse.Namespace, triggered: TriggeredWebhooks) -> list[tuple[str, str]]:
    if options.consumer and options.provider:
        return [(options.consumer, options.provider)]
    return triggered.pairs(options.consumer, options.provider)


def _check_secrets(webhook: Webhook, secrets: UserSecrets) -> None:
    """Make sure that the secrets that a webhook names are there: else the names are sent as they stand.

    Raises:
        NoSecrets: this broker has none at all.
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
    """Say what of the broker's secrets may be the reason, as far as it can be seen."""
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
    said = [_missing(name) for name in names if name not in known]
    if hidden:
        said.append(
            f"the broker hides what {', '.join(hidden)} is; a ${{user.NAME}} there must be one of its secrets: "
            f"{', '.join(known) or 'it has none yet'}"
        )
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in said)


def _missing(name: str) -> str:
    return (
        f"the broker has no secret {name} yet: until it has, ${{user.{name}}} is sent as it stands. Create it in "
        "PactFlow's settings, or by a POST to /secrets"
    )


def _dry_run(wanted: Wanted, what: str) -> int:
    _warn_of(wanted)
    _note(f"would {what} webhook {wanted.webhook.uuid}; nothing was sent")
    shown = redacted(wanted.webhook, wanted.secret_headers)
    rendering.write_document(shown.document(), "json", sys.stdout)
    return DONE


def _show(
    webhook: Webhook, options: argparse.Namespace, secret_headers: frozenset[str] = frozenset()
) -> None:
    shown = redacted(webhook, secret_headers)
    if options.output == "table":
        rendering.write_webhook(shown, sys.stdout)
    else:
        rendering.write_document(rendering.webhook_document(shown), options.output, sys.stdout)


def _warn_of(wanted: Wanted) -> None:
    for warning in wanted.warnings:
        _warn(warning)
    places = in_the_clear(wanted.webhook, wanted.secret_headers)
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
