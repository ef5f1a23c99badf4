"""The step that waits for the run that the test started, as the receiver's API shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.commands.finding import Finding, State
from app.commands.polling import polls
from app.receiver_client import NoReceiver, ReceiverAway, ReceiverRefused
from app.records.run import Publishing, RunStatus
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.receiver_client import ReceiverClient

_FAILED = "Everything works. The latest pact fails: the run's page and the result in the broker say how."
_ERROR = "The way to the receiver works, but it could not verify: fix what the error names."


class ReceiverRun:
    """The run of one delivery.

    Args:
        client: The client of the receiver, with the token of its API.
        delivery: The id of the delivery, from the answer to the test.
    """

    def __init__(self, client: ReceiverClient, delivery: str | None) -> None:
        self._client = client
        self._delivery = delivery

    def wait(self, seconds: float, progress: Callable[[str], None]) -> Finding:
        """Wait for its end.

        Args:
            seconds: How long, at most.
            progress: Receives a text at each change.
        """
        if self._delivery is None:
            return Finding(
                State.FAILED,
                "The answer to the test had no X-GitHub-Request-Id, as the receiver's has.",
                "Look into the receiver's history, and at what stands between the broker and the receiver.",
            )
        told, problem, run = "", "", None
        for _ in polls(seconds):
            try:
                run = self._fetch(self._delivery, run)
                problem = ""
            except (ReceiverAway, NoReceiver) as error:
                problem = str(error)
            except ReceiverRefused as error:
                return _refused(error.status)
            if run is not None and _has_ended(run):
                return _ended(run)
            now = problem or _described(run)
            if now != told:
                progress(told := now)
        if problem:
            return Finding(State.UNKNOWN, problem, "Look at the run when the receiver is back.")
        return Finding(
            State.FAILED,
            f"It has not ended within {seconds:g} s: {_described(run)}.",
            "Look at the receiver's /readyz and at the run: is a worker alive, and is the provider? "
            "Then --wait longer.",
            facts=_facts(run),
        )

    def _fetch(self, delivery: str, run: dict[str, Any] | None) -> dict[str, Any] | None:
        """Fetch the run anew, or for the first time by the delivery that names it."""
        number = self._client.delivery(delivery).get("run_id") if run is None else run.get("id")
        return None if number is None else self._client.run(str(number))


def _has_ended(run: dict[str, Any]) -> bool:
    return (
        run.get("status") in {RunStatus.FINISHED, RunStatus.CANCELLED}
        and run.get("publishing") != Publishing.PENDING
    )


def _described(run: dict[str, Any] | None) -> str:
    if run is None:
        return "no run yet"
    error = f" after an error: {run['error']}" if run.get("error") else ""
    return f"run {run.get('id')} is {run.get('status')}{error}"


def _refused(status: int) -> Finding:
    if status == 401:
        return Finding(
            State.FAILED,
            "The receiver's API doesn't know the token of PACT_DISPATCH_API_TOKEN.",
            "Take one of its PACT_DISPATCH_API_TOKENS (the part after NAME:), or run it without --wait.",
        )
    return Finding(
        State.FAILED,
        f"The receiver's API answered {status}.",
        "Is --receiver-url the receiver that the broker reaches, and does what stands before it let /api pass?",
    )


def _ended(run: dict[str, Any]) -> Finding:
    status, outcome = run.get("status"), run.get("outcome")
    text = f"Run {run.get('id')}: {status}{f', {outcome}' if outcome else ''}."
    for name in ("error", "publish_error", "result_url"):
        if run.get(name):
            text += f" {run[name]}"
    taken = status == RunStatus.FINISHED and run.get("publishing") != Publishing.REFUSED
    if taken and outcome in {Outcome.PASSED, None}:
        return Finding(State.OK, text, facts=_facts(run))
    if taken and outcome == Outcome.FAILED:
        return Finding(State.WARNING, text, _FAILED, facts=_facts(run))
    to_do = (
        _ERROR
        if outcome == Outcome.ERROR
        else "Look at the run: it was cancelled, or the broker did not accept its result."
    )
    return Finding(State.FAILED, text, to_do, facts=_facts(run))


def _facts(run: dict[str, Any] | None) -> dict[str, Any]:
    names = ("status", "outcome", "result_url")
    return {} if run is None else {"run": run.get("id"), **{name: run.get(name) for name in names}}
