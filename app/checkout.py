"""A provider's source, checked out at a commit."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


class CheckoutFailed(Exception):
    """There is no checkout.

    Attributes:
        kind: in a word.
        retryable: whether it may work later.
        output: the last lines of what failed.
    """

    kind = "checkout-failed"
    retryable = False
    output = ""


@dataclass(frozen=True)
class CheckoutSource:
    """Where the source is, and how it is set up."""

    url: str
    setup: str | None
    cache_key_files: tuple[str, ...]
    cache_paths: tuple[str, ...]
    environment: Mapping[str, str]
    default_branch: str | None


@dataclass(frozen=True)
class CheckedOut:
    """A checkout."""

    folder: Path
    commit: str
    branch: str | None


@contextmanager
def checked_out(
    root: Path,
    source: CheckoutSource,
    commit: str | None,
    *,
    deadline: float,
    guard: Callable[[int | None], None],
    on_output: Callable[[str], None],
) -> Iterator[CheckedOut]:
    """Check a commit out.

    Raises:
        CheckoutFailed: it can't be.
    """
    del deadline, guard, on_output
    yield CheckedOut(root, commit or source.url, None)
    raise CheckoutFailed("checkouts are not there yet")
