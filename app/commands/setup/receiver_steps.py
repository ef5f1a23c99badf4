"""The step that is taken at the receiver: is it there, and does it know the token and the repository?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.commands.setup.step import Kind, State
from broker.http.limited_request import Limits, NoReply, send_request

if TYPE_CHECKING:
    from app.commands.setup.request import Wanted
    from app.commands.setup.step import Step

RECEIVER = Kind("receiver", "The receiver")
LIMITS = Limits(seconds=15, max_bytes=64 * 1024)
"""A broker waits as long for an answer."""
USER_AGENT = "pact-dispatch setup"


def receiver(wanted: Wanted) -> Step:
    """Ask the receiver whether it is up, ready, and would take a dispatch with this token.

    It is sent a dispatch without an event type, which it refuses after it has looked at the token and the repository:
    nothing is queued, and its history has the refusal. With `--plan` it isn't sent.
    """
    try:
        return _asked(wanted)
    except NoReply as error:
        return RECEIVER.ended(
            State.UNKNOWN,
            found=f"{wanted.base_url} can't be reached from here: {error}",
            to_do="Start it (pact-dispatch serve), or mend --receiver-url, and run it again. The broker must reach it "
            "too.",
        )


def _asked(wanted: Wanted) -> Step:
    url = wanted.base_url
    health = _status("GET", f"{url}/healthz")
    if health != 200:
        return _not_a_receiver(f"{url}/healthz", health)
    warnings: tuple[str, ...] = ()
    if _status("GET", f"{url}/readyz") != 200:
        warnings = (f"It is up, but not ready: its database or its worker is away. {url}/readyz says which.",)
    if wanted.plan:
        return RECEIVER.ended(
            State.PLANNED,
            found=f"{url} is up.",
            done=f"Would ask it whether it knows the token and {wanted.repository}.",
            warnings=warnings,
        )
    status = _status("POST", f"{url}/repos/{wanted.repository}/dispatches", wanted.token)
    return replace(_answered(wanted, status), warnings=warnings)


def _answered(wanted: Wanted, status: int) -> Step:
    """Say what the answer to a dispatch without an event type means."""
    url = wanted.base_url
    if status == 422:
        found = f"{url} is up, and takes this token for {wanted.repository}."
        return RECEIVER.ended(State.OK, found=found)
    if status == 401:
        return RECEIVER.ended(
            State.FAILED,
            found=f"{url} is up, and doesn't know the token.",
            to_do="Take one of its PACT_DISPATCH_TOKENS (the part after NAME:), or add this one there.",
        )
    if status == 404:
        return RECEIVER.ended(
            State.FAILED,
            found=f"{url} is up, and knows no provider with the repository {wanted.repository}.",
            to_do="Name it in its configuration ([[providers]], repository), or mend --repository.",
        )
    return _not_a_receiver(f"{url}/repos/{wanted.repository}/dispatches", status)


def _not_a_receiver(url: str, status: int) -> Step:
    if status >= 500:
        return RECEIVER.ended(
            State.UNKNOWN,
            found=f"{url} answered {status}.",
            to_do="Something in front of the receiver answers for it, or it is broken: look there, and run it again.",
        )
    return RECEIVER.ended(
        State.FAILED,
        found=f"{url} answered {status}, as the receiver would not.",
        to_do="Mend --receiver-url: the address under which the receiver's /healthz is, without a redirection.",
    )


def _status(method: str, url: str, token: str | None = None) -> int:
    return send_request(
        method,
        url,
        limits=LIMITS,
        headers={"User-Agent": USER_AGENT},
        token=token,
        json={} if method == "POST" else None,
    ).status
