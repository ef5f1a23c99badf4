"""The tables `[notify]`: what goes together, and who may know the secrets of targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.config.file import load
from app.config.settings import Settings
from app.config.shown_configuration import document_of, lines_of
from app.config.values import ConfigurationError
from app.worker.parts import WorkerConfiguration
from broker.http.access import BrokerAccess

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[broker]
url = "http://127.0.0.1:9"

[[providers]]
name = "P"
repository = "a/p"
base_url = "http://127.0.0.1:1"
version = "1"
"""


def mistakes(folder: Path, text: str, **environment: str) -> list[str]:
    file = folder / "c.toml"
    file.write_text(CONFIG + text)
    with pytest.raises(ConfigurationError) as caught:
        load(file, environment)
    return [one.removeprefix(f"{file}: ") for one in caught.value.mistakes]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[notify.targets]]", "notify.targets[1]: needs one of slack, teams and url; there is none"),
        (
            '[[notify.targets]]\nslack = "https://hooks.slack.com/s3cret"',
            'notify.targets[1].slack: must be { env = "NAME" } or { file = "PATH" }',
        ),
        (
            '[[notify.targets]]\nslack = { env = "A" }\nteams = { env = "A" }',
            "notify.targets[1]: needs one of slack, teams and url; there is slack and teams",
        ),
        (
            '[[notify.targets]]\nslack = { env = "A" }\nsigning_secret = { env = "A" }',
            "notify.targets[1]: headers and signing_secret are for url: Slack and Teams look at neither",
        ),
        (
            '[[notify.targets]]\nslack = { env = "A" }\nevents = ["broke"]',
            "notify.targets[1].events[1]: must be 'broken', 'healed', 'unverifiable' or 'refused'",
        ),
        (
            '[[notify.targets]]\nslack = { env = "A" }\nevents = []',
            "notify.targets[1].events: must name one at least: leave the target out, or the key for all of them",
        ),
        (
            '[[notify.targets]]\nslack = { env = "A" }\n[[notify.targets]]\nslack = { env = "A" }',
            "notify: two targets are slack A: give all of its events to one of them",
        ),
        ("[notify]\ninterval_seconds = -1", "notify.interval_seconds: must be greater than or equal to 0"),
        ("[notify]\nintervall_seconds = 1", "notify.intervall_seconds: is no key of the configuration; is "),
        (
            '[[providers.notify.targets]]\nurl = { env = "A" }\nheader = {}',
            "providers[1].notify.targets[1].header: is no key of the configuration; is headers meant?",
        ),
        (
            '[[providers.notify.targets]]\nurl = { env = "A" }\nheaders = { X = 1 }',
            "providers[1].notify.targets[1].headers.X: must be a text, or { env",
        ),
        (
            '[[providers.notify.targets]]\nurl = { env = "GONE" }',
            "providers[1].notify.targets[1].url: the environment variable GONE is not set",
        ),
        (
            '[[notify.targets]]\nurl = { env = "PLAIN" }',
            "notify.targets[1].url: the value of PLAIN must be an https:// URL, or the target needs allow_http",
        ),
        (
            '[[notify.targets]]\nurl = { env = "A" }\nheaders = { X = { env = "LINES" } }',
            "notify.targets[1].headers.X: the value of LINES can't be sent in a header",
        ),
    ],
)
def test_a_mistake_is_named_with_its_key_and_without_a_secret(
    tmp_path: Path, text: str, expected: str
) -> None:
    found = mistakes(
        tmp_path, text, A="https://a.example/s3cret", PLAIN="http://a.example/s3cret", LINES="s3cret\nline"
    )
    assert len(found) == 1, found
    assert found[0].startswith(expected)
    assert "s3cret" not in found[0]


ALL_AT_ONCE = {
    """
[[TABLE.targets]]
url = { env = "GONE" }
signing_secret = { env = "NO_KEY" }
headers = { X = { env = "NO_HEADER" }, Y = 1 }
event = ["broken"]
allow_http = "yes"
""": [
        "targets[1].url: the environment variable GONE is not set",
        "targets[1].signing_secret: the environment variable NO_KEY is not set",
        "targets[1].headers.X: the environment variable NO_HEADER is not set",
        'targets[1].headers.Y: must be a text, or { env = "NAME" } or { file = "PATH" }',
        "targets[1].event: is no key of the configuration; is events meant?",
        "targets[1].allow_http: must be true or false",
    ],
    """
[[TABLE.targets]]
url = { env = "PLAIN" }
signing_secret = { env = "NO_KEY", file = "too" }
events = []
""": [
        "targets[1].url: the value of PLAIN must be an https:// URL",
        'targets[1].signing_secret: must be { env = "NAME" } or { file = "PATH" }',
        "targets[1].events: must name one at least",
    ],
    """
[[TABLE.targets]]
slack = { env = "A" }
signing_secret = { env = "NO_KEY" }
events = "broken"
[[TABLE.targets]]
teams = "https://a.example/s3cret"
url = { env = "A" }
[[TABLE.targets]]
slack = { env = "A" }
[[TABLE.targets]]
slack = { env = "A" }
""": [
        "targets[1]: headers and signing_secret are for url: Slack and Teams look at neither",
        "targets[1].signing_secret: the environment variable NO_KEY is not set",
        "targets[1].events: must be a list",
        'targets[2].teams: must be { env = "NAME" } or { file = "PATH" }',
        "targets[2]: needs one of slack, teams and url; there is teams and url",
        "two targets are slack A: give all of its events to one of them",
    ],
}


@pytest.mark.parametrize("table", ["notify", "providers.notify"])
@pytest.mark.parametrize("text", ALL_AT_ONCE)
def test_all_mistakes_of_a_target_are_told_at_once(tmp_path: Path, text: str, table: str) -> None:
    found = mistakes(
        tmp_path,
        text.replace("TABLE", table),
        A="https://a.example/s3cret",
        PLAIN="http://a.example/s3cret",
    )
    key = table.replace("providers", "providers[1]")
    expected = ALL_AT_ONCE[text]
    assert len(found) == len(expected), found
    for one in expected:
        assert any(line.startswith((f"{key}.{one}", f"{key}: {one}")) for line in found), (one, found)
    assert "s3cret" not in str(found)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]:8/x", "https://a.b/x?y=z"]
)
def test_http_is_for_this_machine(tmp_path: Path, url: str) -> None:
    file = tmp_path / "c.toml"
    file.write_text(CONFIG + '[[notify.targets]]\nurl = { env = "A" }')
    assert load(file, {"A": url}).notify.targets


def test_no_child_process_gets_the_secrets_of_targets() -> None:
    provider = {
        "name": "P",
        "repository": "a/p",
        "base_url": "http://127.0.0.1:1",
        "version": "1",
        "notify": {"targets": [{"url": {"env": "CHANGES"}, "headers": {"X": {"env": "MORE"}}}]},
    }
    document: dict[str, Any] = {
        "broker": {"url": "http://127.0.0.1:9"},
        "providers": [provider],
        "notify": {"targets": [{"slack": {"env": "SLACK_WEBHOOK"}}]},
    }
    settings = Settings.model_validate(document)
    environment = {"SLACK_WEBHOOK": "https://a", "CHANGES": "https://b", "MORE": "c", "PATH": "/bin"}
    worker = WorkerConfiguration(settings, BrokerAccess("http://127.0.0.1:9"), environment, {})
    assert worker.environment_of_children() == {"PATH": "/bin"}
    shown = document_of(
        settings, tokens={}, api_tokens={}, webhook_secret=False, github=None, database="none"
    )
    assert (
        "told of changes",
        "slack from the variable SLACK_WEBHOOK (broken, healed, unverifiable, refused)",
    ) in [*lines_of(shown)]
