"""`pact-dispatch doctor`: look at the chain of each pact that is asked about, and print what was found."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from app.commands.credentials import broker_access, token_of
from app.commands.doctor.examination import Question, examine
from app.commands.doctor.report import write_json, write_text
from app.commands.receiver_access import receiver_url
from app.commands.runner import ExitCode
from app.config.variables import API_TOKEN, GITHUB_TOKEN
from broker.client.reading import ReadingClient
from broker.http.origin import Origin
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages

RETRY_SECONDS = 3.0
"""How long a request to a broker that is away is retried: someone is waiting."""
LONGEST_SECONDS = 120.0
"""How long the broker is asked in all."""


def run(options: argparse.Namespace, messages: Messages) -> int:
    """Print what was found of each link, and the first that is broken."""
    question = _question(options)
    messages.hide(question.github_token, question.api_token)
    access = broker_access(options, messages)
    deadline = time.monotonic() + LONGEST_SECONDS
    with ReadingClient(access, retry_time=RETRY_SECONDS, deadline=deadline, on_retry=messages.say) as client:
        report = examine(client, question)
    write = write_json if options.json else write_text
    write(report, messages.redacted, sys.stdout)
    first = report.first_broken
    if first is not None and first[1].name != "broker":
        return ExitCode.FAILED
    return ExitCode.COULD_NOT if report.broker_away else ExitCode.DONE


def _question(options: argparse.Namespace) -> Question:
    if not options.provider and not options.consumer:
        raise UsageError("what to look at? Give --provider NAME, or --consumer NAME and --version VERSION")
    if bool(options.consumer) != bool(options.version):
        raise UsageError("--consumer and --version go together")
    for name in ("provider", "consumer", "version"):
        if getattr(options, name) in {".", ".."}:
            raise UsageError(
                f"--{name} {getattr(options, name)} can't be asked about: in a URL it means another place"
            )
    try:
        Origin.of(options.github_url)
    except ValueError as error:
        raise UsageError(f"--github-url: {error}") from error
    return Question(
        options.consumer or None,
        options.version or None,
        options.provider or None,
        github_url=options.github_url,
        github_token=token_of(GITHUB_TOKEN) or token_of("GITHUB_TOKEN"),
        receiver_url=receiver_url(options),
        api_token=token_of(API_TOKEN),
    )
