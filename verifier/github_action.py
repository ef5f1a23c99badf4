"""The `verify` command as the GitHub Action runs it: `python -I -m verifier.github_action`.

The Action's inputs are one JSON object in the environment, so that no value passes through a shell or a command line.
Each input has the name of the option of `verify` that it stands for.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from broker.text.redaction import Redaction
from broker.text.secret_names import is_secret_name
from broker.text.terminal import guard_terminal, unguarded
from verifier.cli import code_of, end, run
from verifier.command.execution import refuse
from verifier.environment import (
    BROKER_KEY_PASSWORD,
    BROKER_PASSWORD,
    BROKER_TOKEN,
    PROVIDER_KEY_PASSWORD,
    PUBLISH_RESULTS,
)
from verifier.errors import UsageError
from verifier.report.workflow_commands import masks
from verifier.undumpable import become_undumpable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

INPUTS = "PACT_DISPATCH_INPUTS"
SECRETS = (
    "broker-password",
    "broker-token",
    "broker-client-key-password",
    "provider-client-key-password",
)
SECRET_VARIABLES = (BROKER_PASSWORD, BROKER_TOKEN, BROKER_KEY_PASSWORD, PROVIDER_KEY_PASSWORD)
PUBLISH = "publish-verification-results"
HEADERS = ("custom-provider-header", "pact-broker-alias", "provider-states-header")
LISTS = frozenset(
    {
        "consumer-version-selectors",
        "consumer-version-tags",
        "custom-provider-header",
        "filter-consumer",
        "pact-url",
        "pact-broker-alias",
        "provider-states-header",
        "provider-version-tag",
        "transport",
    }
)
"""Inputs with one value per line."""
SWITCHES = frozenset(
    {
        "disable-ssl-verification",
        "enable-pending",
        "exit-on-first-error",
        "filter-no-state",
        "ignore-no-pacts-error",
        "last-failed",
        "provider-states-teardown",
        "publish-without-states",
        "quiet",
        "state-change-as-query",
        "unconfined-provider",
        "verbose",
    }
)
"""Inputs that are true or false, for options without a value."""


def main() -> NoReturn:
    """Run `verify` with the Action's inputs, and exit with its exit code."""
    end(code_of(_verify))


def _verify() -> int:
    # The provider doesn't inherit the inputs, and can't read them where the kernel keeps this process's environment.
    become_undumpable()
    guard_terminal()
    inputs = read_inputs(os.environ.pop(INPUTS, "{}"))
    secrets = [*(inputs.get(name) for name in SECRETS), *(os.environ.get(name) for name in SECRET_VARIABLES)]
    for name in HEADERS:
        secrets += header_secrets(inputs.get(name, "").splitlines())
    for line in masks(Redaction(secrets).secrets):
        # as it is, for the runner, which shows the secret as ***
        print(line, file=unguarded(sys.stdout), flush=True)
    try:
        arguments = to_arguments(inputs, os.environ)
    except UsageError as error:
        return refuse(error)
    return run(arguments)


def read_inputs(text: str) -> dict[str, str]:
    """Return the inputs that are not empty."""
    return {name: value for name, value in json.loads(text).items() if value.strip()}


def header_secrets(headers: Iterable[str]) -> list[str]:
    """Return the values of the headers that are secrets."""
    parts = [header.partition(":") for header in headers]
    return [value for name, _, value in parts if is_secret_name(name)]


def to_arguments(inputs: Mapping[str, str], environment: Mapping[str, str]) -> list[str]:
    """Return the command line of `verify` for the inputs.

    The result is published unless an input or the environment says otherwise, and there is always a JSON report.

    Raises:
        UsageError: An input must be true or false and is neither.
    """
    given = dict(inputs)
    if not environment.get(PUBLISH_RESULTS):
        given.setdefault(PUBLISH, "true")
    arguments = []
    for name, value in given.items():
        if name == PUBLISH:
            arguments.append(f"--{name}" if _is_true(name, value) else f"--no-{name}")
        elif name in SWITCHES:
            arguments += [f"--{name}"] if _is_true(name, value) else []
        elif name in LISTS:
            arguments += [f"--{name}={line.strip()}" for line in value.splitlines() if line.strip()]
        else:
            arguments.append(f"--{name}={value}")
    if "json" not in given:
        # in the runner's folder, which it empties itself: a later step may upload the report
        folder = tempfile.mkdtemp(prefix="pact-dispatch-report-", dir=environment.get("RUNNER_TEMP"))
        arguments.append(f"--json={Path(folder) / 'verification.json'}")
    return arguments


def _is_true(name: str, value: str) -> bool:
    if value.strip().lower() not in {"true", "false"}:
        raise UsageError(f"the input {name} must be true or false, not {value!r}")
    return value.strip().lower() == "true"


if __name__ == "__main__":
    main()
