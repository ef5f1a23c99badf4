"""What a newcomer does: the lines of the README, one after the other, in one terminal."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from tests.support.loopback import closed_port
from tests.support.paths import ROOT
from tests.support.running import BIN, environment

SECONDS = 240
"""How long it takes at most, from the first line to a result by the receiver."""


def test_the_lines_of_the_readme_lead_to_a_pact_that_the_own_receiver_has_verified() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    install, lines = lines.split("\n", 1)
    assert install == "make install && . .venv/bin/activate"
    # the account of the database, where root runs the test, must be able to get to the folder
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "examples").mkdir()
        ports = {port: str(closed_port()) for port in ("9292", "8080", "8000")}
        for file in (ROOT / "examples").iterdir():
            if file.is_file():
                (folder / "examples" / file.name).write_text(_at(ports, file.read_text(encoding="utf-8")))
        script = _at(ports, lines).replace(
            "pact-dispatch broker", f"pact-dispatch broker --bind 127.0.0.1:{ports['9292']}"
        )
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"trap 'kill $(jobs -p); wait' EXIT\n{script}"],
            capture_output=True,
            text=True,
            env=environment(PATH=f"{BIN}:{os.environ['PATH']}", PORT=ports["8080"], PACT_DO_NOT_TRACK="true"),
            cwd=folder,
            check=False,
            timeout=SECONDS,
        )
        logs = "".join(file.read_text(encoding="utf-8")[-3000:] for file in folder.glob("*.log"))
    said = done.stdout + done.stderr + logs
    assert re.search(r"^5\. The receiver's run that the test started: ok$", done.stdout, re.MULTILINE), said
    assert "Set up: when a pact with Products changes, acme/products is told." in done.stdout, said
    assert re.search(r"^\S+ .*passed.*Storefront", done.stdout, re.MULTILINE), said


def _at(ports: dict[str, str], text: str) -> str:
    for port, free in ports.items():
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free}")
    return text
