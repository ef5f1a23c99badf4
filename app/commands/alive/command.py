"""`pact-dispatch alive`: whether a worker of a data directory is alive, for what supervises it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.runner import CommandFailed, ExitCode
from app.process.sign_of_life import signs

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from app.commands.runner import Messages


def run(options: argparse.Namespace, _: Messages) -> int:
    """Tell whether a worker is alive."""
    data_dir = options.data_dir or _configured(options)
    found = signs(data_dir)
    alive = [sign.name for sign in found if sign.is_recent]
    if alive:
        print(f"alive: {', '.join(alive)}")
        return ExitCode.DONE
    if not found:
        why = f"no worker uses {data_dir.absolute()}, or it has not done its first round yet"
    elif found[0].has_ended:
        why = f"{found[0].name} has ended without taking leave: there is no such process any more"
    else:
        why = (
            f"{found[0].name} was last heard of {found[0].age:.0f} s ago ({found[0].seconds:g} s are allowed)"
        )
    raise CommandFailed(ExitCode.FAILED, f"no worker is alive: {why}")


def _configured(options: argparse.Namespace) -> Path:
    # a probe names the data directory, and asks every few seconds: it should not load what reads a configuration
    from app.commands.installation import failures_explained  # noqa: PLC0415
    from app.commands.options import data_dir_of  # noqa: PLC0415
    from app.config.file import load  # noqa: PLC0415

    with failures_explained():
        return data_dir_of(None, load(options.config, None))
