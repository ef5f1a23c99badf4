"""The events that start a GitHub workflow, according to its file. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

REPOSITORY_DISPATCH = "repository_dispatch"
WORKFLOW_DISPATCH = "workflow_dispatch"


@dataclass(frozen=True)
class Triggers:
    """The events that start a workflow.

    Attributes:
        events: Their names, as `push`.
        dispatch_types: The types of `repository_dispatch` that start it; empty where all types do.
        inputs: The inputs of `workflow_dispatch`, and whether each must be given.
        problem: Why the file can't be read, for instance because it is no YAML; then GitHub doesn't start it either.
    """

    events: frozenset[str] = frozenset()
    dispatch_types: tuple[str, ...] = field(default=())
    inputs: Mapping[str, bool] = field(default_factory=dict)
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
            return cls(
                frozenset(_texts(list(on))),
                _types(on.get(REPOSITORY_DISPATCH)),
                _inputs(on.get(WORKFLOW_DISPATCH)),
            )
        return cls.unreadable("it has no triggers (on:)")

    def listen_to(self, event_type: str) -> bool:
        """Return whether a dispatch of that type starts the workflow."""
        return REPOSITORY_DISPATCH in self.events and (
            not self.dispatch_types or event_type in self.dispatch_types
        )

    def refuses(self, inputs: Collection[str]) -> str | None:
        """Return why GitHub would start no run for a `workflow_dispatch` with these inputs; None if it would."""
        if self.problem is not None:
            return self.problem
        if WORKFLOW_DISPATCH not in self.events:
            return "it is not started by workflow_dispatch"
        unknown = sorted(set(inputs) - set(self.inputs))
        if unknown:
            return f"its workflow_dispatch has no input {', '.join(unknown)}"
        missing = sorted(name for name, required in self.inputs.items() if required and name not in inputs)
        return f"its workflow_dispatch requires the input {', '.join(missing)}" if missing else None


def _types(settings: Any) -> tuple[str, ...]:
    types = settings.get("types") if isinstance(settings, dict) else None
    return (types,) if isinstance(types, str) and types else tuple(_texts(types))


def _inputs(settings: Any) -> dict[str, bool]:
    inputs = settings.get("inputs") if isinstance(settings, dict) else None
    return {
        name: isinstance(about, dict) and about.get("required") == "true" and "default" not in about
        for name, about in (inputs.items() if isinstance(inputs, dict) else ())
        if isinstance(name, str)
    }


def _texts(values: Any) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
