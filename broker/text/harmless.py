"""Making foreign text safe to show: in a terminal, and in the log of a CI system, which executes some of its lines.

GitHub's runner executes lines that start with `::`, and `##[...]` anywhere; Azure Pipelines `##vso[...]` anywhere.
"""

from __future__ import annotations

import json
import re
from typing import Any, TextIO

_SGR = re.compile(r"\x1b\[[0-9;]*m")
"""The escape sequences for colours."""
_CI_COMMAND = re.compile(r"##(?=\[|vso\[)")
_NOT_MARKUP = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
"""Characters that XML 1.0 does not allow, not even escaped; HTML has no use for them either.

It is compiled when it is first used, as that takes 5 ms, and most runs write no such report.
"""
UNSEEN = "\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
"""Characters beyond ASCII's control characters that no terminal is shown: control characters, line ends, directions of
writing, invisible ones and halves of characters; as a regular expression has them between brackets."""
_UNSEEN = re.compile(f"[{UNSEEN}]")
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


def visible(text: str) -> str:
    """Return a text in which characters that nobody sees, or that turn the direction of writing, are escapes."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def inert_markup(markup: str) -> str:
    """Return XML or HTML without control characters, characters that nobody sees, and CI commands."""
    markup = visible(re.sub(_NOT_MARKUP, "\N{REPLACEMENT CHARACTER}", markup))
    return _LINE_COMMAND.sub(r"\1&#58;", _CI_COMMAND.sub("&#35;#", markup))


def is_seen_as_it_is(text: str, stream: TextIO) -> bool:
    """Return whether a stream can take a text, and a terminal may be shown all of its characters."""
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return _UNSEEN.search(text) is None


def write_json(document: Any, stream: TextIO) -> None:
    """Write a document as indented JSON in which no CI finds a command, and a line end.

    Texts stand in it as they are, but for what a terminal may not be shown, and where the stream can't take them.
    """
    stream.write(json_text(document, stream, indent=2) + "\n")


def json_text(document: Any, stream: TextIO, **options: Any) -> str:
    """Return a document as JSON for a stream; see `write_json`.

    Args:
        document: The document.
        stream: What it is written to.
        options: Those of `json.dumps`.
    """
    text = json.dumps(document, ensure_ascii=False, **options)
    try:
        text.encode(stream.encoding or "utf-8", "surrogatepass")
    except UnicodeEncodeError:
        text = json.dumps(document, **options)
    return _CI_COMMAND.sub(r"\\u0023#", visible(text))
