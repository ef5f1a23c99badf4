"""The options of the `verify` command, and the text of its help."""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from typing import NoReturn

from verifier.errors import UsageError

DESCRIPTION = """\
Verify one pact against its provider, and publish the result, confirmed.

The pact is fetched from the broker (only this one), replayed against the provider by pact-python, and the
result is published to the broker if you ask for it. A provider that is down is never taken for a broken contract.
"""

EPILOG = """\
examples:
  a pact URL in hand, a provider that is running:
    verify --pact-url http://127.0.0.1:9292/pacts/provider/Products/consumer/Storefront/latest \\
           --provider-base-url http://127.0.0.1:8080

  start the provider, set its states up by URL, publish the result:
    verify --pact-url "$PACT_URL" --pact-broker-base-url https://broker.example.org \\
           --provider-command 'flask --app products run --port {port}' \\
           --provider-states-setup-url 'http://127.0.0.1:{port}/_states' \\
           --provider-app-version "$(git rev-parse HEAD)" --provider-version-branch main \\
           --publish-verification-results

  in a GitHub workflow on: repository_dispatch, the pact, the commit and the branch come from the event:
    verify --provider Products --provider-command 'npm start' \\
           --provider-states-setup-url 'http://127.0.0.1:{port}/_states' --publish-verification-results

exit codes:
  0  every interaction passed (and the result is in the broker, if publishing was asked for)
  1  the contract is broken (likewise)
  2  the command or its configuration is wrong
  3  could not verify: no pact, or the provider could not be reached; nothing is published
  4  verified, but the broker did not take the result

Broker credentials are best given by the environment: a command line can be seen by others on the machine.
"""


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line.

    Raises:
        UsageError: It is wrong.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.pact and options.pact_url:
        parser.error("the pact is given twice: as the argument and by --pact-url")
    options.pact_url = options.pact_url or options.pact
    del options.pact
    return options


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = _Parser(
        prog="verify",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="verify [--pact-url] URL (--provider-base-url URL | --provider-command CMD) [options]",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    _pact_options(parser)
    _provider_options(parser)
    _result_options(parser)
    _run_options(parser)
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        options = [option for action in self._actions for option in action.option_strings]
        near = [
            match
            for word in message.partition("unrecognized arguments: ")[2].split()
            for match in get_close_matches(word.partition("=")[0], options, n=1)
        ]
        did_you_mean = f"; did you mean {', '.join(near)}?" if near else ""
        raise UsageError(f"{message}{did_you_mean} See {self.prog} --help")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - slow, and seldom needed

        print(f"pact-dispatch {version('pact-dispatch')}")
        parser.exit()


def _pact_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the pact")
    group.add_argument("pact", nargs="?", metavar="URL", help="the same as --pact-url")
    group.add_argument(
        "--pact-url",
        metavar="URL",
        help="the pact: a URL in the broker, or a file for a dry run "
        "(PACT_URL; on GitHub client_payload.pact_url of the event)",
    )
    group.add_argument(
        "--provider", metavar="NAME", help="the pact must be this provider's (PACT_PROVIDER_NAME)"
    )
    group.add_argument(
        "--filter-description",
        metavar="RE",
        help="only interactions whose description has this regular expression; "
        "never published (PACT_DESCRIPTION)",
    )
    group.add_argument(
        "--filter-state",
        metavar="RE",
        help="only interactions with such a provider state; '' for those without (PACT_PROVIDER_STATE)",
    )
    group = parser.add_argument_group("the broker")
    group.add_argument(
        "--pact-broker-base-url",
        metavar="URL",
        help="the broker; credentials go there and nowhere else (PACT_BROKER_BASE_URL)",
    )
    group.add_argument("--broker-username", metavar="NAME", help="of basic auth (PACT_BROKER_USERNAME)")
    group.add_argument("--broker-password", metavar="PASSWORD", help="of basic auth (PACT_BROKER_PASSWORD)")
    group.add_argument("--broker-token", metavar="TOKEN", help="a bearer token (PACT_BROKER_TOKEN)")


def _provider_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the provider")
    group.add_argument(
        "--provider-base-url", metavar="URL", help="one that is running (PACT_PROVIDER_BASE_URL)"
    )
    group.add_argument(
        "--provider-command",
        metavar="CMD",
        help="one to start and stop, without a shell; {port} and $PORT are a free port (PACT_PROVIDER_COMMAND)",
    )
    group.add_argument("--provider-dir", metavar="DIR", help="where the command runs (the current folder)")
    group.add_argument(
        "--provider-health-path",
        metavar="PATH",
        help="the provider is ready when this answers with a status under 500 (/)",
    )
    group.add_argument(
        "--wait", metavar="SECONDS", type=float, help="how long it may take to become ready (30)"
    )
    group.add_argument(
        "--provider-states-setup-url",
        metavar="URL",
        help='where {"state", "action", "params"} is posted before an interaction; {port} as in the command '
        "(PACT_PROVIDER_STATES_SETUP_URL)",
    )
    group.add_argument(
        "--provider-states-teardown",
        action="store_true",
        default=None,
        help="post it with the action teardown afterwards, too",
    )
    group.add_argument(
        "--provider-states",
        metavar="FILE.py:NAME",
        help="or set states up in Python: a dict of functions by state name, or one function",
    )
    group.add_argument(
        "--custom-provider-header",
        metavar="'N: V'",
        action="append",
        help="a header for each request to the provider; may be repeated",
    )
    group.add_argument(
        "--transport",
        metavar="NAME:PORT[/path]",
        action="append",
        help="where the provider takes messages, or a plugin's protocol; PORT may be {port}; may be repeated",
    )


def _result_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the result")
    group.add_argument(
        "--publish-verification-results",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="publish the result to the broker, and confirm that it is there "
        "(PACT_BROKER_PUBLISH_VERIFICATION_RESULTS; off)",
    )
    group.add_argument(
        "--provider-app-version",
        metavar="V",
        help="the version of the provider that answers (GIT_COMMIT; on GitHub client_payload.sha, or GITHUB_SHA)",
    )
    group.add_argument(
        "--provider-version-branch",
        metavar="B",
        help="its branch (GIT_BRANCH; on GitHub client_payload.branch, or GITHUB_REF_NAME)",
    )
    group.add_argument(
        "--provider-version-tag", metavar="T", action="append", help="a tag for it; may be repeated"
    )
    group.add_argument(
        "--build-url", metavar="URL", help="the build, for the broker to show (on GitHub the run's)"
    )
    for name, what in (
        ("--json", "everything, for machines"),
        ("--junit", "JUnit XML"),
        ("--html", "a page to read"),
    ):
        group.add_argument(name, metavar="FILE", help=f"write a report: {what}; - is standard output")


def _run_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--jobs",
        metavar="N",
        type=int,
        help="interactions verified at once (1: they share the provider's states)",
    )
    group.add_argument("--timeout", metavar="SECONDS", type=float, help="of the whole run (1800)")
    group.add_argument(
        "--request-timeout", metavar="SECONDS", type=float, help="of one request to the provider (5)"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="only what did not pass, and the end")
    group.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="where each value comes from, each step, each interaction, the provider's output",
    )
