"""Why a result is missing: the first broken link of the doctor's chain, or else what is under way."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.commands.doctor.examination import Question, examine
from app.commands.doctor.receiver_checks import answers
from app.commands.finding import State
from broker.client.deployability import Verdict
from broker.client.reading import ReadingClient

if TYPE_CHECKING:
    from app.commands.doctor.chain import Chain
    from broker.client import BrokerAccess
    from broker.client.deployability import Deployability

RETRY_SECONDS = 3.0
"""How long a request to a broker that is away is retried: the wait itself goes on."""
LONGEST_SECONDS = 60.0
"""How long one examination may take in all."""
NOT_IN_ENVIRONMENT = "no version is currently recorded as deployed/released in this environment"
"""What a Pact Broker's reason ends with where a result can't count, since no version is there that it could be of."""


ASKING = frozenset(
    {"main-branch", "provider-versions", "webhook", "webhook-enabled", "webhook-event", "delivery"}
)
"""The links by which a run is asked for when a pact changes."""


@dataclass(frozen=True)
class Reason:
    """Why the result of a provider is missing.

    Attributes:
        provider: The name of the provider.
        link: The name of the link of the chain; empty if none stands out.
        found: What was found of it.
        to_do: What to do about it; empty if nothing is to be done but wait.
    """

    provider: str
    link: str
    found: str
    to_do: str

    def __str__(self) -> str:
        return f"{self.provider}: {self.found}"


def reasons_of(
    answer: Deployability, access: BrokerAccess, question: Question, environment: str
) -> list[Reason]:
    """Return why each result is missing, a reason for each provider.

    Args:
        answer: The broker's answer.
        access: The broker.
        question: Whose result is missing; its `consumer` is what is to be deployed.
        environment: Where it is to be deployed.
    """
    if answer.verdict not in {Verdict.UNKNOWN, Verdict.NOTHING_KNOWN}:
        return []
    missing = [pair for pair in answer.pairs if pair.passed is None and pair.consumer[0] == question.consumer]
    providers: list[str | None] = [*dict.fromkeys(pair.provider[0] for pair in missing)]
    if answer.verdict is Verdict.NOTHING_KNOWN:
        providers = [None]
    deadline = time.monotonic() + LONGEST_SECONDS
    found = []
    with ReadingClient(access, retry_time=RETRY_SECONDS, deadline=deadline) as client:
        for provider in providers:
            if provider and _is_absent(answer, provider):
                found.append(_absence(provider, environment))
                continue
            report = examine(client, replace(question, provider=provider))
            found += [_reason(chain, provider or question.consumer or "") for chain in report.chains]
    return found


def _is_absent(answer: Deployability, provider: str) -> bool:
    return any(NOT_IN_ENVIRONMENT in one and f" of {provider} currently in " in one for one in answer.reasons)


def _absence(provider: str, environment: str) -> Reason:
    record = "pact broker record-deployment --pacticipant {} --version VERSION --environment {}"
    return Reason(
        provider,
        "environment",
        f"no version of it is recorded as deployed in {environment}, so no result counts",
        f"deploy it there, and record it: {record.format(shlex.quote(provider), shlex.quote(environment))}",
    )


def _reason(chain: Chain, name: str) -> Reason:
    """Return what stands out of a chain; its last link says no more than that the result is missing."""
    links = [finding for finding in chain.findings if finding.name != "result"]
    broken = next((finding for finding in links if finding.state is State.FAILED), None)
    under_way = next((finding for finding in reversed(links) if finding.under_way), None)
    if broken is not None and broken.name in ASKING and under_way is not None and answers(under_way):
        broken = None  # the run was asked for in another way
    finding = broken or under_way
    if finding is None:
        unseen = [one.name for one in links if one.state is State.UNKNOWN]
        return Reason(
            name,
            "",
            "no result yet, and no link before it is known to be broken"
            + (f"; not looked at: {', '.join(unseen)}" if unseen else ""),
            next((one.to_do for one in links if one.state is State.UNKNOWN), ""),
        )
    to_do = finding.to_do if broken else ""
    return Reason(name, finding.name, finding.found, to_do)
