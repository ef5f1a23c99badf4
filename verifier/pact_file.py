"""Reading a pact from a file, which takes nothing of what is said to a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.http.strict_json import MAX_BYTES, NotJson, parse_json
from verifier.errors import CannotVerify, ErrorKind

if TYPE_CHECKING:
    from pathlib import Path


def read_pact_file(file: Path) -> Any:
    """Return the JSON document in a file.

    Raises:
        CannotVerify: It can't be read, or is no JSON.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        hint = ". If it is a URL, it lacks http:// or https://" if "/pacts/" in str(file) else ""
        raise CannotVerify(
            f"the pact file can't be read: {error.strerror}: {file}{hint}", kind=ErrorKind.PACT_UNAVAILABLE
        ) from error
    if len(content) > MAX_BYTES:
        raise CannotVerify(f"{file} is larger than {MAX_BYTES // 2**20} MB", kind=ErrorKind.NOT_A_PACT)
    try:
        return parse_json(content, encodable=True)
    except NotJson as error:
        raise CannotVerify(f"{file} {error}", kind=ErrorKind.NOT_A_PACT) from error
