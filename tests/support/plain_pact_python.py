"""One whole pact file verified by pact-python alone: `python -m tests.support.plain_pact_python ORDER RESULTS`.

In a process of its own, since the core prints to descriptor 1. ORDER and RESULTS are JSON files.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

from pact import Verifier


def main() -> None:
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    parts = urlsplit(order["base_url"])
    verifier = Verifier(order["provider"], host="127.0.0.1")
    verifier.add_transport(protocol="http", port=parts.port, path="/", scheme="http")
    for transport in order["transports"]:
        verifier.add_transport(**transport)
    if order["states_url"]:
        verifier.state_handler(order["states_url"], teardown=order["teardown"], body=True)
    verifier.set_coloured_output(enabled=False)
    verifier.add_source(Path(order["pact"]))
    with contextlib.suppress(RuntimeError):  # a broken contract: the results tell
        verifier.verify()
    Path(sys.argv[2]).write_text(json.dumps(verifier.results), encoding="utf-8")


if __name__ == "__main__":
    main()
