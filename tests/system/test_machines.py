"""A receiver on several machines: two of web behind nginx, four of workers, PostgreSQL with TLS; and each may fail."""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from app.database.schema import WORKS_SINCE
from tests.support.dispatch_storm import (
    Aftermath,
    Asked,
    NotingProvider,
    aftermath,
    noting_providers,
    publish_pacts,
    send,
)
from tests.support.machines import (
    Network,
    Service,
    balancer,
    newer_version,
    tls_postgres,
    why_none,
)
from tests.support.paths import ROOT
from tests.support.processes import BIN, BrokerProcess
from tests.support.receiver import configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.machines import Machine, TlsPostgres

VARIABLE = "TEST_MACHINES"
PREDECESSOR = "34eab8f"
"""The last commit before machines could be upgraded one by one."""
WITHIN = 120.0
STALLED_SECONDS = 4.0

pytestmark = pytest.mark.timeout(400)

if not os.environ.get(VARIABLE):
    pytest.skip("it takes a minute: make test-machines", allow_module_level=True)
if reason := why_none():
    pytest.skip(reason, allow_module_level=True)


@dataclass
class Site:
    """The machines that all tests share."""

    network: Network
    webs: list[Machine]
    workers: list[Machine]
    postgres: TlsPostgres
    broker: BrokerProcess
    services: Machine


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with Network() as network, ExitStack() as stack:
        postgres = stack.enter_context(tls_postgres(network.machine(2)))
        services = network.machine(3)
        broker = BrokerProcess(folder, "--bind", f"{services.address}:9292")
        with services.inside():
            stack.enter_context(broker)
        webs = [network.machine(number) for number in (11, 12)]
        workers = [network.machine(number) for number in (21, 22, 23, 24)]
        yield Site(network, webs, workers, postgres, broker, services)


class Installed:
    """A receiver on the machines of a site."""

    def __init__(self, site: Site, folder: Path, providers: list[NotingProvider], name: str) -> None:
        self._folder, self._stack, self.site = folder, ExitStack(), site
        self.database_url = site.postgres.new_database(name)
        self._config = configuration(
            site.broker.url,
            *(provider.settings for provider in providers),
            worker={
                "stalled_seconds": STALLED_SECONDS,
                "retry_seconds": [0.2] * 10,
                "publish_retry_seconds": [0.2],
                "warm": 0,
            },
            server={"processes": 1},
        )
        self.providers = providers
        self.webs: list[Service] = []
        self.workers: list[Service] = []

    def service(self, machine: Machine, command: str, package: Path | None = None) -> Service:
        """Make a service, which is not started yet."""
        folder = self._folder / f"{machine.address}-{command}-{package.name if package else 'this'}"
        return Service(
            machine, folder, self._config, command=command, database_url=self.database_url, package=package
        )

    def start(self, package: Path | None = None, *, webs: int = 2, workers: int = 4) -> None:
        """Start a service on each of so many machines, all at once."""
        self.webs = [self.service(machine, "web", package) for machine in self.site.webs[:webs]]
        self.workers = [self.service(machine, "worker", package) for machine in self.site.workers[:workers]]
        start_together(*self.webs, *self.workers)

    def replace(self, services: list[Service], package: Path | None = None) -> None:
        """Have another version in the place of some services, on their machines."""
        for service in services:
            assert service.stop() == 0
        others = [self.service(service.machine, service.command, package) for service in services]
        start_together(*others)
        for service, other in zip(services, others, strict=True):
            running = self.webs if service in self.webs else self.workers
            running[running.index(service)] = other

    def migrate(self, package: Path, *, at_once: int) -> list[str]:
        """Migrate by a version, in several processes at the same moment; give what each has printed."""
        processes = [
            subprocess.Popen(
                [str(BIN / "pact-dispatch"), "migrate"],
                env={**os.environ, "DATABASE_URL": self.database_url, "PYTHONPATH": str(package)},
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(at_once)
        ]
        printed = [process.communicate(timeout=WITHIN)[1] for process in processes]
        assert [process.returncode for process in processes] == [0] * at_once, printed
        return printed

    def stop(self) -> None:
        """Stop them all."""
        for service in (*self.webs, *self.workers):
            if service.process is not None and service.process.poll() is None:
                service.process.terminate()
        for service in (*self.webs, *self.workers):
            if service.process is not None:
                service.stop()

    def logs(self) -> str:
        """Give what all of them have logged lately."""
        return "\n".join(f"{s.folder.name}: {s.output()[-1500:]}" for s in (*self.webs, *self.workers))

    def check(self, asked: list[Asked]) -> Aftermath:
        """Wait until all is done, and return what came of it: nothing may be lost, and nothing may overlap."""
        try:
            self.webs[0].wait_for_runs(len(asked), within=WITHIN)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from error
        found = aftermath(self.webs[0], self.site.broker, self.providers, asked)
        assert (found.lost, found.overlaps) == ((), ()), self.logs()
        return found


def start_together(*services: Service) -> None:
    """Start several at the same moment: from this thread, since they end with the one that starts them."""
    for service in services:
        service.begin()
    for service in services:
        service.wait_until_up()


@contextmanager
def installed(site: Site, folder: Path, name: str, *, takes: float = 0.01) -> Iterator[Installed]:
    """Have a receiver on the machines, which is not started yet, and three providers."""
    with ExitStack() as stack:
        with site.services.inside():
            providers = stack.enter_context(
                noting_providers(folder, 3, takes=takes, host=site.services.address)
            )
        for provider in providers:
            object.__setattr__(provider, "name", f"{name.title()}{provider.name}")
        receiver = Installed(site, folder, providers, name)
        try:
            yield receiver
        finally:
            receiver.stop()


@contextmanager
def stream(receiver: Installed, folder: Path, asked: list[Asked]) -> Iterator[None]:
    """Send dispatches through the balancer while the `with` block lasts, and until the last one is accepted."""
    addresses = [machine.address for machine in receiver.site.webs]
    with balancer(folder / "nginx", *addresses) as url, ThreadPoolExecutor(1) as beside:
        sending = beside.submit(send, url, asked, clients=3, deadline=time.monotonic() + WITHIN)
        yield
        sending.result()


def test_any_one_of_them_may_be_killed(site: Site, tmp_path: Path) -> None:
    with installed(site, tmp_path, "killed") as receiver:
        asked = publish_pacts(site.broker, receiver.providers, 45)
        receiver.start()
        with stream(receiver, tmp_path, asked):
            receiver.webs[0].kill_all()
            receiver.workers[0].kill_all()
            receiver.webs[1].wait_until(receiver.webs[1].runs, "some are accepted")
            site.postgres.stop()
            receiver.workers[1].kill_all()
            site.postgres.start()
            receiver.webs[0].wait_until_up()
            receiver.webs[1].kill_all()
        receiver.check(asked)


@pytest.mark.parametrize("how", ["database-silent", "all-silent", "interface-down"])
def test_a_run_does_not_go_on_where_its_machine_is_cut_off(site: Site, tmp_path: Path, how: str) -> None:
    with installed(site, tmp_path, f"cut_{how.replace('-', '_')}", takes=0.15) as receiver:
        asked = publish_pacts(site.broker, receiver.providers[:1], 1, steps_of_each=40)
        receiver.start(webs=1, workers=2)
        web, [provider, *_] = receiver.webs[0], receiver.providers
        with stream(receiver, tmp_path, asked):
            web.wait_until(provider.lines, "it is verified", within=WITHIN)
        [run] = web.runs()
        cut = next(worker for worker in receiver.workers if has_process(worker, run["worker"]))
        loss = (
            cut.machine.not_answered_by(site.postgres.machine)  # the provider is still to be reached
            if how == "database-silent"
            else cut.machine.without_network(silently=how == "all-silent")
        )
        with loss:
            web.wait_until(lambda: web.runs()[0]["attempt"] > 1, "another one takes it up", within=WITHIN)
        assert receiver.check(asked).twice == 0
        cut.wait_until(lambda: alive(cut, receiver), "it works again", within=WITHIN)


def has_process(service: Service, worker: str) -> bool:
    """Tell whether a worker, by its name, is among the processes of a service."""
    return int(worker.rpartition(":")[2]) in {process.pid for process in service.descendants()}


def alive(service: Service, receiver: Installed) -> bool:
    names = receiver.webs[0].rows(
        "SELECT name FROM worker_processes JOIN procrastinate_workers ON id = registration "
        "WHERE now() - last_heartbeat < interval '2 s'"
    )
    pids = {process.pid for process in service.descendants()}
    return any(int(row["name"].rpartition(":")[2]) in pids for row in names)


def test_a_newer_version_is_brought_in_one_by_one(site: Site, tmp_path: Path) -> None:
    newer = newer_version(
        tmp_path / "newer",
        ROOT,
        "99.0.0",
        **{
            "9999_later": "ALTER TABLE runs ADD COLUMN later text NOT NULL DEFAULT 'now'; SELECT pg_sleep(0.3);"
        },
    )
    with installed(site, tmp_path, "rolling") as receiver:
        asked = publish_pacts(site.broker, receiver.providers, 60)
        receiver.start()
        old = [*receiver.webs, *receiver.workers]
        with stream(receiver, tmp_path, asked):
            migrated = receiver.migrate(newer, at_once=2)
            receiver.replace(receiver.webs[:1], newer)
            receiver.replace(receiver.workers[:1], newer)
            old[3].kill_all()  # one is started again, and finds the newer tables
            old[3].wait_until_up()
            receiver.replace(receiver.webs[1:], newer)
            receiver.replace(receiver.workers[1:2], newer)
            receiver.replace(receiver.workers[2:], newer)
        receiver.check(asked)
        versions = receiver.webs[0].rows(
            "SELECT name, works_since FROM schema_versions WHERE name LIKE '%9999%'"
        )
    assert sorted("applied app/9999_later.sql" in said for said in migrated) == [False, True]
    assert [tuple(row.values()) for row in versions] == [("app/9999_later.sql", WORKS_SINCE)]
    assert [service.folder.name for service in old if "newer version" in service.output()] == []


def test_the_predecessor_and_this_version_run_side_by_side(site: Site, tmp_path: Path) -> None:
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", PREDECESSOR, "app", "broker", "verifier"],
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        pytest.skip("its commit is not in this clone")
    older = tmp_path / "older"
    older.mkdir()
    subprocess.run(["tar", "-x", "-C", str(older)], input=archive.stdout, check=True)
    with installed(site, tmp_path, "predecessor") as receiver:
        asked = publish_pacts(site.broker, receiver.providers, 45)
        receiver.start(older)
        old_web, old_worker = receiver.webs[1], receiver.workers[3]
        with stream(receiver, tmp_path, asked):
            receiver.replace(receiver.workers[:2])
            receiver.replace(receiver.webs[:1])
        receiver.check(asked)
        # one that old is not started again: it says so, and nothing is lost
        old_worker.kill_all()
        old_worker.wait_until(lambda: "newer version of pact-dispatch" in old_worker.output(), "it refuses")
        assert old_web.session.get(f"{old_web.url}/healthz", timeout=60).status_code == 200
