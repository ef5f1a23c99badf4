"""Machines for tests: network namespaces at one switch, each with its processes, its data and its address.

The test's own process stands at the switch, too, while `Network` is entered. Nothing has a name that another run could
have, and what is left when the test is killed ends with it: the namespaces with the processes in them, and these since
they are told when their parent dies (`setpriv --pdeathsig`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
import psycopg
import trustme

from tests.support.databases import reachable_folder
from tests.support.receiver import ReceiverProcess, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNET = 0x40000000
TOOLS = ("ip", "nsenter", "unshare", "setpriv")
DIES_WITH_THE_TEST = ("setpriv", "--pdeathsig", "KILL")
AGAIN_AND_AGAIN = """
trap 'stop=1; kill -TERM "$child"' TERM
while [ -z "$stop" ]; do "$@" & child=$!; wait "$child"; sleep 0.3; done; wait "$child"
"""
"""What a service manager does: it starts a command again that has ended, until SIGTERM, which it passes on."""
PASSWORD = "p:w@1"
BALANCER = """\
daemon off; worker_processes 1; pid nginx.pid; error_log stderr error;
events {}
http {
  access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;
  scgi_temp_path t5;
  upstream receiver { %s }
  server {
    listen 10.0.0.1:80;
    location / {
      proxy_pass http://receiver;
      proxy_connect_timeout 1s; proxy_read_timeout 10s;
      proxy_next_upstream error timeout http_502 http_503 http_504 non_idempotent;
    }
  }
}
"""


def why_none() -> str | None:
    """Tell why there can be no machines here; None if there can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    if missing := [tool for tool in (*TOOLS, "nginx") if shutil.which(tool) is None]:
        return f"there is no {', '.join(missing)}"
    if postgres_folder() is None:
        return "there is no PostgreSQL of the system, whose TLS is needed (make machines)"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        return "no network namespace can be made here"
    return None


def postgres_folder() -> Path | None:
    """Give the folder of the programs of the newest PostgreSQL that Debian has installed; None if there is none."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in found), key=lambda path: int(path.parent.name), default=None)


class Network:
    """A switch, at which this process stands while the `with` block lasts, and machines."""

    def __enter__(self) -> Self:
        self._holders: list[subprocess.Popen[bytes]] = []
        self._before = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._switch = self._namespace()
        ip(self._switch, "link", "add", "switch", "type", "bridge")
        ip(self._switch, "addr", "add", "10.0.0.1/24", "dev", "switch")
        for device in ("switch", "lo"):
            ip(self._switch, "link", "set", device, "up")
        _stand_in(self._switch)
        return self

    def __exit__(self, *_: object) -> None:
        _set_namespace(self._before)
        os.close(self._before)
        for holder in self._holders:
            holder.kill()
            holder.wait()

    def machine(self, number: int) -> Machine:
        """Have another machine, with the address 10.0.0.NUMBER."""
        namespace, port = self._namespace(), f"port{number}"
        ip(self._switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(namespace))
        ip(self._switch, "link", "set", port, "master", "switch", "up")
        ip(namespace, "addr", "add", f"10.0.0.{number}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            ip(namespace, "link", "set", device, "up")
        return Machine(f"10.0.0.{number}", namespace, port, self._switch)

    def _namespace(self) -> int:
        """Make a namespace, and give the id of the process that holds it."""
        holder = subprocess.Popen([*DIES_WITH_THE_TEST, "unshare", "--net", "sleep", "infinity"])
        self._holders.append(holder)
        own = Path("/proc/self/ns/net").readlink()
        place = Path(f"/proc/{holder.pid}/ns/net")
        wait_until(lambda: place.readlink() != own and _is(holder.pid, "sleep"), "there is a namespace")
        return holder.pid


def ip(namespace: int, *words: str) -> None:
    """Run `ip` in a namespace."""
    subprocess.run(["nsenter", f"--net=/proc/{namespace}/ns/net", "ip", *words], check=True)


def _is(pid: int, name: str) -> bool:
    return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == name


def _stand_in(namespace: int) -> None:
    descriptor = os.open(f"/proc/{namespace}/ns/net", os.O_RDONLY)
    try:
        _set_namespace(descriptor)
    finally:
        os.close(descriptor)


def _set_namespace(descriptor: int) -> None:
    """Move this thread, and those that it starts from now on."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Machine:
    """A machine.

    Attributes:
        address: Its address.
    """

    def __init__(self, address: str, namespace: int, port: str, switch: int) -> None:
        self.address = address
        self._namespace, self._port, self._switch = namespace, port, switch

    @property
    def prefix(self) -> tuple[str, ...]:
        """What comes before a command that is to run on it."""
        return (*DIES_WITH_THE_TEST, "nsenter", f"--net=/proc/{self._namespace}/ns/net")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Have what is started in the `with` block run on it."""
        before = os.open("/proc/self/ns/net", os.O_RDONLY)
        _stand_in(self._namespace)
        try:
            yield
        finally:
            _set_namespace(before)
            os.close(before)

    @contextmanager
    def without_network(self, *, silently: bool) -> Iterator[None]:
        """Have it without a network: each packet is lost without a word, or the machine itself knows."""
        if silently:
            ip(self._switch, "link", "set", self._port, "nomaster")
        else:
            ip(self._namespace, "link", "set", "eth0", "down")
        try:
            yield
        finally:
            ip(self._switch, "link", "set", self._port, "master", "switch")
            ip(self._namespace, "link", "set", "eth0", "up")

    @contextmanager
    def not_answered_by(self, other: Machine) -> Iterator[None]:
        """Have the packets of one other machine lost that are for this one: its connections there hang."""
        ip(other._namespace, "route", "add", "blackhole", f"{self.address}/32")
        try:
            yield
        finally:
            ip(other._namespace, "route", "del", "blackhole", f"{self.address}/32")


class Service(ReceiverProcess):
    """A command of the receiver on a machine, which a service manager starts again whenever it ends.

    Args:
        package: A folder with another version of the package, in the place of this one.
    """

    def __init__(
        self,
        machine: Machine,
        folder: Path,
        config: str,
        *options: str,
        command: str,
        database_url: str,
        package: Path | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if command == "web":
            options = (*options, "--bind", f"{machine.address}:8000")
        super().__init__(
            folder,
            config,
            *options,
            command=command,
            database_url=database_url,
            prefix=(
                *DIES_WITH_THE_TEST,
                "sh",
                "-c",
                AGAIN_AND_AGAIN,
                "sh",
                *machine.prefix,
            ),
            environment={"PYTHONPATH": str(package)} if package else {},
        )
        self.machine, self.command = machine, command

    def kill_all(self) -> None:
        """Kill the processes of the command, and what they have started; the service manager lives."""
        self._before = len(self.output())
        for process in self.descendants():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def workers(self) -> list[psutil.Process]:
        """Give its processes."""
        return self.descendants()


class TlsPostgres:
    """Debian's PostgreSQL on a machine of its own, which takes connections over TLS alone.

    Args:
        machine: The machine.
        folder: A folder that the account `postgres` can reach.

    Attributes:
        machine: The machine.
        ca_file: The authority of its certificate.
    """

    def __init__(self, machine: Machine, folder: Path) -> None:
        programs = postgres_folder()
        assert programs is not None
        self._programs, self.machine, self._folder = programs, machine, folder
        self._data, self._sockets = folder / "data", folder / "sockets"
        self.ca_file = folder / "ca.pem"
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make its data and its certificate, and start it."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        certificate = authority.issue_cert(self.machine.address)
        certificate.private_key_pem.write_to_path(str(self._folder / "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(self._folder / "certificate.pem"))
        self._sockets.mkdir()
        for path in (self._folder, self._sockets, self._folder / "key.pem", self._folder / "certificate.pem"):
            shutil.chown(path, "postgres")
        (self._folder / "key.pem").chmod(0o600)
        initdb = (
            str(self._programs / "initdb"),
            "-D",
            str(self._data),
            "-A",
            "trust",
            "--no-sync",
            "-U",
            "postgres",
        )
        subprocess.run([*self._as_postgres, *initdb], check=True, capture_output=True, cwd=self._folder)
        (self._data / "pg_hba.conf").write_text(
            "local all all trust\nhostssl all all 10.0.0.0/24 scram-sha-256\n", encoding="utf-8"
        )
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(
                f"listen_addresses = '{self.machine.address}'\nunix_socket_directories = '{self._sockets}'\n"
                f"ssl = on\nssl_cert_file = '{self._folder}/certificate.pem'\nssl_key_file = '{self._folder}/key.pem'\n"
                "fsync = off\nmax_connections = 200\n"
            )
        self.start()

    @property
    def _as_postgres(self) -> tuple[str, ...]:
        return ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")

    @property
    def _superuser(self) -> str:
        return f"postgresql://postgres@/postgres?host={self._sockets}"

    def start(self) -> None:
        """Start it, and wait until it serves."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                # changing the account would make it forget what it does when its parent dies
                [
                    *self.machine.prefix,
                    *self._as_postgres,
                    *DIES_WITH_THE_TEST,
                    self._programs / "postgres",
                    "-D",
                    self._data,
                ],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        wait_until(self._serves, "PostgreSQL serves")

    def _serves(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self._superuser).close()
            return True
        return False

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it at once, as when it crashes."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(60)

    def new_database(self, name: str) -> str:
        """Make a database and a role with the least rights that the receiver needs; give its URL."""
        with psycopg.connect(self._superuser, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
            connection.execute(
                f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' NOSUPERUSER NOCREATEDB NOCREATEROLE".encode()
            )
        with psycopg.connect(
            self._superuser.replace("/postgres?", f"/{name}?"), autocommit=True
        ) as connection:
            connection.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {name}".encode())
        return (
            f"postgresql://{name}:{PASSWORD.replace(':', '%3A').replace('@', '%40')}@{self.machine.address}/{name}"
            f"?sslmode=verify-full&sslrootcert={self.ca_file}"
        )


@contextmanager
def tls_postgres(machine: Machine) -> Iterator[TlsPostgres]:
    """Have a PostgreSQL on a machine."""
    with reachable_folder() as folder:
        server = TlsPostgres(machine, folder)
        server.make()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def balancer(folder: Path, *addresses: str) -> Iterator[str]:
    """Have nginx at the switch before several web processes; give its URL."""
    folder.mkdir()
    folder.chmod(0o755)
    servers = " ".join(f"server {address}:8000 max_fails=1 fail_timeout=1s;" for address in addresses)
    (folder / "nginx.conf").write_text(BALANCER % servers, encoding="utf-8")
    command = [*DIES_WITH_THE_TEST, "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as nginx:
        try:
            yield "http://10.0.0.1"
        finally:
            nginx.terminate()


def newer_version(folder: Path, source: Path, version: str, **migrations: str) -> Path:
    """Make a copy of the package with another version and further migrations, by their names; give its folder."""
    for package in ("app", "broker", "verifier"):
        shutil.copytree(source / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in migrations.items():
        (folder / "app" / "database" / "migrations" / f"{name}.sql").write_text(text, encoding="utf-8")
    information = folder / f"pact_dispatch-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: pact-dispatch\nVersion: {version}\n", encoding="utf-8"
    )
    return folder
