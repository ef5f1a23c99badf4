"""A parser that takes names, versions and UUIDs that begin with a dash."""

from __future__ import annotations

import re
import sys
from typing import Any, NoReturn

from broker.text.command_help import HelpfulParser
from broker.text.harmless import one_line

_LONG_OPTION = re.compile(r"--[a-z]+(-[a-z]+)*(=.*)?", re.DOTALL)
_CHOICE = re.compile(r"invalid choice: '(?P<given>[^']*)' \(choose from (?P<choices>.*)\)")
"""What argparse says of a command or a value that there isn't."""
_UUID = re.compile(r"-[A-Za-z0-9_-]{15,99}")
"""A Pact Broker's UUIDs of webhooks are 22 characters of URL-safe base64."""


class ArgumentParser(HelpfulParser):
    """Takes a word that begins with a dash for a value where it can be no option.

    argparse itself takes each word with a dash in front for an option: `--consumer -x` and `show -S0meUU1D` end with
    its usage error. Here a word is an option if the parser has it, or if it is written like a long one, so that a
    mistyped option is still refused.
    """

    def error(self, message: str) -> NoReturn:
        """Leave with a message that is one line, whatever the words of the command line have in them."""
        near = self._near(message)
        super().error(one_line(f"{message}; did you mean {', '.join(near)}?" if near else message))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the words as argparse does, once it can't misunderstand them.

        What a command doesn't know is its own error: argparse would leave it to the parser of the whole, which knows
        none of the command's options.
        """
        words = list(sys.argv[1:] if args is None else args)
        if self._subparsers:
            return super().parse_known_args(words, namespace)
        found, unknown = super().parse_known_args(self._unmistakable(words), namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def _near(self, message: str) -> list[str]:
        """Return the commands, options or values that may have been meant by those that a message is about."""
        from difflib import get_close_matches  # noqa: PLC0415 - only for a command line that is wrong

        choice = _CHOICE.search(message)
        if choice is not None:
            return get_close_matches(choice["given"], re.findall(r"[\w-]+", choice["choices"]), n=1)
        words = message.partition("unrecognized arguments: ")[2].split()
        options = [word.partition("=")[0] for word in words if word.startswith("-")]
        near = [get_close_matches(option, self._option_string_actions, n=1) for option in options]
        return list(dict.fromkeys(match for matches in near for match in matches))

    def _unmistakable(self, words: list[str]) -> list[str]:
        """Join an option with its value, and put UUIDs that begin with a dash behind `--`."""
        has_positionals = any(not action.option_strings for action in self._actions)
        known: list[str] = []
        uuids: list[str] = []
        rest = iter(words)
        for word in rest:
            if word == "--":
                uuids += rest
                break
            if known and self._wants_value(known[-1]) and self._is_value(word):
                known[-1] += f"={word}"
            elif has_positionals and _UUID.fullmatch(word) and self._is_value(word):
                uuids.append(word)
            else:
                known.append(word)
        return [*known, "--", *uuids] if uuids else known

    def _wants_value(self, word: str) -> bool:
        action = self._option_string_actions.get(word)
        return action is not None and action.nargs is None

    def _is_value(self, word: str) -> bool:
        return (
            len(word) > 1
            and word.startswith("-")
            and word not in self._option_string_actions
            and _LONG_OPTION.fullmatch(word) is None
        )
