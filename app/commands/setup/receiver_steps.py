"""The step at the receiver: is it there, and does it know the token and the repository?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.commands.finding import Finding, State
from app.receiver_client import NoReceiver, ReceiverAway

if TYPE_CHECKING:
    from app.commands.setup.request import SetupRequest
    from app.receiver_client import ReceiverClient


def check_receiver(client: ReceiverClient, request: SetupRequest) -> Finding:
    """Check that the receiver is up, and would take a dispatch with this token."""
    url, repository = client.base_url, request.repository
    try:
        health = client.status("/healthz")
        if health != 200:
            return _not_a_receiver(f"{url}/healthz", health)
        warnings: tuple[str, ...] = ()
        if client.status("/readyz") != 200:
            warnings = (
                f"It is up, but not ready: its database or its worker is away. {url}/readyz says which.",
            )
        if request.plan:
            return Finding(
                State.PLANNED,
                f"{url} is up.",
                done=f"Would ask it whether it knows the token and {repository}.",
                warnings=warnings,
            )
        answer = client.probe_dispatch(repository, request.token)
    except (ReceiverAway, NoReceiver) as error:
        return Finding(
            State.UNKNOWN,
            str(error),
            "Start it (pact-dispatch serve), or mend --receiver-url, and run it again. The broker must reach it too.",
        )
    return replace(_judged(url, repository, answer), warnings=warnings)


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
            "Name it in its configuration ([[providers]], repository), or mend --repository; or let the token "
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
        "Mend --receiver-url: the address under which the receiver's /healthz is, without a redirection.",
    )
