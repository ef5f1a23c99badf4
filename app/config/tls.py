"""The keys of how TLS connections are made: to the broker, and to a provider."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, ValidationInfo

from app.config.values import Flag, Kind, Secret, Section, resolved
from broker.http.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


def _beside_the_configuration(file: Path, info: ValidationInfo) -> Path:
    return resolved(file, info)


PemFile = Annotated[Path, AfterValidator(_beside_the_configuration), Kind("PEM file")]
"""A file, relative to the folder of the configuration file."""
_KEYS = {"ca_file": "ca_file", "certificate": "client_certificate"}
"""The key for each attribute of `Tls` that `Tls.mistakes` names."""


class TlsFiles(Section):
    """The files for TLS connections to one server.

    Attributes:
        ca_file: The authorities that its certificate may be signed by, in the place of the system's.
        client_certificate: A certificate to show it.
        client_key: The certificate's key, if that is in another file.
    """

    ca_file: PemFile | None = None
    client_certificate: PemFile | None = None
    client_key: PemFile | None = None

    def with_password(self, key_password: str | None) -> Tls:
        """Return how connections are made, with the password of the key if it has one."""
        ca_file, certificate, key = (
            None if file is None else str(file)
            for file in (self.ca_file, self.client_certificate, self.client_key)
        )
        return Tls(ca_file, certificate, key, key_password)


class ProviderTls(TlsFiles):
    """How TLS connections to a provider are made, and to its `states_setup_url` and `version_url`.

    Attributes:
        client_key_password: The password of that key.
        disable_ssl_verification: Whether no certificate of the provider is checked.
    """

    client_key_password: Secret | None = None
    disable_ssl_verification: Flag = False

    def without_client_certificate(self) -> Self:
        """Return these keys without the certificate: its key can't be looked at where the password is missing."""
        return self.model_copy(
            update=dict.fromkeys(("client_certificate", "client_key", "client_key_password"))
        )

    def tls(self, environment: Mapping[str, str]) -> Tls:
        """Return how connections are made.

        Args:
            environment: The variables, one of which may have the password of the key.

        Raises:
            ValueError: The password isn't where the configuration says.
        """
        source = self.client_key_password
        files = self.with_password(None if source is None else source.read(environment))
        return replace(files, checks=not self.disable_ssl_verification)


def tls_misfits(given: Collection[str], *, unchecked: bool = False) -> list[str]:
    """Return what of a table's keys for TLS does not go together.

    Args:
        given: The keys that it has.
        unchecked: Whether it says that certificates are not checked.
    """
    mistakes = [
        f"{key} is for client_certificate, which is missing"
        for key in ("client_key", "client_key_password")
        if key in given and "client_certificate" not in given
    ]
    if unchecked and "ca_file" in given:
        mistakes.append(
            "ca_file says what certificates are checked against, and disable_ssl_verification that they are not: give "
            "one of the two"
        )
    return mistakes


def tls_mistakes(tls: Tls) -> Iterator[str]:
    """Yield a line for each file that can't be used: its key, and why."""
    for name, why in tls.mistakes():
        yield f"{_KEYS[name]}: {why}"
