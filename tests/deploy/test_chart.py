"""The Helm chart: what it renders is valid, closed, and what the program takes."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import pairwise
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from app.command_line import parser
from app.config import variables
from app.config.sections import WorkerSettings
from app.process.environment import DATABASE_URL
from app.web.server import STOP_SECONDS
from app.worker.process import STOP_MARGIN_SECONDS
from release import facts, project
from release.manifests import objects, render
from tests.support.manifests import CHART, CONFIGURATION, Manifest, needed, pod_specs, rendered, the
from tests.support.paths import DOCS, ROOT

pytestmark = pytest.mark.process  # Helm and kubectl

OLDEST, NEWEST = "1.27", "1.37"
CUSTOM = json.loads((ROOT / "tests/deploy/schemas/custom_resources.json").read_text(encoding="utf-8"))
EVERYTHING: dict[str, Any] = {
    "configuration": {
        "providers": {"orders": 'providers = []\nword = """\na: b\n"""\n'},
        "providerConfigMaps": ["more"],
    },
    "image": {"digest": f"sha256:{'0' * 64}"},
    "imagePullSecrets": [{"name": "registry"}],
    "secrets": {
        **{
            name: {"name": "ours", "key": "key"}
            for name in (
                "migrationDatabaseUrl",
                "webhookSecret",
                "brokerToken",
                "brokerUsername",
                "brokerPassword",
                "brokerKeyPassword",
                "githubToken",
                "githubPrivateKey",
            )
        },
        "providers": [{"name": "products", "key": "token", "file": "products-token"}],
    },
    "web": {
        "podAnnotations": {"a/b": "1"},
        "podLabels": {"team": "pact"},
        "extraEnv": [{"name": "A", "value": "1"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
        "extraContainers": [{"name": "proxy", "image": "proxy:1"}],
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "priorityClassName": "high",
        "podDisruptionBudget": {"maxUnavailable": "50%"},
    },
    "worker": {
        "persistence": {"enabled": True, "storageClassName": "fast"},
        "autoscaling": {
            "enabled": True,
            "labels": {"namespace": "pact"},
            "keda": {"authenticationRef": "prometheus", "authModes": "bearer"},
        },
    },
    "migration": {"podAnnotations": {"sidecar.istio.io/inject": "false"}},
    "service": {"annotations": {"a": "b"}},
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "host": "pact.example.org",
        "tlsSecretName": "tls",
        "annotations": {"a": "b"},
    },
    "gateway": {
        "enabled": True,
        "parentRefs": [{"name": "public", "namespace": "gateways"}],
        "hostnames": ["pact.example.org"],
        "path": "/pact-dispatch",
    },
    "networkPolicy": {"enabled": True},
    "monitoring": {
        "serviceMonitor": True,
        "alerts": True,
        "dashboard": True,
        "labels": {"release": "prometheus"},
    },
    "serviceAccount": {"annotations": {"a": "b"}},
}
SETS: dict[str, dict[str, Any]] = {
    "default": {},
    "everything": EVERYTHING,
    "adapter": {"worker": {"autoscaling": {"enabled": True, "kind": "hpa", "labels": {"namespace": "pact"}}}},
    "own ConfigMap, no migration": {
        "configuration": {"main": "", "existingConfigMap": "ours"},
        "migration": {"enabled": False},
        "web": {"podDisruptionBudget": {"enabled": False}},
        "ingress": {"enabled": True},
    },
}
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def lint(*options: str) -> subprocess.CompletedProcess[str]:
    command = [str(needed("helm")), "lint", "--strict", str(CHART), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_helm_has_no_complaint() -> None:
    done = lint("--set-string", f"configuration.main={json.dumps(CONFIGURATION)[:20]}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_what_is_rendered_is_valid_in_old_and_new_clusters(values: dict[str, Any]) -> None:
    found = rendered(values)
    for one in found:
        custom = CUSTOM.get(f"{one['apiVersion']}/{one['kind']}")
        if custom is not None:
            jsonschema.validate(one, custom)
            continue
        for version in (OLDEST, NEWEST):
            kubernetes_validate.validate(one, version, strict=True)
    names = [(one["kind"], one["metadata"]["name"]) for one in found]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_every_pod_passes_the_restricted_pod_security_standard(values: dict[str, Any]) -> None:
    for name, pod in pod_specs(rendered(values)).items():
        assert pod["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        kinds = {kind for volume in pod["volumes"] for kind in volume.keys() - {"name"}}
        assert kinds <= {"configMap", "projected", "emptyDir"}
        own = [one for one in pod["containers"] if one["name"] != "proxy"]
        assert own
        for container in own:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]


def test_names_that_yaml_takes_for_something_else_stay_names() -> None:
    """Secrets, classes and releases may be called 1e3, on or null; a host may begin with a star."""

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: named(one) if key not in {"annotations", "resources"} else one
                for key, one in value.items()
            }
        return (
            "1e3"
            if value in ("ours", "high", "fast", "tls", "nginx", "prometheus", "key", "token")
            else value
        )

    values = named(EVERYTHING) | {"fullnameOverride": "on", "nameOverride": "2e3"}
    values["ingress"] = {**values["ingress"], "host": "*.example.org"}
    values["secrets"] = {**values["secrets"], "providers": [{"name": "on", "key": "null", "file": "0x1"}]}
    for one in rendered(values):
        if f"{one['apiVersion']}/{one['kind']}" not in CUSTOM:
            kubernetes_validate.validate(one, NEWEST, strict=True)
        assert one["metadata"]["labels"]["app.kubernetes.io/name"] == "2e3"


def test_each_value_has_a_comment_and_is_in_the_schema() -> None:
    def checked(values: dict[str, Any], schema: dict[str, Any], where: str) -> None:
        while "$ref" in schema:
            schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        if schema.get("additionalProperties") is not False or "patternProperties" in schema:
            return
        assert values.keys() == schema["properties"].keys() - {"global", "claims"} or where.endswith(
            "resources"
        ), where
        for name, value in values.items():
            if isinstance(value, dict):
                checked(value, schema["properties"][name], f"{where}.{name}")

    checked(VALUES, SCHEMA, "values")
    lines = (CHART / "values.yaml").read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        key = re.match(r"( *)([\w]+):", line)
        # what a standard object has needs none, nor a table of which each key has one
        if key is None or key[2] in {"requests", "limits"} or line.endswith(":"):
            continue
        assert before.strip().startswith("#"), f"values.yaml: {line}"


TWO_OF_A_FILE = [{"name": name, "key": "token", "file": "token"} for name in ("one", "two")]
A_CLASH: dict[str, list[tuple[dict[str, Any], str]]] = {
    "extraEnv": [
        ({"name": "A", "value": "1"}, "extraEnv has the name A more than once"),
        ({"name": "DATABASE_URL"}, "extraEnv has the name DATABASE_URL, which the chart gives"),
        ({"name": "DATABASE_URL_FILE"}, "extraEnv has the name DATABASE_URL_FILE, which the chart gives"),
        ({"value": "1"}, "extraEnv has an entry without name"),
    ],
    "extraContainers": [({"name": "proxy"}, "extraContainers has the name proxy more than once")],
    "extraVolumes": [
        ({"name": "ca"}, "extraVolumes has the name ca more than once"),
        ({"name": "data"}, "extraVolumes has the name data, which the chart gives"),
    ],
    "extraVolumeMounts": [
        (
            {"name": "ca", "mountPath": "/etc/ca"},
            "extraVolumeMounts has the mountPath /etc/ca more than once",
        ),
        ({"name": "ca", "mountPath": "/data"}, "extraVolumeMounts has the mountPath /data, which the chart"),
        ({"name": "b", "mountPath": "/b"}, "extraVolumeMounts names the volume b, which isn't among"),
    ],
}
"""Entries that clash with those of `EVERYTHING["web"]`, or with the chart's own."""


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"web": {"replica": 3}}, "replica"),
        ({"worker": {"replicas": "3"}}, "/worker/replicas"),
        ({"worker": {"autoscaling": {"kind": "both"}}}, "/worker/autoscaling/kind"),
        ({"secrets": {"databaseUrl": {"name": ""}}}, "/secrets/databaseUrl/name"),
        ({"secrets": {"databaseUrl": {"name": "Our_Secret"}}}, "/secrets/databaseUrl/name"),
        ({"secrets": {"databaseUrl": {"key": ".."}}}, "/secrets/databaseUrl/key"),
        ({"configuration": {"main": ""}}, "configuration.main is empty"),
        ({"configuration": {"existingConfigMap": "ours"}}, "are both given"),
        (
            {"configuration": {"main": "#" * 2**20}},
            "configuration.main has 1048594 bytes, and a ConfigMap holds",
        ),
        (
            {"configuration": {"providers": {"a": "#" * 2**19, "b": "#" * 2**19}}},
            "configuration.providers has 1048588 bytes, and a ConfigMap holds",
        ),
        ({"configuration": {"providers": {"a/b": ""}}}, "a/b"),
        ({"configuration": {"providerConfigMaps": ["a", "a"]}}, "providerConfigMaps has a more than once"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        (
            {"imagePullSecrets": [{"name": "a"}, {"name": "a"}]},
            "imagePullSecrets has the name a more than once",
        ),
        ({"ingress": {"enabled": True, "tlsSecretName": "tls"}}, "ingress.host is needed"),
        ({"ingress": {"enabled": True, "host": "https://pact.example.org"}}, "/ingress/host"),
        ({"gateway": {"enabled": True}}, "name the Gateway"),
        ({"gateway": {"hostnames": ["a.example", "a.example"]}}, "/gateway/hostnames"),
        *[
            ({key: name}, f"/{key}")
            for key in ("nameOverride", "fullnameOverride")
            for name in ("Pact", "pact_dispatch", "pact.dispatch", "-pact", "pact-", "p" * 46)
        ],
        ({"fullnameOverride": "1pact"}, "/fullnameOverride"),
        (
            {"worker": {"autoscaling": {"enabled": True, "minReplicas": 11}}},
            "minReplicas (11) is more than maxReplicas (10)",
        ),
        (
            {"worker": {"autoscaling": {"enabled": True, "keda": {"authModes": "basic"}}}},
            "authModes is basic, and authenticationRef is empty",
        ),
        (
            {"web": {"drainSeconds": 30, "terminationGracePeriodSeconds": 30}},
            "web.terminationGracePeriodSeconds (30) is less than web.drainSeconds (30)",
        ),
        (
            {"worker": {"terminationGracePeriodSeconds": 19}},
            "worker.terminationGracePeriodSeconds (19) is less than worker.stop_seconds of the configuration (20)",
        ),
        (
            {"web": {"podDisruptionBudget": {"maxUnavailable": "101%"}}},
            "/web/podDisruptionBudget/maxUnavailable",
        ),
        ({"worker": {"persistence": {"size": "1.2.3Gi"}}}, "/worker/persistence/size"),
        (
            {"worker": {"resources": {"limits": {"memory": "256Mi"}}}},
            "worker.resources.requests.memory (512Mi) is more than limits.memory (256Mi)",
        ),
        (
            {"migration": {"resources": {"limits": {"cpu": "0.05"}}}},
            "migration.resources.requests.cpu (100m) is more than limits.cpu (0.05)",
        ),
        *[
            (
                {part: {"podLabels": {label: "x"}}},
                f"{part}.podLabels has {label}, which the chart sets itself",
            )
            for part in ("web", "worker")
            for label in ("app.kubernetes.io/component", "app.kubernetes.io/version", "helm.sh/chart")
        ],
        *[
            (
                {"monitoring": {key: {"app.kubernetes.io/name": "x"}}},
                f"monitoring.{key} has app.kubernetes.io/name, which the chart sets itself",
            )
            for key in ("labels", "dashboardLabels")
        ],
        ({"web": {"podLabels": {"a b": "x"}}}, "a b"),
        ({"web": {"podLabels": {"a": "x y"}}}, "/web/podLabels/a"),
        ({"secrets": {"providers": TWO_OF_A_FILE}}, "secrets.providers has the file token more than once"),
        ({"secrets": {"providers": [{**TWO_OF_A_FILE[0], "file": "..a"}]}}, "/secrets/providers/0/file"),
        (
            {"monitoring": {"serviceMonitor": True, "token": {"name": ""}}},
            "monitoring.serviceMonitor is on, and monitoring.token.name is empty",
        ),
        *[
            ({part: {key: [*EVERYTHING["web"][key], clash]} | others}, f"{part}.{told}")
            for key, clashes in A_CLASH.items()
            for clash, told in clashes
            for part in ("web", "worker")
            for others in [
                {"extraVolumes": EVERYTHING["web"]["extraVolumes"]} if key == "extraVolumeMounts" else {}
            ]
        ],
        (
            {"migration": {"extraEnv": [{"name": "DATABASE_URL"}]}},
            "migration.extraEnv has the name DATABASE_URL",
        ),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: dict[str, Any], told: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        rendered(values)
    assert told in refused.value.stderr


def test_all_mistakes_are_told_at_once() -> None:
    values = {"gateway": {"enabled": True}, "secrets": {"providers": TWO_OF_A_FILE}}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        rendered(values)
    assert "- gateway.parentRefs" in refused.value.stderr
    assert "- secrets.providers" in refused.value.stderr


@pytest.mark.parametrize("release", ["1e3", "team.pact"])
def test_a_release_whose_name_no_service_can_have_asks_for_another_one(release: str) -> None:
    needed("helm")
    main = ["--set", "configuration.main=a"]
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render(*main, release=release)
    assert f'the objects would be called "{release}-pact-dispatch"' in refused.value.stderr
    found = objects(render(*main, "--set", "fullnameOverride=receiver", release=release))
    assert the(found, "Service", "receiver")


def test_objects_of_a_release_with_a_long_name_have_names_that_leave_room() -> None:
    """A label has 63 characters at most: NAME-HASH of a StatefulSet's pods, keda-hpa-NAME of KEDA's autoscaler."""
    needed("helm")
    options = ["--set", "configuration.main=a", "--set", "worker.persistence.enabled=true"]
    found = objects(render(*options, release="r" * 44 + "-" + "r" * 8))
    name = the(found, "StatefulSet")["metadata"]["name"]
    assert name == "r" * 44 + "-worker"
    assert max(len(f"{name}-0123456789"), len(f"keda-hpa-{name}")) <= 63


@pytest.mark.parametrize("drain", [0, 5, 300])
def test_a_web_pod_gets_the_time_to_stop_that_its_requests_have(drain: int) -> None:
    pod = pod_specs(rendered({"web": {"drainSeconds": drain}}))["pact-dispatch-web"]
    assert drain + STOP_SECONDS + 10 <= pod["terminationGracePeriodSeconds"] <= drain + 30


def test_a_configuration_may_begin_with_spaces() -> None:
    text = "  # ours\n" + CONFIGURATION
    found = rendered({"configuration": {"main": text, "providers": {"a": text}}})
    assert [one["data"] for one in found if one["kind"] == "ConfigMap"] == [
        {"pact-dispatch.toml": text},
        {"a.toml": text},
    ]


def test_the_chart_has_the_version_of_the_program() -> None:
    version = project.read().version
    assert facts.chart_versions(ROOT) == facts.versions_of_chart(version)
    image = pod_specs(rendered())["pact-dispatch-web"]["containers"][0]["image"]
    assert image.endswith(f"/pact-dispatch:{version}")


def secrets_of(found: list[Manifest], name: str) -> set[str]:
    pod = pod_specs(found)[name]
    files = {
        item["path"]
        for volume in pod["volumes"]
        if volume["name"] == "secrets"
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }
    named = {one["name"]: one["value"] for one in pod["containers"][0]["env"] if one["name"] != "A"}
    assert {value.rpartition("/")[2] for value in named.values()} == files
    return {variable.removesuffix("_FILE") for variable in named}


def test_each_pod_gets_the_secrets_that_it_reads_as_files_and_no_others() -> None:
    found = rendered(EVERYTHING)
    assert secrets_of(found, "pact-dispatch-web") == {DATABASE_URL, *variables.OF_THE_WEB_SIDE}
    assert secrets_of(found, "pact-dispatch-worker") == {DATABASE_URL, *variables.OF_WORKERS}
    assert secrets_of(found, "pact-dispatch-migration") == {DATABASE_URL}
    assert not [one for one in found if one["kind"] == "Secret"]


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_pods_are_started_with_commands_that_there_are(values: dict[str, Any]) -> None:
    for pod in pod_specs(rendered(values)).values():
        container = pod["containers"][0]
        assert parser().parse_args(container["args"]).command == container["args"][0]
        for probe in ("startupProbe", "livenessProbe"):
            command = container.get(probe, {}).get("exec", {}).get("command", ["pact-dispatch", "web"])
            assert command[0] == "pact-dispatch"
            assert parser().parse_args(command[1:])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", WorkerSettings().stop_seconds),
        ("\n[worker]\nstop_seconds = 600\n", 600),
        ("\n[worker]\nconcurrency = 2\n# stop_seconds = 7\nstop_seconds=1_000 # long\n", 1000),
        ("\n[worker]\nstop_seconds = 2.5\n", 2.5),
    ],
)
def test_a_worker_gets_the_time_to_stop_that_its_runs_have(text: str, seconds: float) -> None:
    found = rendered({"configuration": {"main": CONFIGURATION + text}})
    grace = pod_specs(found)["pact-dispatch-worker"]["terminationGracePeriodSeconds"]
    assert seconds + STOP_MARGIN_SECONDS + 10 <= grace <= seconds + 20


def test_a_changed_configuration_replaces_the_pods_unless_it_is_reloaded() -> None:
    def annotations(more: str, **values: Any) -> list[Any]:
        found = rendered({"configuration": {"main": CONFIGURATION, "providers": {"a": more}, **values}})
        return [
            the(found, "Deployment", name)["spec"]["template"]["metadata"].get("annotations")
            for name in ("web", "worker")
        ]

    assert annotations("# a") == annotations("# a")
    for before, after in zip(annotations("# a"), annotations("# b"), strict=True):
        assert before != after
    assert annotations("# a", restartOnChange=False) == annotations("# b", restartOnChange=False)


def test_workers_with_a_volume_each_are_a_stateful_set_and_scaled_as_one() -> None:
    found = rendered(EVERYTHING)
    worker = the(found, "StatefulSet", "-worker")
    assert "replicas" not in worker["spec"]
    [claim] = worker["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"
    assert not [one for one in pod_specs(found)["pact-dispatch-worker"]["volumes"] if one["name"] == "data"]
    scaled = the(found, "ScaledObject")["spec"]
    assert scaled["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "name": "pact-dispatch-worker",
    }
    assert (
        scaled["triggers"][0]["metadata"]["query"]
        == 'max(pact_dispatch_oldest_waiting_run_seconds{namespace="pact"})'
    )
    assert rendered() != found
    assert the(rendered(), "Deployment", "-worker")["spec"]["replicas"] == 2


def test_a_path_before_the_receiver_is_removed_from_requests() -> None:
    """It knows its pages from its root, and the path from server.public_url."""
    found = rendered(EVERYTHING)
    [rule] = the(found, "HTTPRoute")["spec"]["rules"]
    assert rule["matches"][0]["path"]["value"] == "/pact-dispatch"
    rewritten = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    assert rule["filters"] == [{"type": "URLRewrite", "urlRewrite": {"path": rewritten}}]
    [rule] = the(found, "Ingress")["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/"]


def test_the_page_reloads_the_pods_that_have_a_configuration_and_no_others() -> None:
    page = (DOCS / "receiver-kubernetes.md").read_text(encoding="utf-8")
    [(name, components)] = re.findall(
        r"-l 'app\.kubernetes\.io/name=([\w-]+),app\.kubernetes\.io/component in \(([\w,]+)\)'", page
    )
    assert "--field-selector status.phase=Running" in page  # a job's pod stays when it has ended
    jobs_and_pods = [one["spec"]["template"] for one in rendered({}) if "template" in one.get("spec", {})]
    chosen: list[str] = []
    others: list[str] = []
    for pod in jobs_and_pods:
        labels = pod["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == name
        found = chosen if labels["app.kubernetes.io/component"] in components.split(",") else others
        found.extend(container["name"] for container in pod["spec"]["containers"])
    assert (sorted(chosen), others) == (["web", "worker"], ["migration"])


def test_selectors_find_their_pods_and_no_others() -> None:
    found = rendered(EVERYTHING)
    labels = {
        name: the(found, kind, name)["spec"]["template"]["metadata"]["labels"].items()
        for kind, name in (("Deployment", "web"), ("StatefulSet", "worker"), ("Job", "migration"))
    }
    expected = {"Service": {"pact-dispatch": "web", "pact-dispatch-worker": "worker"}}
    expected["PodDisruptionBudget"] = expected["NetworkPolicy"] = {
        f"pact-dispatch-{name}": name for name in ("web", "worker")
    }
    for kind, by_name in expected.items():
        for name, component in by_name.items():
            spec = next(one for one in found if (one["kind"], one["metadata"]["name"]) == (kind, name))[
                "spec"
            ]
            selector = spec.get("podSelector") or spec["selector"]
            selector = selector.get("matchLabels", selector)
            assert [key for key, own in labels.items() if selector.items() <= own] == [component], (
                kind,
                name,
            )
