"""Uses the embedded PostgreSQL of a data directory until its standard input ends: `postgres_user.py DIR [UID]`.

Prints the URL, or what is wrong. With a UID it gives up being root first.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.database.connections import database
from app.database.database_url import DatabaseUnusable


def main() -> int:
    if len(sys.argv) > 2:
        os.setgroups([])
        os.setgid(int(sys.argv[2]))
        os.setuid(int(sys.argv[2]))
    try:
        with database(None, Path(sys.argv[1])) as url:
            print(url, flush=True)
            sys.stdin.read()
    except DatabaseUnusable as error:
        print(error, flush=True)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
