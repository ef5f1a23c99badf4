"""The real `pact verifier`, for what it does with the same pact and the same provider."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.support.running import BIN, environment

if TYPE_CHECKING:
    from pathlib import Path


def pact_verifier(
    file: Path | None, url: str, *options: object, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Verify a pact file with `pact verifier`, or what the options say."""
    parts = urlsplit(url)
    provider = ("--hostname", parts.hostname, "--port", parts.port, "--transport", parts.scheme)
    return subprocess.run(
        [
            str(BIN / "pact"),
            "verifier",
            *(["--file", str(file)] if file else []),
            *map(str, (*provider, *options)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(PACT_DO_NOT_TRACK="true", **variables),
    )
