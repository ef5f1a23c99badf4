"""What a page of the dashboard says, in words."""

from __future__ import annotations

import html
import re


def words_in(page: str) -> str:
    """Return the words of a page, or of a part of it: those of escaped characters are shown as a browser shows them.

    What is less than a minute old is "just now", however long the test has taken by then.
    """
    words = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    return html.unescape(re.sub(r"\b\d\d? s ago\b", "just now", words))
