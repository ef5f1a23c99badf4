"""The checks at the receiver: its health, the dispatches that it received, and its runs."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from app.commands.doctor import advice
from app.commands.doctor.chain import NotAsked
from app.commands.doctor.every_pact import described, why_no_answer
from app.commands.finding import Finding, State, listed
from app.config.variables import API_TOKEN, API_TOKENS
from app.intake.refusal_words import words_of
from app.receiver_client import (
    NOT_READY,
    TRUST,
    NoReceiver,
    ReceiverAway,
    ReceiverClient,
    ReceiverNotReady,
    ReceiverRefused,
)
from app.records.run import PAUSED_PROVIDER, SUPERSEDED, Publishing, RunStatus
from broker.client.for_verification import content_of
from verifier.report.amounts import count
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.commands.doctor.pact_state import PactState, Target
    from app.receiver_client import Health

RUNS = "receiver-runs"
"""The link of the chain that these runs are."""
_OPEN = (RunStatus.RUNNING, RunStatus.WAITING, RunStatus.RUNNING)
"""What is asked for, one after the other, to find the runs that are open: one may begin, or be put back, meanwhile."""
MOST_WHOLE = 5
"""The runs for every pact that are looked at."""
Answer = TypeVar("Answer")


class AskedReceiver(Protocol):
    """A receiver that can be asked; `app.receiver_client.ReceiverClient` explains its methods."""

    @property
    def base_url(self) -> str:
        """Its URL."""

    @property
    def token(self) -> str | None:
        """The token that it is asked with; None if it can't be asked for anything but its health."""

    def health(self) -> Health:
        """Return what it says of itself."""

    def deliveries(self, repository: str) -> list[dict[str, Any]]:
        """Return the latest deliveries for a repository."""

    def runs(self, provider: str, consumer: str) -> list[dict[str, Any]]:
        """Return the latest runs for a provider and a consumer."""

    def runs_for_every_pact(self, provider: str, status: RunStatus) -> list[dict[str, Any]]:
        """Return the runs for every pact of a provider that have a status."""

    def run(self, number: str) -> dict[str, Any]:
        """Return a run."""

    def notifications(self, provider: str) -> list[dict[str, Any]]:
        """Return the latest message about a provider to each of those who are told of its changes."""


class ReceiverAnswers:
    """What a receiver answers about a pact.

    Args:
        state: The pact.
        target: The target of its webhook; None if it has none.
        receiver_url: The URL of the receiver, if the options give it.
        token: A token of its API. It goes to no address that only the broker names.
        own: Answers in the place of a receiver at any URL, where a receiver examines its own providers.
    """

    def __init__(
        self,
        state: PactState,
        target: Target | None,
        receiver_url: str | None,
        token: str | None,
        own: AskedReceiver | None = None,
    ) -> None:
        self.named = receiver_url is not None or own is not None
        base = receiver_url or (target.base if target else None)
        self.client: AskedReceiver = own or ReceiverClient(base or "", token if self.named else None)
        self.repository = (target.repository if target else None) or ""
        self._state = state

    @cached_property
    def deliveries(self) -> list[dict[str, Any]]:
        """The latest deliveries for the repository, the newest first; raises NotAsked."""
        return self._asked("its deliveries", lambda: self.client.deliveries(self.repository))

    @cached_property
    def runs(self) -> list[dict[str, Any]]:
        """The latest runs for the consumer and the provider, the newest first; raises NotAsked."""
        case = self._state.case
        return self._asked("its runs", lambda: self.client.runs(case.provider, case.consumer))

    @property
    def runs_of_pact(self) -> list[dict[str, Any]]:
        """The runs for this pact, without those that a later one answers; raises NotAsked."""
        about = [run for run in self.runs if _is_about(run, self._state)]
        return [run for run in about if run.get("error_kind") != SUPERSEDED]

    @cached_property
    def runs_for_every_pact(self) -> list[tuple[dict[str, Any], str | None]]:
        """The runs for every pact that wait or run, each with the reason why it does not answer this one.

        Raises:
            NotAsked: The receiver could not be asked.
        """
        provider = self._state.case.provider
        found = [
            str(run.get("id"))
            for status in _OPEN
            for run in self._asked("its runs", partial(self.client.runs_for_every_pact, provider, status))
        ]
        whole = [
            self._asked("its runs", partial(self.client.run, number))
            for number in list(dict.fromkeys(found))[:MOST_WHOLE]
        ]
        # what such a run has verified since the runs of this pair were asked for is among them now
        vars(self).pop("runs", None)
        return [(run, why_no_answer(run, self._state, self.runs_of_pact)) for run in whole]

    @property
    def run_for_every_pact(self) -> dict[str, Any] | None:
        """The run for every pact that is still to answer this one; None if there is none; raises NotAsked."""
        return next((run for run, why_not in self.runs_for_every_pact if why_not is None), None)

    def _asked(self, what: str, fetch: Callable[[], Answer]) -> Answer:
        if not self.named:
            raise NotAsked(
                f"{what} were not looked at",
                f"give --receiver-url {self.client.base_url} and {API_TOKEN}: the token goes there alone",
            )
        if not self.client.token:
            raise NotAsked(
                f"{what} were not looked at", f"set {API_TOKEN} to one of the receiver's {API_TOKENS}"
            )
        try:
            return fetch()
        except ReceiverRefused as error:
            raise NotAsked(str(error), f"{API_TOKEN} must be one of the receiver's {API_TOKENS}") from error
        except (ReceiverAway, NoReceiver) as error:
            raise NotAsked(str(error), "see the check receiver") from error


def _advice(error: ReceiverAway) -> str:
    if "certificate" in str(error).lower():
        return f"it is up: {TRUST}"
    if isinstance(error, ReceiverNotReady):
        return f"{NOT_READY[0].lower()}{NOT_READY[1:]}"
    return "start it (pact-dispatch serve), and look at its log"


def check_receiver(state: PactState, receiver: ReceiverAnswers) -> Finding:
    """Check that the receiver is ready."""
    try:
        health = receiver.client.health()
    except ReceiverAway as error:
        delivered = bool(state.deliveries) and state.deliveries[0].status == "success"
        if delivered and not receiver.named:
            return Finding(
                State.UNKNOWN,
                f"{error}; the broker reached it",
                "run this where it can be reached, or give --receiver-url",
            )
        return Finding(State.FAILED, str(error), _advice(error))
    except NoReceiver as error:
        return Finding(State.UNKNOWN, str(error), "give --receiver-url, if it is a receiver")
    if not health.ready:
        return Finding(
            State.FAILED,
            f"{receiver.client.base_url} is not ready: {listed(list(health.problems)) or 'it does not say why'}",
            "start what is missing (its database, a worker: pact-dispatch worker), and look at its log",
        )
    text = f"{receiver.client.base_url} is ready"
    if health.workers is not None and health.waiting is not None:
        waiting = count(health.waiting, "run")
        text += f": {count(health.workers, 'worker')}, {waiting} {'waits' if health.waiting == 1 else 'wait'}"
    return Finding(State.OK, text)


def check_deliveries(state: PactState, receiver: ReceiverAnswers) -> Finding:
    """Check that the receiver accepts what is sent to it for the repository."""
    found = receiver.deliveries
    if not found:
        sent = bool(state.deliveries) and state.deliveries[0].status == "success"
        status = State.FAILED if sent and not state.complete else State.WARNING
        text = f"it got no dispatch for {receiver.repository}"
        return Finding(
            status,
            text + (", although the broker delivered one" if sent else ""),
            "is this the receiver, and the database, that the webhook sends to?",
        )
    last = found[0]
    if isinstance(last.get("status"), int) and last["status"] >= 400:
        # what a refused delivery was about is not known: if this pact has a run, it was another one
        settled = state.complete or bool(receiver.runs_of_pact)
        return Finding(
            State.WARNING if settled else State.FAILED,
            f"the last one, {last.get('received_at')}, was refused with {last['status']} ({last.get('refusal')}): "
            f"{last.get('detail')}",
            words_of(str(last.get("refusal"))).to_do,
        )
    return Finding(State.OK, f"the last one, {last.get('received_at')}, was accepted")


def check_runs(state: PactState, receiver: ReceiverAnswers) -> Finding:
    """Check how the runs for the pact ended."""
    whole = None if state.complete else receiver.run_for_every_pact
    case, runs = state.case, receiver.runs_of_pact
    if not runs and whole is not None:
        return _of_every_pact(whole)
    if not runs:
        status = State.OK if state.complete else State.FAILED
        text = f"none for {case.consumer} {case.version} among the last {len(receiver.runs)} of this pair"
        if not state.complete:
            others = [f"{described(run)} {why_not}" for run, why_not in receiver.runs_for_every_pact]
            text += "".join(f"; {other}" for other in others)
        return Finding(
            status,
            text,
            "" if state.complete else f"have it queued, where the receiver runs: {advice.reconcile(state)}",
        )
    finding = _of_run(runs[0], receiver)
    if state.complete and finding.state is State.FAILED:
        return replace(
            finding, state=State.WARNING, found=f"{finding.found}; the result is there all the same"
        )
    if whole is not None and not finding.under_way:
        later = _of_every_pact(whole)
        return replace(later, found=f"{later.found}. Before that, {finding.found}")
    return finding


def check_every_pact(receiver: ReceiverAnswers) -> Finding | None:
    """Return that a run for every pact answers a pact that no webhook asks for; None if none does."""
    try:
        whole = receiver.run_for_every_pact
    except NotAsked:
        return None
    return None if whole is None else _of_every_pact(whole)


def answers(finding: Finding) -> bool:
    """Tell whether a finding is that a run of the receiver is going to answer the pact."""
    return finding.name == RUNS and finding.under_way


def was_passed_on(receiver: ReceiverAnswers) -> bool:
    """Tell whether the last run passed the dispatch on to GitHub, instead of verifying."""
    try:
        runs = receiver.runs_of_pact
    except NotAsked:
        return False
    return bool(runs) and _passed_on(runs[0])


def _of_every_pact(run: dict[str, Any]) -> Finding:
    why = f" after {run.get('error')}" if run.get("error") else ""
    text = f"{described(run)} is {run.get('status')}{why}, since {run.get('started_at') or run.get('created_at')}"
    if isinstance(run.get("pact_urls"), list):
        text += ": this pact is one of them"
    else:
        text += ": this pact is verified by it, if it is one of them"
    return Finding(State.WARNING, text, "wait for it", under_way=True)


def _of_run(run: dict[str, Any], receiver: ReceiverAnswers) -> Finding:
    name = f"run {run.get('id')}"
    status, outcome, publishing = run.get("status"), run.get("outcome"), run.get("publishing")
    if status == RunStatus.WAITING and run.get("error_kind") == PAUSED_PROVIDER:
        text = f"{name} waits: {run.get('error')}"
        return Finding(State.WARNING, text, "resume the provider on its page, or wait", under_way=True)
    if status in {RunStatus.WAITING, RunStatus.RUNNING}:
        why = f" after {run.get('error')}" if run.get("error") else ""
        text = f"{name} is {status}{why}, since {run.get('started_at') or run.get('created_at')}"
        return Finding(State.WARNING, text, "wait for it", under_way=True)
    if publishing == Publishing.PENDING:
        text = f"{name} {outcome}, and the broker has yet to take the result: {run.get('publish_error')}"
        return Finding(State.WARNING, text, "it is tried again by itself", under_way=True)
    again = f"have it carried out again: {advice.run_again(str(run.get('id')), receiver.client.base_url)}"
    if status == RunStatus.CANCELLED:
        problem = (f"{name} was cancelled", again)
    elif outcome == Outcome.ERROR:
        problem = (
            f"{name} could not verify ({run.get('error_kind')}): {run.get('error')}",
            f"fix that, then {again}",
        )
    elif publishing == Publishing.REFUSED:
        problem = (
            f"{name} {outcome}, and the broker didn't accept the result: {run.get('publish_error')}",
            f"may the receiver's credentials publish? Is the version right? Then {again}",
        )
    elif _passed_on(run):
        return Finding(State.OK, f"{name} passed the dispatch on to GitHub")
    else:
        text = f"{name} {outcome}, for version {run.get('provider_version')}: {publishing}"
        return Finding(State.OK, text)
    return Finding(State.FAILED, *problem)


def _passed_on(run: dict[str, Any]) -> bool:
    return run.get("status") == RunStatus.FINISHED and run.get("outcome") is None


def _is_about(run: dict[str, Any], state: PactState) -> bool:
    url = run.get("pact_url")
    content = content_of(url) if isinstance(url, str) else None
    return run.get("consumer_version") == state.case.version or (
        content is not None and content == state.content
    )
