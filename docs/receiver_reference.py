"""Writes docs/receiver-reference.md from the types of the receiver's configuration: `make reference`."""

from __future__ import annotations

import ast
import inspect
import re
import types
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union, get_args, get_origin

from app.config import notify, provider, sections, variables
from app.config.settings import Settings
from app.config.values import Kind, Section
from app.process import environment as process_environment
from verifier import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic.fields import FieldInfo

FILE = Path(__file__).with_name("receiver-reference.md")
HEAD = """\
# Configuration reference

Each key of `pact-dispatch.toml`, and each variable that the receiver reads. `make reference` writes this page from
the code. For how to begin, and for secrets and tokens, see [Configuring the receiver](receiver-configuring.md).

- Paths are relative to the folder of the configuration file.
- A *secret* is `{ env = "NAME" }` (an environment variable) or `{ file = "PATH" }` (a file); it never stands in the
  configuration itself.
- A *command* runs without a shell.
"""
WORDS = {str: "text", bool: "boolean", int: "whole number", float: "number"}
SEVERAL = {"text": "texts", "name": "names", "address or network": "addresses or networks"}
VARIABLES = {"data_dir": variables.DATA_DIR}
"""The environment variable of a key, which comes before the file."""
MORE = {
    "`[providers.checkout]`": "[A provider from its source](checkout.md) says more.",
    "`[providers.relay]`": "[The relay](relay.md) says more.",
    "`[github]`": "[Commit statuses](commit-statuses.md) and [the relay](relay.md) say more.",
    "`[retention]`": "[How long things are kept](receiver-api.md#how-long-things-are-kept) says more.",
    "`[server]`": "[Behind a proxy](receiver-proxy.md) says more.",
    "`[notify]`, `[providers.notify]`": "[Notifications](notifications.md) says more.",
    "`[reconcile]`": "[Missed dispatches](receiver-operating.md#missed-dispatches) says more.",
}


class Table(NamedTuple):
    """A table of keys.

    Attributes:
        heading: What stands above it.
        model: The type with its keys.
        without: The type whose keys have a table of their own.
    """

    heading: str
    model: type[Section]
    without: type[Section] = Section


TABLES = (
    Table("Top of the file", Settings),
    Table("`[broker]`", sections.BrokerSettings),
    Table("`[[providers]]`: every provider", provider.Provider),
    Table("`[[providers]]`: one that runs", provider.RunningProvider, provider.VerifiedProvider),
    Table("`[[providers]]`: one that a command starts", provider.CommandProvider, provider.VerifiedProvider),
    Table("`[[providers]]`: one that is checked out", provider.CheckoutProvider, provider.VerifiedProvider),
    Table("`[providers.checkout]`", provider.CheckoutSettings),
    Table("`[[providers]]`: one that is passed on to GitHub", provider.RelayedProvider, provider.Provider),
    Table("`[providers.relay]`", provider.RelaySettings),
    Table("`[[providers]]`: how one is verified", provider.VerifiedProvider, provider.Provider),
    Table("`[notify]`, `[providers.notify]`", notify.NotifySettings),
    Table("`[[notify.targets]]`, `[[providers.notify.targets]]`", notify.NotifyTarget),
    Table("`[dispatches]`", sections.DispatchSettings),
    Table("`[server]`", sections.ServerSettings),
    Table("`[worker]`", sections.WorkerSettings),
    Table("`[github]`", sections.GitHubSettings),
    Table("`[retention]`", sections.RetentionSettings),
    Table("`[reconcile]`", sections.ReconcileSettings),
)


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for heading, model, without in TABLES:
        about = (inspect.getdoc(model) or "").split("\n\nAttributes:")[0]
        about = " ".join([*about.split(), MORE.get(heading, "")]).strip()
        parts.append(f"## {heading}\n\n{about}\n")
        rows = [row(model, key) for key in keys(model, without)]
        parts.append(
            "\n".join(["| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows, ""])
        )
    rows = [f"| `{name}` | {meaning} |" for name, meaning in meanings_of_variables()]
    parts.append("## Environment variables\n\nA secret may also be in a file that `NAME_FILE` names.\n")
    parts.append("\n".join(["| variable | meaning |", "| --- | --- |", *rows, ""]))
    return "\n".join(parts)


def keys(model: type[Section], without: type[Section]) -> list[str]:
    """Return the keys of a table that are in no other one, but for tables within it; its own before inherited ones."""
    found = [
        key
        for key in model.model_fields
        if key not in without.model_fields and (model is not Settings or key == "data_dir")
    ]
    return sorted(found, key=lambda key: key not in inspect.get_annotations(model))


def meaning_of(model: type[Section], key: str) -> str:
    """Return what the docstring of a type, or of the one that it has a key from, says of the key.

    Raises:
        LookupError: It says nothing.
    """
    for kind in model.__mro__:
        if key not in inspect.get_annotations(kind):
            continue
        told = re.search(
            rf"^    {key}: (.*(?:\n {{8}}.*)*)", inspect.cleandoc(kind.__doc__ or ""), re.MULTILINE
        )
        if told is not None:
            return " ".join(told[1].split())
    raise LookupError(f"{model.__name__}: no docstring says what {key} means")


def row(model: type[Section], key: str) -> str:
    """Return the line of a key."""
    field, meaning = model.model_fields[key], meaning_of(model, key)
    if key in VARIABLES:
        meaning += f" Variable: `{VARIABLES[key]}`."
    kind = type_of(field.annotation, field.metadata)
    return f"| `{key}` | {kind} | {default_of(field)} | {meaning} |"


def type_of(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Return what kind of value a type takes, in words."""
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metadata = [*metadata, *more, *(one for part in more for one in getattr(part, "metadata", ()))]
    told = [one.words for one in metadata if isinstance(one, Kind)]
    if told:
        return told[-1]
    if get_origin(annotation) in {Union, types.UnionType}:
        return type_of(next(one for one in get_args(annotation) if one is not type(None)), metadata)
    if get_origin(annotation) is tuple:
        kind = type_of(get_args(annotation)[0])
        return f"list of {SEVERAL.get(kind, kind)}"
    if issubclass(annotation, Section):
        return "table"
    return WORDS[annotation] + _limits(metadata)


def _limits(metadata: Sequence[Any]) -> str:
    found = {name: getattr(one, name) for one in metadata for name in ("ge", "le") if hasattr(one, name)}
    return f", {found['ge']} to {found['le']}" if len(found) == 2 else ""


def default_of(field: FieldInfo) -> str:
    """Return a default as it is written in the file."""
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple) and value:
        return f"`[{', '.join(map(_one, value))}]`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`" if value or value == 0 else "none"


def _one(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def meanings_of_variables() -> Iterator[tuple[str, str]]:
    """Yield the variables of the receiver, with what the docstrings of their names say."""
    told = {**dict(_told_in(variables)), **dict(_told_in(environment)), **dict(_told_in(process_environment))}
    for name in (*variables.OTHERS, *variables.SECRETS):
        yield name, told[name]


def _told_in(module: types.ModuleType) -> Iterator[tuple[str, str]]:
    body = ast.parse(inspect.getsource(module)).body
    for statement, following in pairwise(body):
        if (
            isinstance(statement, ast.Assign)
            and isinstance(statement.value, ast.Constant)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            yield str(statement.value.value), " ".join(str(following.value.value).split())


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
