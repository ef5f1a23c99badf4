"""What `serve` gives to the processes that it supervises."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from app.cli import main
from app.command_line import parser
from app.commands.serve import command
from app.config.variables import OF_THE_WEB_SIDE, SECRETS
from tests.support.receiver import configuration, with_providers_as_this_account
from verifier.environment import BROKER_TOKEN

if TYPE_CHECKING:
    from pathlib import Path

LONG = "a-token-that-is-long-enough"


def test_each_process_gets_only_the_secrets_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    given = {
        "PACT_DISPATCH_TOKENS": f"broker:{LONG}",
        "PACT_DISPATCH_API_TOKENS": f"me:{LONG}-2",
        "PACT_DISPATCH_WEBHOOK_SECRET": LONG,
        "PACT_DISPATCH_GITHUB_TOKEN": LONG,
        "PACT_BROKER_TOKEN_FILE": str(tmp_path / "token"),
        "KEY_OF_THE_PROVIDER": LONG,
        "DATABASE_URL": database_url,
    }
    (tmp_path / "token").write_text(LONG)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    started = {"command": "run", "version": "1", "environment": {"KEY": {"env": "KEY_OF_THE_PROVIDER"}}}
    config = tmp_path / "pact-dispatch.toml"
    config.write_text(with_providers_as_this_account(configuration("http://broker.test", started)))
    supervisor = Mock()
    monkeypatch.setattr(command, "Supervisor", supervisor)
    monkeypatch.setattr(command, "configure", Mock())
    options = ("--bind", "127.0.0.1:0", "--log-level", "Error")
    assert main(["serve", "--config", str(config), "--data-dir", str(tmp_path), *options]) == 0
    for call in supervisor.return_value.add.call_args_list:
        assert parser().parse_args(call.args[1]).log_level == "error"
    added = {call.args[0]: call.kwargs["environment"] for call in supervisor.return_value.add.call_args_list}
    web, worker = ({name for name in given if name in added[process]} for process in ("web", "worker 1"))
    assert web == {*OF_THE_WEB_SIDE, "DATABASE_URL"}
    assert worker == set(given) - set(OF_THE_WEB_SIDE)
    assert BROKER_TOKEN not in os.environ
    assert added["web"]["PATH"] == added["worker 1"]["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize("command_name", ["serve", "web", "worker"])
def test_each_process_takes_the_level_of_its_log(command_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parser().parse_args([command_name]).log_level == "info"
    monkeypatch.setenv("PACT_DISPATCH_LOG_LEVEL", "warning")
    assert parser().parse_args([command_name]).log_level == "warning"
    assert parser().parse_args([command_name, "--log-level", "debug"]).log_level == "debug"
    monkeypatch.setenv("PACT_DISPATCH_LOG_LEVEL", "loud")
    with pytest.raises(SystemExit) as left:
        parser().parse_args([command_name])
    assert left.value.code == 2
