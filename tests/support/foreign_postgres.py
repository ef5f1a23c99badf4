"""A PostgreSQL of another version than the embedded one, on loopback with a user without rights, and TLS if it can."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import trustme

from app.database.connections import EMBEDDED_FOLDER
from app.database.embedded.beside import reserved, served
from app.database.embedded.binaries import find_binaries_of, version_of
from app.database.embedded.unusable import PostgresUnusable
from tests.support.loopback import closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.database.embedded.cluster import Cluster

PASSWORD = "p@ss/wörd%"
QUOTED_PASSWORD = "p%40ss%2Fw%C3%B6rd%25"
DEBIANS = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Foreign:
    """A server of its own.

    Attributes:
        url: The URL of a database of the user `plain` with its password, and with TLS if the server speaks it.
        admin_url: That of the same database as a superuser, through a socket.
        major: Its version.
    """

    url: str
    admin_url: str
    major: int


def oldest_binaries() -> tuple[Path, bool]:
    """Give the programs of a distribution's oldest PostgreSQL, or else of another one; and whether it speaks TLS."""
    found = sorted((version_of(folder) or 0, folder) for folder in DEBIANS.glob("*/bin"))
    for version, folder in found:
        if version >= 13:
            return folder, True
    try:
        return find_binaries_of(16), False
    except PostgresUnusable as error:
        pytest.skip(str(error))


@contextmanager
def foreign_postgres(folder: Path) -> Iterator[Foreign]:
    """Run one, with its data in a folder that its user can reach."""
    binaries, has_tls = oldest_binaries()
    major = version_of(binaries)
    assert major is not None
    with reserved(folder / "foreign") as cluster:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        issued = authority.issue_cert("localhost", "127.0.0.1")
        for name, blob in (("server.pem", issued.cert_chain_pems[0]), ("key.pem", issued.private_key_pem)):
            blob.write_to_path(str(folder / name))
            if cluster.account.uid is not None and cluster.account.gid is not None:
                os.chown(folder / name, cluster.account.uid, cluster.account.gid)
            (folder / name).chmod(0o600)
        port = closed_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
        }
        if has_tls:
            files = {"ssl_cert_file": str(folder / "server.pem"), "ssl_key_file": str(folder / "key.pem")}
            settings |= {"ssl": "on", **files}
        of_socket = replace(cluster, binaries=binaries, major=major)
        with served(of_socket) as url, psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}'")
            connection.execute("CREATE DATABASE dispatches OWNER plain")
        with (cluster.data / "pg_hba.conf").open("w") as rules:
            rules.write(f"local all all trust\nhost{'ssl' * has_tls} all plain 127.0.0.1/32 scram-sha-256\n")
        with listening(replace(of_socket, settings=settings), port) as admin_url:
            options = f"sslmode=verify-full&sslrootcert={folder / 'ca.pem'}" if has_tls else "sslmode=disable"
            yield Foreign(
                f"postgresql://plain:{QUOTED_PASSWORD}@127.0.0.1:{port}/dispatches?{options}",
                admin_url,
                major,
            )


@contextmanager
def listening(cluster: Cluster, port: int) -> Iterator[str]:
    """Run the server on a port of its own; gives the superuser's URL."""
    options = " ".join(f"-c {name}={value}" for name, value in cluster.settings.items())
    options += f" -c unix_socket_directories={cluster.folder}"
    started = cluster.run("pg_ctl", "start", "-w", "-s", "-l", "start.log", "-o", options)
    assert started.returncode == 0, started.stdout + (cluster.folder / "start.log").read_text()
    try:
        yield f"postgresql://postgres@/dispatches?host={cluster.folder}&port={port}"
    finally:
        cluster.run("pg_ctl", "stop", "-D", str(cluster.data), "-m", "immediate", "-s")


@contextmanager
def older_embedded(data_dir: Path, major: int = 16) -> Iterator[str]:
    """Run an embedded database of an older version of PostgreSQL; gives its URL."""
    with reserved(data_dir / EMBEDDED_FOLDER) as cluster:
        try:
            old = replace(cluster, binaries=find_binaries_of(major), major=major)
        except PostgresUnusable as error:
            pytest.skip(str(error))
        with served(old) as url:
            yield url
