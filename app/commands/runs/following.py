"""Following a run: its log as it grows, until its end."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from app.commands.run_document import exit_code_of, has_ended, state_of
from app.receiver_client import NoReceiver, ReceiverAway
from broker.text.harmless import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.commands.runner import Messages
    from app.receiver_client import ReceiverClient

POLL_SECONDS = 1.0
AWAY_SECONDS = 60.0
"""How long the receiver may be away, as while it is started again."""


def follow(client: ReceiverClient, run: dict[str, Any], messages: Messages) -> int:
    """Print the log of a run until it has ended.

    Args:
        client: The client of the receiver.
        run: The document of the run.
        messages: Are told where it stands.

    Returns:
        The exit code that tells the outcome.

    Raises:
        ReceiverAway: The receiver stayed away.
    """
    number = str(run["id"])
    shown, told = "", ""
    for found, log in _asked(client, number, messages):
        new = added(shown, log)
        if new:
            print("\n".join(lines_of(new)), flush=True)
        shown, run = log, found
        if has_ended(run):
            break
        if (state := state_of(run)) != told:
            told = state
            reason = f" after: {run['error']}" if run.get("error") else ""
            messages.say(f"{number} is {state}{reason}")
    outcome = run.get("error") or run.get("publish_error")
    code = exit_code_of(run)
    messages.say(
        f"{number}: {state_of(run)}{f': {outcome}' if outcome else ''}",
        logging.WARNING if code else logging.INFO,
    )
    return code


def added(shown: str, log: str) -> str:
    """Return what a log has beyond what was shown: its middle may be left out since, or a new attempt have begun."""
    if log.startswith(shown):
        return log.removeprefix(shown).removeprefix("\n")
    _, found, after = f"\n{log}".rpartition(f"\n{shown.splitlines()[-1]}\n")
    return after if found else log


def _asked(client: ReceiverClient, number: str, messages: Messages) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the run and then its log, again and again; a receiver that is away is waited for."""
    since: float | None = None
    while True:
        try:
            run = client.run(number)
            log = client.log(number)  # asked for last, so that it is whole if the run has ended
        except (ReceiverAway, NoReceiver) as error:
            if since is None:
                since = time.monotonic()
                messages.say(f"{error}; it is asked again for {AWAY_SECONDS:g} s", logging.WARNING)
            elif time.monotonic() - since > AWAY_SECONDS:
                raise
        else:
            since = None
            yield run, log
        time.sleep(POLL_SECONDS)
