"""The Helm chart, rendered."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes_validate import utils

from release.manifests import objects, render
from release.tools import tool
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CHART = ROOT / "deploy" / "helm" / "pact-dispatch"
PLAIN = ROOT / "deploy" / "kubernetes"
CONFIGURATION = (PLAIN / "pact-dispatch.toml").read_text(encoding="utf-8")

Manifest = dict[str, Any]

utils.schema_contents = cache(utils.schema_contents)  # it would read a megabyte for each object


def needed(name: str) -> Path:
    """Return the path of `helm` or `kubectl`; the test is skipped where there is none."""
    found = tool(name)
    if found is None:
        pytest.skip(f"there is no {name} (make platform)")
    return found


def rendered(values: dict[str, Any] | None = None, *options: str) -> list[Manifest]:
    """Return the objects that Helm makes of the chart with a configuration, and with these values."""
    return objects(_rendered(json.dumps(values or {}), *options))


@cache
def _rendered(values: str, *options: str) -> str:
    needed("helm")
    given = json.loads(values)
    given["configuration"] = {"main": CONFIGURATION, **given.get("configuration", {})}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(given, file)
        file.flush()
        return render("--values", file.name, *options)


def the(found: Iterable[Manifest], kind: str, name: str = "") -> Manifest:
    """Return the one object of a kind whose name ends so."""
    [one] = [each for each in found if each["kind"] == kind and each["metadata"]["name"].endswith(name)]
    return one


def pod_specs(found: Iterable[Manifest]) -> dict[str, Manifest]:
    """Return the specifications of the pods, by the name of what makes them."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in found
        if "template" in each.get("spec", {})
    }
