"""Paths with names in them, which may hold a slash.

WSGI decodes the path, so that `/pacticipants/a%2Fb` and `/pacticipants/a/b` look the same. The server's raw
request URI still knows the difference: routes are matched on it, and each name is decoded on its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, unquote_to_bytes

from werkzeug.routing import BaseConverter, ValidationError

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


def with_raw_path(environ: WSGIEnvironment) -> WSGIEnvironment:
    """Return the WSGI environment with the path as it was sent, percent-encoded."""
    uri: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or quote(environ["PATH_INFO"])
    if not uri.startswith("/"):  # the absolute form: http://host/path
        uri = "/" + uri.partition("://")[2].partition("/")[2]
    path = uri.partition("?")[0].partition("#")[0]
    # One encoding for each path, however the client wrote it.
    if len(path) > 1 and path.endswith("/") and not path.endswith("//"):
        path = path[:-1]
    if environ["REQUEST_METHOD"] == "GET" and path.endswith(".json") and path != "/openapi.json":
        # As with a real broker, this is another way to ask for JSON.
        path, environ = path.removesuffix(".json"), {**environ, "HTTP_ACCEPT": "application/hal+json"}
    if path.startswith("//"):  # which Werkzeug would take for one slash
        path = f"/.{path}"
    segments = (quote(unquote_to_bytes(segment.encode("latin-1")), safe="") for segment in path.split("/"))
    return {**environ, "PATH_INFO": "/".join(segments), "SCRIPT_NAME": ""}


class NameConverter(BaseConverter):
    """One segment of a path, decoded: `<name:provider>`."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        """Return the name; one that isn't UTF-8 matches no route."""
        try:
            return unquote(value, errors="strict")
        except UnicodeDecodeError as error:
            raise ValidationError from error
