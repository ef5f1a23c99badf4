"""`pact-dispatch deliveries ...`: a function for each of its commands, from the options to the exit code."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

from app.commands.receiver_access import looked_up, print_list, receiver_client, refusals_explained
from app.commands.run_document import age
from app.commands.runner import ExitCode
from app.commands.tables import write_fields, write_table
from app.intake.refusal_words import words_of
from broker.http.json_values import text_at
from broker.text.harmless import lines_of, one_line, write_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from app.commands.runner import Messages
    from app.receiver_client import ReceiverClient

FILTERS = ("source", "refusal", "repository")


def run(options: argparse.Namespace, messages: Messages) -> int:
    """Run the command that is named below `deliveries`."""
    if options.deliveries_command is None:
        options.print_help()
        return ExitCode.USAGE
    client = receiver_client(options, messages)
    with refusals_explained(client):
        return _COMMANDS[options.deliveries_command](options, client, messages)


def _list(options: argparse.Namespace, client: ReceiverClient, messages: Messages) -> int:
    """List deliveries, the newest first."""
    return print_list(options, client, messages, "delivery", FILTERS, write_list)


def _show(options: argparse.Namespace, client: ReceiverClient, _: Messages) -> int:
    """Show a delivery with its payload."""
    found = looked_up(client, "delivery", options.id)
    if options.json:
        write_json(found, sys.stdout)
    else:
        write_delivery(found, sys.stdout)
    return ExitCode.DONE


def _redeliver(options: argparse.Namespace, client: ReceiverClient, messages: Messages) -> int:
    """Have the dispatch of a delivery carried out again."""
    found = client.redeliver(str(looked_up(client, "delivery", options.id)["id"]))
    if options.json:
        write_json(found, sys.stdout)
        return ExitCode.DONE
    run_id = text_at(found, "run_id")
    if run_id is not None:
        what = "a run that waits already answers it" if found.get("coalesced") else "its run"
        messages.say(f"{what}: {run_id} (pact-dispatch runs log -f {run_id})")
    print(one_line(str(found.get("id"))))
    return ExitCode.DONE


def write_list(deliveries: Sequence[dict[str, Any]], stream: TextIO) -> None:
    """Write deliveries as a table."""
    if not deliveries:
        stream.write("no deliveries\n")
        return
    for_people = stream is sys.stdout and stream.isatty()
    rows = [
        (
            str(one.get("id")),
            _became(one),
            age(one.get("received_at")) if for_people else str(one.get("received_at")),
            " ".join(str(one[key]) for key in ("source", "sender") if one.get(key)),
            " to ".join(str(one[key]) for key in ("event_type", "repository") if one.get(key)),
        )
        for one in deliveries
    ]
    heads = ("DELIVERY", "ANSWER", "WHEN", "FROM", "DISPATCH")
    write_table(heads, rows, stream, unbroken=("DELIVERY", "WHEN"))


def write_delivery(delivery: dict[str, Any], stream: TextIO) -> None:
    """Write a delivery, a line for each part, and its payload."""
    refusal = text_at(delivery, "refusal")
    write_fields(
        (
            ("delivery", text_at(delivery, "id")),
            ("answer", _became(delivery)),
            ("why", text_at(delivery, "detail")),
            ("to do", None if refusal is None else words_of(refusal).to_do),
            ("run", text_at(delivery, "run_id")),
            ("", "a run that waited already answers it" if delivery.get("coalesced") else None),
            ("repeats", text_at(delivery, "repeats")),
            ("received", text_at(delivery, "received_at")),
            ("source", text_at(delivery, "source")),
            ("sender", text_at(delivery, "sender")),
            ("address", text_at(delivery, "address")),
            ("user agent", text_at(delivery, "user_agent")),
            ("github id", text_at(delivery, "github_id")),
            ("repository", text_at(delivery, "repository")),
            ("event type", text_at(delivery, "event_type")),
        ),
        stream,
    )
    payload = delivery.get("payload")
    if payload is not None:
        stream.write("payload\n")
        text = json.dumps(payload, indent=2, ensure_ascii=False)
        stream.writelines(f"    | {line}\n" for line in lines_of(text))


def _became(delivery: dict[str, Any]) -> str:
    refusal = delivery.get("refusal")
    if refusal:
        return f"refused {delivery.get('status')}: {refusal}"
    return "repeated" if delivery.get("repeats") else "accepted"


_COMMANDS = {"list": _list, "show": _show, "redeliver": _redeliver}
