"""The examination: every link of the chain in order, for each pact that is asked about."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.commands.dispatch_url import GITHUB_API, DispatchUrl
from app.commands.doctor import (
    broker_checks,
    github_checks,
    notification_checks,
    receiver_checks,
    webhook_checks,
)
from app.commands.doctor.chain import Case, Chain, NotAsked, Report
from app.commands.doctor.github_checks import GitHubAnswers
from app.commands.doctor.pact_state import PactState, latest_pacts, pacts_of
from app.commands.doctor.receiver_checks import ReceiverAnswers
from app.commands.finding import Finding, State
from app.github.answers import GitHubFailed
from broker.http.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.commands.doctor.pact_state import Target
    from app.commands.doctor.receiver_checks import AskedReceiver
    from broker.client import BrokerClient
    from broker.client.reading import ReadingClient

MOST_PACTS = 20
"""The pacts that are looked at in one examination."""


@dataclass(frozen=True)
class Question:
    """What is asked about: a provider, or a consumer version, or one pact between the two.

    Attributes:
        consumer: The name of the consumer; None for each consumer of the provider.
        version: The version of the consumer.
        provider: The name of the provider; None for each provider of the consumer version.
        github_url: The URL of GitHub's API. The token goes there and nowhere else.
        github_token: A token of GitHub.
        receiver_url: The URL of the receiver, as the options give it. The API's token goes there and nowhere else.
        api_token: A token of the receiver's API.
        own_receiver: Answers in the place of a receiver at any URL, where a receiver examines its own providers.
    """

    consumer: str | None
    version: str | None
    provider: str | None
    github_url: str = GITHUB_API
    github_token: str | None = field(default=None, repr=False)
    receiver_url: str | None = None
    api_token: str | None = field(default=None, repr=False)
    own_receiver: AskedReceiver | None = None


def examine(client: ReadingClient, question: Question) -> Report:
    """Examine the chain of each pact that is asked about.

    Returns:
        What was found. A broker that can't be asked at all is a broken link.
    """
    broker = str(client.origin)
    try:
        first = replace(broker_checks.check_broker(client), name="broker")
        cases, left_out = _cases(client, question)
        chains = [] if cases else [Chain(None, (first, _no_pact(client, question)))]
    except BrokerError as error:
        todo = "check its address, the network between, and the credentials"
        return Report(
            broker,
            (Chain(None, (Finding(State.FAILED, str(error), todo, name="broker"),)),),
            broker_away=True,
        )
    examination = _Examination(client, question)
    chains += [Chain(case, (first, *examination.of(PactState(client, case)))) for case in cases]
    return Report(broker, tuple(chains), examination.broker_away, left_out)


def _cases(client: BrokerClient, question: Question) -> tuple[list[Case], int]:
    consumer, version, provider = question.consumer, question.version, question.provider
    if consumer is None or version is None:
        return latest_pacts(client, provider or "", MOST_PACTS) or ([], 0)
    if provider is not None:
        return [Case(consumer, version, provider)], 0
    return pacts_of(client, consumer, version, MOST_PACTS) or ([], 0)


def _no_pact(client: BrokerClient, question: Question) -> Finding:
    finding = broker_checks.no_pact(
        client, consumer=question.consumer, version=question.version, provider=question.provider
    )
    return replace(finding, name="pact")


class _Examination:
    """The examination of several pacts, which asks GitHub once for what they have in common."""

    def __init__(self, client: ReadingClient, question: Question) -> None:
        self.broker_away = False
        self._client = client
        self._question = question
        self._github = GitHubAnswers(question.github_url, question.github_token)
        self._now = datetime.now(UTC)

    def of(self, state: PactState) -> list[Finding]:
        """Return a finding for each link that there is for a pact.

        What lacked a result when the broker was asked may have got it before the others were, or may be needed of
        another version since.
        """
        findings = self._links(state)
        if findings[-1].name == "result" and findings[-1].state is State.FAILED:
            with suppress(BrokerError):
                for asked_again in ("matrix", "pacticipants"):
                    self._client.forget(self._client.url(asked_again))
                again = PactState(state.client, state.case)
                if again.results != state.results or again.versions != state.versions:
                    self._client.forget()
                    return self._links(PactState(state.client, state.case))
        return findings

    def _links(self, state: PactState) -> list[Finding]:
        findings = [self._checked("pact", broker_checks.check_pact, state)]
        if findings[0].state is State.FAILED:
            return findings
        findings.append(self._checked("main-branch", broker_checks.check_main_branch, state))
        findings.append(self._checked("provider-versions", broker_checks.check_versions, state))
        findings.append(self._checked("webhook", webhook_checks.check_webhook, state))
        if findings[-1].state is State.OK:
            findings.append(self._checked("webhook-enabled", webhook_checks.check_enabled, state))
            findings.append(self._checked("webhook-event", webhook_checks.check_event, state))
            delivery = self._checked("delivery", webhook_checks.check_delivery, state)
            behind = self._behind(state)
            if delivery.state is State.FAILED and any(receiver_checks.answers(one) for one in behind):
                found = f"{delivery.found}; a run that is under way answers it all the same"
                delivery = replace(delivery, state=State.WARNING, found=found)
            findings += [delivery, *behind]
        else:
            findings += self._without_webhook(state)
        findings.append(self._checked("result", broker_checks.check_result, state, findings))
        return findings

    def _behind(self, state: PactState) -> list[Finding]:
        """Examine what the webhook sends to: GitHub, or a receiver; of anything else nothing is known."""
        target = state.target
        if target is None or target.base is None:
            return []
        if self._is_github(target):
            return self._at_github(state, target)
        return self._at_receiver(state, target)

    def _without_webhook(self, state: PactState) -> list[Finding]:
        """Look for a run at the receiver that answers the pact although no webhook asked for it."""
        receiver_url = self._question.receiver_url
        if receiver_url is None and self._question.own_receiver is None:
            return []
        receiver = ReceiverAnswers(
            state, None, receiver_url, self._question.api_token, self._question.own_receiver
        )
        try:
            found = receiver_checks.check_every_pact(receiver)
        except BrokerError:
            return []
        return [] if found is None else [replace(found, name="receiver-runs")]

    def _at_receiver(self, state: PactState, target: Target) -> list[Finding]:
        receiver = ReceiverAnswers(
            state,
            target,
            self._question.receiver_url,
            self._question.api_token,
            self._question.own_receiver,
        )
        findings = [
            self._checked("receiver", receiver_checks.check_receiver, state, receiver),
            self._checked("receiver-deliveries", receiver_checks.check_deliveries, state, receiver),
            self._checked("receiver-runs", receiver_checks.check_runs, state, receiver),
        ]
        told = notification_checks.check_notifications(receiver, state.case.provider)
        findings += [] if told is None else [replace(told, name="receiver-notifications")]
        # GitHub is asked for the repository of the dispatch; the relay may be told another one
        return (
            [*findings, *self._at_github(state, self._relayed(target))]
            if receiver_checks.was_passed_on(receiver)
            else findings
        )

    def _relayed(self, target: Target) -> Target:
        return replace(target, base=self._question.github_url)

    def _at_github(self, state: PactState, target: Target) -> list[Finding]:
        github, now = self._github, self._now
        return [
            self._checked("github-token", github_checks.check_token, state, github, target, now),
            self._checked("github-repository", github_checks.check_repository, state, github, target),
            self._checked("workflow", github_checks.check_workflow, state, github, target),
            self._checked("workflow-runs", github_checks.check_runs, state, github, target, now),
        ]

    def _is_github(self, target: Target) -> bool:
        base = (target.base or "").rstrip("/").lower()
        named = self._question.receiver_url
        if named is not None and base == named.rstrip("/").lower():
            return False
        is_github = DispatchUrl(target.base or "", "").is_github
        return is_github or base == self._question.github_url.rstrip("/").lower()

    def _checked(self, link: str, check: Callable[..., Finding], *arguments: Any) -> Finding:
        return replace(self._found(check, *arguments), name=link)

    def _found(self, check: Callable[..., Finding], *arguments: Any) -> Finding:
        try:
            return check(*arguments)
        except NotAsked as error:
            return Finding(State.UNKNOWN, error.found, error.to_do)
        except GitHubFailed as error:
            return Finding(State.UNKNOWN, str(error), github_checks.NEEDED)
        except BrokerError as error:
            self.broker_away = self.broker_away or error.transient
            todo = "the broker must answer this" if error.transient else "other credentials may be let see it"
            return Finding(State.UNKNOWN, str(error), todo)
