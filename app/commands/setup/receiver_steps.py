"""The step that is taken at the receiver: is it there, and does it know the token and the repository?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import requests

from app.commands.setup.step import Kind, State
from broker.http.reason import innermost

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.commands.setup.request import Wanted
    from app.commands.setup.step import Step

RECEIVER = Kind("receiver", "The receiver")
TIMEOUT_SECONDS = 15
"""As long as a broker waits for an answer."""
USER_AGENT = "pact-dispatch setup"
_LARGEST = 64 * 1024


def receiver(wanted: Wanted) -> Step:
    """Ask the receiver whether it is up, ready, and would take a dispatch with this token.

    It is sent a dispatch without an event type, which it refuses after it has looked at the token and the repository:
    nothing is queued, and its history has the refusal. With `--plan` it isn't sent.
    """
    try:
        with requests.Session() as session:
            return _asked(session, wanted)
    except (requests.RequestException, OSError) as error:
        return RECEIVER.ended(
            State.UNKNOWN,
            found=f"{wanted.base_url} can't be reached from here: {innermost(error)}",
            to_do="Start it (pact-dispatch serve), or mend --receiver-url, and run it again. The broker must reach it "
            "too.",
        )


def token_or_nothing(
    token: str | None,
) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Give requests a token to send, or none; it would take a password of ~/.netrc otherwise."""

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize


def _asked(session: requests.Session, wanted: Wanted) -> Step:
    url = wanted.base_url
    health = _status(session, "GET", f"{url}/healthz")
    if health != 200:
        return _not_a_receiver(f"{url}/healthz", health)
    warnings: tuple[str, ...] = ()
    if _status(session, "GET", f"{url}/readyz") != 200:
        warnings = (f"It is up, but not ready: its database or its worker is away. {url}/readyz says which.",)
    if wanted.plan:
        return RECEIVER.ended(
            State.PLANNED,
            found=f"{url} is up.",
            done=f"Would ask it whether it knows the token and {wanted.repository}.",
            warnings=warnings,
        )
    status = _status(session, "POST", f"{url}/repos/{wanted.repository}/dispatches", wanted.token)
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


def _status(session: requests.Session, method: str, url: str, token: str | None = None) -> int:
    with session.request(
        method,
        url,
        headers={"User-Agent": USER_AGENT},
        json={} if method == "POST" else None,
        auth=token_or_nothing(token),
        timeout=TIMEOUT_SECONDS,
        allow_redirects=False,
        stream=True,
    ) as answer:
        answer.raw.read(_LARGEST)
        return answer.status_code
