"""A run's checkout in a process of its own, to be killed: prints what happens, and stays until standard input ends."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from app.provider.checkout import CheckoutSource, checked_out
from verifier.engine.process import Engine


def main() -> None:
    root, url, setup, commit = sys.argv[1:]

    def say(text: str) -> None:
        print(text, flush=True)

    with Engine() as engine:

        def guard(group: int | None) -> None:
            engine.guard(group)
            say(f"guard {group}")

        with checked_out(
            Path(root),
            CheckoutSource(url=url, setup=setup or None),
            commit,
            deadline=time.monotonic() + 60,
            guard=guard,
            on_output=say,
        ) as found:
            say(f"ready {found.folder}")
            sys.stdin.read()


if __name__ == "__main__":
    main()
