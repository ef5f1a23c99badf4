"""The expression of `--filter-description` that fits the interactions that did not pass, and no others. No I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_EXPRESSION = 100
_MEANT = re.compile(r"[.^$*+?{}\[\]\\|()]")
"""What has a meaning in a regular expression."""


def expression_of(descriptions: Iterable[str]) -> str | None:
    """Return the expression that fits these descriptions; None if it is too long for a command, or no line.

    Args:
        descriptions: Those of the interactions, one at least.
    """
    names = [_MEANT.sub(r"\\\g<0>", name) for name in dict.fromkeys(descriptions)]
    expression = f"^({'|'.join(names)})$" if len(names) > 1 else f"^{names[0]}$"
    return expression if len(expression) <= LONGEST_EXPRESSION and expression.isprintable() else None
