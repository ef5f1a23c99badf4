"""The plain manifests of `deploy/kubernetes`, which are what the Helm chart renders: `make manifests`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

from release import project
from release.tools import tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHART = project.ROOT / "deploy" / "helm" / "pact-dispatch"
FOLDER = project.ROOT / "deploy" / "kubernetes"
COPIED = {
    CHART / "alerts.yml": project.ROOT / "deploy" / "prometheus" / "alerts.yml",
    CHART / "dashboard.json": project.ROOT / "deploy" / "grafana" / "pact-dispatch.json",
}
"""What the chart has, too, and where it comes from: it can't read what is outside of its folder."""
FILES = ("access", "disruption", "migration", "web", "worker")
"""The templates that are rendered, each into a file of its own."""
VALUES = {
    # made by the kustomization, which gives it another name with each change
    "configuration.existingConfigMap": "pact-dispatch",
    "configuration.restartOnChange": "false",
    "secrets.migrationDatabaseUrl.name": "pact-dispatch",
    "secrets.brokerUsername.name": "pact-dispatch",
    "secrets.brokerPassword.name": "pact-dispatch",
}
"""The values that they are rendered with."""
HEAD = "# Rendered from deploy/helm/pact-dispatch by `make manifests`: change it there, or in your kustomization.\n"
_OF_HELM = re.compile(r"^ *(helm\.sh/|app\.kubernetes\.io/managed-by:|# Source: ).*\n", re.MULTILINE)


class HelmMissing(Exception):
    """There is no Helm."""


def render(*options: str, release: str = "pact-dispatch", chart: Path = CHART) -> str:
    """Return what Helm makes of the chart.

    Args:
        options: The options of `helm template`, such as those for values.
        release: The name of the release.
        chart: The chart.

    Raises:
        HelmMissing: There is no Helm.
        subprocess.CalledProcessError: The chart can't be rendered with these values.
    """
    helm = tool("helm")
    if helm is None:
        raise HelmMissing
    command = [str(helm), "template", release, str(chart), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def plain(name: str) -> str:
    """Return a file of the plain manifests.

    Raises:
        HelmMissing: There is no Helm.
    """
    values = [word for key, value in VALUES.items() for word in ("--set", f"{key}={value}")]
    text = render(*values, "--show-only", f"templates/{name}.yaml")
    text = _without_empty(_OF_HELM.sub("", text)).removeprefix("---\n")
    return f"{HEAD}{text.rstrip()}\n"


def objects(text: str) -> list[dict[str, Any]]:
    """Return the objects of some manifests."""
    return [one for one in yaml.safe_load_all(text) if one]


def _without_empty(text: str) -> str:
    """Remove `annotations` without any."""

    def kept() -> Iterator[str]:
        lines = text.splitlines(keepends=True)
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            depth, next_depth = (len(one) - len(one.lstrip()) for one in (line, following))
            if line.strip() in {"annotations:", "annotations: {}", "{}"} and next_depth <= depth:
                continue
            if line.strip() == "annotations:" and following.strip() == "{}":
                continue
            yield line

    return "".join(kept())


def main() -> int:
    """Write all of them.

    Returns:
        0, or 1 if there is no Helm.
    """
    try:
        for name in FILES:
            (FOLDER / f"{name}.yaml").write_text(plain(name), encoding="utf-8")
        for copy, original in COPIED.items():
            shutil.copyfile(original, copy)
    except HelmMissing:
        print("There is no Helm: install it, or run `make platform` on Linux (x86_64)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
