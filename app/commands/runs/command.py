"""`pact-dispatch runs ...`: a function for each of its commands, from the options to the exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from app.commands.receiver_access import looked_up, print_list, receiver_client, refusals_explained
from app.commands.run_document import deliveries_of, state_of
from app.commands.runner import CommandFailed, ExitCode
from app.commands.runs.following import follow
from app.commands.runs.rendering import write_list, write_run
from app.receiver_client import NoReceiver, ReceiverRefused
from app.records.run import RunStatus
from broker.http.json_values import text_at
from broker.text.harmless import lines_of, one_line, write_json

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages
    from app.receiver_client import ReceiverClient

FILTERS = (
    "status",
    "outcome",
    "provider",
    "consumer",
    "repository",
    "pact_url",
    "reason",
    "branch",
    "version",
    "since",
    "until",
    "text",
    "parent",
    "pacts",
)


def run(options: argparse.Namespace, messages: Messages) -> int:
    """Run the command that is named below `runs`."""
    if options.runs_command is None:
        options.print_help()
        return ExitCode.USAGE
    client = receiver_client(options, messages)
    with refusals_explained(client):
        return _COMMANDS[options.runs_command](options, client, messages)


def _list(options: argparse.Namespace, client: ReceiverClient, messages: Messages) -> int:
    """List runs, the newest first."""
    return print_list(options, client, messages, "run", FILTERS, write_list)


def _show(options: argparse.Namespace, client: ReceiverClient, _: Messages) -> int:
    """Show a run, and what did not pass."""
    found = looked_up(client, "run", options.id)
    if options.json:
        write_json(found, sys.stdout)
        return ExitCode.DONE
    verification = None
    if found.get("interactions"):
        verification = client.verification(str(found["id"]))
    write_run(found, verification, sys.stdout)
    return ExitCode.DONE


def _log(options: argparse.Namespace, client: ReceiverClient, messages: Messages) -> int:
    """Print the log of a run."""
    messages.set_level(options.log_level)
    found = looked_up(client, "run", options.id)
    if options.follow:
        return follow(client, found, messages)
    text = client.log(str(found["id"]))
    if text:
        print("\n".join(lines_of(text)))
    else:
        messages.say(f"the run has no log yet: it is {state_of(found)}")
    return ExitCode.DONE


def _cancel(options: argparse.Namespace, client: ReceiverClient, messages: Messages) -> int:
    """Cancel a run."""
    number = str(looked_up(client, "run", options.id)["id"])
    found = client.cancel(number)
    if options.json:
        write_json(found, sys.stdout)
    elif found.get("status") == RunStatus.RUNNING:
        messages.say(
            f"{number} is running, and its worker was told to stop it (runs log -f {number} shows its end)"
        )
    else:
        messages.say(f"{number} is {state_of(found)}")
    return ExitCode.DONE


def _again(options: argparse.Namespace, client: ReceiverClient, messages: Messages) -> int:
    """Have the dispatch of a run carried out again."""
    messages.set_level(options.log_level)
    found = looked_up(client, "run", options.id)
    new = _redelivered(client, found)
    number = text_at(new, "run_id")
    if number is None:
        raise NoReceiver(f"{client.base_url} delivered it again, and does not say by which run")
    if options.json:
        write_json(client.run(number), sys.stdout)
        return ExitCode.DONE
    if new.get("coalesced"):
        messages.say(f"a run that waits already answers it: {number}")
    print(one_line(number))
    return follow(client, client.run(number), messages) if options.follow else ExitCode.DONE


def _redelivered(client: ReceiverClient, run: dict[str, Any]) -> dict[str, Any]:
    """Have the latest delivery that can be delivered again brought in again."""
    refused: ReceiverRefused | None = None
    for delivery in reversed(deliveries_of(run)):
        try:
            return client.redeliver(delivery)
        except ReceiverRefused as error:
            if error.status not in {404, 409}:
                raise
            refused = error
    if refused is not None:
        raise refused
    if (whole := text_at(run, "parent_id")) is not None:
        raise CommandFailed(
            ExitCode.COULD_NOT,
            f"run {run.get('id')} is of one of the pacts of run {whole}, which is carried out again as a whole: "
            f"pact-dispatch runs again {whole}",
        )
    raise CommandFailed(
        ExitCode.COULD_NOT,
        f"no delivery of run {run.get('id')} is kept: send it anew (pact-dispatch webhooks test UUID), or have it "
        "found (pact-dispatch reconcile)",
    )


_COMMANDS = {"list": _list, "show": _show, "log": _log, "cancel": _cancel, "again": _again}
