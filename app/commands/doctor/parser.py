"""`pact-dispatch doctor`: why is `can-i-deploy` still waiting?"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from app.commands import COULD_NOT_START
from app.commands import broker_options as broker_access
from app.commands.options import add_github_url

if TYPE_CHECKING:
    from app.commands import Commands
    from app.commands.doctor.chain import Question

BROKEN = 1
WRONG_COMMAND = 2
INTERRUPTED = 130
RETRY_SECONDS = 3.0
"""How long one question to a broker that is away is tried: someone is waiting."""
LONGEST_SECONDS = 120.0
"""How long the broker is asked in all."""

DESCRIPTION = """\
Why is can-i-deploy still waiting? Looks at each link of the chain from a changed pact to its result, in order, and
names the first that is broken, and how to mend it. It only reads.

  pact -> the provider's versions -> webhook -> delivery -> GitHub's token, repository, workflow and runs -> result
                                                         or the receiver, its deliveries and runs -> result

Each link is ok, a warning (the chain holds, or it is not over yet), broken, or unknown: it could not be looked at, and
what is needed for that is said.
"""

EPILOG = """\
examples:
  the latest pact of each consumer with the provider Products:
    pact-dispatch doctor --provider Products

  the version whose can-i-deploy is waiting, with all its providers:
    pact-dispatch doctor --consumer Storefront --version 1.0.0

  with GitHub's side of it (the token only needs to read; best of all it is the webhook's own):
    PACT_DISPATCH_GITHUB_TOKEN=... pact-dispatch doctor --consumer Storefront --version 1.0.0

  with a receiver's side of it:
    PACT_DISPATCH_API_TOKEN=... pact-dispatch doctor --provider Products --receiver-url https://dispatch.example.org

environment:
  PACT_DISPATCH_GITHUB_TOKEN   (else GITHUB_TOKEN) goes to --github-url and nowhere else
  PACT_DISPATCH_API_TOKEN      goes to --receiver-url and nowhere else

exit codes:
  0  no broken link was found
  1  there is one; it is named at the end
  2  the command is wrong
  3  the broker could not be asked
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "doctor",
        help="find out why can-i-deploy is still waiting",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    asked = parser.add_argument_group("what to look at")
    asked.add_argument("--provider", metavar="NAME", help="the latest pact of each of its consumers")
    asked.add_argument("--consumer", metavar="NAME", help="the consumer whose version is waiting")
    asked.add_argument("--version", metavar="VERSION", help="that version; with --provider that pact alone")
    add_github_url(parser, default="https://api.github.com")
    parser.add_argument("--receiver-url", metavar="URL", help="where the receiver listens, seen from here")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    broker_access.add_to(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    # --help needs none of it
    from app.commands.doctor.chain import examine  # noqa: PLC0415
    from app.commands.doctor.report import write_json, write_text  # noqa: PLC0415
    from broker.client.reading import ReadingClient  # noqa: PLC0415
    from verifier.errors import UsageError  # noqa: PLC0415
    from verifier.redaction import Redaction  # noqa: PLC0415
    from verifier.report.text import one_line  # noqa: PLC0415

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    hidden: list[str | None] = []

    def say(text: str) -> None:
        print(f"pact-dispatch doctor: {one_line(Redaction(hidden).text(text))}", file=sys.stderr)

    try:
        question = _question(options)
        hidden += [question.github_token, question.api_token]
        access = broker_access.access_of(options, os.environ)
        hidden += [access.password, access.token]
        deadline = time.monotonic() + LONGEST_SECONDS
        with ReadingClient(access, retry_time=RETRY_SECONDS, deadline=deadline, on_retry=say) as client:
            report = examine(client, question)
        write = write_json if options.json else write_text
        write(report, Redaction(hidden).text, sys.stdout)
        sys.stdout.flush()
    except UsageError as error:
        say(str(error))
        return WRONG_COMMAND
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # who read the output has seen enough; Python's own last flush must not complain of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COULD_NOT_START
    first = report.first_broken
    if first is not None and first[1].id != "broker":
        return BROKEN
    return COULD_NOT_START if report.broker_away else 0


def _question(options: argparse.Namespace) -> Question:
    from app.commands.doctor.chain import Question  # noqa: PLC0415
    from broker.http.origin import Origin  # noqa: PLC0415
    from verifier.errors import UsageError  # noqa: PLC0415

    if not options.provider and not options.consumer:
        raise UsageError("what to look at? Give --provider NAME, or --consumer NAME and --version VERSION")
    if bool(options.consumer) != bool(options.version):
        raise UsageError("--consumer and --version go together")
    for name in ("provider", "consumer", "version"):
        if getattr(options, name) in {".", ".."}:
            raise UsageError(
                f"--{name} {getattr(options, name)} can't be asked about: in a URL it means another place"
            )
    for option in ("github_url", "receiver_url"):
        value = getattr(options, option)
        try:
            if value is not None:
                Origin.of(value)
        except ValueError as error:
            raise UsageError(f"--{option.replace('_', '-')}: {error}") from error
    return Question(
        options.consumer or None,
        options.version or None,
        options.provider or None,
        github_url=options.github_url,
        github_token=_token("PACT_DISPATCH_GITHUB_TOKEN") or _token("GITHUB_TOKEN"),
        receiver_url=options.receiver_url,
        api_token=_token("PACT_DISPATCH_API_TOKEN"),
    )


def _token(variable: str) -> str | None:
    from verifier.errors import UsageError  # noqa: PLC0415

    value = os.environ.get(variable, "").strip()
    if value and not (value.isascii() and value.isprintable() and " " not in value):
        raise UsageError(f"{variable}: a token is printable ASCII without spaces, and this one isn't")
    return value or None
