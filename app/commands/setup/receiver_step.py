"""The step at the receiver: is it there, and does it know the token and the repository?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app.commands.finding import Finding, State
from app.receiver_client import NOT_READY, TRUST, NoReceiver, ReceiverAway, ReceiverNotReady

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.commands.setup.request import SetupRequest
    from app.receiver_client import ReceiverClient


class ReceiverStep:
    """The step at the receiver.

    Args:
        client: The client of the receiver.
        request: What is to be set up.

    Attributes:
        keeps_failures_back: Whether the receiver publishes no failure with provider states, since nothing sets them up.
    """

    def __init__(self, client: ReceiverClient, request: SetupRequest) -> None:
        self._client = client
        self._request = request
        self._knows_dry_runs = False
        self.keeps_failures_back = False

    def check(self) -> Finding:
        """Check that the receiver is up, and would take a dispatch with this token."""
        request, url = self._request, self._client.base_url
        try:
            health = self._client.status("/healthz")
            if health != 200:
                return _not_a_receiver(f"{url}/healthz", health)
            warnings: tuple[str, ...] = ()
            if self._client.status("/readyz") != 200:
                warnings = (
                    f"It is up, but not ready: its database or its worker is away. {url}/readyz says which.",
                )
            if request.plan:
                return Finding(
                    State.PLANNED,
                    f"{url} is up.",
                    done=f"Would ask it whether it knows the token and {request.repository}.",
                    warnings=warnings,
                )
            answer = self._client.check_token(request.repository, request.token)
        except (ReceiverAway, NoReceiver) as error:
            return Finding(State.UNKNOWN, str(error), _advice(error))
        self._knows_dry_runs = answer.knows_dry_runs
        self.keeps_failures_back = answer.keeps_failures_back
        return replace(_judged(url, request.repository, answer.status), warnings=warnings)

    def errors_in(self, event_type: str, client_payload: Mapping[str, Any]) -> tuple[str, ...]:
        """Return why the receiver would refuse a dispatch; nothing if it wouldn't, or can't be asked."""
        if not self._knows_dry_runs:
            return ()
        dispatch = {"event_type": event_type, "client_payload": client_payload}
        try:
            return self._client.check_dispatch(self._request.repository, self._request.token, dispatch).errors
        except (ReceiverAway, NoReceiver):
            return ()


def _advice(error: ReceiverAway | NoReceiver) -> str:
    if "certificate" in str(error).lower():
        trust = f"{TRUST[0].upper()}{TRUST[1:]}"
        return f"{trust}, or correct --receiver-url, and run it again. The broker must trust it, too."
    if isinstance(error, ReceiverNotReady):
        return f"{NOT_READY}."
    return "Start it (pact-dispatch serve), or correct --receiver-url, and run it again. The broker must reach it too."


def _judged(url: str, repository: str, status: int) -> Finding:
    """Judge the answer to a dispatch without an event type."""
    if status == 422:
        return Finding(State.OK, f"{url} is up, and takes this token for {repository}.")
    if status == 401:
        return Finding(
            State.FAILED,
            f"{url} is up, and doesn't know the token.",
            "Take one of its PACT_DISPATCH_TOKENS (the part after NAME:), or add this one there.",
        )
    if status == 404:
        return Finding(
            State.FAILED,
            f"{url} is up, and knows no provider with the repository {repository}, or the token is for others alone.",
            "Name it in its configuration ([[providers]], repository; then `pact-dispatch reload` there), or correct "
            "--repository; or let the token "
            "dispatch for it: NAME:TOKEN@OWNER/REPO in its PACT_DISPATCH_TOKENS.",
        )
    return _not_a_receiver(f"{url}/repos/{repository}/dispatches", status)


def _not_a_receiver(url: str, status: int) -> Finding:
    if status >= 500:
        return Finding(
            State.UNKNOWN,
            f"{url} answered {status}.",
            "Something in front of the receiver answers for it, or it is broken: look there, and run it again.",
        )
    return Finding(
        State.FAILED,
        f"{url} answered {status}, as the receiver would not.",
        "Correct --receiver-url: the address under which the receiver's /healthz is, without a redirection.",
    )
