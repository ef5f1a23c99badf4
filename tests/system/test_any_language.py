"""What isn't ASCII is shown as it is: on the console, in each report, in a workflow, and in the broker."""

from __future__ import annotations

import json
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.loopback import Loopback, Reply
from tests.support.running import READY, verify
from tests.system.test_verify import publishing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import EmbeddedBroker

V4 = {"pactSpecification": {"version": "4.0"}}
STATE = "l'été est là 日本"


def interaction(description: str, content: Any, **parts: Any) -> dict[str, Any]:
    body = {"content": content, "contentType": "application/json; charset=utf-8", "encoded": False}
    return {
        "type": "Synchronous/HTTP",
        "description": description,
        "request": {"method": "GET", "path": "/été"},
        "response": {"status": 200, "body": body},
        **parts,
    }


PACT = {
    "consumer": {"name": "Café ☕"},
    "provider": {"name": "Zürich 東京"},
    "interactions": [
        interaction(
            "une requête 😀", {"nom": "attendu: é"}, comments={"text": ["à lire"], "testname": "tést"}
        ),
        interaction(
            "sans état", {"nom": "reçu: 東"}, providerStates=[{"name": STATE, "params": {"clé": "ñ"}}]
        ),
    ],
    "metadata": V4,
}
HANDLERS = """
def handlers(state, params):
    if state:
        raise LookupError(f"pas prêt: {params}")
"""
SHOWN = {
    "the consumer": "Café ☕",
    "the provider": "Zürich 東京",
    "the version": "vé1",
    "a description": "une requête 😀",
    "a comment": "à lire",
    "a test": "tést",
    "a path": "/été",
    "a state": STATE,
    "what was expected": "attendu: é",
    "what came": "reçu: 東",
    "a reason": "pas prêt",
}
NOT_THERE = {
    "junit": {"a path"},
    "broker": {"a path", "a comment", "a test", "what was expected", "what came"},
}


@pytest.fixture
def texts(tmp_path: Path, broker: EmbeddedBroker) -> dict[str, str]:
    broker.publish(PACT, "1")
    url = (
        f"{broker.url}/pacts/provider/Z%C3%BCrich%20%E6%9D%B1%E4%BA%AC/consumer/Caf%C3%A9%20%E2%98%95/latest"
    )
    handlers, html, junit = (tmp_path / name for name in ("states.py", "report.html", "report.xml"))
    handlers.write_text(HANDLERS, encoding="utf-8")
    summary = tmp_path / "summary.md"
    answer = json.dumps({"nom": "reçu: 東"}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    with Loopback(Reply(body=answer, headers=headers)) as provider:
        done = verify(
            tmp_path,
            *(url, "--provider-base-url", provider.url, *READY, "-v"),
            *("--provider-states", f"{handlers}:handlers", "--html", html, "--junit", junit),
            *publishing(broker.url, "vé1"),
            GITHUB_ACTIONS="true",
            GITHUB_STEP_SUMMARY=str(summary),
        )
    assert done.code == 1, done
    result = broker.get(done.report["published"]["url"]).json()
    found = {
        "console": done.out,
        "json": (tmp_path / "report.json").read_text(encoding="utf-8"),
        "html": html.read_text(encoding="utf-8"),
        "junit": junit.read_text(encoding="utf-8"),
        "summary": summary.read_text(encoding="utf-8"),
        "broker": json.dumps(result, ensure_ascii=False),
    }
    return {place: unescape(text) for place, text in found.items()}


def test_what_is_not_ascii_is_shown_as_it_is(texts: dict[str, str]) -> None:
    for place, text in texts.items():
        assert "\\u" not in text, place
        assert "\\x" not in text, place
        for what in SHOWN.keys() - NOT_THERE.get(place, set()):
            assert SHOWN[what] in text, (place, what)
