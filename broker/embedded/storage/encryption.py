"""Encryption of secrets in the database: passwords and headers of webhooks, values of secrets."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken

if TYPE_CHECKING:
    from pathlib import Path

KEY_VARIABLE = "PACT_DISPATCH_BROKER_KEY"

_HOW_TO_MAKE_ONE = (
    "32 random bytes in URL-safe base64, as from "
    'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
)


class KeyUnusable(Exception):
    """There is no key, it is no key, or it isn't the one that a value was encrypted with."""


class Vault:
    """Encrypts and decrypts with the key of this broker: a given one, else that of a file made at first use."""

    def __init__(self, key: str | None, file: Path) -> None:
        self._given = key
        self._file = file
        self._lock = threading.Lock()
        self._fernet: Fernet | None = None

    def encrypt(self, text: str) -> str:
        """Return the text as a token that only this key can read.

        Raises:
            KeyUnusable: The key can't be read, or its file not be made.
        """
        return self._key().encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Return the text of a token.

        Raises:
            KeyUnusable: There is no key, or it is another one.
        """
        try:
            return self._key(make=False).decrypt(token).decode()
        except InvalidToken as error:
            raise KeyUnusable(
                f"The secrets in the database were encrypted with another key than {self._source()}."
            ) from error

    def _source(self) -> str:
        return f"that of {KEY_VARIABLE}" if self._given else f"the one in {self._file}"

    def _key(self, *, make: bool = True) -> Fernet:
        with self._lock:
            if self._fernet is None:
                self._fernet = self._fernet_of(self._given or self._from_file(make=make))
            return self._fernet

    def _fernet_of(self, key: str) -> Fernet:
        try:
            return Fernet(key.strip())
        except ValueError as error:
            raise KeyUnusable(f"{self._source()} is no key; one is {_HOW_TO_MAKE_ONE}.") from error

    def _from_file(self, *, make: bool) -> str:
        try:
            if make and not self._file.exists():
                self._make_file()
            if os.name == "posix" and self._file.stat().st_mode & 0o077:
                raise KeyUnusable(f"{self._file} can be read by others: chmod 600 {self._file}")
            return self._file.read_text()
        except OSError as error:
            raise KeyUnusable(
                f"The key can't be read: {self._file}: {error.strerror}. Put the file back, or set {KEY_VARIABLE}."
            ) from error

    def _make_file(self) -> None:
        """Create the file whole or not at all, also if another process does so at the same time."""
        draft = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(Fernet.generate_key() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            os.link(draft, self._file)
        except FileExistsError:
            return
        finally:
            draft.unlink()
