"""Runs git without prompts, without hooks, and without showing credentials."""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from typing import TYPE_CHECKING

from app.process.environment import child_environment
from app.provider.checkout.failure import REMOTE_REFUSED, REMOTE_UNAVAILABLE, CheckoutFailed
from app.provider.checkout.remote import SCHEMES
from broker.text.redacted_lines import redacted_output
from broker.text.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from app.provider.checkout.process import Supervision
    from app.provider.checkout.remote import Remote

OUTPUT_LINES = 20
CONNECT_SECONDS = 30
SILENT_SECONDS = 60
"""After so long without data from the remote, git gives up."""

_CONFIGURATION = (
    ("advice.detachedHead", "false"),
    ("core.fsmonitor", "false"),  # it would leave a daemon
    ("core.hooksPath", os.devnull),
    ("fetch.unpackLimit", "1"),  # a pack is there as a whole or not at all, loose objects one by one
    ("gc.auto", "0"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", str(SILENT_SECONDS)),
    ("maintenance.auto", "false"),
    ("safe.directory", "*"),
    ("submodule.recurse", "false"),
)
_KEPT = re.compile(r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|SSL_\w+|PROXY_COMMAND|CONFIG_\w+|EXEC_PATH|HTTP_\w+)")
"""The variables of git's that it gets; others name another repository, or have it print what it sends."""
_USERNAME, _PASSWORD = "PACT_DISPATCH_GIT_USERNAME", "PACT_DISPATCH_GIT_PASSWORD"
_CREDENTIALS = (
    f'!f() {{ test "$1" = get && printf "username=%s\\npassword=%s\\n" "${_USERNAME}" "${_PASSWORD}"; }}; f'
)
"""A credential helper: credentials in a URL would be in the command lines of git's processes."""

NO_SUCH = re.compile(
    r"not our ref|unadvertised object|couldn't find remote ref|want [0-9a-f]+ not valid|TF401035"
    r"|cannot obtain needed object",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"authentication failed|could not read (username|password)|permission denied|access denied|host key verif"
    r"|returned error: 40[0-7]|repository .*not found|does not appear to be a git repository|does not exist"
    r"|transport .* not allowed|certificate|dubious ownership",
    re.IGNORECASE,
)
DAMAGED = re.compile(
    r"\.lock': File exists|is corrupt|is empty|bad object|unable to read |missing (blob|tree|commit|object)"
    r"|not a git repository: |inflate|packfile .* (cannot|does not)|unable to parse",
    re.IGNORECASE,
)


class GitFailed(Exception):
    """A git command failed.

    Attributes:
        output: The last lines of its standard error, without credentials.
    """

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output

    @property
    def damaged(self) -> bool:
        """Whether the local repository is the reason, not the remote."""
        return any(
            DAMAGED.search(line) for line in self.output.splitlines() if not line.startswith("remote:")
        )

    @property
    def no_such(self) -> bool:
        """Whether the remote has nothing of that name, or doesn't send it by that name."""
        return NO_SUCH.search(self.output) is not None

    def as_failure(self, remote: Remote) -> CheckoutFailed:
        """Return what it means for a checkout."""
        reason = next((line for line in self.output.splitlines() if "fatal:" in line), self.output)
        if _REFUSED.search(self.output):
            return CheckoutFailed(
                f"{remote.url} could not be fetched: {reason}: check the URL, and the access of the account that the "
                "worker runs as",
                kind=REMOTE_REFUSED,
                output=self.output,
            )
        return CheckoutFailed(
            f"{remote.url} could not be fetched: {reason}",
            kind=REMOTE_UNAVAILABLE,
            retryable=True,
            output=self.output,
        )


class Git:
    """Runs git commands for one remote, in one folder."""

    def __init__(
        self, remote: Remote, folder: Path, environment: Mapping[str, str], supervision: Supervision
    ) -> None:
        self._redaction = Redaction(remote.secrets)
        self._folder = folder
        self._supervision = supervision
        self._doing = f"git worked on {remote.url}"
        self._environment = _environment(remote, environment)

    def run(self, *arguments: str) -> list[str]:
        """Run a command, and return the lines that it printed.

        Raises:
            GitFailed: The command failed.
            CheckoutFailed: Time ran out, or git is not installed.
        """
        lines: list[str] = []
        errors: deque[str] = deque(maxlen=OUTPUT_LINES)
        try:
            code = self._supervision.run(
                ("git", *arguments),
                doing=self._doing,
                folder=self._folder,
                environment=self._environment,
                on_line=lines.append,
                on_error_line=errors.append,
            )
        except FileNotFoundError as error:
            if error.filename != "git":
                raise
            raise CheckoutFailed(
                "git is not there: install git 2.31 or later on the worker's machine"
            ) from error
        if code != 0:
            output = redacted_output(self._redaction, "\n".join(errors).strip())
            raise GitFailed(output or f"git {arguments[0]} ended with exit code {code}")
        return lines


def _environment(remote: Remote, configured: Mapping[str, str]) -> dict[str, str]:
    environment = {
        name: value
        for name, value in (child_environment(os.environ) | dict(configured)).items()
        if not name.startswith("GIT_") or _KEPT.fullmatch(name)
    }
    environment |= {
        "GIT_ALLOW_PROTOCOL": ":".join(SCHEMES),
        "GIT_ASKPASS": configured.get("GIT_ASKPASS", ""),  # that of a desktop would open a window
        "GIT_TERMINAL_PROMPT": "0",
        "SSH_ASKPASS_REQUIRE": "never",
        "LC_ALL": "C",
    }
    configuration = list(_CONFIGURATION)
    if remote.username is not None:
        # only for the remote's origin, since a redirect may lead to another; the empty one removes other helpers
        helper = f"credential.{remote.origin}.helper"
        configuration += [(helper, ""), (helper, _CREDENTIALS)]
        environment |= {
            _USERNAME: remote.username,
            _PASSWORD: remote.password or "",
        }
    if remote.by_ssh:
        environment |= _without_questions(environment)
    return environment | _as_variables(configuration, environment)


def _without_questions(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables with which ssh, however it is configured, never prompts."""
    if "GIT_SSH" in environment and "GIT_SSH_COMMAND" not in environment:
        return {}  # a program that may take no options; without a terminal it can't prompt either
    command = environment.get("GIT_SSH_COMMAND")
    if not command:
        configured = subprocess.run(
            ("git", "config", "--global", "core.sshCommand"),  # noqa: S607 - the git of the PATH, as everywhere
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        command = configured.stdout.strip() or "ssh"
    options = (
        f"-o BatchMode=yes -o ConnectTimeout={CONNECT_SECONDS} -o ServerAliveInterval={SILENT_SECONDS // 3}"
    )
    return {"GIT_SSH_COMMAND": f"{command} {options}"}


def safe_directory(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables with which git reads a repository of another account.

    Args:
        environment: Those that there are.
    """
    return _as_variables([("safe.directory", "*")], environment)


def _as_variables(configuration: Sequence[tuple[str, str]], environment: Mapping[str, str]) -> dict[str, str]:
    """Return git configuration as variables, which no process list shows, after those that exist."""
    first = int(environment.get("GIT_CONFIG_COUNT") or 0)
    variables = {"GIT_CONFIG_COUNT": str(first + len(configuration))}
    for number, (name, value) in enumerate(configuration, start=first):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables
