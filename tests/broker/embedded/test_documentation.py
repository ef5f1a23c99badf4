"""The shell examples of docs/broker.md do what the text says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

from broker.embedded import accounts as access
from tests.support.paths import DOCS
from tests.support.processes import BIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import EmbeddedBroker

DOCUMENT = DOCS / "broker.md"


def test_examples_are_true(broker: EmbeddedBroker, pact: dict[str, Any], tmp_path: Path) -> None:
    start, *blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert "pact-dispatch broker --bind 127.0.0.1:9292 --database broker.sqlite3" in start
    (tmp_path / "pacts").mkdir()
    (tmp_path / "pacts" / "foo-bar.json").write_text(json.dumps(pact))
    script = "".join(blocks).replace("http://127.0.0.1:9292", broker.url)
    promised = re.findall(r"# exits with (\d)", script)
    assert promised == ["1", "0", "0", "1", "0"]
    script = re.sub(r"# exits with \d.*", '; echo "exits with $?"', script)

    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PACT_DO_NOT_TRACK": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^exits with (\d)", done.stdout, re.MULTILINE) == promised
    assert "not found" not in done.stdout + done.stderr
    for shown in ('"providerSummary":{"successful":["Bar"]', '"deployable":true'):
        assert shown in done.stdout


def test_the_accounts_are_accounts(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    file = tmp_path / "access.toml"
    file.write_text(example)
    file.chmod(0o600)
    accounts = access.from_file(file)
    assert [one.may_write for one in (*accounts.users, *accounts.tokens)] == [True, False, True]
