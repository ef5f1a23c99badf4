"""The plain manifests: they are what the chart renders, and kustomize takes them."""

from __future__ import annotations

import re
import subprocess

import kubernetes_validate
import pytest
import yaml

from app.config.file import load
from release import manifests
from tests.support.manifests import PLAIN, needed, pod_specs, the
from tests.support.paths import DOCS

pytestmark = pytest.mark.process  # Helm and kubectl


@pytest.mark.parametrize("name", manifests.FILES)
def test_the_plain_manifests_are_what_the_chart_renders(name: str) -> None:
    needed("helm")
    assert (PLAIN / f"{name}.yaml").read_text(encoding="utf-8") == manifests.plain(name), "run make manifests"


def test_all_of_them_are_used() -> None:
    kustomization = yaml.safe_load((PLAIN / "kustomization.yaml").read_text(encoding="utf-8"))
    used = {*kustomization["resources"], "migration.yaml", "kustomization.yaml"}
    assert used == {file.name for file in PLAIN.glob("*.yaml")}


def test_the_example_of_a_configuration_is_one() -> None:
    names = [provider.name for provider in load(PLAIN / "pact-dispatch.toml", None).providers]
    assert names[0] == "Products"


def test_kustomize_gives_pods_a_configuration_that_changes_its_name() -> None:
    command = [str(needed("kubectl")), "kustomize", str(PLAIN)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = manifests.objects(text)
    for one in found:
        kubernetes_validate.validate(one, "1.37", strict=True)
    names = {one["metadata"]["name"] for one in found if one["kind"] == "ConfigMap"}
    for name in ("pact-dispatch-web", "pact-dispatch-worker"):
        volumes = {volume["name"]: volume for volume in pod_specs(found)[name]["volumes"]}
        [source] = volumes["providers"]["projected"]["sources"]
        assert {volumes["configuration"]["configMap"]["name"], source["configMap"]["name"]} == names
    assert all(name.count("-") > 1 for name in names)
    assert the(found, "Service")


def test_each_plain_pod_connects_as_the_role_that_the_page_made_for_it() -> None:
    """Whoever follows the page makes two roles, and only one of them may make tables."""
    page = (DOCS / "receiver-kubernetes.md").read_text(encoding="utf-8")
    secret = dict(re.findall(r"--from-literal=([\w-]+)=(\S+)", page))
    database = (DOCS / "database.md").read_text(encoding="utf-8")
    [(name, owner)] = re.findall(r"^CREATE DATABASE (\w+) OWNER (\w+_owner);", database, re.MULTILINE)

    roles: dict[str, str] = {}
    for file in ("migration", "web", "worker"):
        [(pod_name, pod)] = pod_specs(manifests.objects((PLAIN / f"{file}.yaml").read_text("utf-8"))).items()
        [volume] = [one for one in pod["volumes"] if one["name"] == "secrets"]
        sources = [one["secret"] for one in volume["projected"]["sources"]]
        keys = {item["path"]: item["key"] for one in sources for item in one["items"]}
        assert {one["name"] for one in sources} == {"pact-dispatch"}
        assert set(keys.values()) <= secret.keys(), pod_name
        variables = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
        url = secret[keys[variables["DATABASE_URL_FILE"].rpartition("/")[2]]]
        [(roles[file], database_name)] = re.findall(r"postgresql://(\w+):.*/(\w+)\"?$", url)
        assert database_name == name
    assert roles == {"migration": owner, "web": name, "worker": name}
