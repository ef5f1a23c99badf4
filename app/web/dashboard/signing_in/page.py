"""The routes by which somebody signs in with a token of the API, and signs out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, redirect, request

from app.intake.credentials import BadCredentials, NoCredentials
from app.intake.sessions import SESSION_SECONDS
from app.records.run_links import SHARED
from app.web.context import checking_credentials, link, receiver, sessions
from app.web.dashboard.rendering import show
from app.web.viewer import COOKIE, check_form, viewer_of_request

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

LONGEST_TOKEN = 1000
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2000}")
"""A path of this server: no `//other` and no backslash, which browsers read as one."""

blueprint = Blueprint("signing_in", __name__)


@blueprint.get("/sign-in")
def show_sign_in() -> AnyResponse:
    """Answer with the form, or lead those on who have signed in."""
    if viewer_of_request() is not None:
        return redirect(_next(request.args.get("next")), 303)
    return _form(request.args.get("next"))


@blueprint.post("/sign-in")
def sign_in() -> AnyResponse:
    """Begin a session, and lead to the page that was asked for."""
    given = request.form.get("token", "")[:LONGEST_TOKEN].strip()
    wanted = request.form.get("next")
    try:
        with checking_credentials():
            token = receiver().api_tokens.token_of(f"Bearer {given}")
    except NoCredentials:
        return _form(wanted, status=422, mistake="Give one of the API's tokens.")
    except BadCredentials:
        return _form(
            wanted, status=401, mistake="That is none of the API's tokens. Those that dispatch don't sign in."
        )
    response = redirect(_next(wanted), 303)
    response.set_cookie(COOKIE, sessions().seal(token), max_age=SESSION_SECONDS, **_cookie())
    return response


@blueprint.post("/sign-out")
def sign_out() -> AnyResponse:
    """End the session.

    Raises:
        HttpProblem: The form is none of this session.
    """
    viewer = viewer_of_request()
    if viewer is not None:
        check_form(viewer, acts=False)
    response = redirect(link("/sign-in"), 303)
    response.delete_cookie(COOKIE, **_cookie())
    return response


def _form(wanted: str | None, *, status: int = 200, mistake: str | None = None) -> Response:
    values = {
        "next": wanted or "",
        "mistake": mistake,
        "has_tokens": bool(receiver().api_tokens),
        "is_shared_link": mistake is None and f"?{SHARED}=" in (wanted or ""),
    }
    return show("signing_in/sign_in.html.jinja", lambda: values, status=status)


def _next(wanted: str | None) -> str:
    """Return where somebody goes on who has signed in: nowhere but to a page of ours."""
    return wanted if wanted and _OWN_PATH.fullmatch(wanted) else link("/")


def _cookie() -> dict[str, Any]:
    secure = (receiver().settings.server.public_url or "").lower().startswith("https:")
    return {"path": link("/"), "secure": secure, "httponly": True, "samesite": "Lax"}
