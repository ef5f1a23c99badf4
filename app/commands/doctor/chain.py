"""The whole look: each link of the chain in its order, for each pact that is asked about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.commands.doctor import broker_checks, github_checks, receiver_checks, webhook_checks
from app.commands.doctor.check import Case, Chain, Check, Report, Status
from app.commands.doctor.github_checks import GitHubLook
from app.commands.doctor.pact_state import PactState, latest_pacts, pacts_of
from app.commands.doctor.receiver_checks import ReceiverLook
from broker.http.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.commands.doctor.pact_state import Target
    from broker.client import BrokerClient

MOST_PACTS = 20
"""So many pacts are looked at in one go."""


@dataclass(frozen=True)
class Question:
    """What is asked about: a provider, or a consumer version, or one pact between the two.

    Attributes:
        consumer: its name; None for each consumer of the provider.
        version: of the consumer; given together with it.
        provider: its name; None for each provider of the consumer version.
        github_url: GitHub's API: the token goes there and nowhere else.
        github_token: None where there is none.
        receiver_url: the receiver, as whoever asks knows it; its token goes there and nowhere else.
        api_token: of the receiver's API.
    """

    consumer: str | None
    version: str | None
    provider: str | None
    github_url: str = "https://api.github.com"
    github_token: str | None = field(default=None, repr=False)
    receiver_url: str | None = None
    api_token: str | None = field(default=None, repr=False)


def examine(client: BrokerClient, question: Question) -> Report:
    """Look at the chain of each pact that is asked about.

    Returns:
        What was found. A broker that can't be asked at all is a broken link in it.
    """
    broker = str(client.origin)
    try:
        first = broker_checks.check_broker(client)
        cases, left_out = _cases(client, question)
        chains = [] if cases else [Chain(None, (first, _no_pact(client, question)))]
    except BrokerError as error:
        todo = "check its address, the network between, and the credentials"
        return Report(
            broker, (Chain(None, (Check("broker", Status.BROKEN, str(error), todo),)),), broker_away=True
        )
    look = _Look(question)
    chains += [Chain(case, (first, *look.at(PactState(client, case)))) for case in cases]
    return Report(broker, tuple(chains), look.broker_away, left_out)


def _cases(client: BrokerClient, question: Question) -> tuple[list[Case], int]:
    consumer, version, provider = question.consumer, question.version, question.provider
    if consumer is None or version is None:
        return latest_pacts(client, provider or "", MOST_PACTS) or ([], 0)
    if provider is not None:
        return [Case(consumer, version, provider)], 0
    return pacts_of(client, consumer, version, MOST_PACTS) or ([], 0)


def _no_pact(client: BrokerClient, question: Question) -> Check:
    return broker_checks.no_pact(
        client, consumer=question.consumer, version=question.version, provider=question.provider
    )


class _Look:
    """One look, over all pacts: GitHub is asked once for what several of them have in common."""

    def __init__(self, question: Question) -> None:
        self.broker_away = False
        self._question = question
        self._github = GitHubLook(question.github_url, question.github_token)
        self._now = datetime.now(UTC)

    def at(self, state: PactState) -> list[Check]:
        """Look at each link that there is for a pact."""
        checks = [self._checked("pact", lambda: broker_checks.check_pact(state))]
        if checks[0].status is Status.BROKEN:
            return checks
        checks.append(self._checked("main-branch", lambda: broker_checks.check_main_branch(state)))
        checks.append(self._checked("provider-versions", lambda: broker_checks.check_versions(state)))
        checks.append(self._checked("webhook", lambda: webhook_checks.check_webhook(state)))
        if checks[-1].status is Status.OK:
            checks.append(self._checked("webhook-enabled", lambda: webhook_checks.check_enabled(state)))
            checks.append(self._checked("webhook-event", lambda: webhook_checks.check_event(state)))
            checks.append(self._checked("delivery", lambda: webhook_checks.check_delivery(state)))
            checks += self._behind(state)
        checks.append(self._checked("result", lambda: broker_checks.check_result(state, checks)))
        return checks

    def _behind(self, state: PactState) -> list[Check]:
        """Look at what the webhook sends to: GitHub, or a receiver; of anything else nothing is known."""
        target = state.target
        if target is None or target.base is None:
            return []
        if self._is_github(target):
            return self._at_github(state, target)
        return self._at_receiver(state, target)

    def _at_receiver(self, state: PactState, target: Target) -> list[Check]:
        look = ReceiverLook.of(target, self._question.receiver_url, self._question.api_token)
        checks = [
            self._checked("receiver", lambda: receiver_checks.check_receiver(state, look)),
            self._checked("receiver-deliveries", lambda: receiver_checks.check_deliveries(state, look)),
            self._checked("receiver-runs", lambda: receiver_checks.check_runs(state, look)),
        ]
        # GitHub is asked for the repository of the dispatch; the relay may be told another one
        return (
            [*checks, *self._at_github(state, self._relayed(target))]
            if receiver_checks.was_passed_on(state, look)
            else checks
        )

    def _relayed(self, target: Target) -> Target:
        return replace(target, base=self._question.github_url)

    def _at_github(self, state: PactState, target: Target) -> list[Check]:
        github, now = self._github, self._now
        return [
            self._checked("github-token", lambda: github_checks.check_token(state, github, target, now=now)),
            self._checked("github-repository", lambda: github_checks.check_repository(state, github, target)),
            self._checked("workflow", lambda: github_checks.check_workflow(github, target)),
            self._checked("workflow-runs", lambda: github_checks.check_runs(state, github, target, now=now)),
        ]

    def _is_github(self, target: Target) -> bool:
        base = (target.base or "").rstrip("/").lower()
        named = self._question.receiver_url
        if named is not None and base == named.rstrip("/").lower():
            return False
        return (
            base == "https://api.github.com"
            or base.endswith("/api/v3")
            or base == self._question.github_url.rstrip("/").lower()
        )

    def _checked(self, link: str, check: Callable[[], Check]) -> Check:
        try:
            return check()
        except BrokerError as error:
            self.broker_away = self.broker_away or error.transient
            todo = "the broker must answer this" if error.transient else "other credentials may be let see it"
            return Check(link, Status.UNKNOWN, str(error), todo)
