"""The route of server-sent events: a page that is open is told that something it shows has changed.

An event has the name of the change, and no content: the page asks for its own new content, and says which change that
is for, so that it gets nothing that was made before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from app.web.context import receiver, stream
from app.web.live_hub import TooManyPages
from app.web.problem import HttpProblem
from app.web.viewer import ask_to_sign_in, viewer_of_request

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_TOPICS = 10
LONGEST_TOPIC = 600
HEARTBEAT_SECONDS = 15.0
"""How often something is sent where nothing changes, so that a page that is gone is noticed."""
LONGEST_SECONDS = 3600.0
"""After how long a page has to ask again, so that it is checked again who asks."""

blueprint = Blueprint("live", __name__)


@blueprint.get("/live")
def live() -> Response:
    """Answer with the events of a page.

    Raises:
        HttpProblem: Nobody has signed in, the topics can't be used, or too many pages are open.
    """
    viewer = viewer_of_request()
    if viewer is None:
        return ask_to_sign_in()
    topics = request.args.getlist("topic")
    if not 1 <= len(topics) <= MOST_TOPICS or any(len(topic) > LONGEST_TOPIC for topic in topics):
        raise HttpProblem(422, f"topic must be given 1 to {MOST_TOPICS} times")
    hub = receiver().live
    subscribing = hub.subscribed(topics, of=viewer.name, since=request.args.get("since", 0.0, _seconds))
    try:
        subscription = subscribing.__enter__()
    except TooManyPages:
        raise HttpProblem(
            503,
            "too many pages are open: this one does not follow what changes",
            headers={"Retry-After": "60"},
        ) from None
    stream()

    def events() -> Iterator[bytes]:
        try:
            yield b"retry: 3000\n\n"
            for _ in range(int(LONGEST_SECONDS / HEARTBEAT_SECONDS)):
                change = subscription.wait(HEARTBEAT_SECONDS)
                if hub.stopping.is_set():
                    return
                yield f"event: changed\ndata: {change}\n\n".encode() if change else b":\n\n"
        finally:
            subscribing.__exit__(None, None, None)

    response = Response(events(), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back
    return response


def _seconds(text: str) -> float:
    """Return a time in seconds since 1970.

    Raises:
        ValueError: It is none.
    """
    if len(text) > 20 or not text.replace(".", "", 1).isdecimal():
        raise ValueError(text)
    return float(text)
