"""`setup --write-workflow`: the provider's workflow, from an example, into the repository in hand."""

from __future__ import annotations

import json
import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.credentials import broker_access
from app.commands.runner import CommandFailed, ExitCode
from app.commands.setup.request import RECEIVER
from app.commands.webhook_templates import PACT_CHANGED_FILE, REQUIRING_VERIFICATION_FILE
from broker.events import WebhookEvent
from broker.text.harmless import one_line
from verifier.environment import BROKER_PASSWORD, BROKER_TOKEN, BROKER_USERNAME
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from app.commands.runner import Messages
    from broker.http.access import BrokerAccess

WORKFLOWS = Path(".github") / "workflows"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*|https?://[A-Za-z0-9.:/_-]+")
_TOKEN_LINE = re.compile(rf"^( +)(broker-token|{BROKER_TOKEN}): .*$", re.MULTILINE)


def run(options: argparse.Namespace, messages: Messages) -> int:
    """Write the workflow, and say what is next.

    Raises:
        UsageError: An option is missing, or can't stand in a workflow.
        CommandFailed: There is no repository in hand, or another file is there, which is to stay.
    """
    _check(options)
    access = broker_access(options, messages)
    name = (
        REQUIRING_VERIFICATION_FILE
        if WebhookEvent.REQUIRING_VERIFICATION in (options.event or ())
        else PACT_CHANGED_FILE
    )
    text = filled(_example(name), options.provider, access)
    root = _repository(Path.cwd())
    file = root / WORKFLOWS / name if options.write_workflow is True else Path(options.write_workflow)
    try:
        _write(file, text)
    except OSError as error:
        text = f"{file} can't be written: {error.strerror}"
        raise CommandFailed(ExitCode.FAILED, text) from error
    for line in _next_steps(text, access):
        print(line)
    return ExitCode.DONE


def _write(file: Path, text: str) -> None:
    """Write the file, unless it is there with the same text or is to stay.

    Raises:
        CommandFailed: Another one is to stay.
        OSError: It can't be written.
    """
    if file.exists() and file.read_text(encoding="utf-8", errors="replace") == text:
        print(f"{one_line(str(file))} is there already, as it would be written.")
        return
    if file.exists():
        _ask_to_replace(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    print(f"Wrote {one_line(str(file))}.")


def filled(example: str, provider: str, access: BrokerAccess) -> str:
    """Return an example workflow for a provider and a broker.

    Args:
        example: The text of the example.
        provider: The name of the provider.
        access: The broker, and the kind of credentials that it wants.
    """
    text = re.sub(
        r"^( +provider:) .*$", lambda match: f"{match[1]} {_scalar(provider)}", example, flags=re.MULTILINE
    )
    text = re.sub(
        r"^( +pact-broker-base-url:) .*$",
        lambda match: f"{match[1]} {_scalar(access.base_url)}",
        text,
        flags=re.MULTILINE,
    )
    return _TOKEN_LINE.sub(_user_and_password, text) if access.username else text


def _check(options: argparse.Namespace) -> None:
    if options.target == RECEIVER:
        raise UsageError("--write-workflow is for GitHub: a receiver verifies by itself")
    if options.plan or options.wait is not None or options.json:
        raise UsageError("--write-workflow does nothing else: leave out --plan, --wait and --json")
    if not options.provider:
        raise UsageError("--provider is missing: the provider's name")
    if "${{" in options.provider:
        raise UsageError("--provider has ${{ in it, which a workflow would take for an expression")


def _example(name: str) -> str:
    """Return an example workflow; in this project's repository it is a link to that of `examples/workflows`."""
    return (files("app.commands.setup") / "workflows" / name).read_text(encoding="utf-8")


def _repository(folder: Path) -> Path:
    """Return the top of the checkout that a folder is in."""
    for one in (folder, *folder.parents):
        if (one / ".git").exists():
            return one
    raise CommandFailed(
        ExitCode.FAILED,
        f"{folder} is in no checkout of a git repository: run it in the provider's, where the workflow belongs",
    )


def _ask_to_replace(file: Path) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandFailed(
            ExitCode.FAILED,
            f"{file} is there already, and another one: it was left as it is. Name another file "
            "(--write-workflow FILE), or run it on a terminal, where it asks",
        )
    print(
        f"{one_line(str(file))} is there already, and another one. Replace it? [y/N] ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandFailed(ExitCode.FAILED, "nothing was written")


def _next_steps(text: str, access: BrokerAccess) -> Sequence[str]:
    secrets = (BROKER_USERNAME, BROKER_PASSWORD) if access.username else (BROKER_TOKEN,)
    steps = [
        "Put in what your provider needs to start: provider-command, provider-states-setup-url, the steps before."
    ]
    if "OWNER/" in text:
        steps.append("Put the account that pact-dispatch is hosted under in the place of OWNER.")
    steps += [
        f"In the repository's settings, Secrets and variables, Actions, add {' and '.join(secrets)}.",
        "Commit it, and push it to the default branch: GitHub takes it from there alone.",
        "Then run pact-dispatch setup again, without --write-workflow.",
    ]
    return ["Next:", *(f"{number}. {step}" for number, step in enumerate(steps, start=1))]


def _scalar(text: str) -> str:
    """Return a text as YAML has it; JSON's form of it is YAML's, too."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _user_and_password(match: re.Match[str]) -> str:
    """Return the lines for a user name and a password in the place of that for a token."""
    lines = []
    for variable in (BROKER_USERNAME, BROKER_PASSWORD):
        name = variable if match[2].isupper() else variable.removeprefix("PACT_").lower().replace("_", "-")
        lines.append(f"{match[1]}{name}: ${{{{ secrets.{variable} }}}}")
    return "\n".join(lines)
