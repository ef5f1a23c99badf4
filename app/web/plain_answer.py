"""The answers that the server gives by itself, before or instead of the application."""

from __future__ import annotations

import json

from broker.http.answer_headers import ANSWER_HEADERS


def plain_answer(status: int, reason: str, message: str, headers: dict[str, str] | None = None) -> bytes:
    """Return an answer as it is sent, in the form of the application's problems; the connection ends after it."""
    body = json.dumps({"message": message or reason, "status": str(status)}).encode()
    fields = {
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **ANSWER_HEADERS,
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} {reason}\r\n{head}\r\n".encode("latin-1") + body
