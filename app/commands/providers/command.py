"""`pact-dispatch providers ...`: a function for each of its commands, from the options to the exit code."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TextIO

from app.commands.receiver_access import receiver_client, refusals_explained
from app.commands.run_document import age
from app.commands.runner import CommandFailed, ExitCode
from app.commands.tables import write_table
from app.receiver_client import ReceiverRefused
from app.records.pause_change import PauseChange
from broker.http.json_values import integer_at, text_at
from broker.text.cut import beginning
from broker.text.harmless import one_line, write_json
from verifier.errors import UsageError
from verifier.report.amounts import count

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from app.commands.runner import Messages
    from app.receiver_client import ReceiverClient

LONGEST_REASON = 60
"""The characters of a pause's reason in the list, whose rows are as wide as the longest one; `--json` has all of it."""


def run(options: argparse.Namespace, messages: Messages) -> int:
    """Run the command that is named below `providers`."""
    if options.providers_command is None:
        options.print_help()
        return ExitCode.USAGE
    client = receiver_client(options, messages)
    with refusals_explained(client):
        return _COMMANDS[options.providers_command](options, client, messages)


def _list(options: argparse.Namespace, client: ReceiverClient, _: Messages) -> int:
    """List the providers."""
    found = client.providers()
    if options.paused:
        found = [one for one in found if one.get("paused_at")]
    if options.json:
        write_json(found, sys.stdout)
    else:
        write_list(found, sys.stdout)
    return ExitCode.DONE


def _pause(options: argparse.Namespace, client: ReceiverClient, messages: Messages) -> int:
    """Pause a provider."""
    found = _done(options, client, "pause", reason=options.reason)
    if options.json:
        write_json(found, sys.stdout)
        return ExitCode.DONE
    waiting = integer_at(found, "waiting") or 0
    runs = f"{count(waiting, 'run')} of it wait{'s' * (waiting == 1)}"
    now = f"{options.name} is {_state(found)}; {runs}"
    # an older receiver doesn't say what has changed: it keeps the first reason
    change = found.get("change", PauseChange.PAUSED)
    before = "" if change == PauseChange.PAUSED else "it was paused already, and "
    what = "has your reason now: " if change == PauseChange.REASON else "nothing has changed: "
    messages.say(f"{before}{what if before else ''}{now}")
    return ExitCode.DONE


def _resume(options: argparse.Namespace, client: ReceiverClient, messages: Messages) -> int:
    """Resume a provider."""
    found = _done(options, client, "resume")
    if options.json:
        write_json(found, sys.stdout)
        return ExitCode.DONE
    waiting = integer_at(found, "waiting") or 0
    how = "is resumed" if found.get("change") == PauseChange.RESUMED else "is not paused"
    messages.say(f"{options.name} {how}; {count(waiting, 'run')} of it can start now")
    return ExitCode.DONE


def _done(
    options: argparse.Namespace, client: ReceiverClient, action: str, reason: str | None = None
) -> dict[str, Any]:
    """Have something done to a provider, and return it.

    Raises:
        UsageError: It can't be a name.
        CommandFailed: The receiver has none of this name; the message says which it has.
    """
    if not options.name.strip("."):
        raise UsageError(
            f"{options.name!r} is no name of a provider (pact-dispatch providers list shows the names)"
        )
    try:
        return client.change_provider(options.name, action, reason=reason)
    except ReceiverRefused as error:
        if error.status != 404 or not error.reason:
            raise
        known = [str(one.get("name")) for one in client.providers()]
        folded = {name.casefold(): name for name in known}
        near = [folded[name] for name in get_close_matches(options.name.casefold(), folded, n=3)]
        meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise CommandFailed(
            ExitCode.COULD_NOT, f"{error.reason}{meant} (pact-dispatch providers list shows the names)"
        ) from error


def write_list(providers: Sequence[dict[str, Any]], stream: TextIO) -> None:
    """Write providers as a table."""
    if not providers:
        stream.write("no providers\n")
        return
    rows = [
        (
            str(one.get("name")),
            _state(one, longest=LONGEST_REASON),
            str(one.get("waiting", "")),
            str(one.get("running", "")),
            _latest(one, for_people=stream is sys.stdout and stream.isatty()),
            text_at(one, "repository") or "",
        )
        for one in providers
    ]
    write_table(("PROVIDER", "STATE", "WAITING", "RUNNING", "LATEST", "REPOSITORY"), rows, stream)


def _state(provider: dict[str, Any], *, longest: int | None = None) -> str:
    """Return whether a provider is paused, by whom and why.

    Args:
        provider: The provider.
        longest: The characters of the reason; all of them if None.
    """
    if not provider.get("paused_at"):
        return "ready" if provider.get("repository") else "not configured"
    reason = text_at(provider, "pause_reason")
    if reason and longest:
        reason = beginning(one_line(reason), longest)
    return f"paused by {provider.get('paused_by')} since {provider['paused_at']}{f': {reason}' if reason else ''}"


def _latest(provider: dict[str, Any], *, for_people: bool) -> str:
    """Return how the latest run of a provider ended, and with how many consumers its contract is broken."""
    outcome, ended_at = text_at(provider, "outcome"), text_at(provider, "ended_at")
    if outcome is None:
        return ""
    broken = integer_at(provider, "broken") or 0
    when = age(ended_at) if for_people else ended_at
    return f"{outcome} {when}" + (f", broken with {count(broken, 'consumer')}" if broken else "")


_COMMANDS = {"list": _list, "pause": _pause, "resume": _resume}
