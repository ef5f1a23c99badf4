"""Who may read and who may write: accounts with a password, and bearer tokens.

An account is read-write or read-only. Without any, everyone may do everything. The answers to those who may not are
a real broker's: an empty 401 that asks for basic auth, also where a reader tries to write, and an empty 400 for
another scheme than the one that is set up.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Response, request

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from flask import Flask

USERS_VARIABLE = "PACT_DISPATCH_BROKER_USERS"
TOKENS_VARIABLE = "PACT_DISPATCH_BROKER_TOKENS"

REALM = "Restricted area"
PUBLIC = frozenset({"index.heartbeat"})

_KINDS = {"read-write": True, "read-only": False}


class AccessUnusable(Exception):
    """The accounts can't be read; the message names the place, and shows neither a password nor a token."""


@dataclass(frozen=True)
class Credential:
    """The hash of a secret that a client must send.

    Attributes:
        digest: The hash of the user's name and password, or of the token.
        may_write: Whether it is good for more than reading.
    """

    digest: bytes
    may_write: bool


@dataclass(frozen=True)
class Access:
    """The accounts: passwords for basic auth, and bearer tokens."""

    users: tuple[Credential, ...] = ()
    tokens: tuple[Credential, ...] = ()

    @property
    def restricted(self) -> bool:
        """Whether there are any; without them, everyone may read and write."""
        return bool(self.users or self.tokens)

    def __add__(self, other: Access) -> Access:
        return Access(self.users + other.users, self.tokens + other.tokens)

    def status(self, authorization: str | None, *, writes: bool) -> int:
        """Return 200 for a request that may pass, else the status to refuse it with.

        Args:
            authorization: The request's header, if it has one.
            writes: Whether the request changes anything.
        """
        if not self.restricted:
            return 200
        if not authorization:
            return 401
        scheme, _, value = authorization.partition(" ")
        known = {"basic": self.users, "bearer": self.tokens}.get(scheme.lower(), ())
        if not known:
            return 400
        digest = _basic_digest(value) if scheme.lower() == "basic" else token_digest(value.strip())
        may_write = _find(known, digest)
        return 401 if may_write is None or (writes and not may_write) else 200


def user_digest(name: str, password: str) -> bytes:
    """Return the hash of a user's name and password."""
    return hashlib.sha256(f"{len(name)}:{name}:{password}".encode()).digest()


def token_digest(token: str) -> bytes:
    """Return the hash of a token."""
    return hashlib.sha256(token.encode()).digest()


def from_environment(environment: Mapping[str, str]) -> Access:
    """Return the accounts in the environment.

    `PACT_DISPATCH_BROKER_USERS` is `read-write:NAME:PASSWORD` or `read-only:NAME:PASSWORD`, several separated
    by commas; `PACT_DISPATCH_BROKER_TOKENS` is `read-write:TOKEN` or `read-only:TOKEN` likewise. What has a
    comma in it goes into a file.

    Raises:
        AccessUnusable: One of them has another form.
    """
    users = []
    for number, entry in enumerate(_entries(environment, USERS_VARIABLE), start=1):
        kind, _, rest = entry.partition(":")
        name, _, password = rest.partition(":")
        if kind not in _KINDS or not name or not password:
            raise AccessUnusable(
                f"{USERS_VARIABLE}, entry {number}: must be read-write:NAME:PASSWORD or read-only:NAME:PASSWORD."
            )
        users.append(Credential(user_digest(name, password), _KINDS[kind]))
    tokens = []
    for number, entry in enumerate(_entries(environment, TOKENS_VARIABLE), start=1):
        kind, _, token = entry.partition(":")
        if kind not in _KINDS or not token:
            raise AccessUnusable(
                f"{TOKENS_VARIABLE}, entry {number}: must be read-write:TOKEN or read-only:TOKEN."
            )
        tokens.append(Credential(token_digest(token), _KINDS[kind]))
    return Access(tuple(users), tuple(tokens))


def from_file(path: Path) -> Access:
    """Return the accounts in a TOML file: `[[users]]` with name, password and access, `[[tokens]]` with token.

    Raises:
        AccessUnusable: It can't be read, others than its owner may read it, or it has another form.
    """
    try:
        mode = path.stat().st_mode
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise AccessUnusable(f"{path} can't be read: {reason}.") from error
    if mode & 0o077:
        raise AccessUnusable(f"{path} can be read by others than its owner: chmod 600 {path}")
    try:
        document = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        # Its message may quote the file.
        raise AccessUnusable(f"{path} is not TOML.") from error
    unknown = sorted(document.keys() - {"users", "tokens"})
    if unknown:
        raise AccessUnusable(f"{path}: {unknown[0]} is unknown; there are [[users]] and [[tokens]].")
    access = Access(
        tuple(
            Credential(user_digest(one["name"], one["password"]), _KINDS[one["access"]])
            for one in _tables(path, document, "users", ("name", "password"))
        ),
        tuple(
            Credential(token_digest(one["token"]), _KINDS[one["access"]])
            for one in _tables(path, document, "tokens", ("token",))
        ),
    )
    if not access.restricted:
        raise AccessUnusable(f"{path} names nobody: it needs [[users]] or [[tokens]].")
    return access


def load(environment: Mapping[str, str], file: Path | None) -> Access:
    """Return the accounts of the environment and of the file together.

    Raises:
        AccessUnusable: Either of them can't be used.
    """
    accounts = from_environment(environment)
    return accounts + from_file(file) if file else accounts


def protect(app: Flask, access: Access, *, reading_posts: Container[str | None]) -> None:
    """Have the application refuse requests that an account may not send.

    Args:
        app: The broker.
        access: The accounts.
        reading_posts: Endpoints that only read, although they are sent by POST.
    """

    @app.before_request
    def check() -> Response | None:
        if request.endpoint in PUBLIC:
            return None
        reads = request.method in {"GET", "HEAD", "OPTIONS"} or request.endpoint in reading_posts
        status = access.status(request.headers.get("Authorization"), writes=not reads)
        if status == 200:
            return None
        response = Response(status=status, content_type="text/plain")
        if status == 401:
            scheme = "Basic" if access.users else "Bearer"
            response.headers["WWW-Authenticate"] = f'{scheme} realm="{REALM}"'
        return response


def _find(known: tuple[Credential, ...], digest: bytes | None) -> bool | None:
    """Return whether the credential may write, or None if it is unknown; in the same time for any guess."""
    may_write = None
    for one in known:
        if hmac.compare_digest(one.digest, digest or b""):
            may_write = one.may_write
    return may_write


def _basic_digest(value: str) -> bytes | None:
    try:
        name, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return user_digest(name, password) if colon else None


def _entries(environment: Mapping[str, str], variable: str) -> list[str]:
    return [entry.strip() for entry in environment.get(variable, "").split(",") if entry.strip()]


def _tables(path: Path, document: dict[str, Any], name: str, texts: tuple[str, ...]) -> list[dict[str, Any]]:
    tables = document.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise AccessUnusable(f"{path}: {name} must be tables, each beginning with [[{name}]].")
    for number, one in enumerate(tables, start=1):
        where = f"{path}, [[{name}]] number {number}"
        unknown = sorted(one.keys() - {*texts, "access"})
        if unknown:
            raise AccessUnusable(f"{where}: {unknown[0]} is unknown.")
        for key in texts:
            if not isinstance(one.get(key), str) or not one[key]:
                raise AccessUnusable(f"{where}: {key} must be a text.")
        if one.get("access") not in _KINDS:
            raise AccessUnusable(f'{where}: access must be "read-write" or "read-only".')
    return tables
