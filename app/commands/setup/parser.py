"""`pact-dispatch setup`: set up token, webhook and workflow, in one command."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from app.commands.options import add_broker_options, add_github_url

if TYPE_CHECKING:
    from app.commands import Commands

WAIT_SECONDS = 600.0

DESCRIPTION = """\
Create and test the webhook that tells a provider's repository, or the receiver, when a pact changes. It is safe to
repeat: what is right stays as it is, and a new token replaces the old one.

The steps, each with what was found, what was done, and what you can do if it failed:
  token      the GitHub token: the repository is there, the token may dispatch, when it expires
  secret     the token becomes a secret of the broker (PactFlow, pact-dispatch broker)
  webhook    the broker's webhook is created or corrected
  test       the broker sends it once, with the latest pact: a real dispatch
  workflow   a workflow on the default branch is triggered by it, and enabled
  run        with --wait: the run that the test started appears, and succeeds
With --target receiver the first step is this, and there is no step workflow:
  receiver   it is up, and accepts the token and the repository

The workflow must be on the default branch first: --write-workflow writes one into the repository that you are in.
"""

EPILOG = """\
the token is taken from the environment or from a file, never from the command line:
  for GitHub    PACT_DISPATCH_GITHUB_TOKEN, else GITHUB_TOKEN; for the repository alone, with Contents: read and write \
(--wait: and Actions: read). A workflow's own GITHUB_TOKEN lives for an hour: it won't do
  for --target workflow-dispatch    the same variables; Actions: read and write, and Contents: read. It can't push
  for --target receiver    PACT_DISPATCH_RECEIVER_TOKEN: one of its PACT_DISPATCH_TOKENS, without NAME:
  each also as ..._FILE, the file that it stands in, or by --token-file
  --wait with --target receiver asks the receiver's API: PACT_DISPATCH_API_TOKEN is one of its PACT_DISPATCH_API_TOKENS

examples:
  put a workflow into the provider's repository, in a checkout of it; then commit and push it:
    pact-dispatch setup --provider Products --write-workflow

  see what there is and what would be done:
    pact-dispatch setup --repository acme/products --provider Products --plan

  do it, and wait until the first run has succeeded:
    pact-dispatch setup --repository acme/products --provider Products --wait

  verify each provider version that lacks a result, at its commit:
    pact-dispatch setup --repository acme/products --provider Products \\
        --event contract_requiring_verification_published

  have the broker hold a token that can start workflows, and can't push:
    pact-dispatch setup --target workflow-dispatch --repository acme/products --provider Products

  have a receiver do it:
    pact-dispatch setup --target receiver --receiver-url https://dispatch.example.org \\
        --repository acme/products --provider Products

exit codes:
  0  every step is well; with --wait also if the run has found that the latest pact fails (state "warning").
     With --write-workflow: it is written
  1  a step failed: the first one is named, with what to do
  2  the command is wrong
  3  could not: the broker, GitHub or the receiver is away; run it again later
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "setup",
        help="set up token, webhook and workflow, and test them; safe to repeat",
        description=DESCRIPTION,
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("--repository", metavar="OWNER/REPO", help="the provider's")
    parser.add_argument("--provider", metavar="NAME", help="the provider's name in the broker")
    parser.add_argument(
        "--consumer", metavar="NAME", help="only for its pacts (default: those of every consumer)"
    )
    parser.add_argument(
        "--event",
        action="append",
        metavar="NAME",
        help="what triggers the webhook; may be repeated (default: contract_content_changed for github, "
        "contract_requiring_verification_published for receiver)",
    )
    parser.add_argument(
        "--target",
        choices=("github", "workflow-dispatch", "receiver"),
        default="github",
        help="who gets the webhook: github by a repository_dispatch, or by a workflow_dispatch (default: github)",
    )
    parser.add_argument(
        "--workflow",
        metavar="FILE",
        help="the workflow file that a workflow_dispatch starts (default: pact_changed.yml, or "
        "contract_requiring_verification_published.yml for that event)",
    )
    parser.add_argument(
        "--ref", metavar="BRANCH", help="the branch that it runs on (default: the default branch)"
    )
    parser.add_argument("--receiver-url", metavar="URL", help="where the receiver listens")
    add_github_url(parser)
    parser.add_argument("--token-file", metavar="FILE", help="the file with the token")
    parser.add_argument(
        "--secret",
        metavar="NAME",
        help="the broker's secret for the token (default: githubToken, githubActionsToken or receiverToken)",
    )
    parser.add_argument(
        "--token-in-webhook",
        action="store_true",
        help="put the token into the webhook itself, if the broker has no secrets",
    )
    parser.add_argument("--plan", action="store_true", help="change nothing, and say what would be done")
    parser.add_argument(
        "--wait",
        nargs="?",
        const=WAIT_SECONDS,
        type=_seconds,
        metavar="SECONDS",
        help=f"wait for the run that the test starts (default: {WAIT_SECONDS:.0f} seconds at most)",
    )
    parser.add_argument(
        "--write-workflow",
        nargs="?",
        const=True,
        metavar="FILE",
        help="write the provider's workflow, and nothing else (default: below .github/workflows/ of the checkout that "
        "you are in); another one that is there is not replaced without asking",
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    add_broker_options(parser)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 24 * 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, more than 0 and at most a day")
    return seconds
