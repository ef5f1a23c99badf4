"""Named bearer tokens as they are configured: `NAME:TOKEN`, and what each of them may do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from app.config.values import ConfigurationError
from app.dispatch import REPOSITORY

SHORTEST_TOKEN = 20
"""Characters of a token at least, so that nobody guesses one."""
READ_ONLY = "read-only"
"""What stands behind a token of the API that may only read: `NAME:TOKEN@read-only`."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ONE_REPOSITORY = rf"@{REPOSITORY.replace('$', '(?![A-Za-z0-9._-])')}"
_LIMIT = re.compile(rf"(?P<repositories>(?:{_ONE_REPOSITORY})+)|@(?P<read_only>{READ_ONLY})")
_VALUE = re.compile(rf"(?P<token>.*?)(?P<limit>{_LIMIT.pattern})?")


@dataclass(frozen=True)
class Token:
    """A token, and what it may do.

    Attributes:
        name: Its name, which deliveries and logs show.
        value: The token itself.
        repositories: The repositories that it may dispatch for, in lower case; None for all of them.
        read_only: Whether it may only read.
    """

    name: str
    value: str = field(repr=False)
    repositories: frozenset[str] | None = None
    read_only: bool = False

    def may_dispatch_for(self, repository: str) -> bool:
        """Return whether it may dispatch for a repository; letter case makes no difference, as on GitHub."""
        return self.repositories is None or repository.lower() in self.repositories


def parse_tokens(variable: str, text: str, *, for_api: bool = False) -> dict[str, Token]:
    """Read `NAME:TOKEN[,NAME:TOKEN...]`, each token with what limits it, if anything does.

    Args:
        variable: The name of the variable, for messages.
        text: Its value. Commas and white space separate the entries.
        for_api: Whether they are tokens of the API, which may be limited by `@read-only`. The others may be limited by
            `@OWNER/REPO`, once for each repository.

    Raises:
        ConfigurationError: An entry is something else; the message shows no token.
    """
    tokens: dict[str, Token] = {}
    mistakes = []
    for number, entry in enumerate(filter(None, re.split(r"[,\s]+", text)), start=1):
        name, separator, value = entry.partition(":")
        if not separator or _NAME.fullmatch(name) is None:
            mistakes.append(f"{variable}: entry {number} is not NAME:TOKEN")
            continue
        token = _read(name, value)
        mistake = _mistake(token, for_api=for_api)
        if mistake:
            mistakes.append(f"{variable}: {mistake}")
        elif name in tokens:
            mistakes.append(f"{variable}: there are two tokens with the name {name}")
        else:
            tokens[name] = token
    mistakes += [f"{variable}: {mistake}" for mistake in _contradictions(list(tokens.values()))]
    if mistakes:
        raise ConfigurationError(*mistakes)
    return tokens


def _read(name: str, value: str) -> Token:
    match = _VALUE.fullmatch(value)
    assert match is not None  # noqa: S101 - any text matches
    repositories = match["repositories"]
    return Token(
        name,
        match["token"],
        frozenset(repositories.lower().split("@")[1:]) if repositories else None,
        match["read_only"] is not None,
    )


def _mistake(token: Token, *, for_api: bool) -> str | None:
    if len(token.value) < SHORTEST_TOKEN:
        return (
            f"the token of {token.name} has fewer than {SHORTEST_TOKEN} characters: "
            "make one with `openssl rand -hex 20`"
        )
    if for_api and token.repositories is not None:
        return f"the token of {token.name} is limited to repositories, which only those who dispatch can be"
    if not for_api and token.read_only:
        return f"the token of {token.name} is {READ_ONLY}, which only those of the API can be"
    return None


def _contradictions(tokens: list[Token]) -> list[str]:
    """Return the mistakes for tokens with two names that may do different things."""
    return [
        f"{one.name} and {other.name} have the same token, and may not do the same"
        for number, one in enumerate(tokens)
        for other in tokens[number + 1 :]
        if one.value == other.value
        and (one.repositories, one.read_only) != (other.repositories, other.read_only)
    ]
