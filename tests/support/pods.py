"""What a pod runs, on this machine: the command, files, account and rights that its manifest says, in namespaces.

There is no cluster: this does what kubelet and a container runtime would, with bubblewrap. Volumes are laid out as
kubelet does it (a ConfigMap's files are links to a folder that is replaced as a whole), the root is read-only, and the
process has the account of the manifest, no capability, and no way to get one. The network is this machine's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
import requests

from tests.support.paths import ROOT
from tests.support.processes import BIN, TIME_LIMIT
from tests.support.receiver import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.manifests import Manifest

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
HOME = "/home/pact-dispatch"
ACCOUNTS = f"""\
root:x:0:0:root:/root:/usr/sbin/nologin
pact-dispatch:x:10001:10001::{HOME}:/usr/sbin/nologin
pact-provider:x:10002:10002::/home/pact-provider:/usr/sbin/nologin
"""
OF_THE_MACHINE = (
    "/usr",
    "/etc/alternatives",
    "/etc/group",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/ssl",
)
"""What stands for the image, besides the project and its environment."""

Files = dict[str, dict[str, str]]
"""The files of ConfigMaps or Secrets, by its name and the key."""


def environment_of_the_image() -> dict[str, str]:
    """Return the variables that the Dockerfile sets, for the program where it is here."""
    block = re.findall(r"^ENV (.*?)(?<!\\)$", DOCKERFILE, re.MULTILINE | re.DOTALL)[-1]
    found = dict(re.findall(r"(\w+)=(\S+)", block))
    return {**found, "PATH": f"{BIN}:/usr/bin:/bin", "HOME": HOME, "LANG": "C.UTF-8"}


def entrypoint() -> list[str]:
    """Return the command of the image, without what reaps its orphans."""
    found = re.findall(r"^ENTRYPOINT (\[.*\])$", DOCKERFILE, re.MULTILINE)
    words: list[str] = json.loads(found[-1])
    assert words[:2] == ["tini", "--"]
    return words[2:]


def sandbox() -> None:
    """Skip the test where no such namespaces can be made."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("root is needed to run pods")
    if shutil.which("bwrap") is None:
        pytest.skip("there is no bubblewrap (make platform)")
    tried = subprocess.run(
        ["bwrap", "--ro-bind", "/", "/", "--unshare-pid", "--as-pid-1", "true"],
        capture_output=True,
        check=False,
    )
    if tried.returncode != 0:
        pytest.skip("namespaces are forbidden here")


def lay_out(folder: Path, files: Mapping[str, str], *, mode: int, group: int) -> None:
    """Write the files of a ConfigMap, a Secret or a projected volume as kubelet does; again for a change of them."""
    before = [one for one in folder.glob("..2026_*") if one.is_dir()]
    content = folder / f"..2026_11_27_{len(before)}_{time.monotonic_ns()}"
    for name, text in files.items():
        file = content / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)
        os.chown(file, 0, group)
    content.mkdir(parents=True, exist_ok=True)
    content.chmod(0o755)
    link = folder / "..data_tmp"
    link.symlink_to(content.name)
    link.rename(folder / "..data")
    shown = {Path(name).parts[0] for name in files}
    for top in shown:
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"..data/{top}")
    for gone in folder.iterdir():
        if gone.is_symlink() and gone.name not in {"..data", *shown}:
            gone.unlink()
    for old in before:
        shutil.rmtree(old)


class Pod:
    """A pod with one container, until the end of the `with` block.

    Args:
        folder: Where its volumes are.
        spec: The pod's specification.
        config_maps: The ConfigMaps that there are.
        secrets: The Secrets that there are.
    """

    def __init__(self, folder: Path, spec: Manifest, config_maps: Files, secrets: Files) -> None:
        self.folder = folder
        self.spec = spec
        [self.container] = spec["containers"]
        self._sources = {"configMap": dict(config_maps), "secret": secrets}
        self._account = spec["securityContext"]
        self._volumes = {volume["name"]: self._volume(volume) for volume in spec["volumes"]}
        self.log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def _volume(self, volume: Manifest) -> Path:
        folder = self.folder / "volumes" / str(volume["name"])
        folder.mkdir(parents=True)
        if "emptyDir" in volume:
            os.chown(folder, 0, self._account["fsGroup"])
            folder.chmod(0o2777)
            return folder
        files, mode = self.files(volume["name"])
        lay_out(folder, files, mode=mode, group=self._account["fsGroup"])
        return folder

    def files(self, name: str) -> tuple[dict[str, str], int]:
        """Return the files of a volume, and their mode."""
        volume = next(one for one in self.spec["volumes"] if one["name"] == name)
        [kind] = volume.keys() - {"name"}
        given = volume[kind]
        sources = given["sources"] if kind == "projected" else [{kind: given}]
        files: dict[str, str] = {}
        for source in sources:
            [(source_kind, wanted)] = source.items()
            there = self._sources[source_kind].get(wanted.get("name") or wanted.get("secretName"))
            if there is None:
                assert wanted.get("optional"), f"{source_kind} {wanted} is missing: the pod would not start"
                continue
            items = wanted.get("items") or [{"key": key, "path": key} for key in there]
            files |= {item["path"]: there[item["key"]] for item in items}
        return files, given.get("defaultMode", 0o644)

    def change(self, config_map: str, files: Mapping[str, str]) -> None:
        """Have kubelet bring a changed ConfigMap into the pod."""
        self._sources["configMap"][config_map] = dict(files)
        for name, folder in self._volumes.items():
            volume = next(one for one in self.spec["volumes"] if one["name"] == name)
            if "emptyDir" not in volume and config_map in json.dumps(volume):
                given, mode = self.files(name)
                lay_out(folder, given, mode=mode, group=self._account["fsGroup"])

    def environment(self) -> dict[str, str]:
        """Return the environment of its container."""
        return environment_of_the_image() | {
            one["name"]: one["value"] for one in self.container.get("env", [])
        }

    def _sandbox(self) -> list[str]:
        words = [
            "bwrap",
            "--unshare-pid",
            "--unshare-ipc",
            "--unshare-uts",
            "--as-pid-1",
            "--die-with-parent",
        ]
        words += ["--new-session", "--hostname", "pod", "--clearenv"]
        for name, value in self.environment().items():
            words += ["--setenv", name, value]
        words += [
            "--symlink",
            "usr/bin",
            "/bin",
            "--symlink",
            "usr/lib",
            "/lib",
            "--symlink",
            "usr/lib64",
            "/lib64",
        ]
        words += ["--proc", "/proc", "--dev", "/dev"]
        words += _parents("/etc/passwd")
        for place in OF_THE_MACHINE:
            words += ["--ro-bind-try", place, place]
        (self.folder / "passwd").write_text(ACCOUNTS, encoding="utf-8")
        words += ["--ro-bind", str(self.folder / "passwd"), "/etc/passwd"]
        mounts = sorted(self.container["volumeMounts"], key=lambda mount: len(mount["mountPath"]))
        for mount in mounts:
            # kubelet makes the folders of volumes that are mounted into others
            for other in mounts:
                if other["mountPath"].startswith(f"{mount['mountPath']}/"):
                    inner = other["mountPath"].removeprefix(f"{mount['mountPath']}/")
                    (self._volumes[mount["name"]] / inner).mkdir(parents=True, exist_ok=True)
            kind = "--ro-bind" if mount.get("readOnly") else "--bind"
            words += [
                *_parents(mount["mountPath"]),
                kind,
                str(self._volumes[mount["name"]]),
                mount["mountPath"],
            ]
        for place in dict.fromkeys([sys.base_prefix, str(ROOT), sys.prefix]):
            words += [*_parents(place), "--ro-bind", place, place]
        context = self.container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        return [*words, "--remount-ro", "/", "--chdir", "/", *self._as_account()]

    def _capabilities(self) -> list[str]:
        given = self.container["securityContext"]["capabilities"]
        assert given["drop"] == ["ALL"]
        added: list[str] = given.get("add", [])
        return added

    def _as_account(self) -> list[str]:
        account, context = self._account, self.container["securityContext"]
        assert account["runAsNonRoot"] == (account["runAsUser"] != 0)
        kept = ["-all", *(f"+{name.lower()}" for name in self._capabilities())]
        words = ["setpriv", f"--reuid={account['runAsUser']}", f"--regid={account['runAsGroup']}"]
        words += [f"--groups={account['fsGroup']}", f"--bounding-set={','.join(kept)}", "--inh-caps=-all"]
        return [*words, *([] if context["allowPrivilegeEscalation"] else ["--no-new-privs"]), "--"]

    def __enter__(self) -> Self:
        told, tell = os.pipe()
        command = [*self._sandbox(), *self.container.get("command", entrypoint()), *self.container["args"]]
        command[1:1] = ["--info-fd", str(tell)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, pass_fds=[tell])
        os.close(tell)
        with os.fdopen(told) as pipe:
            text = pipe.read()
        assert text, self.output()
        self._pid = json.loads(text)["child-pid"]
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)  # all in its namespace die with it
            self._process.wait(TIME_LIMIT)

    def output(self) -> str:
        """Return what it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def wait(self, seconds: float) -> int:
        """Return how it ended."""
        assert self._process is not None
        return self._process.wait(seconds)

    @property
    def pid(self) -> int:
        """Its first process, as this machine sees it."""
        return self._pid

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in its container."""
        words = [
            "nsenter",
            f"--target={self._pid}",
            "--mount",
            "--pid",
            "--ipc",
            "--uts",
            "--wd=/",
            *self._as_account(),
        ]
        return subprocess.run(
            [*words, *command],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIME_LIMIT,
        )

    def address(self, port: str | int) -> str:
        """Return where a port of it is reached, by its name or number."""
        ports = {one["name"]: one["containerPort"] for one in self.container["ports"]}
        return f"http://127.0.0.1:{ports.get(str(port), port)}"

    def probe(self, name: str) -> bool:
        """Ask a probe once, as kubelet does."""
        probe = self.container[name]
        if "exec" in probe:
            return self.execute(*probe["exec"]["command"]).returncode == 0
        wanted = probe["httpGet"]
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(
                    f"{self.address(wanted['port'])}{wanted['path']}",
                    timeout=probe.get("timeoutSeconds", 1) * 10,  # this machine is busy
                    headers={"User-Agent": "kube-probe/1.34"},
                )
        except requests.RequestException:
            return False
        return 200 <= answer.status_code < 400

    def await_ready(self) -> None:
        """Wait until its probes say that it has started, is alive and, where it has such a probe, is ready."""

        def ready() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.output()
            return all(
                self.probe(name)
                for name in ("startupProbe", "livenessProbe", "readinessProbe")
                if name in self.container
            )

        wait_until(ready, f"{self.container['name']} is ready", context=self.output)

    def terminate(self) -> int:
        """Stop it as kubelet does, and return its exit code."""
        hook = self.container.get("lifecycle", {}).get("preStop")
        if hook is not None:
            done = self.execute(*hook["exec"]["command"])
            assert done.returncode == 0, done
        os.kill(self._pid, signal.SIGTERM)
        return self.wait(self.spec["terminationGracePeriodSeconds"])


def _parents(place: str) -> list[str]:
    """Return the options by which the folders above a mount can be entered: those that bubblewrap makes are closed."""
    above = [str(parent) for parent in reversed(Path(place).parents) if str(parent) != "/"]
    return [word for parent in above for word in ("--perms", "0755", "--dir", parent)]


@contextmanager
def running(pod: Pod) -> Iterator[Pod]:
    """Run a pod, and wait until it is ready."""
    with pod:
        pod.await_ready()
        yield pod


def config_maps(found: list[Manifest]) -> Files:
    """Return the ConfigMaps of some manifests."""
    return {one["metadata"]["name"]: one["data"] for one in found if one["kind"] == "ConfigMap"}


def secret_values(files: Files) -> list[str]:
    """Return everything that is secret."""
    return [value for secret in files.values() for value in secret.values()]


def environments(pod: Pod) -> list[dict[str, Any]]:
    """Return the environments of all of its processes."""
    import psutil  # noqa: PLC0415

    first = psutil.Process(pod.pid)
    return [dict(process.environ()) for process in (first, *first.children(recursive=True))]
