"""The step that waits for what the receiver makes of the test, as its API tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from app.commands.setup.polling import looks
from app.commands.setup.receiver_steps import USER_AGENT
from app.commands.setup.step import Kind, State
from app.records.run_status import Publishing, RunStatus
from broker.http.limited_request import Limits, NoReply, send_request
from broker.http.strict_json import NotJson, parse_json
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.commands.setup.step import Step

RUN = Kind("run", "The receiver's run that the test started")
LIMITS = Limits(seconds=15, max_bytes=16 * 1024 * 1024)

_NOT_PASSED: dict[str, str] = {
    Outcome.FAILED: "The whole way works, and the contract is broken: "
    "the run's page and the result in the broker say how.",
    Outcome.ERROR: "The way to the receiver works, but it could not verify: mend what the error names.",
}


class ReceiverRun:
    """The run of one delivery.

    Args:
        base_url: of the receiver.
        api_token: one of its PACT_DISPATCH_API_TOKENS.
        delivery: the delivery's id, as the answer to the test had it.
    """

    def __init__(self, base_url: str, api_token: str, delivery: str | None) -> None:
        self._base_url = base_url
        self._token = api_token
        self._delivery = delivery

    def wait(self, seconds: float, progress: Callable[[str], None]) -> Step:
        """Wait for its end.

        Args:
            seconds: how long, at most.
            progress: is told of each change.
        """
        if self._delivery is None:
            return RUN.ended(
                State.FAILED,
                found="The answer to the test had no X-GitHub-Request-Id, as the receiver's has.",
                to_do="Look into the receiver's history, and at what stands between the broker and the receiver.",
            )
        said, problem, run = "", "", None
        for _ in looks(seconds):
            try:
                status, found = self._look(run)
                problem = ""
            except NoReply as error:
                status, found, problem = (
                    200,
                    run or {},
                    f"{self._base_url}/api can't be asked: {error}",
                )
            if status != 200:
                return _refused(status)
            run = found or None
            if (
                run
                and run.get("status") in {RunStatus.FINISHED, RunStatus.CANCELLED}
                and run.get("publishing") != Publishing.PENDING
            ):
                return _ended(run)
            now = problem or _described(run)
            if now != said:
                progress(said := now)
        if problem:
            return RUN.ended(State.UNKNOWN, found=problem, to_do="Look at the run when the receiver is back.")
        return RUN.ended(
            State.FAILED,
            found=f"It has not ended within {seconds:g} s: {_described(run)}.",
            to_do="Look at the receiver's /readyz and at the run: is a worker alive, and is the provider? "
            "Then --wait longer.",
            facts=_facts(run),
        )

    def _look(self, run: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        """Look at the run, which the delivery names."""
        if run is None:
            status, delivery = self._get("deliveries", str(self._delivery))
            number = delivery.get("run_id")
            if status != 200 or number is None:
                return status, {}
        else:
            number = run.get("id")
        return self._get("runs", str(number))

    def _get(self, kind: str, number: str) -> tuple[int, dict[str, Any]]:
        reply = send_request(
            "GET",
            f"{self._base_url}/api/{kind}/{quote(number, safe='')}",
            limits=LIMITS,
            headers={"User-Agent": USER_AGENT},
            token=self._token,
        )
        status = reply.status
        if status >= 500:
            raise NoReply(f"it answered {status}")
        if status != 200:
            return status, {}
        try:
            document = parse_json(reply.content)
        except NotJson as error:
            raise NoReply(f"its answer {error}") from error
        if not isinstance(document, dict):
            raise NoReply("its answer is no object")
        return status, document


def _described(run: dict[str, Any] | None) -> str:
    if run is None:
        return "no run yet"
    error = f" after an error: {run['error']}" if run.get("error") else ""
    return f"run {run.get('id')} is {run.get('status')}{error}"


def _refused(status: int) -> Step:
    if status == 401:
        return RUN.ended(
            State.FAILED,
            found="The receiver's API doesn't know the token of PACT_DISPATCH_API_TOKEN.",
            to_do="Take one of its PACT_DISPATCH_API_TOKENS (the part after NAME:), or run it without --wait.",
        )
    return RUN.ended(
        State.FAILED,
        found=f"The receiver's API answered {status}.",
        to_do="Is --receiver-url the receiver that the broker reaches, and does what stands before it let /api pass?",
    )


def _ended(run: dict[str, Any]) -> Step:
    status, outcome, facts = run.get("status"), run.get("outcome"), _facts(run)
    what = f"Run {run.get('id')}: {status}{f', {outcome}' if outcome else ''}."
    for name in ("error", "publish_error", "result_url"):
        if run.get(name):
            what += f" {run[name]}"
    well = (
        status == RunStatus.FINISHED
        and outcome in {Outcome.PASSED, None}
        and run.get("publishing") != Publishing.REFUSED
    )
    if well:
        return RUN.ended(State.OK, found=what, facts=facts)
    to_do = _NOT_PASSED.get(
        str(outcome), "Look at the run: it was cancelled, or the broker did not take its result."
    )
    return RUN.ended(State.FAILED, found=what, to_do=to_do, facts=facts)


def _facts(run: dict[str, Any] | None) -> dict[str, Any]:
    names = ("status", "outcome", "result_url")
    return {} if run is None else {"run": run.get("id"), **{name: run.get(name) for name in names}}
