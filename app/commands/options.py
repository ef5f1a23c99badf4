"""Values of options that several commands take."""

from __future__ import annotations

import argparse
import re


def address(text: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Raises:
        argparse.ArgumentTypeError: it isn't.
    """
    match = re.fullmatch(
        r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})", text
    )
    if match is None or int(match["port"]) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:9292")
    return match["ipv6"] or match["host"], int(match["port"])
