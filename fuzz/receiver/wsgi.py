"""The receiver's WSGI application, called as gunicorn calls it."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from app.config.settings import Settings
from app.intake.credentials import Tokens
from app.web.context import Receiver
from fuzz.receiver.requests import API_TOKEN, BROKER, REPOSITORY, SECRET, TOKEN
from fuzz.target import Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from psycopg_pool import ConnectionPool

    from fuzz.receiver.requests import Request


def receiver_of(pool: ConnectionPool[Any]) -> Receiver:
    """Return a receiver on a pool of connections, which takes the tokens and the secret of the requests."""
    provider = {
        "name": "Products",
        "repository": REPOSITORY,
        "base_url": "http://127.0.0.1:1",
        "version": "1",
    }
    settings = Settings.model_validate({"broker": {"url": BROKER}, "providers": [provider]})
    given = {"TOKENS": f"broker:{TOKEN}", "API_TOKENS": f"me:{API_TOKEN}"}
    return Receiver(settings, pool, Tokens("TOKENS", given), Tokens("API_TOKENS", given), SECRET)


def called(
    app: Flask, given: Request, run: str, delivery: str, *, form_token: str = ""
) -> tuple[str, int, dict[str, str], bytes]:
    """Call the application.

    Args:
        app: The application.
        given: The request.
        run: The id of a run.
        delivery: The id of a delivery.
        form_token: The form token of who has the API's token.

    Returns:
        The path as the application understands it; the status, the headers and the body of the answer.

    Raises:
        Violation: A header of the answer has a line end in it.
    """
    body = given.body
    target = given.target(run, delivery)
    path, _, query = target.partition(b"?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": given.sent_method,
        "SCRIPT_NAME": "",
        "RAW_URI": target.decode("latin-1"),
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "HTTP_X_FORM_TOKEN": form_token,
    }
    for name, value in given.sent_headers(body):
        key = name.decode("latin-1").upper().replace("-", "_")
        if key in {"CONTENT_LENGTH", "TRANSFER_ENCODING"} and key != "CONTENT_LENGTH":
            continue  # gunicorn reads it
        if key == "CONTENT_LENGTH" and not (value.isdigit() and value.isascii()):
            continue  # gunicorn refuses it
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value.decode(
            "latin-1"
        ).strip()
    started: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
        started[:] = [status, headers]
        return lambda _: None

    parts = app.wsgi_app(environ, start)
    content = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    headers = {name.lower(): value for name, value in started[1]}
    for name, value in started[1]:
        if "\r" in value or "\n" in value:
            raise Violation("a line end in a header", f"{name}: {value!r}")
    return (
        environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
        int(started[0][:3]),
        headers,
        content,
    )
