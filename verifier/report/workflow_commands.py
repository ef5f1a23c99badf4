"""Commands to GitHub's runner: lines of a step's output that it executes.

Their form: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.text.harmless import lines_of, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

ANNOTATIONS_SHOWN = 10
"""How many errors, and how many warnings, GitHub shows of a step."""
LONGEST_TITLE = 200
LONGEST_MESSAGE = 4000


def annotation(level: str, title: str, message: str) -> str:
    """Return the command for an annotation of the run.

    Args:
        level: `error`, `warning` or `notice`.
        title: The title, which is cut if it is too long.
        message: The text, which may have several lines; likewise.
    """
    shown = "\n".join(lines_of(_cut(message, LONGEST_MESSAGE)))
    return f"::{level} title={_property(one_line(_cut(title, LONGEST_TITLE)))}::{_data(shown)}"


def masks(secrets: Iterable[str]) -> list[str]:
    """Return the commands that make the runner show `***` for secrets, one for each line of each."""
    return [
        f"::add-mask::{_data(line)}" for secret in secrets for line in secret.splitlines() if line.strip()
    ]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
