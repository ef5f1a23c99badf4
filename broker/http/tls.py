"""What the other side of a TLS connection is held against, and what it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


class TlsUnusable(ValueError):
    """A file can't be used; the message is the end of a sentence that begins with what the file is for."""


@dataclass(frozen=True)
class Tls:
    """How TLS connections are made. By default, as the environment and the system have it.

    Attributes:
        ca_file: The PEM file with the authorities that are trusted, in the place of all others.
        certificate: The PEM file with the certificate that is shown.
        key: The PEM file with its key; None if it is in the same file.
        key_password: The password of the key, if it has one.
        checks: Whether the other side's certificate is checked.
    """

    ca_file: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: str | None = field(default=None, repr=False)
    checks: bool = True

    @property
    def secrets(self) -> list[str]:
        """What of it is secret."""
        return [self.key_password] if self.key_password else []

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Yield each file that can't be used: the name of its attribute, and why, as of a `TlsUnusable`."""
        if self.ca_file is not None:
            try:
                Tls(self.ca_file).context()
            except TlsUnusable as error:
                yield "ca_file", str(error)
        if self.certificate is not None:
            import ssl  # noqa: PLC0415 - see below

            try:
                # without the system's authorities, which take a tenth of a second to read
                self.show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
            except TlsUnusable as error:
                yield "certificate", str(error)

    def context(self, default_ca_file: str | None = None) -> ssl.SSLContext:
        """Return a context for clients.

        Args:
            default_ca_file: The authorities that are trusted where there are none of one's own; None for the system's.

        Raises:
            TlsUnusable: A file can't be used.
        """
        import ssl  # noqa: PLC0415 - it takes longer to import than all of what most runs do

        try:
            context = ssl.create_default_context(cafile=self.ca_file or default_ca_file)
        except FileNotFoundError as error:
            raise TlsUnusable(f"there is no file {self.ca_file or default_ca_file}") from error
        except OSError as error:  # an SSLError, too
            raise TlsUnusable(
                f"{self.ca_file or default_ca_file} has no certificates in PEM that can be read"
            ) from error
        if not self.checks:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.show(context)
        return context

    def show(self, context: ssl.SSLContext) -> None:
        """Have a context show the certificate, if there is one.

        Raises:
            TlsUnusable: It can't be used.
        """
        if self.certificate is None:
            return
        try:
            # with a password that is empty, OpenSSL asks nobody for one
            context.load_cert_chain(self.certificate, self.key, lambda: self.key_password or "")
        except FileNotFoundError as error:
            files = " or ".join(filter(None, (self.certificate, self.key)))
            raise TlsUnusable(f"there is no file {files}") from error
        except (OSError, ValueError) as error:  # an SSLError, too
            raise TlsUnusable(
                f"{self.certificate} and its key ({self.key or 'in the same file'}) can't be used: they are not PEM, "
                "don't belong together, or the password is not that of the key"
            ) from error


ORDINARY = Tls()
"""As the environment and the system have it."""
