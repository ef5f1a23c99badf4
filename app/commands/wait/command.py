"""`pact-dispatch wait`: ask the broker until the verdict is there, and say meanwhile why it is not."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from app.commands.credentials import broker_access, token_of
from app.commands.doctor.examination import Question
from app.commands.polling import polls
from app.commands.receiver_access import receiver_url
from app.commands.runner import ExitCode
from app.commands.tables import write_table
from app.commands.wait.explanation import reasons_of
from app.commands.wait.progress import wait_progress
from app.config.variables import API_TOKEN, GITHUB_TOKEN
from broker.client import BrokerClient, BrokerUnreachable
from broker.client.deployability import Verdict, deployability
from broker.http.origin import Origin
from broker.text.harmless import one_line, write_json
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from app.commands.runner import Messages
    from app.commands.wait.explanation import Reason
    from app.commands.wait.progress import WaitProgress
    from broker.client.deployability import Deployability

PATIENCE_SECONDS = 8.0
"""How long a result may be missing before the reason is looked for: a webhook of a broker is sent after five."""
EXPLAIN_SECONDS = 15.0
"""How often the reason is looked for."""
RETRY_SECONDS = 30.0
"""How long one question is tried again while the broker is away."""

_OVER = object()
CODES = {Verdict.DEPLOYABLE: ExitCode.DONE, Verdict.REFUSED: ExitCode.FAILED}
OUTCOMES = {True: "passed", False: "failed", None: "missing"}


def run(options: argparse.Namespace, messages: Messages) -> int:
    """Wait, and print the verdict."""
    messages.set_level(options.log_level)
    question = _question(options)
    messages.hide(question.github_token, question.api_token)
    access = broker_access(options, messages)
    with (
        BrokerClient(access, retry_time=RETRY_SECONDS, on_retry=messages.say) as client,
        wait_progress(messages) as progress,
    ):
        answer = _wait(
            lambda: deployability(client, options.pacticipant, options.version, options.to_environment),
            lambda found: reasons_of(found, access, question, options.to_environment),
            options.timeout,
            progress,
        )
    reasons = reasons_of(answer, access, question, options.to_environment)
    _write(options, answer, reasons, messages)
    return CODES.get(answer.verdict, ExitCode.COULD_NOT)


def _wait(
    ask: Callable[[], Deployability],
    explain: Callable[[Deployability], list[Reason]],
    seconds: float,
    progress: WaitProgress,
) -> Deployability:
    """Return the broker's answer when nothing is missing any more, or when the time is over.

    Raises:
        BrokerUnreachable: There was none at all; a broker that was there and is away is waited for.
    """
    explain_at = time.monotonic() + PATIENCE_SECONDS
    reasons: tuple[str, ...] = ()
    polling = polls(seconds)
    next(polling)
    answer = ask()
    while answer.verdict is Verdict.UNKNOWN:
        if time.monotonic() >= explain_at:
            reasons = tuple(f"{one}{f'. To do: {one.to_do}' if one.to_do else ''}" for one in explain(answer))
            explain_at = time.monotonic() + EXPLAIN_SECONDS
        progress.show(_waiting_for(answer), (*answer.reasons, *reasons))
        if next(polling, _OVER) is _OVER:
            break
        try:
            answer = ask()
        except BrokerUnreachable as error:
            progress.show(f"the broker is away: {error}", (), is_amiss=True)
    return answer


def _waiting_for(answer: Deployability) -> str:
    names = [" ".join(filter(None, pair.provider)) for pair in answer.pairs if pair.passed is None]
    return f"waiting for the result of {', '.join(dict.fromkeys(names)) or 'a provider'}"


def _question(options: argparse.Namespace) -> Question:
    for name in ("pacticipant", "version", "to_environment"):
        if getattr(options, name) in {"", ".", ".."}:
            raise UsageError(f"--{name.replace('_', '-')} {getattr(options, name)!r} can't be asked about")
    try:
        Origin.of(options.github_url)
    except ValueError as error:
        raise UsageError(f"--github-url: {error}") from error
    return Question(
        options.pacticipant,
        options.version,
        None,
        github_url=options.github_url,
        github_token=token_of(GITHUB_TOKEN) or token_of("GITHUB_TOKEN"),
        receiver_url=receiver_url(options),
        api_token=token_of(API_TOKEN),
    )


def _write(
    options: argparse.Namespace, answer: Deployability, reasons: Sequence[Reason], messages: Messages
) -> None:
    if options.json:
        write_json(_document(options, answer, reasons, messages.redacted), sys.stdout)
        return
    verdict = {
        Verdict.DEPLOYABLE: "may be deployed",
        Verdict.REFUSED: "may not be deployed: a verification failed",
        Verdict.UNKNOWN: f"is not known to be deployable: a result is missing after {options.timeout:g} s",
        Verdict.NOTHING_KNOWN: "is not known to be deployable: the broker has nothing about it",
    }[answer.verdict]
    print(one_line(f"{options.pacticipant} {options.version} {verdict} (to {options.to_environment})"))
    if answer.pairs:
        rows = [
            (
                " ".join(filter(None, pair.consumer)),
                " ".join(filter(None, pair.provider)),
                OUTCOMES[pair.passed],
            )
            for pair in answer.pairs
        ]
        print()
        write_table(("CONSUMER", "PROVIDER", "RESULT"), rows, sys.stdout)
    if answer.verdict is Verdict.DEPLOYABLE:
        return
    print()
    for line in _what_next(options, answer, reasons):
        print(one_line(messages.redacted(line)))


def _what_next(options: argparse.Namespace, answer: Deployability, reasons: Sequence[Reason]) -> list[str]:
    """Return why it is so, and what to do."""
    lines = list(answer.reasons)
    lines += [f"See {pair.result_url}" for pair in answer.pairs if pair.passed is False and pair.result_url]
    for reason in reasons:
        lines.append(str(reason))
        lines += [f"  To do: {reason.to_do}"] if reason.to_do else []
    if answer.verdict is Verdict.UNKNOWN:
        lines.append(
            f"For each step: pact-dispatch doctor --consumer {options.pacticipant!r} --version {options.version!r}"
        )
    return lines


def _document(
    options: argparse.Namespace,
    answer: Deployability,
    reasons: Sequence[Reason],
    hide: Callable[[str], str],
) -> dict[str, Any]:
    return {
        "pacticipant": options.pacticipant,
        "version": options.version,
        "environment": options.to_environment,
        "verdict": answer.verdict.name.lower(),
        "reasons": [hide(reason) for reason in answer.reasons],
        "matrix": [
            {
                "consumer": pair.consumer[0],
                "consumer_version": pair.consumer[1],
                "provider": pair.provider[0],
                "provider_version": pair.provider[1],
                "passed": pair.passed,
                "result_url": pair.result_url,
            }
            for pair in answer.pairs
        ],
        "waiting_for": [
            {
                "provider": reason.provider,
                "link": reason.link or None,
                "found": hide(reason.found),
                "todo": hide(reason.to_do),
            }
            for reason in reasons
        ],
    }
