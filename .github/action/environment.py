"""The Action's own Python environment: describing it for the cache, and installing it.

    python -I environment.py describe
    python -I environment.py install FOLDER

This uses the standard library alone, since nothing is installed yet. The environment is separate from the provider's,
and outside of its checkout. `make lock` updates the lock, requirements.txt.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path(__file__).resolve().with_name("requirements.txt")
INSTALLED = ("app", "broker", "verifier")
PIP_VARIABLES = frozenset(
    f"PIP_{name}"
    for name in ("CONSTRAINT", "PREFIX", "REQUIRE_VIRTUALENV", "REQUIREMENT", "ROOT", "TARGET", "USER")
)
"""Settings for the provider's packages that don't apply here; the index and the proxy may be the same."""


def describe() -> None:
    """Print the outputs of the step: this Python, the environment's folder, and the key of its cache."""
    content = hashlib.sha256(f"{sys.executable}\n".encode())
    for file in (ROOT / "pyproject.toml", LOCK, *_sources()):
        content.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    digest = content.hexdigest()[:24]
    where = "-".join((platform.system(), platform.machine(), *platform.libc_ver(), platform.python_version()))
    print(f"python={sys.executable}")
    print(f"folder={Path(os.environ['RUNNER_TEMP']).resolve() / f'pact-dispatch-{digest}'}")
    print(f"key=pact-dispatch-{where}-{digest}")


def install(folder: Path) -> None:
    """Install the versions and hashes of the lock, unless the environment exists and works."""
    python = folder / "bin" / "python"
    if _works(python):
        print("pact-dispatch is installed already")
        return
    print(f"Installing pact-dispatch into {folder} ...", flush=True)
    venv.create(folder, clear=True, with_pip=True, symlinks=True)
    variables = {name: value for name, value in os.environ.items() if name not in PIP_VARIABLES}
    pip = [str(python), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-input", "--no-warn-script-location"]
    subprocess.run([*pip, "--require-hashes", "--requirement", str(LOCK)], check=True, env=variables)
    # what builds it is in the lock as well
    subprocess.run(
        [*pip, "--no-deps", "--no-index", "--no-build-isolation", str(ROOT)], check=True, env=variables
    )


def _works(python: Path) -> bool:
    """Return whether an environment, perhaps from the cache, can be used."""
    command = [str(python), "-I", "-c", "import verifier.command, verifier.engine.child, pact"]
    return python.exists() and subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def _sources() -> list[Path]:
    return sorted(
        file
        for package in INSTALLED
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    )


def main() -> None:
    """Run the command of the command line."""
    if sys.argv[1] == "describe":
        describe()
        return
    try:
        install(Path(sys.argv[2]))
    except (OSError, subprocess.CalledProcessError) as error:
        reason = str(error).splitlines()[0]
        print(
            f"::error title=pact-dispatch could not be installed::{reason}. The Action needs Python's venv and pip "
            "(the package python3-venv of Debian and Ubuntu, or actions/setup-python before it), and PyPI or a "
            "mirror of it (PIP_INDEX_URL)"
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
