"""Pages in Markdown as GitHub shows them: the anchors of their headings, and where their links lead."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from markdown_it.token import Token

KEPT = ("L", "M", "Nd", "Nl", "Pc")
"""The Unicode categories that stay in an anchor.

This is the rule of github-slugger, which is held to what GitHub itself renders. It and these categories differ only in
the letters in circles (kept by it), and in letters that are newer than its Unicode.
"""


def slug(heading: str) -> str:
    """Return the anchor of a heading that no heading before it has."""
    kept = (
        character
        for character in heading.lower()
        if character in " -" or unicodedata.category(character).startswith(KEPT)
    )
    return "".join(kept).replace(" ", "-")


def anchors_of(headings: Iterable[str]) -> list[str]:
    """Return the anchors of a page's headings, in their order: what is repeated is numbered."""
    last_number: dict[str, int] = {}
    for heading in headings:
        plain = numbered = slug(heading)
        while numbered in last_number:
            last_number[plain] += 1
            numbered = f"{plain}-{last_number[plain]}"
        last_number[numbered] = 0
    return list(last_number)


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page in a file. A comment in a block of code is no heading."""
    tokens = _tokens(page)
    headings = [
        tokens[index + 1]
        for index, token in enumerate(tokens)
        if token.type in {"heading_open", "lheading_open"}
    ]
    return frozenset(anchors_of(map(_text, headings)))


def links(page: Path) -> list[str]:
    """Return where the links and the images of a page lead, as they are written."""
    return [
        str(child.attrs["href" if child.type == "link_open" else "src"])
        for token in _tokens(page)
        for child in token.children or []
        if child.type in {"link_open", "image"}
    ]


def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def _text(inline: Token) -> str:
    """Return the text of a heading without its markup."""
    return "".join(child.content for child in inline.children or [])
