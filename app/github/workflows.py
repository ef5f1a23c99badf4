"""The events that start a GitHub workflow, according to its file. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

REPOSITORY_DISPATCH = "repository_dispatch"


@dataclass(frozen=True)
class Triggers:
    """The events that start a workflow.

    Attributes:
        events: Their names, as `push`.
        dispatch_types: The types of `repository_dispatch` that start it; empty where all types do.
        problem: Why the file can't be read, for instance because it is no YAML; then GitHub doesn't start it either.
    """

    events: frozenset[str] = frozenset()
    dispatch_types: tuple[str, ...] = field(default=())
    problem: str | None = None

    @classmethod
    def unreadable(cls, problem: str) -> Triggers:
        """Return the triggers of a file that can't be read."""
        return cls(problem=problem)

    @classmethod
    def read(cls, text: str) -> Triggers:
        """Return the triggers in a workflow file, in any form of `on`: a name, a list or a mapping."""
        try:
            # only text, lists and mappings: in YAML 1.1, `on` and a type `yes` would be booleans
            document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes no objects
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            return cls.unreadable("it is no YAML" + (f" (line {mark.line + 1})" if mark else ""))
        on = document.get("on") if isinstance(document, dict) else None
        if isinstance(on, str) and on:
            return cls(frozenset({on}))
        if isinstance(on, list):
            return cls(frozenset(_texts(on)))
        if isinstance(on, dict) and on:
            return cls(frozenset(_texts(list(on))), _types(on.get(REPOSITORY_DISPATCH)))
        return cls.unreadable("it has no triggers (on:)")

    def listen_to(self, event_type: str) -> bool:
        """Return whether a dispatch of that type starts the workflow."""
        return REPOSITORY_DISPATCH in self.events and (
            not self.dispatch_types or event_type in self.dispatch_types
        )


def _types(settings: Any) -> tuple[str, ...]:
    types = settings.get("types") if isinstance(settings, dict) else None
    return (types,) if isinstance(types, str) and types else tuple(_texts(types))


def _texts(values: Any) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
