"""The Dockerfile and compose.yaml, against what the commands and the configuration really take."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import requires
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml
from packaging.requirements import Requirement

from app.command_line import parser
from app.config.variables import OF_THE_WEB_SIDE, OF_WORKERS, OTHERS, SECRETS
from app.database.connections import database, migrate
from app.database.embedded.binaries import find_binaries
from app.process.environment import DATABASE_URL
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
INIT: str = COMPOSE["configs"]["databases"]["content"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
READ = {*SECRETS, *(f"{name}_FILE" for name in SECRETS), *OTHERS}


def words(instruction: str) -> list[str]:
    """The words of an instruction in its exec form."""
    [found] = re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    listed: list[str] = yaml.safe_load(found)
    return listed


def test_the_image_runs_the_whole_receiver_as_nobody_in_particular() -> None:
    assert words("ENTRYPOINT") == ["tini", "--", "pact-dispatch"]
    assert parser().parse_args(words("CMD")).bind == ("0.0.0.0", 8000)
    assert re.search(r"^USER [1-9]\d*$", DOCKERFILE, re.MULTILINE)
    for name in re.findall(r"(PACT_DISPATCH_\w+)=", DOCKERFILE):
        assert name in READ


def test_what_is_installed_gets_into_the_build() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {*project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "pyproject.toml"}
    packages = [ROOT / name for name in needed - {"pyproject.toml"}]
    links = [file for package in packages for file in package.rglob("*") if file.is_symlink()]
    assert links
    needed |= {link.resolve().parent.relative_to(ROOT).as_posix() for link in links}
    needed |= {"README.md", *project["project"]["license-files"], "docker/requirements.txt"}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == needed


def test_the_image_is_made_of_what_is_pinned() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:[\d.]+-slim-\w+@sha256:[0-9a-f]{64}", bases[0])
    for line in re.findall(r"pip install .*", DOCKERFILE):
        assert "--require-hashes" in line or "--no-deps --no-build-isolation ." in line


@pytest.mark.parametrize(("lock", "extras"), [(".github/action", ()), ("docker", ("server", "otel"))])
def test_a_lock_has_what_the_project_asks_for(lock: str, extras: tuple[str, ...]) -> None:
    text = (ROOT / lock / "requirements.txt").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([\w-]+)==([\w.]+)", text, re.MULTILINE))
    asked_for = [Requirement(line) for line in requires("pact-dispatch") or []]
    needed = [
        requirement
        for requirement in asked_for
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra}) for extra in (*extras, ""))
    ]
    assert len(needed) > len(extras) * 10
    builds = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for requirement in [*needed, *map(Requirement, builds)]:
        name = requirement.name.lower().replace("_", "-")
        assert locked[name] in requirement.specifier, requirement
    assert text.count("--hash=sha256:") > len(locked)
    assert not re.search(r"https?://", text)


def test_no_service_may_gain_rights() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name


@pytest.mark.parametrize("name", ["web", "worker"])
def test_the_receivers_services_are_what_the_commands_take(name: str) -> None:
    service = COMPOSE["services"][name]
    assert parser().parse_args(service["command"]).command == name
    assert set(service["environment"]) <= READ
    for variable, value in service["environment"].items():
        if variable.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in service["secrets"]
    assert service["read_only"]


def test_each_service_has_only_the_secrets_that_it_needs() -> None:
    services = COMPOSE["services"]
    given = {
        name: {variable.removesuffix("_FILE") for variable in services[name]["environment"]}
        for name in ("web", "worker")
    }
    assert given["web"] <= {*OF_THE_WEB_SIDE, DATABASE_URL}
    assert given["worker"] <= {*OF_WORKERS, DATABASE_URL}
    for name, service in services.items():
        text = yaml.safe_dump(service) + (INIT if name == "postgres" else "")
        assert set(service["secrets"]) == set(re.findall(r"/run/secrets/(\w+)", text)), name
    secrets = {name: set(service["secrets"]) for name, service in services.items()}
    assert all("postgres_password" not in found for name, found in secrets.items() if name != "postgres")
    assert not secrets["web"] & secrets["pact-broker"]
    assert set(COMPOSE["secrets"]) == set().union(*secrets.values())


def test_the_databases_belong_to_roles_without_rights_of_which_each_has_only_its_own(
    data_dir: Path, tmp_path: Path
) -> None:
    for name in ("database_password", "broker_database_password"):
        (tmp_path / name).write_text("it's a password")
    script = tmp_path / "databases.sql"
    script.write_text(INIT.replace("/run/secrets", str(tmp_path)))
    with database(None, data_dir) as url:
        psql = [str(find_binaries() / "psql"), "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet"]
        subprocess.run([*psql, f"--file={script}", url], check=True, timeout=60)
        own = url.replace("postgres@/postgres?", "pact_dispatch@/pact_dispatch?")
        assert own != url
        migrate(own)
        with psycopg.connect(own) as connection:
            found = connection.execute(
                "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = %s",
                ["pact_dispatch"],
            )
            assert found.fetchone() == (False, False, False)
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(own.replace("pact_dispatch@", "pact_broker@"))
        with psycopg.connect(url) as connection:
            kinds = connection.execute(
                "SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname LIKE 'pact%'"
            )
            assert kinds.fetchall() == [("SCRAM-SHA-256$",)] * 2


def test_there_are_two_workers_and_no_secret_in_the_file() -> None:
    assert COMPOSE["services"]["worker"]["deploy"]["replicas"] == 2
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    for service in COMPOSE["services"].values():
        named = [name for name in service["environment"] if re.search(r"PASSWORD|TOKEN|SECRET|URL$", name)]
        assert all(name.endswith("_FILE") or name == "PACT_BROKER_BASE_URL" for name in named)


def test_webhooks_may_reach_the_web_side() -> None:
    allowed = COMPOSE["services"]["pact-broker"]["environment"]
    assert allowed["PACT_BROKER_WEBHOOK_HOST_WHITELIST"] in COMPOSE["services"]
    assert "http" in allowed["PACT_BROKER_WEBHOOK_SCHEME_WHITELIST"].split()
