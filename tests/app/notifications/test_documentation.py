"""The examples of docs/notifications.md: configurations, the JSON that is sent, the check of a signature."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from app.cli import main
from app.config.file import load
from app.config.notify import NotifiedEvent, TargetKind
from app.config.sections import ServerSettings
from app.notifications.change import Change
from app.notifications.message import content_of
from app.notifications.sending import document_of
from tests.support.paths import DOCS
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (DOCS / "notifications.md").read_text(encoding="utf-8")
URL = "https://hooks.example/s3cret"
SECRETS = dict.fromkeys(
    ("SLACK_URL", "TEAMS_URL", "CHANGES_URL", "PLATFORM_SLACK_URL", "PRICES_SLACK_URL"), URL
) | {"CHANGES_TOKEN": "Bearer t0ken"}
BEGINNING = '[broker]\nurl = "https://pacts.example.com"\n'
PROVIDER = """
[[providers]]
name = "Products"
repository = "acme/products"
base_url = "http://127.0.0.1:1"
version = "1"
"""


def blocks(language: str) -> list[str]:
    return [part.split("```")[0] for part in PAGE.split(f"```{language}\n")[1:]]


@pytest.mark.parametrize("number", range(4))
def test_the_configurations_can_be_used(tmp_path: Path, number: int) -> None:
    examples = blocks("toml")
    assert len(examples) == 4
    example = examples[number].replace("/run/secrets/changes-key", str(tmp_path / "key"))
    (tmp_path / "key").write_text("k3y\n")
    example = example if "[broker]" in example else BEGINNING + example
    example = example if "[[providers]]" in example else example + PROVIDER
    file = tmp_path / "pact-dispatch.toml"
    file.write_text(example)
    settings = load(file, SECRETS)
    assert any(settings.notify_of(provider).targets for provider in settings.providers)
    if number == 3:
        prices, legacy = settings.providers
        assert settings.notify_of(prices).interval_seconds == 600  # from [notify]
        assert [one.name for one in settings.notify_of(prices).targets] == ["slack PRICES_SLACK_URL"]
        assert not settings.notify_of(legacy).targets


def test_the_json_is_what_is_sent() -> None:
    [example] = (json.loads(block) for block in blocks("json"))
    run = UUID(example["changes"][0]["run_id"])
    server = ServerSettings(public_url="https://pact-dispatch.example.com")
    change = Change(
        NotifiedEvent.BROKEN, "Shop", "", run, "1.4", "4f1c9ab0", ("provider",), failed=2, interactions=7
    )
    content = content_of("Products", [change], server=server, page_of=server.page_of_run)
    sent = document_of(TargetKind.URL, content, UUID(example["id"]), created_at=example["created_at"])
    assert sent == example


def test_the_signature_can_be_checked_as_it_says() -> None:
    [code] = blocks("python")
    names: dict[str, Any] = {}
    exec(code, names)
    signature = "sha256=" + hmac.new(b"key", b"body", hashlib.sha256).hexdigest()
    assert names["is_from_pact_dispatch"](b"body", signature, "key")
    assert not names["is_from_pact_dispatch"](b"another", signature, "key")


def test_the_command_sends_a_test_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pact-dispatch.toml").write_text(blocks("toml")[0])
    monkeypatch.chdir(tmp_path)
    words = ["notify", "--test", "--provider", "Products"]
    with Target() as target:
        monkeypatch.setenv("SLACK_URL", f"{target.url}/services/s3cret")
        assert main(words) == 0
        told = capsys.readouterr().out
        host = f"127.0.0.1:{target.port}"
        shown = blocks("console")[0].splitlines()
        assert shown[0] == f"$ pact-dispatch {' '.join(words)}"
        assert told.replace(host, "hooks.slack.com").splitlines() == shown[1:]
        assert "this is a test" in target.received[0].body
        target.status = 404
        assert main([*words, "--json"]) == 3
        document = json.loads(capsys.readouterr().out)
        assert (document["targets"][0]["taken"], document["targets"][0]["host"]) == (False, host)
        assert "s3cret" not in json.dumps(document)
        monkeypatch.setenv("PACT_DISPATCH_LOG_LEVEL", "debug")
        assert main(words) == 3
        assert "s3cret" not in "".join(capsys.readouterr())
    monkeypatch.delenv("SLACK_URL")
    assert main(["notify"]) == 2
    assert "notify.targets[1].slack: the environment variable SLACK_URL is not set" in capsys.readouterr().err


def test_the_command_says_of_which_provider_nobody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = blocks("toml")[0]
    (tmp_path / "pact-dispatch.toml").write_text(f"{text}\nnotify = {{ targets = [] }}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLACK_URL", "https://hooks.slack.com/services/x")
    assert main(["notify", "--provider", "Products"]) == 0
    assert "nobody is told of Products: name somebody" in capsys.readouterr().err


def test_the_command_names_all_providers_that_share_a_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = blocks("toml")[0]
    head, provider = text.split("[[providers]]")
    names = [f"P{number:02}" for number in range(14)]
    providers = [
        f"[[providers]]{provider.replace('Products', name).replace('products', name)}" for name in names
    ]
    providers[3] += "\nnotify = { targets = [] }\n"
    providers[5] += '\nnotify = { targets = [{ teams = { env = "SLACK_URL" } }] }\n'
    (tmp_path / "pact-dispatch.toml").write_text(head + "\n".join(providers))
    monkeypatch.chdir(tmp_path)
    shared = [name for name in names if name not in {"P03", "P05"}]
    with Target() as target:
        monkeypatch.setenv("SLACK_URL", f"{target.url}/services/s3cret")
        assert main(["notify"]) == 0
        told = capsys.readouterr()
        assert told.out.splitlines()[0].startswith(
            "P00, P01, P02, P04, P06 and 7 more: slack SLACK_URL is told of"
        )
        assert told.out.splitlines()[1].startswith("P05: teams SLACK_URL is told of")
        assert "nobody is told of P03: name somebody" in told.err
        assert main(["notify", "--json", "--test"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert [one["providers"] for one in document["targets"]] == [shared, ["P05"]]
        assert [one["provider"] for one in document["targets"]] == ["P00", "P05"]
        assert document["told_to_nobody"] == ["P03"]
        assert "P00 and 11 other providers: this is a test" in target.received[0].body
        assert "P05: this is a test" in target.received[1].body
