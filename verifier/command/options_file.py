"""The file of options: `[tool.pact-dispatch]` of pyproject.toml, or `[verify]` of pact-dispatch.toml, in the folder.

The command `verify` reads it, and nothing else: what a receiver verifies stands in a folder that others may write to.
An option that stands beside its table is refused, and never left out without a word.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from verifier.command.sources import Setting

MAX_BYTES = 1024 * 1024
FILES = (("pyproject.toml", ("tool", "pact-dispatch")), ("pact-dispatch.toml", ("verify",)))
"""The files, each with the place of its table."""
OF_A_RECEIVER = frozenset(
    {
        "broker",
        "data_dir",
        "dispatches",
        "github",
        "notify",
        "providers",
        "reconcile",
        "retention",
        "server",
        "worker",
    }
)
"""What else may stand in pact-dispatch.toml: the configuration of a receiver, which has the same name."""
SECRETS = frozenset({"broker-username", "broker-password", "broker-token"})
OF_ONE_RUN = frozenset({"provider-app-version", "provider-version-branch", "build-url", "last-failed"})
"""What is another at each run: a file would have it wrong."""
NEITHER = frozenset({"help", "version", "quiet", "verbose", "print-completion"})
REPORTS = frozenset({"json", "junit", "html"})
"""Options that `VerifyCommand` looks at by itself."""
RIVALS = (
    ("provider_base_url", "provider_command"),
    ("provider_states_setup_url", "provider_states"),
    ("filter_state", "filter_no_state"),
    ("consumer_version_selectors", "consumer_version_tags"),
)
"""Options of which one is given: an option or a variable leaves out what the file has in its place."""
SELECTORS, DATE = "consumer_version_selectors", "include_wip_pacts_since"
"""Options that may be written in TOML's own way, too, as in a receiver's configuration: by tables, and as a date."""


@dataclass(frozen=True)
class FileOptions:
    """The options of the file.

    Attributes:
        source: The table and its file, for people.
        values: Their values by the option's name with `_` for `-`.
    """

    source: str
    values: Mapping[str, Any]

    def complete(self, settings: list[Setting]) -> list[Setting]:
        """Return the settings with those that the file adds.

        Raises:
            UsageError: The file, which the provider's repository has, would say where credentials are sent to.
        """
        from verifier.command.sources import (  # noqa: PLC0415 - not needed to parse the command line
            Setting,
            pacts_of,
        )

        given = {setting.name for setting in settings}
        left_out = given.union(REPORTS, *(pair for pair in RIVALS if not given.isdisjoint(pair)))
        added = {name: value for name, value in self.values.items() if name not in left_out}
        if "pact_broker_base_url" in added and any(key.replace("-", "_") in given for key in SECRETS):
            raise UsageError(
                f"{self.source}: pact-broker-base-url would decide where the broker credentials are sent to: give it "
                "where they are given, by PACT_BROKER_BASE_URL or --pact-broker-base-url"
            )
        if "pact_url" in added:
            added["pact_url"] = pacts_of(added["pact_url"])
        return [*settings, *(Setting(name, value, self.source) for name, value in added.items())]


def read_file_options(folder: Path, parser: argparse.ArgumentParser) -> FileOptions | None:
    """Read the file of options of a folder.

    Args:
        folder: The folder.
        parser: The parser that has the options.

    Returns:
        The options; None if there is no such file, or it has no table for them.

    Raises:
        UsageError: It can't be used, it has what is no option or may not stand there, or there are two.
    """
    actions = {
        option.removeprefix("--"): action
        for action in parser._actions  # noqa: SLF001 - argparse has no other way to ask for them
        for option in action.option_strings
        if option.startswith("--") and not option.startswith("--no-")
    }
    found = []
    for name, place in FILES:
        document = _document(folder / name, name)
        if place[0] == "tool":
            _check_name_of_tool(document, name)
        else:
            _check_what_is_beside(document, name, actions)
        table = _table(document, name, place)
        if table is not None:
            found.append((f"[{'.'.join(place)}] of {name}", table))
    if len(found) > 1:
        raise UsageError(f"there are options in {found[0][0]} and in {found[1][0]}: keep one of the two")
    if not found:
        return None
    [(source, table)] = found
    values = {}
    for key, value in table.items():
        action = _checked_action(key, actions, source)
        values[action.dest] = _checked_value(action, _as_option(action, value), f"{source}: {key}")
    _check_headers(values, source)
    return FileOptions(source, values)


def _document(path: Path, name: str) -> dict[str, Any]:
    """Return the content of a file; none of one that isn't there, or that is for other programs alone."""
    try:
        if not path.is_file():
            return {}
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name} can't be read: {error.strerror}") from error
    if name == "pyproject.toml" and re.search(rb"pact[-_]?dispatch", content, re.IGNORECASE) is None:
        return {}
    if len(content) > MAX_BYTES:
        raise UsageError(f"{name} is larger than 1 MiB")
    import tomllib  # noqa: PLC0415 - only where there is something to read

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no TOML that can be read: {error}") from error


def _table(document: dict[str, Any], name: str, place: tuple[str, ...]) -> dict[str, Any] | None:
    found = document
    for part in place:
        inner = found.get(part)
        if inner is None:
            return None
        if not isinstance(inner, dict):
            raise UsageError(f"{name}: {part} must be a table, as in [{'.'.join(place)}]")
        found = inner
    return found


def _check_name_of_tool(document: dict[str, Any], name: str) -> None:
    """Check that no table of pyproject.toml has almost the name of ours, or has it in the wrong place."""
    tools = document.get("tool")
    places: list[tuple[str, ...]] = [(key,) for key in document]
    places += [("tool", key) for key in tools] if isinstance(tools, dict) else []
    for place in places:
        if re.sub("[-_]", "", place[-1].lower()) == "pactdispatch" and place != FILES[0][1]:
            raise UsageError(
                f"{name}: [{'.'.join(place)}] is read by nothing: options of verify stand in [tool.pact-dispatch]"
            )


def _check_what_is_beside(
    document: dict[str, Any], name: str, actions: Mapping[str, argparse.Action]
) -> None:
    """Check that all of pact-dispatch.toml but `[verify]` may be the configuration of a receiver."""
    for key in document.keys() - {"verify"} - OF_A_RECEIVER:
        if _is_option(key, actions):
            raise UsageError(f"{name}: {key} is an option of verify, and stands outside of [verify]")
        if key == "tool":
            raise UsageError(
                f"{name}: [tool.pact-dispatch] is for pyproject.toml; here, options stand in [verify]"
            )
        from difflib import get_close_matches  # noqa: PLC0415 - only for a file that is wrong

        near = get_close_matches(key.lower(), ("verify", *OF_A_RECEIVER), n=1)
        meant = f"; did you mean {near[0]}?" if near else ", nor anything of a receiver's configuration"
        raise UsageError(f"{name}: {key!r} is not [verify], where options stand{meant}")
    for key in document.keys() & OF_A_RECEIVER:
        for option in document[key] if isinstance(document[key], dict) else ():
            if _is_option(option, actions):
                raise UsageError(
                    f"{name}: {option} is an option of verify, and stands in [{key}], which is a receiver's: move it "
                    "to [verify]"
                )


def _is_option(key: str, actions: Mapping[str, argparse.Action]) -> bool:
    return key.replace("_", "-") in actions


def _checked_action(key: str, actions: Mapping[str, argparse.Action], source: str) -> argparse.Action:
    if key in SECRETS:
        raise UsageError(f"{source}: {key} is a secret: it belongs into the environment, not into a file")
    if key in OF_ONE_RUN:
        raise UsageError(f"{source}: {key} is another at each run: give it as an option, or by its variable")
    if key == "unconfined-provider":
        raise UsageError(
            f"{source}: {key} lets the provider read the broker's credentials: give it as an option"
        )
    action = actions.get(key)
    if action is None or key in NEITHER:
        from difflib import get_close_matches  # noqa: PLC0415 - only for a file that is wrong

        may_stand = [name for name in actions if name not in SECRETS | OF_ONE_RUN | NEITHER]
        near = get_close_matches(key.replace("_", "-"), may_stand, n=1)
        meant = f"; did you mean {near[0]}?" if near else ". It takes options of verify, without the dashes"
        raise UsageError(f"{source}: {key!r} is no option that can stand there{meant}")
    return action


def _checked_value(action: argparse.Action, value: Any, where: str) -> Any:
    if isinstance(action, argparse._AppendAction):  # noqa: SLF001 - it has no other name
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in values):
            raise UsageError(f"{where} must be a text, or a list of texts")
        return values
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UsageError(f"{where} must be true or false")
        return value
    if action.type in {int, float}:
        fits = isinstance(value, int) if action.type is int else isinstance(value, int | float)
        if not fits or isinstance(value, bool):
            raise UsageError(f"{where} must be a {'whole ' if action.type is int else ''}number")
        return action.type(value)
    if not isinstance(value, str):
        raise UsageError(f"{where} must be a text")
    if action.choices is not None and value not in action.choices:
        raise UsageError(f"{where} must be one of {', '.join(action.choices)}")
    return value


def _as_option(action: argparse.Action, value: Any) -> Any:
    """Return a value that is written in TOML's own way as an option has it: tables of selectors as JSON, a date."""
    if action.dest == SELECTORS:
        selectors = value if isinstance(value, list) else [value]
        return [json.dumps(one, default=str) if isinstance(one, dict) else one for one in selectors]
    return value.isoformat() if action.dest == DATE and type(value) is date else value


def _check_headers(values: Mapping[str, Any], source: str) -> None:
    """Check that no header is one that holds a secret."""
    for name in ("custom_provider_header", "provider_states_header"):
        for header in values.get(name, ()):
            from broker.text.secret_names import is_secret_name  # noqa: PLC0415 - only where there are headers

            field = header.partition(":")[0].strip()
            if is_secret_name(field):
                raise UsageError(
                    f"{source}: {name.replace('_', '-')} {field} is a secret: it belongs into an option that the "
                    "environment fills in, not into a file"
                )
