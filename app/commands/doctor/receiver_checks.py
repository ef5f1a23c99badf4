"""What the receiver says of itself, of the dispatches it got, and of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.commands.doctor.check import Check, Status, listed
from app.config.variables import API_TOKEN, API_TOKENS
from app.receiver_client import NoReceiver, ReceiverAway, ReceiverClient, ReceiverRefused
from app.records.run_status import Publishing, RunStatus
from broker.client.missing_results import content_of
from verifier.verification import Outcome

if TYPE_CHECKING:
    from app.commands.doctor.pact_state import PactState, Target


@dataclass(frozen=True)
class ReceiverLook:
    """The receiver, and who asks.

    Attributes:
        client: of it.
        named: its address was given by whoever asks, and not by the broker: the token may go there.
        repository: OWNER/REPO of the dispatches.
    """

    client: ReceiverClient
    named: bool
    repository: str

    @classmethod
    def of(cls, target: Target, receiver_url: str | None, token: str | None) -> ReceiverLook:
        """Make it, for where the dispatches go.

        Args:
            target: as the broker says.
            receiver_url: the receiver as whoever asks knows it.
            token: of its API.
        """
        named = receiver_url is not None
        client = ReceiverClient(receiver_url or target.base or "", token if named else None)
        return cls(client, named, target.repository or "")

    @property
    def missing(self) -> str:
        """What is needed to ask its API; nothing where it can be asked."""
        if not self.named:
            return f"give --receiver-url {self.client.base_url} and {API_TOKEN}: the token goes there alone"
        return "" if self.client.token else f"set {API_TOKEN} to one of the receiver's {API_TOKENS}"


def check_receiver(state: PactState, look: ReceiverLook) -> Check:
    """Tell whether the receiver is ready."""
    try:
        health = look.client.health()
    except ReceiverAway as error:
        delivered = bool(state.deliveries) and state.deliveries[0].status == "success"
        if delivered and not look.named:
            return Check(
                "receiver",
                Status.UNKNOWN,
                f"{error}; the broker reached it",
                "run this where it can be reached, or give --receiver-url",
            )
        return Check(
            "receiver", Status.BROKEN, str(error), "start it (pact-dispatch serve), and look at its log"
        )
    except NoReceiver as error:
        return Check("receiver", Status.UNKNOWN, str(error), "give --receiver-url, if it is a receiver")
    if not health.ready:
        return Check(
            "receiver",
            Status.BROKEN,
            f"{look.client.base_url} is not ready: {listed(list(health.problems)) or 'it does not say why'}",
            "start what is missing (its database, a worker: pact-dispatch worker), and look at its log",
        )
    said = f"{look.client.base_url} is ready"
    if health.workers is not None and health.waiting is not None:
        said += f": {health.workers} workers, {health.waiting} runs wait"
    return Check("receiver", Status.OK, said)


def check_deliveries(state: PactState, look: ReceiverLook) -> Check:
    """Tell whether the receiver accepts what is sent to it for the repository."""
    if look.missing:
        return Check("receiver-deliveries", Status.UNKNOWN, "its deliveries were not looked at", look.missing)
    try:
        found = look.client.deliveries(look.repository)
        runs = look.client.runs(state.case.provider, state.case.consumer)
    except (ReceiverAway, ReceiverRefused, NoReceiver) as error:
        return _unseen("receiver-deliveries", error)
    if not found:
        sent = bool(state.deliveries) and state.deliveries[0].status == "success"
        status = Status.BROKEN if sent and not state.complete else Status.WARNING
        said = f"it got no dispatch for {look.repository}"
        return Check(
            "receiver-deliveries",
            status,
            said + (", although the broker delivered one" if sent else ""),
            "is this the receiver, and the database, that the webhook sends to?",
        )
    last = found[0]
    if isinstance(last.get("status"), int) and last["status"] >= 400:
        # whose pact a refused one was about nobody knows: where this one came to a run, it was another's
        settled = state.complete or any(_is_about(run, state) for run in runs)
        return Check(
            "receiver-deliveries",
            Status.WARNING if settled else Status.BROKEN,
            f"the last one, {last.get('received_at')}, was refused with {last['status']} ({last.get('refusal')}): "
            f"{last.get('detail')}",
            "mend what it names, in the webhook or in the receiver's configuration",
        )
    return Check("receiver-deliveries", Status.OK, f"the last one, {last.get('received_at')}, was accepted")


def check_runs(state: PactState, look: ReceiverLook) -> Check:
    """Tell what became of the runs for the pact."""
    if look.missing:
        return Check("receiver-runs", Status.UNKNOWN, "its runs were not looked at", look.missing)
    case = state.case
    try:
        found = look.client.runs(case.provider, case.consumer)
    except (ReceiverAway, ReceiverRefused, NoReceiver) as error:
        return _unseen("receiver-runs", error)
    runs = [run for run in found if _is_about(run, state)]
    if not runs:
        status = Status.OK if state.complete else Status.BROKEN
        return Check(
            "receiver-runs",
            status,
            f"none for {case.consumer} {case.version} among the last {len(found)} of this pair",
            "" if state.complete else "have it queued: pact-dispatch reconcile, where the receiver runs",
        )
    check = _of_run(runs[0], look)
    if state.complete and check.status is Status.BROKEN:
        return Check(check.id, Status.WARNING, f"{check.found}; the result is there all the same", check.todo)
    return check


def was_passed_on(state: PactState, look: ReceiverLook) -> bool:
    """Tell whether the last run passed the dispatch on to GitHub, instead of verifying."""
    if look.missing:
        return False
    try:
        found = look.client.runs(state.case.provider, state.case.consumer)
    except (ReceiverAway, ReceiverRefused, NoReceiver):
        return False
    return any(_passed_on(run) for run in [run for run in found if _is_about(run, state)][:1])


def _of_run(run: dict[str, Any], look: ReceiverLook) -> Check:
    link, name = "receiver-runs", f"run {run.get('id')}"
    status, outcome, publishing = run.get("status"), run.get("outcome"), run.get("publishing")
    if status in {RunStatus.WAITING, RunStatus.RUNNING}:
        why = f" after {run.get('error')}" if run.get("error") else ""
        said = f"{name} is {status}{why}, since {run.get('started_at') or run.get('created_at')}"
        return Check(link, Status.WARNING, said, "wait for it", under_way=True)
    if publishing == Publishing.PENDING:
        said = f"{name} {outcome}, and the broker has yet to take the result: {run.get('publish_error')}"
        return Check(link, Status.WARNING, said, "it is tried again by itself", under_way=True)
    again = f"have it carried out again: POST {look.client.base_url}/api/deliveries/ID/redeliver"
    if status == RunStatus.CANCELLED:
        problem = (f"{name} was cancelled", again)
    elif outcome == Outcome.ERROR:
        problem = (
            f"{name} could not verify ({run.get('error_kind')}): {run.get('error')}",
            f"mend that, then {again}",
        )
    elif publishing == Publishing.REFUSED:
        problem = (
            f"{name} {outcome}, and the broker didn't take the result: {run.get('publish_error')}",
            f"may the receiver's credentials publish? Is the version right? Then {again}",
        )
    elif _passed_on(run):
        return Check(link, Status.OK, f"{name} passed the dispatch on to GitHub")
    else:
        said = f"{name} {outcome}, for version {run.get('provider_version')}: {publishing}"
        return Check(link, Status.OK, said)
    return Check(link, Status.BROKEN, *problem)


def _passed_on(run: dict[str, Any]) -> bool:
    return run.get("status") == RunStatus.FINISHED and run.get("outcome") is None


def _is_about(run: dict[str, Any], state: PactState) -> bool:
    url = run.get("pact_url")
    content = content_of(url) if isinstance(url, str) else None
    return run.get("consumer_version") == state.case.version or (
        content is not None and content == state.content
    )


def _unseen(link: str, error: Exception) -> Check:
    todo = (
        f"{API_TOKEN} must be one of the receiver's {API_TOKENS}"
        if isinstance(error, ReceiverRefused)
        else "see the check receiver"
    )
    return Check(link, Status.UNKNOWN, str(error), todo)
