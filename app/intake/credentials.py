"""The credentials of requests: named bearer tokens, and GitHub's signatures."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import structlog

from app.config.values import ConfigurationError, secret
from app.config.variables import API_TOKENS, TOKENS, WEBHOOK_SECRET
from app.intake.tokens import parse_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.intake.tokens import Token

_HEADER = re.compile(r"(?:bearer|token) +(?P<token>\S+) *", re.IGNORECASE)
SIGNATURE_PREFIX = "sha256="
_SIGNATURE = re.compile(rf"{SIGNATURE_PREFIX}[0-9a-f]{{64}}")

log = structlog.get_logger("web")


class NoCredentials(Exception):
    """There is no token, or the variable of one that the broker has not filled in."""


class BadCredentials(Exception):
    """The token is none of the configured ones."""


@dataclass(frozen=True)
class _FileState:
    modified: int
    size: int
    inode: int


class Tokens:
    """Named tokens from a variable, or from a file that is read again when it changes.

    A token in a file is revoked by removing its line; nothing has to be restarted.

    Args:
        variable: The name of the variable with `NAME:TOKEN[@LIMIT][,NAME:TOKEN...]`. The variable of this name and
            `_FILE` may name a file with the same instead, where line ends separate tokens too.
        environment: The environment.
        for_api: Whether they are those of the API; see `app.intake.tokens.parse_tokens`.

    Raises:
        ConfigurationError: They can't be read.
    """

    def __init__(self, variable: str, environment: Mapping[str, str], *, for_api: bool = False) -> None:
        self._variable = variable
        self._for_api = for_api
        self._environment = dict(environment)
        file = environment.get(f"{variable}_FILE")
        self._file = Path(file) if file else None
        self._lock = threading.Lock()
        self._file_state = self._unusable_state = self._state_of_file()
        self._tokens = self._read()

    def __bool__(self) -> bool:
        return bool(self._current())

    def all(self) -> list[Token]:
        """Return the tokens, in the order in which they are configured."""
        return list(self._current().values())

    def token_of(self, authorization: str | None) -> Token:
        """Return the token that a request carries.

        Args:
            authorization: The value of the header `Authorization`: `Bearer T` or `token T`.

        Raises:
            NoCredentials: There is no token.
            BadCredentials: It is none of these tokens.
        """
        match = _HEADER.fullmatch(authorization or "")
        if match is None:
            if authorization and authorization.strip().lower() not in {"bearer", "token"}:
                raise BadCredentials
            raise NoCredentials
        if match["token"].startswith("${"):
            raise NoCredentials
        given = _digest(match["token"])
        found = None
        for token in self._current().values():  # all of them, so that the time tells nothing
            if hmac.compare_digest(given, _digest(token.value)):
                found = token
        if found is None:
            raise BadCredentials
        return found

    def _read(self) -> dict[str, Token]:
        text = secret(self._variable, self._environment) or ""
        return parse_tokens(self._variable, text, for_api=self._for_api)

    def _current(self) -> dict[str, Token]:
        if self._file is None:
            return self._tokens
        with self._lock:
            state = self._state_of_file()
            if state != self._file_state:
                try:
                    self._tokens = self._read()
                    self._file_state = state
                except ConfigurationError as error:
                    if state != self._unusable_state:
                        log.warning("no token is right any more", variable=self._variable, error=str(error))
                    self._tokens, self._unusable_state = {}, state
        return self._tokens

    def _state_of_file(self) -> _FileState | None:
        if self._file is None:
            return None
        try:
            found = os.stat(self._file)  # noqa: PTH116 - one call, on each request
        except OSError:
            return None
        return _FileState(found.st_mtime_ns, found.st_size, found.st_ino)


def is_signature(signature: str | None) -> TypeGuard[str]:
    """Return whether a value of `X-Hub-Signature-256` has the form of one."""
    return signature is not None and _SIGNATURE.fullmatch(signature) is not None


def check_signature(secret_value: str, body: bytes, signature: str) -> None:
    """Raise unless `X-Hub-Signature-256` is the signature of a body; the time that it takes tells nothing.

    Raises:
        BadCredentials: It is not.
    """
    expected = SIGNATURE_PREFIX + hmac.new(secret_value.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature):
        raise BadCredentials


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def check_secrets(environment: Mapping[str, str]) -> list[str]:
    """Read the secrets that `load` will read, and return warnings about those that are missing.

    Raises:
        ConfigurationError: One can't be read.
    """
    warnings = []
    if not Tokens(TOKENS, environment) and secret(WEBHOOK_SECRET, environment) is None:
        warnings.append(
            f"nobody can dispatch: set {TOKENS}=NAME:TOKEN (or {TOKENS}_FILE), or {WEBHOOK_SECRET} for GitHub's events"
        )
    if not Tokens(API_TOKENS, environment, for_api=True):
        warnings.append(f"nobody can use /api: set {API_TOKENS}=NAME:TOKEN (or {API_TOKENS}_FILE)")
    return warnings
