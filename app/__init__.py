"""The receiver and the `pact-dispatch` command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.receiver import Receiver, create_app

__all__ = ["Receiver", "create_app"]


def __getattr__(name: str) -> Any:
    """Load a name when it is first used: the command's `--help` needs none of the server's libraries."""
    if name not in __all__:
        raise AttributeError(f"module 'app' has no attribute {name!r}")
    from app import receiver  # noqa: PLC0415 - as the docstring says

    return getattr(receiver, name)
