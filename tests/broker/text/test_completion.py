"""Completion of both commands, by a real shell."""

from __future__ import annotations

import subprocess

import pytest

from broker.text.completion import SHELLS
from tests.support.running import BIN, environment


def completions(*words: str) -> list[str]:
    """What bash offers for the last of the words, having been told by the command itself."""
    script = (
        'source <("$1" --print-completion bash); shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n'
        'complete=$(complete -p "$1"); function=${complete#*-F }; ${function%% *} "$1" "${@: -1}" "${@: -2:1}"\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script, "bash", str(BIN / words[0]), *words],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
        cwd=BIN,
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("verify", "--exit"), ["--exit-on-first-error"]),
        (("verify", "--log-level", "de"), ["debug"]),
        (("verify", "--json", "pact-disp"), ["pact-dispatch"]),
        (("pact-dispatch", "recon"), ["reconcile"]),
        (("pact-dispatch", "verify", "--filter-no"), ["--filter-no-state"]),
        (("pact-dispatch", "webhooks", "upd"), ["update"]),
    ],
)
def test_a_shell_completes_commands_options_and_values(words: tuple[str, ...], offered: list[str]) -> None:
    assert completions(*words) == offered


@pytest.mark.parametrize("program", ["verify", "pact-dispatch"])
@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_each_shell(program: str, shell: str) -> None:
    command = [str(BIN / program), "--print-completion", shell]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    assert "filter-no-state" in done.stdout
