"""Serves the files of the pages, which browsers keep: an address has a digest of its file in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from flask import Blueprint, Response, request

from app.web.context import link
from app.web.problem import HttpProblem
from broker.look import style_sheet

TYPES = {
    "htmx.min.js": "text/javascript",
    "idiomorph-ext.min.js": "text/javascript",
    "sse.js": "text/javascript",
    "dashboard.js": "text/javascript",
    "dashboard.css": "text/css",
    "look.css": "text/css",
    "icon.svg": "image/svg+xml",
}
"""The files that are served, with their types."""
FOR_A_YEAR = "public, max-age=31536000, immutable"

blueprint = Blueprint("files", __name__)


@dataclass(frozen=True)
class _File:
    content: bytes
    digest: str


@cache
def _file(name: str) -> _File:
    content = (
        style_sheet().encode()
        if name == "look.css"
        else files("app.web.dashboard.static").joinpath(name).read_bytes()
    )
    return _File(content, hashlib.sha256(content).hexdigest()[:16])


def address_of(name: str) -> str:
    """Return the link to a file."""
    return link(f"/static/{name}?v={_file(name).digest}")


@blueprint.get("/static/<name>")
def show_file(name: str) -> Response:
    """Answer with a file.

    Raises:
        HttpProblem: There is none of this name.
    """
    if name not in TYPES:
        raise HttpProblem(404, "there is no file of this name")
    file = _file(name)
    response = Response(file.content, mimetype=TYPES[name])
    response.headers["Cache-Control"] = FOR_A_YEAR if request.args.get("v") == file.digest else "no-cache"
    return response
