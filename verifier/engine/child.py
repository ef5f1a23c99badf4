"""The child process that runs pact-python: `python -m verifier.engine.child DESCRIPTOR FOLDER`.

Its messages go to the pipe DESCRIPTOR, its files to FOLDER.
"""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run jobs until standard input ends."""
    gc.disable()  # until all is imported, since nothing of that is ever freed
    from pathlib import Path  # noqa: PLC0415

    from verifier.engine.service import serve  # noqa: PLC0415

    serve(int(sys.argv[1]), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
