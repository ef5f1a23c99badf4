"""Choices in which each thing is as likely as any other one.

Hypothesis' own prefer the first and the small ones by far, which is good for finding a simple counterexample, and
wasteful where a hundred thousand inputs are to differ. The first thing is still the one that inputs shrink to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


def below(limit: int) -> st.SearchStrategy[int]:
    """Return numbers from 0, below a limit."""
    return st.binary(min_size=4, max_size=4).map(lambda drawn: int.from_bytes(drawn) % limit)


def pick(things: Sequence[T]) -> st.SearchStrategy[T]:
    """Return one of some things."""
    return below(len(things)).map(things.__getitem__)


def either(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a value of one of some strategies."""
    return below(len(strategies)).flatmap(strategies.__getitem__)


def sometimes(strategy: st.SearchStrategy[Any], otherwise: Any, *, one_in: int) -> st.SearchStrategy[Any]:
    """Return a value of a strategy once in so many times, and something else the other times."""
    return either(*[st.just(otherwise)] * (one_in - 1), strategy)


def several(strategy: st.SearchStrategy[T], most: int, *, least: int = 1) -> st.SearchStrategy[tuple[T, ...]]:
    """Return a tuple of some values of a strategy."""
    return (
        below(most - least + 1)
        .flatmap(lambda more: st.lists(strategy, min_size=least + more, max_size=least + more))
        .map(tuple)
    )
