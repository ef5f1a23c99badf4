"""What is wrong with the variables of OpenTelemetry, which its libraries say too late, with secrets, or not at all.

No value is repeated: URLs and headers may have credentials in them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from broker.traces.variables import ENDPOINT, HEADERS, SAMPLER, SAMPLER_ARG, TRACES_ENDPOINT, TRACES_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_SAMPLER = "parentbased_always_on"
RATIOS = ("traceidratio", "parentbased_traceidratio")
"""The samplers that keep a share of the traces."""
SAMPLERS = ("always_on", "always_off", DEFAULT_SAMPLER, "parentbased_always_off", *RATIOS)
"""Those that the libraries know."""
_HEADER = re.compile(r"\s*[^\s=,;]+\s*=[^\r\n]*")


def mistake_of_endpoint(environment: Mapping[str, str]) -> str | None:
    """Return what is wrong with the endpoint that counts, in a sentence; None if it can be asked."""
    variable = TRACES_ENDPOINT if environment.get(TRACES_ENDPOINT) else ENDPOINT
    scheme, separator, rest = environment.get(variable, "").strip().partition("://")
    if not separator or scheme.lower() not in {"http", "https"}:
        return f"{variable} must begin with http:// or https://"
    try:
        parts = urlsplit(f"http://{rest}")
        is_address = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    return (
        None if is_address else f"{variable} must be http://HOST:PORT, with a host and a port that there is"
    )


def mistakes_in(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each variable that can't be used as it is, and what counts in its place."""
    sampler = environment.get(SAMPLER, "").lower()
    if sampler and sampler not in SAMPLERS:
        yield f"{SAMPLER} is none of {', '.join(SAMPLERS)}: {DEFAULT_SAMPLER} counts"
    elif sampler in RATIOS and not _is_share(environment.get(SAMPLER_ARG, "")):
        yield f"{SAMPLER_ARG} is no number from 0 to 1: all traces are kept"
    for variable in (HEADERS, TRACES_HEADERS):
        parts = [part for part in environment.get(variable, "").split(",") if part.strip()]
        wrong = sum(_HEADER.fullmatch(part) is None for part in parts)
        if wrong:
            which = f"{wrong} of its {len(parts)} parts are" if wrong > 1 else "a part of it is"
            yield f"{variable} is NAME=VALUE,...: {which} not of that form, and left out"


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False
