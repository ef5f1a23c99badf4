"""Certificates for tests: a server's, and a client's with a key that has a password."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from cryptography.hazmat.primitives import serialization

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """PEM files, and the contexts of servers that go with them.

    Attributes:
        ca_file: The authority of the server's certificate.
        client_certificate: A client's certificate.
        client_key: Its key, with a password.
        server: The context of a server that asks no client for a certificate.
        strict_server: The context of one that does.
    """

    ca_file: Path
    client_certificate: Path
    client_key: Path
    server: ssl.SSLContext
    strict_server: ssl.SSLContext


def make_certificates(folder: Path, key_password: str) -> Certificates:
    """Make them all anew."""
    of_servers, of_clients = trustme.CA(), trustme.CA()
    ca_file, certificate, key = (folder / name for name in ("ca.pem", "client.pem", "client-key.pem"))
    of_servers.cert_pem.write_to_path(str(ca_file))
    client = of_clients.issue_cert("client@example.org")
    client.cert_chain_pems[0].write_to_path(str(certificate))
    plain = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    key.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(key_password.encode()),
        )
    )
    contexts = []
    for _ in range(2):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        of_servers.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        contexts.append(context)
    contexts[1].verify_mode = ssl.CERT_REQUIRED
    of_clients.configure_trust(contexts[1])
    return Certificates(ca_file, certificate, key, *contexts)
