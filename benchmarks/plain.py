"""Plain pact-python, as its documentation shows it: one source, one `verify()`.

python -m benchmarks.plain PACT_FILE BASE_URL [STATES_URL]
"""

from __future__ import annotations

import sys

from pact import Verifier


def main() -> None:
    pact, base_url, *states_url = sys.argv[1:]
    verifier = Verifier("Products", host="127.0.0.1").add_transport(url=base_url).add_source(pact)
    if states_url:
        verifier.state_handler(states_url[0], teardown=False, body=True)
    verifier.verify()


if __name__ == "__main__":
    main()
