"""Who looks at the dashboard: somebody who has signed in, whom a proxy names, or a script with a token."""

from __future__ import annotations

import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from uuid import UUID

from flask import Response, g, redirect, request

from app.intake.credentials import BadCredentials, NoCredentials
from app.records.actions import LONGEST_NAME, Doer, Via
from app.records.run_links import SHARED
from app.web.context import (
    READING,
    api_authorization,
    checking_credentials,
    here,
    is_basic,
    link,
    prove_sender,
    receiver,
    run_links,
    sessions,
)
from app.web.problem import HttpProblem
from app.web.sender_address import PEER

if TYPE_CHECKING:
    from app.intake.tokens import Token

COOKIE = "pact_dispatch_session"
FORM_FIELD = "form_token"
"""The field of a form, by which it is known to be of a page of ours."""
FORM_HEADER = "X-Form-Token"
"""The header with the same, of requests that htmx sends."""
LONGEST_FORM = 64 * 1024
"""The bytes of a form: more would be written to the disk, and anybody may send the one of the sign-in."""
REFUSAL = (
    "An API token is needed: it is the password of basic auth, or that of a session (sign in at /sign-in).\n"
)


@dataclass(frozen=True)
class Viewer:
    """Who looks.

    Attributes:
        name: The name of the token, or the user that the proxy named.
        may_act: Whether this one may change something.
        form_token: What the forms carry that are shown to this one.
        has_session: Whether this one has signed in, and can sign out.
        sees_one_run: Whether a link was shared with this one, and nothing but its run is shown.
        reads_api: Whether the API takes what this one has sent: a session or a token.
    """

    name: str
    may_act: bool
    form_token: str = field(repr=False)
    has_session: bool = False
    sees_one_run: bool = False
    reads_api: bool = True

    @property
    def doer(self) -> Doer:
        """Who this one is as the one who does something."""
        return Doer(self.name, Via.DASHBOARD, request.remote_addr)


def viewer_of_request() -> Viewer | None:
    """Return who has sent the request; None if nobody knows.

    Raises:
        HttpProblem: The database, which has the key of sessions, is away.
    """
    user = _user_of_proxy()
    if user is not None:
        operators = receiver().settings.server.user_operators
        may_act = operators is None or user in operators
        prove_sender()
        return Viewer(user, may_act, sessions().form_token(f"user {user}"), reads_api=False)
    if "Authorization" in request.headers:
        try:
            with checking_credentials():
                return _by_token(receiver().api_tokens.token_of(api_authorization()))
        except (BadCredentials, NoCredentials):
            return None
    session = sessions().open(request.cookies.get(COOKIE, ""))
    if session is None:
        return None
    prove_sender()
    return Viewer(session.token.name, not session.token.read_only, session.form_token, has_session=True)


def bound_form() -> None:
    """Bound the form of the request before anything of it is read."""
    request.max_content_length = LONGEST_FORM


def admit() -> Response | None:
    """Let those see a page who may, put the viewer into `g.viewer`, and check what changes something.

    Raises:
        HttpProblem: The viewer may not change anything, or the form is none of ours.
    """
    return _admit(viewer_of_request())


def admit_to_run() -> Response | None:
    """Let those see the page of a run who may see all pages, and those to whom its link was shared.

    Raises:
        HttpProblem: The viewer may not change anything, or the form is none of ours.
    """
    return _admit(viewer_of_request() or _viewer_of_link())


def _admit(viewer: Viewer | None) -> Response | None:
    if viewer is None:
        return ask_to_sign_in()
    g.viewer = viewer
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        check_form(viewer)
    return None


def check_form(viewer: Viewer, *, acts: bool = True) -> None:
    """Raise unless a request that changes something comes from a form that was shown to somebody who may act.

    Args:
        viewer: Who has sent it.
        acts: Whether it is done by those alone who may act.

    Raises:
        HttpProblem: It doesn't.
    """
    given = request.headers.get(FORM_HEADER) or request.form.get(FORM_FIELD, "")
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), viewer.form_token.encode()):
        raise HttpProblem(403, "the form is none of this session: load the page again, and try it from there")
    if acts and not viewer.may_act:
        raise HttpProblem(403, f"{viewer.name} may look things up, and change none")


def ask_to_sign_in() -> Response:
    """Answer somebody who is not known: a browser is led to the sign-in, and comes back from there."""
    if request.headers.get("HX-Request") == "true":
        back = _path_of(request.headers.get("HX-Current-URL", ""))
        return Response(status=401, headers={"HX-Redirect": f"{link('/sign-in')}?next={quote(back)}"})
    if _is_browser() and "Authorization" not in request.headers:
        # a form can't be sent again: its page is where one goes on
        back = here() if request.method in READING else _path_of(request.headers.get("Referer", ""))
        return redirect(f"{link('/sign-in')}?next={quote(back)}", 303)  # type: ignore[return-value]
    challenge = 'Basic realm="pact-dispatch: an API token as the password", charset="UTF-8"'
    return Response(REFUSAL, 401, {"WWW-Authenticate": challenge}, mimetype="text/plain")


def wants_page() -> bool:
    """Return whether the request is that of a browser for a page."""
    return request.method in {"GET", "HEAD"} and _is_browser()


def _is_browser() -> bool:
    return request.accept_mimetypes.best_match(["application/json", "text/html"], "") == "text/html"


def _path_of(url: str) -> str:
    """Return the path of a page that a browser says it comes from, with its parameters; nothing if it is no URL."""
    try:
        page = urlsplit(url)
    except ValueError:
        return ""
    return f"{page.path}?{page.query}" if page.query else page.path


def _viewer_of_link() -> Viewer | None:
    """Return who follows a shared link to the run of the request; None if it is no such link."""
    run_id = (request.view_args or {}).get("run_id")
    given = request.args.get(SHARED)
    if given is None or request.method not in READING or not receiver().settings.server.share_links:
        return None
    if not isinstance(run_id, UUID) or not run_links().is_signature_of(run_id, given):
        return None
    no_form = secrets.token_hex(20)
    return Viewer("a shared link", may_act=False, form_token=no_form, sees_one_run=True, reads_api=False)


def _by_token(token: Token) -> Viewer:
    may_act = not token.read_only and not is_basic()
    return Viewer(token.name, may_act, sessions().form_token(f"token {token.name}"))


def _user_of_proxy() -> str | None:
    """Return the user that a trusted proxy names; what anybody else says in that header doesn't count."""
    server = receiver().settings.server
    if server.user_header is None:
        return None
    peer = request.environ.get(PEER)
    if peer is None or not any(peer in network for network in server.trusted_proxies):
        return None
    given = request.headers.get(server.user_header, "").strip()
    with suppress(UnicodeError):  # WSGI gives the bytes of a header as Latin-1
        given = given.encode("latin-1").decode()
    return given[:LONGEST_NAME] or None
