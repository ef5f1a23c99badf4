"""Making foreign text safe to show: in a terminal, and in the log of a CI system, which executes some of its lines.

GitHub's runner executes lines that start with `::`, and `##[...]` anywhere; Azure Pipelines `##vso[...]` anywhere.
"""

from __future__ import annotations

import re

_SGR = re.compile(r"\x1b\[[0-9;]*m")
"""The escape sequences for colours."""
_CI_COMMAND = re.compile(r"##(?=\[|vso\[)")
_NOT_MARKUP = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
"""Characters that XML 1.0 does not allow, not even escaped; HTML has no use for them either.

It is compiled when it is first used, as that takes 5 ms, and most runs write no such report.
"""
_LINE_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)


def one_line(text: str) -> str:
    """Return a text that is safe within a line: nothing in it moves the cursor or starts another line."""
    text = _CI_COMMAND.sub("## ", _SGR.sub("", text))
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


def lines_of(text: str) -> list[str]:
    """Split a text that may be hostile into lines that are safe to print."""
    return [one_line(line.replace("\t", "    ")) for line in text.splitlines()] or [""]


def inert_markup(markup: str) -> str:
    """Return XML or HTML without control characters and without CI commands."""
    markup = re.sub(_NOT_MARKUP, "\N{REPLACEMENT CHARACTER}", markup)
    return _LINE_COMMAND.sub(r"\1&#58;", _CI_COMMAND.sub("&#35;#", markup))


def inert_json(document: str) -> str:
    """Return equal JSON without CI commands."""
    return _CI_COMMAND.sub(r"\\u0023#", document)
