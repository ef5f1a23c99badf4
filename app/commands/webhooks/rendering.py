"""The output of the commands below `webhooks`: a table for people, JSON, or YAML (no I/O but to the stream)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from app.commands.extras import install_with
from app.commands.tables import UNLIMITED, write_table
from broker.text.harmless import is_seen_as_it_is, lines_of, one_line, write_json
from broker.webhooks.hidden_secrets import redacted_log
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from broker.webhooks import Execution
    from broker.webhooks.definition import Webhook
    from broker.webhooks.triggered import Triggered

try:
    import yaml
except ModuleNotFoundError:  # of the extra `server`
    _HAS_YAML = False
else:
    _HAS_YAML = True

FORMATS = ("table", "json", "yaml")


def check_format(name: str) -> None:
    """Check that a format can be written, before anything is done.

    Raises:
        UsageError: Its library is missing.
    """
    if name == "yaml" and not _HAS_YAML:
        raise UsageError(f"--output yaml needs PyYAML: {install_with('setup')}")


def write_document(document: Any, output: str, stream: TextIO) -> None:
    """Write a document as JSON or YAML, so that no CI takes a part of it for a command."""
    if output == "yaml":
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=UNLIMITED)
        if not is_seen_as_it_is(text, stream):
            text = yaml.safe_dump(document, sort_keys=False, allow_unicode=False, width=UNLIMITED)
        # a line of data is indented or starts with a name: only a scalar could start with ::, and is quoted then
        stream.write(text.replace("##[", "## [").replace("##vso[", "## vso["))
        return
    write_json(document, stream)


def webhook_document(webhook: Webhook) -> dict[str, Any]:
    """Return a webhook as JSON and YAML show it."""
    times = {"createdAt": webhook.created_at, "updatedAt": webhook.updated_at}
    return {
        "uuid": webhook.uuid,
        **webhook.document(),
        **{name: time for name, time in times.items() if time is not None},
    }


def execution_document(execution: Execution, explanation: str) -> dict[str, Any]:
    """Return the outcome of a test as JSON and YAML show it."""
    document: dict[str, Any] = {
        "success": execution.success,
        "request": {"line": execution.line, "headers": dict(execution.headers), "body": execution.body},
    }
    if execution.status is not None:
        document["response"] = {
            "status": execution.status,
            "headers": dict(execution.answer_headers),
            "body": execution.answer_body,
        }
    if execution.error is not None:
        document["error"] = execution.error
    return {**document, "explanation": explanation}


def triggered_document(triggered: Triggered) -> dict[str, Any]:
    """Return a delivery as JSON and YAML show it."""
    return {
        "webhook": triggered.webhook_uuid,
        "name": triggered.name,
        "consumer": triggered.consumer,
        "provider": triggered.provider,
        "event": triggered.event,
        "status": triggered.status,
        "triggeredAt": triggered.at,
        "attemptsRemaining": triggered.attempts_remaining,
        "attempts": [
            {
                "at": attempt.at,
                "success": attempt.success,
                "status": attempt.status,
                "error": attempt.error,
                "logs": redacted_log(attempt.logs),
            }
            for attempt in triggered.attempts
        ],
    }


def write_list(webhooks: Sequence[Webhook], stream: TextIO) -> None:
    """Write webhooks as a table."""
    if not webhooks:
        stream.write("no webhooks\n")
        return
    rows = [
        (
            webhook.uuid,
            str(webhook.scope),
            ", ".join(webhook.events),
            f"{webhook.request.method} {webhook.request.url}",
            "yes" if webhook.enabled else "no",
            webhook.description or "",
        )
        for webhook in webhooks
    ]
    heads = ("UUID", "FOR", "EVENTS", "REQUEST", "ENABLED", "DESCRIPTION")
    write_table(heads, rows, stream, unbroken=("UUID",))


def write_webhook(webhook: Webhook, stream: TextIO) -> None:
    """Write a webhook, a line for each part."""
    request = webhook.request
    parts = (
        ("uuid", webhook.uuid),
        ("description", webhook.description),
        ("for", str(webhook.scope)),
        ("events", ", ".join(webhook.events)),
        ("enabled", "yes" if webhook.enabled else "no"),
        ("created", webhook.created_at),
        ("updated", webhook.updated_at),
        ("user", request.username),
        ("password", request.password),
        ("request", f"{request.method} {request.url}"),
    )
    stream.writelines(f"{name:<12} {one_line(value)}\n" for name, value in parts if value)
    _headers(request.headers, stream)
    if request.body is not None:
        _indented(request.body, stream)


def write_execution(execution: Execution, explanation: str, stream: TextIO) -> None:
    """Write what was sent, what was answered, and the explanation."""
    stream.write(f"sent  {one_line(execution.line)}\n")
    _exchange(execution.headers, execution.body, stream)
    if execution.status is not None:
        stream.write(f"\ngot   {execution.status}\n")
        _exchange(execution.answer_headers, execution.answer_body, stream)
    else:
        stream.write(f"\ngot   no answer: {one_line(execution.error or 'the broker does not say why')}\n")
    stream.write(f"\n{'taken by the target' if execution.success else 'NOT taken by the target'}\n")
    if explanation:
        stream.write(f"{one_line(explanation)}\n")


def write_triggered(found: Sequence[Triggered], stream: TextIO) -> None:
    """Write deliveries as a table, a row for each attempt."""
    if not found:
        stream.write("nothing was triggered\n")
        return
    rows = []
    for one in found:
        status = one.status
        if one.attempts_remaining and status != "success":
            status += f" ({one.attempts_remaining} to go)"
        rows.append(
            (
                one.at or "",
                f"{one.consumer} -> {one.provider}",
                one.event,
                one.webhook_uuid or "(deleted)",
                status,
                "",
            )
        )
        rows += [
            (f"  {attempt.at or ''}", "", "", "", "", str(attempt.status or attempt.error or "no answer"))
            for attempt in one.attempts
        ]
    heads = ("WHEN", "PACT", "EVENT", "WEBHOOK", "STATUS", "ANSWER")
    write_table(heads, rows, stream, unbroken=("WHEN", "WEBHOOK"))


def _exchange(headers: Mapping[str, str], body: Any, stream: TextIO) -> None:
    _headers(headers, stream)
    if body is not None and body != "":
        _indented(body, stream)


def _headers(headers: Mapping[str, str], stream: TextIO) -> None:
    stream.writelines(f"      {one_line(name)}: {one_line(value)}\n" for name, value in headers.items())


def _indented(body: Any, stream: TextIO) -> None:
    text = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
    stream.writelines(f"      {line}\n" for line in lines_of(text))
