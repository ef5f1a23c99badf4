"""What was built, installed into an environment of its own and used there."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

PACT = "storefront-products.json"
LOCATE = (
    "import app, broker, verifier; from pathlib import Path; "
    "print(*{str(Path(found.__file__).resolve().parents[1]) for found in (app, broker, verifier)}, sep='\\n')"
)


class Broken(Exception):
    """What was built or installed must not be released."""


@dataclass(frozen=True)
class Installation:
    """An environment with a wheel in it.

    Attributes:
        folder: The environment.
        root: The project's folder, for its examples; nothing is imported from there.
    """

    folder: Path
    root: Path

    @property
    def python(self) -> Path:
        """The environment's Python."""
        return self.folder / "bin" / "python"

    def check_where_it_is(self) -> None:
        """Raise Broken if the packages are not those of the wheel."""
        where = self._run(self.python, "-c", LOCATE).splitlines()
        if len(where) != 1 or not Path(where[0]).is_relative_to(self.folder.resolve()):
            raise Broken(
                f"the packages come from {' and '.join(where)}, and not from the wheel in {self.folder}"
            )

    def check_commands(self, version: str) -> None:
        """Raise Broken if a command can't tell what it takes, or which version it is."""
        for name in ("verify", "pact-dispatch"):
            if f"usage: {name}" not in self._run(self.folder / "bin" / name, "--help"):
                raise Broken(f"{name} --help does not say how {name} is used")
            if version not in self._run(self.folder / "bin" / name, "--version"):
                raise Broken(f"{name} --version is not {version}")

    def check_verification(self) -> None:
        """Raise Broken if a pact can't be verified, or one of the reports can't be written."""
        examples = self.root / "examples"
        reports: list[Path | str] = [
            f"--{kind}={self.folder / f'report.{kind}'}" for kind in ("html", "json", "junit")
        ]
        self._run(
            *(self.folder / "bin" / "verify", "--pact-url", examples / PACT, *reports),
            *("--provider-command", f"'{sys.executable}' '{examples / 'products.py'}'"),
            *("--provider-states-setup-url", "http://127.0.0.1:{port}/_states"),
        )

    def check_demo(self) -> None:
        """Raise Broken if the demo fails: webhook, receiver, verification, result and can-i-deploy."""
        self._run(self.python, self.root / "examples" / "demo.py")

    def _run(self, *command: Path | str) -> str:
        """Run a command away from the project's folder, and return its output."""
        variables = {
            name: value for name, value in os.environ.items() if not name.startswith(("PACT_", "PYTHON"))
        }
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env={**variables, "PACT_DO_NOT_TRACK": "true"},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            shown = " ".join(str(word) for word in command)
            raise Broken(f"{shown} ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout


def install(wheel: Path, folder: Path, root: Path, *, extras: str = "", from_index: bool) -> Installation:
    """Install a wheel into a new environment.

    Args:
        wheel: The wheel.
        folder: Where the environment is made.
        root: The project's folder.
        extras: The wheel's extras, such as `[server]`.
        from_index: Whether what it depends on is installed from the package index. Otherwise this Python's is used,
            which takes a second; a dependency that is not declared then goes unnoticed.

    Raises:
        subprocess.CalledProcessError: It can't be installed.
    """
    uv = str(Path(sys.executable).with_name("uv"))
    mode = [] if from_index else ["--offline"]
    subprocess.run([uv, "venv", "--quiet", *mode, "--python", sys.executable, str(folder)], check=True)
    found = Installation(folder, root)
    add = [uv, "pip", "install", "--quiet", *mode, "--python", str(found.python)]
    if from_index:
        more = ["pact-python-cli"] if extras else []
        subprocess.run([*add, f"{wheel}{extras}", *more], check=True)
        return found
    subprocess.run([*add, "--no-deps", str(wheel)], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    # a folder that a .pth file names comes last, and its own .pth files (this project's, in development) don't count
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (folder / "bin" / "pact").symlink_to(Path(sys.executable).with_name("pact"))
    return found
