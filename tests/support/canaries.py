"""Canaries: secrets that can be found again, in whatever form they have got out."""

from __future__ import annotations

import base64
import json
import secrets
import string
from urllib.parse import quote


def canary(*, odd: bool = False) -> str:
    """Make a secret that nothing else is like; an odd one has characters that are escaped in URLs, JSON and HTML."""
    word = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32))
    return f'{word[:16]}/"\\+ &<{word[16:]}' if odd else word


def traces(secret: str) -> set[bytes]:
    """Return pieces of a secret, in each encoding, of which none may be found anywhere.

    They are shorter than the secret, so that a beginning that was left at a cut, or an end, is found as well.
    """
    runs = [run for run in (secret[:16], secret[-16:]) if run.isalnum()] or [secret[:16]]
    found: set[str] = set()
    for run in runs:
        for start in (0, len(run) - 10):
            piece = run[start : start + 10]
            found |= {piece, "".join(f"%{ord(c):02x}" for c in piece), json.dumps(piece)[1:-1], quote(piece)}
            found |= {"".join(f"\\u{ord(c):04x}" for c in piece)}
            for before in range(3):
                encoded = base64.b64encode(bytes(before) + piece.encode()).decode().rstrip("=")
                found.add(encoded[(0, 2, 3)[before] : -1])
    return {piece.encode() for piece in found}


def found_in(content: bytes, known: dict[str, set[bytes]]) -> list[str]:
    """Return the names of the canaries of which a trace is in a content, each with what is around it."""
    found = []
    for name, pieces in known.items():
        for piece in pieces:
            place = content.find(piece)
            if place >= 0:
                found.append(f"{name}: {content[max(0, place - 60) : place + 60]!r}")
                break
    return found
