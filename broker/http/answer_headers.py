"""The headers that every answer of our servers has, so that a browser does nothing with it but show it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

NOTHING_ALLOWED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of what is no page."""
ANSWER_HEADERS = {
    "Content-Security-Policy": NOTHING_ALLOWED,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""The headers, by name, with the value that an answer has unless it says otherwise."""


def policy_of_page(styles: str, scripts: str = "") -> str:
    """Return the Content-Security-Policy of a page: its styles and scripts, and nothing else.

    Args:
        styles: The sources of styles, as the policy names them.
        scripts: Those of scripts, if it has any.
    """
    sources = f"; style-src {styles};" + (f" script-src {scripts};" if scripts else "")
    return NOTHING_ALLOWED.replace(";", sources, 1)


def source_of(inline: str) -> str:
    """Return the source, for a Content-Security-Policy, of a style or a script that stands in the page."""
    return f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"
