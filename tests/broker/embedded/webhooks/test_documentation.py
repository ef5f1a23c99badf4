"""The shell examples of docs/webhooks.md do what the text says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING

from broker.embedded.webhooks.settings import RETRY_SECONDS
from broker.events import WebhookEvent
from tests.broker.embedded.webhooks.test_resource import ALL_VARIABLES
from tests.support.paths import DOCS
from tests.support.processes import BIN, EmbeddedBroker
from tests.support.webhook_documents import all_are, wait_for
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = DOCS / "webhooks.md"


def test_examples_are_true(tmp_path: Path) -> None:
    start, *blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    options = start.split()[4:]
    assert options == ["--webhook-hosts", "127.0.0.1", "--webhook-schemes", "http,https"]
    with Target() as target, EmbeddedBroker(tmp_path, *options) as broker:
        before, after = "".join(blocks).split("curl -sS --fail $BROKER/pacts/")[0], "".join(blocks)
        after = after[len(before) :]
        environment = ""
        for part in (before, after):
            script = part.replace("http://127.0.0.1:9292", broker.url).replace(
                "http://127.0.0.1:8000", target.url
            )
            done = subprocess.run(
                ["bash", "-e", "-o", "pipefail", "-c", environment + script],
                cwd=tmp_path,
                env={
                    **os.environ,
                    "PATH": f"{BIN}:{os.environ['PATH']}",
                    "PACT_DO_NOT_TRACK": "true",
                    "BROKER": broker.url,
                },
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert '"error' not in done.stdout
            promised = re.findall(r"# (\S+)$", part, re.MULTILINE)
            assert [text for text in promised if text not in done.stdout] == []
            (environment,) = re.findall(r"^export WEBHOOK=.*\n", before, re.MULTILINE)
            if part is before:
                assert 'Webhook "verify Bar" triggered for event contract_content_changed' in done.stdout
                assert len(wait_for(broker, all_are("success"))) == 2
    tried, *sent = [one for one in target.received if one.path == "/repos/acme/products/dispatches"]
    assert len(sent) == 1
    assert tried.headers["authorization"] == "Bearer ghp_example"
    payload = json.loads(sent[0].body)["client_payload"]
    assert payload["message"] == "Verify changed pact for Foo version 1.0.0"


def test_everything_is_named() -> None:
    text = DOCUMENT.read_text()
    assert [name for name in (*ALL_VARIABLES, *WebhookEvent) if f"`{name}`" not in text] == []
    assert f"`{','.join(str(seconds) for seconds in RETRY_SECONDS)}`" in text


def test_the_command_names_the_same_options() -> None:
    done = subprocess.run(
        [str(BIN / "pact-dispatch"), "broker", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert set(re.findall(r"--webhook-[a-z-]+", done.stdout)) == set(
        re.findall(r"\| `(--webhook-[a-z-]+)", DOCUMENT.read_text())
    )
