"""What the chart runs in a cluster, run here: its pods with their commands, files, accounts, rights and probes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import requests
import yaml

from tests.support.broker_accounts import ACCOUNTS, PASSWORD
from tests.support.broker_records import publish, results
from tests.support.loopback import closed_port
from tests.support.manifests import pod_specs, rendered, the
from tests.support.pacts import interaction, pact
from tests.support.paths import DOCS
from tests.support.pods import Files, Pod, config_maps, environments, running, sandbox, secret_values
from tests.support.postgres_over_tcp import over_tcp
from tests.support.processes import TIME_LIMIT, EmbeddedBroker
from tests.support.receiver import configuration, wait_until
from tests.support.running import PROVIDER, scripted_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.process
TOKEN, API_TOKEN, METRICS_TOKEN = "a-token-of-the-broker", "a-token-for-the-api-1", "a-token-of-prometheus"
ROLES = """\
CREATE ROLE {database}_owner LOGIN PASSWORD 'owners-password';
CREATE ROLE {database}_user LOGIN PASSWORD 'users-password';
CREATE DATABASE {database} OWNER {database}_owner;
"""
RIGHTS = """\
GRANT USAGE ON SCHEMA public TO {database}_user;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {database}_user;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {database}_user;
"""
"""As docs/database.md has them."""


@dataclass(frozen=True)
class Cluster:
    """What was rendered, and what must be there before it is installed."""

    folder: Path
    values: dict[str, Any]
    secrets: Files
    broker: EmbeddedBroker

    def pod(self, component: str, name: str = "", **values: Any) -> Pod:
        """Make a pod as it is rendered with these values besides."""
        found = rendered(
            self.values | {key: {**self.values.get(key, {}), **of} for key, of in values.items()}
        )
        folder = self.folder / (name or component)
        folder.mkdir()
        return Pod(folder, pod_specs(found)[f"pact-dispatch-{component}"], config_maps(found), self.secrets)


def provider(name: str, **more: Any) -> dict[str, Any]:
    running_one = {"version": "1.0", "branch": "main", "health_path": "/health"}
    return {"name": name, "repository": f"acme/{name.lower()}", **running_one, **more}


def only_providers(*providers: dict[str, Any]) -> str:
    """Write a file for conf.d."""
    return "[[providers]]" + configuration("", *providers).partition("[[providers]]")[2]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> Iterator[Cluster]:
    """A namespace with the Secrets, a broker, a provider and a database, in which the job has run."""
    sandbox()
    tmp_path = tmp_path_factory.mktemp("cluster")
    name = "in_pods"
    with psycopg.connect(postgres, autocommit=True) as connection:
        for statement in ROLES.format(database=name).splitlines():
            connection.execute(statement.encode())
    try:
        (tmp_path / "broker").mkdir()
        access = tmp_path / "access.toml"
        access.write_text(ACCOUNTS, encoding="utf-8")
        access.chmod(0o600)
        with (
            over_tcp(postgres) as address,
            EmbeddedBroker(tmp_path / "broker", "--access", str(access)) as broker,
            scripted_provider() as url,
        ):
            broker.session.auth = ("ci", PASSWORD)
            with psycopg.connect(f"postgresql://{name}_owner:owners-password@{address}/{name}") as connection:
                connection.execute(RIGHTS.format(database=name).encode())
            secrets = {
                "pact-dispatch": {
                    "database-url": f"postgresql://{name}_user:users-password@{address}/{name}",
                    "migration-database-url": f"postgresql://{name}_owner:owners-password@{address}/{name}",
                    "dispatch-tokens": f"broker:{TOKEN}",
                    "api-tokens": f"me:{API_TOKEN},prometheus:{METRICS_TOKEN}@read-only",
                    "metrics-token": METRICS_TOKEN,
                    "broker-username": "ci",
                    "broker-password": PASSWORD,
                },
                "products": {"header": "Bearer of-the-provider"},
            }
            header = {"file": "/run/secrets/providers/products-header"}
            values = {
                "configuration": {
                    "main": configuration(
                        broker.url,
                        provider("Products", base_url=url, headers={"Authorization": header}),
                        server={"processes": 1},
                        worker={"stop_seconds": 1.0, "warm": 0},
                    ),
                    "providers": {"started": only_providers(provider("Started", command=PROVIDER))},
                },
                "secrets": {
                    "providers": [{"name": "products", "key": "header", "file": "products-header"}],
                    **{
                        key: {"name": "pact-dispatch"}
                        for key in ("migrationDatabaseUrl", "brokerUsername", "brokerPassword")
                    },
                },
                "web": {"port": closed_port(), "drainSeconds": 0},
                "monitoring": {"serviceMonitor": True},
            }
            found = Cluster(tmp_path, values, secrets, broker)
            with found.pod("migration") as migration:
                assert migration.wait(TIME_LIMIT) == 0, migration.output()
            yield found
    finally:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
            connection.execute(f"DROP ROLE {name}_owner, {name}_user".encode())


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Iterator[Pod]:
    """The pod of the web side, which is stopped in order at the end."""
    with running(cluster.pod("web")) as pod:
        yield pod
        assert pod.terminate() == 0, pod.output()


def dispatch(web: Pod, repository: str, pact_url: str) -> None:
    answer = requests.post(
        f"{web.address('http')}/repos/{repository}/dispatches",
        json={"event_type": "pact_changed", "client_payload": {"pact_url": pact_url}},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=TIME_LIMIT,
    )
    assert answer.status_code == 204, answer.text


def read(web: Pod, path: str, token: str = API_TOKEN) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{web.address('http')}{path}", headers=headers, timeout=TIME_LIMIT)


def verified(cluster: Cluster, web: Pod, worker: Pod, name: str, consumer: str) -> None:
    """Have a pact verified and its result published."""
    document = pact(interaction("a thing", "/things/1", body={"id": 1, "name": "thing"}), provider=name)
    pact_url = publish(cluster.broker, document, consumer)
    dispatch(web, f"acme/{name.lower()}", pact_url)
    found = wait_until(
        lambda: results(cluster.broker, pact_url),
        f"the result for {name} is published",
        context=lambda: web.output() + worker.output(),
    )
    assert found["success"] is True


def test_a_dispatch_goes_through_pods_that_may_do_next_to_nothing(cluster: Cluster, web: Pod) -> None:
    with running(cluster.pod("worker")) as worker:
        verified(cluster, web, worker, "Products", "First")
        verified(cluster, web, worker, "Started", "First")
        assert requests.get(f"{web.address('http')}/readyz", timeout=TIME_LIMIT).json()["ready"] is True

        assert [web.execute("id", flag).stdout for flag in ("-u", "-g")] == ["10001\n", "10001\n"]
        for place in ("/", "/etc/pact-dispatch", "/usr", "/run/secrets/pact-dispatch"):
            assert web.execute("touch", f"{place}/file").returncode != 0, place
        status = worker.execute("cat", "/proc/1/status").stdout
        assert "CapBnd:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        everything = "\n".join(json.dumps(one) for pod in (web, worker) for one in environments(pod))
        for secret in secret_values(cluster.secrets):
            if secret != "ci":
                assert secret not in everything + web.output() + worker.output()

        assert worker.terminate() == 0, worker.output()
    assert web.probe("readinessProbe"), "without a worker, web still takes dispatches"
    assert requests.get(f"{web.address('http')}/readyz", timeout=TIME_LIMIT).status_code == 503


def test_a_worker_that_is_stopped_leaves_its_run_to_another_in_time(cluster: Cluster, web: Pod) -> None:
    hanging = pact(interaction("a thing that never comes", "/hang"), provider="Products")
    with running(cluster.pod("worker", "stopped")) as worker:
        dispatch(web, "acme/products", publish(cluster.broker, hanging, "Hanging"))
        [run] = wait_until(
            lambda: read(web, "/api/runs?status=running").json()["items"], "it runs", context=worker.output
        )
        assert worker.terminate() == 0, worker.output()
        assert worker.execute("true").returncode != 0, "it is gone with all that it started"
    assert read(web, f"/api/runs/{run['id']}").json()["status"] == "waiting"
    cancel = f"{web.address('http')}/api/runs/{run['id']}/cancel"
    requests.post(
        cancel, headers={"Authorization": f"Bearer {API_TOKEN}"}, timeout=TIME_LIMIT
    ).raise_for_status()


def test_pods_take_a_changed_config_map_when_they_are_told_and_keep_what_they_had_otherwise(
    cluster: Cluster, web: Pod
) -> None:
    providers = config_maps(rendered(cluster.values))["pact-dispatch-providers"]
    with running(cluster.pod("worker", "reloaded")) as worker:

        def reload(files: dict[str, str]) -> list[int]:
            for pod in (web, worker):
                pod.change("pact-dispatch-providers", files)
            return [pod.execute("pact-dispatch", "reload").returncode for pod in (web, worker)]

        added = only_providers(provider("Added", command=PROVIDER))
        assert reload({**providers, "added.toml": added}) == [0, 0], web.output() + worker.output()
        verified(cluster, web, worker, "Added", "First")
        assert reload({**providers, "added.toml": "[[providers]]\nname = 1\n"}) == [2, 2]
        assert "Added" in read(web, "/api/providers").text
        assert reload(providers) == [0, 0]
        assert worker.terminate() == 0, worker.output()


def test_prometheus_is_let_in_with_the_token_that_the_monitor_names(cluster: Cluster, web: Pod) -> None:
    monitor = the(rendered(cluster.values), "ServiceMonitor")["spec"]["endpoints"][0]
    credentials = monitor["authorization"]["credentials"]
    token = cluster.secrets[credentials["name"]][credentials["key"]]
    assert web.address(monitor["port"]) == web.address("http")
    assert "pact_dispatch_workers_alive" in read(web, monitor["path"], token).text


def test_a_worker_of_root_starts_providers_as_another_account(cluster: Cluster, web: Pod) -> None:
    page = (DOCS / "receiver-kubernetes.md").read_text(encoding="utf-8")
    [values] = re.findall(r"^```yaml\n(worker:\n.*?)^```", page, re.MULTILINE | re.DOTALL)
    given = yaml.safe_load(values)["worker"]
    with running(cluster.pod("worker", "of-root", worker=given)) as worker:
        assert worker.execute("id", "-u").stdout == "0\n"
        verified(cluster, web, worker, "Started", "OfRoot")
        assert worker.execute("stat", "--format=%U", "/data/homes/pact-provider").stdout == "pact-provider\n"
        assert worker.terminate() == 0, worker.output()
