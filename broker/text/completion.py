"""The option of a command that prints the script with which a shell completes its command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SHELLS = ("bash", "zsh", "fish", "tcsh")
FILES = frozenset({"FILE", "FILE.py:NAME", "PACT"})
"""How a value is called that is a file."""
FOLDERS = frozenset({"DIR"})


def add_completion_option(
    parser: argparse.ArgumentParser, others: Mapping[str, Callable[[], argparse.ArgumentParser]] | None = None
) -> None:
    """Add `--print-completion SHELL` to the parser of a whole command.

    Args:
        parser: The parser.
        others: What makes the parsers of commands whose options the parser doesn't have, by their names.
    """
    parser.add_argument(
        "--print-completion",
        metavar="SHELL",
        choices=SHELLS,
        action=_PrintCompletion,
        others=others or {},
        help=f"print what a shell needs to complete options, and exit: {', '.join(SHELLS)}",
    )


class _PrintCompletion(argparse.Action):
    def __init__(
        self, *arguments: Any, others: Mapping[str, Callable[[], argparse.ArgumentParser]], **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._others = others

    def __call__(
        self, parser: argparse.ArgumentParser, _: argparse.Namespace, value: Any, __: str | None = None
    ) -> None:
        import shtab  # noqa: PLC0415 - for this alone

        for action in parser._actions:  # noqa: SLF001 - argparse has no other way, and shtab does the same
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
                action.choices.update({name: make() for name, make in self._others.items()})
                action.help = None  # shtab leaves out what the help leaves out
        for action in _actions(parser):
            # shtab reads this attribute
            if action.metavar in FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.metavar in FOLDERS:
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        print(shtab.complete(parser, value))  # noqa: T201 - what it was asked for
        parser.exit()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Give the options and arguments of a parser and of its commands."""
    for action in parser._actions:  # noqa: SLF001 - see above
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _actions(command)
