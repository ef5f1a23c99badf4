"""The options of the `verify` command, and the text of its help."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from broker.text.command_help import HelpfulParser
from broker.text.completion import add_completion_option
from verifier.errors import UsageError
from verifier.log_level import LogLevel

if TYPE_CHECKING:
    from collections.abc import Callable

DESCRIPTION = """\
Verify a pact against its provider, and publish the result, confirmed: the one that changed, or all of them.

The pact is fetched from the broker (only this one), replayed against the provider by pact-python, and the
result is published to the broker if you ask for it. A provider that is down is never taken for a broken contract.
With --provider and a broker, and no pact, every pact is verified that the broker asks for.
"""

EPILOG = """\
examples:
  a pact URL in hand, a provider that is running:
    verify --pact-url "$PACT_URL" \\
      --provider-base-url http://127.0.0.1:8080

  start the provider, set its states up by URL, publish the result:
    verify --pact-url "$PACT_URL" \\
      --pact-broker-base-url https://broker.example.org \\
      --provider-command 'flask run --port {port}' \\
      --provider-states-setup-url \\
        'http://127.0.0.1:{port}/_states' \\
      --provider-app-version "$(git rev-parse HEAD)" \\
      --provider-version-branch main \\
      --publish-verification-results

  in a GitHub workflow on: repository_dispatch, the pact, the commit and the branch come from the event:
    verify --provider Products \\
      --provider-command 'npm start' \\
      --provider-states-setup-url \\
        'http://127.0.0.1:{port}/_states' \\
      --publish-verification-results

  the provider has changed: every pact that the broker asks for:
    verify --provider Products \\
      --pact-broker-base-url https://broker.example.org \\
      --provider-command 'flask run --port {port}' \\
      --provider-app-version "$(git rev-parse HEAD)" \\
      --provider-version-branch main \\
      --enable-pending --publish-verification-results

exit codes:
  0  every interaction passed (and the result is in the broker, if publishing was asked for)
  1  the contract is broken (likewise)
  2  the command or its configuration is wrong
  3  could not verify: no pact, or the provider could not be reached; nothing is published
  4  verified, but the broker did not accept the result
Of many pacts the worst counts: 1 before 4 before 3. A pending one that fails doesn't count.

Options that are always the same may stand in [tool.pact-dispatch] of pyproject.toml, or in [verify] of
pact-dispatch.toml, in the current folder; an option or a variable comes before them.

Broker credentials are best given by the environment: a command line can be seen by others on the machine.

Where OTEL_EXPORTER_OTLP_ENDPOINT is set, a trace is sent there by OpenTelemetry (the extra otel), below TRACEPARENT.
"""


OPTION_FILES = ("pyproject.toml", "pact-dispatch.toml")
"""Files of the current folder that may have options."""


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line, and read the file of options if the current folder has one.

    Raises:
        UsageError: One of them is wrong.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.pact and options.pact_url:
        parser.error("the pact is given twice: as the argument and by --pact-url")
    options.pact_url = options.pact_url or options.pact or None
    del options.pact
    options.from_file = None
    if any(Path(name).exists() for name in OPTION_FILES):
        from verifier.command.options_file import read_file_options  # noqa: PLC0415 - only where there is one

        options.from_file = read_file_options(Path(), parser)
    return options


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = _Parser(
        prog="verify",
        description=DESCRIPTION,
        epilog=EPILOG,
        allow_abbrev=False,
        usage="verify PACT --provider-base-url URL [options]\n       verify PACT --provider-command CMD [options]\n"
        "       verify --provider NAME --provider-command CMD ...",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    add_completion_option(parser)
    _pact_options(parser)
    _selection_options(parser)
    _broker_options(parser)
    _provider_options(parser)
    _result_options(parser)
    _run_options(parser)
    return parser


NOT_TO_SUGGEST = frozenset({"-r", "--publish-verification-results"})
"""Options that a suggestion doesn't name: who takes it without reading must not publish by that."""


class _Parser(HelpfulParser):
    def error(self, message: str) -> NoReturn:
        near = self._near(message.partition("unrecognized arguments: ")[2].split())
        did_you_mean = f"; did you mean {', '.join(near)}?" if near else "."
        raise UsageError(f"{message}{did_you_mean} See {self.prog} --help")

    def _near(self, words: list[str]) -> list[str]:
        """Return the options that may have been meant by words that are none."""
        from difflib import get_close_matches  # noqa: PLC0415 - only for a command line that is wrong

        from verifier.command.names_of_pact_verifier import NAMES  # noqa: PLC0415 - likewise

        options = [option for action in self._actions for option in action.option_strings]
        near = []
        for name in (word.partition("=")[0] for word in words):
            near += [NAMES[name]] if name in NAMES else get_close_matches(name, options, n=1)
        return [option for option in dict.fromkeys(near) if option not in NOT_TO_SUGGEST]


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - slow, and seldom needed

        print(f"pact-dispatch {version('pact-dispatch')}")
        parser.exit()


class _Group:
    """A group of options in the help."""

    def __init__(self, parser: argparse.ArgumentParser, title: str) -> None:
        self._group = parser.add_argument_group(title)

    def add(self, name: str, metavar: str | None, text: str, **values: Any) -> None:
        """Add an option, with what it stands for and the text about it."""
        if metavar is not None:
            values["metavar"] = metavar
        self._group.add_argument(*name.split("/"), help=text, **values)


def _pact_options(parser: argparse.ArgumentParser) -> None:
    add = _Group(parser, "the pact").add
    add("pact", "PACT", "the same as --pact-url; there may be several", nargs="*")
    add(
        "--pact-url",
        "URL",
        "the pact: a URL in the broker, or a file or a folder of files for a dry run; may be repeated "
        "(PACT_URL; on GitHub client_payload.pact_url of the event)",
        action="append",
    )
    text = "the pact must be this provider's; without a pact, the broker says which are verified (PACT_PROVIDER_NAME)"
    add("--provider", "NAME", text)
    text = (
        "only interactions whose description has this regular expression; never published (PACT_DESCRIPTION)"
    )
    add("--filter-description", "RE", text)
    text = "only interactions with such a provider state; never published (PACT_PROVIDER_STATE)"
    add("--filter-state", "RE", text)
    text = "only interactions without a provider state; never published (PACT_PROVIDER_NO_STATE)"
    add("--filter-no-state", None, text, action="store_true", default=None)
    text = (
        "only pacts of this consumer; if it is one of another, nothing is verified (exit 3); may be repeated"
    )
    add("--filter-consumer", "NAME", text, action="append")
    text = "only interactions that did not pass in the run whose report --json has; never published"
    add("--last-failed", None, text, action="store_true", default=None)


def _selection_options(parser: argparse.ArgumentParser) -> None:
    add = _Group(parser, "what the broker is asked for, if no pact is given").add
    text = (
        "which consumer versions' pacts; may be repeated (PACT_CONSUMER_VERSION_SELECTORS; those of the main branch, "
        "those deployed or released, and the branch of the same name)"
    )
    add("--consumer-version-selectors", "JSON", text, action="append")
    text = "or the latest with these tags, with commas between; may be repeated (PACT_CONSUMER_VERSION_TAGS)"
    add("--consumer-version-tags", "TAGS", text, action="append")
    text = "a pact that the provider has never fulfilled doesn't fail the run (PACT_ENABLE_PENDING)"
    add("--enable-pending", None, text, action="store_true", default=None)
    text = "also pacts of other branches since then, as pending ones (PACT_INCLUDE_WIP_PACTS_SINCE)"
    add("--include-wip-pacts-since", "DATE", text)
    text = "exit with 0 if there is no pact to verify"
    add("--ignore-no-pacts-error", None, text, action="store_true", default=None)


def _broker_options(parser: argparse.ArgumentParser) -> None:
    add = _Group(parser, "the broker").add
    text = "the broker; credentials go there and nowhere else (PACT_BROKER_BASE_URL)"
    add("--pact-broker-base-url", "URL", text)
    text = "another base URL that it gives its links with; nothing is sent there; may be repeated (PACT_BROKER_ALIASES)"
    add("--pact-broker-alias", "URL", text, action="append")
    add("--broker-username", "NAME", "of basic auth (PACT_BROKER_USERNAME)")
    add("--broker-password", "PASSWORD", "of basic auth (PACT_BROKER_PASSWORD)")
    add("--broker-token", "TOKEN", "a bearer token (PACT_BROKER_TOKEN)")
    _tls_options(add, "broker", "PACT_BROKER")


def _tls_options(add: Callable[..., None], whose: str, prefix: str) -> None:
    text = "the authorities that its certificate may be signed by, in the place of the system's"
    add(f"--{whose}-ca-file", "FILE", f"{text} ({prefix}_CA_FILE)")
    text = f"a certificate to show it, in PEM ({prefix}_CLIENT_CERTIFICATE)"
    add(f"--{whose}-client-certificate", "FILE", text)
    add(f"--{whose}-client-key", "FILE", f"its key, if that is another file ({prefix}_CLIENT_KEY)")
    text = f"the password of that key ({prefix}_CLIENT_KEY_PASSWORD)"
    add(f"--{whose}-client-key-password", "PASSWORD", text)


def _provider_options(parser: argparse.ArgumentParser) -> None:
    add = _Group(parser, "the provider").add
    add("--provider-base-url", "URL", "one that is running (PACT_PROVIDER_BASE_URL)")
    text = "one to start and stop, without a shell; {port} and $PORT are a free port (PACT_PROVIDER_COMMAND)"
    add("--provider-command", "CMD", text)
    add("--provider-dir", "DIR", "where the command runs (the current folder)")
    text = "let the command use sudo and read what other processes hold in memory: the broker's credentials"
    add("--unconfined-provider", None, text, action="store_true", default=None)
    text = "the provider is ready when this answers with a status under 500 (/)"
    add("--provider-health-path", "PATH", text)
    add("--wait", "SECONDS", "how long it may take to become ready (30)", type=float)
    add(
        "--provider-states-setup-url",
        "URL",
        'where {"state", "action", "params"} is posted before an interaction; {port} as in the command '
        "(PACT_PROVIDER_STATES_SETUP_URL)",
    )
    text = "a header for each request to that URL; may be repeated"
    add("--provider-states-header", "'N: V'", text, action="append")
    text = "send it there as the query, and no JSON (PACT_PROVIDER_STATE_CHANGE_AS_QUERY)"
    add("--state-change-as-query", None, text, action="store_true", default=None)
    text = "post it with the action teardown afterwards, too"
    add("--provider-states-teardown", None, text, action="store_true", default=None)
    text = "or set states up in Python: a dict of functions by state name, or one function"
    add("--provider-states", "FILE.py:NAME", text)
    text = "a header for each request to the provider; may be repeated"
    add("--custom-provider-header", "'N: V'", text, action="append")
    _tls_options(add, "provider", "PACT_PROVIDER")
    text = (
        "don't check the provider's certificate, nor that of the states URL; the broker's is checked all the same "
        "(PACT_DISABLE_SSL_VERIFICATION)"
    )
    add("--disable-ssl-verification", None, text, action="store_true", default=None)
    text = "where the provider takes messages, or a plugin's protocol; PORT may be {port}; may be repeated"
    add("--transport", "NAME:PORT[/path]", text, action="append")


def _result_options(parser: argparse.ArgumentParser) -> None:
    add = _Group(parser, "the result").add
    add(
        "--publish-verification-results",
        None,
        "publish the result to the broker, and confirm that it is there "
        "(PACT_BROKER_PUBLISH_VERIFICATION_RESULTS; off)",
        action="store_true",
        default=None,
    )
    values = {"dest": "publish_verification_results", "action": "store_false", "default": None}
    add("--no-publish-verification-results", None, "don't, whatever the variable says", **values)
    text = (
        "publish also a failure with provider states that nothing set up (PACT_BROKER_PUBLISH_WITHOUT_STATES)"
    )
    add("--publish-without-states", None, text, action="store_true", default=None)
    text = (
        "the version of the provider that answers (GIT_COMMIT; on GitHub client_payload.sha, or GITHUB_SHA)"
    )
    add("--provider-app-version", "V", text)
    text = "its branch (GIT_BRANCH; on GitHub client_payload.branch, or GITHUB_REF_NAME)"
    add("--provider-version-branch", "B", text)
    add("--provider-version-tag", "T", "a tag for it; may be repeated", action="append")
    add("--build-url", "URL", "the build, for the broker to show (on GitHub the run's)")
    formats = {"--json": "everything, for machines", "--junit": "JUnit XML", "--html": "a page to read"}
    for name, content in formats.items():
        add(name, "FILE", f"write a report: {content}; - is standard output")


def _run_options(parser: argparse.ArgumentParser) -> None:
    add = _Group(parser, "the run").add
    add("--jobs", "N", "interactions verified at once (1: they share the provider's states)", type=int)
    text = "end at the first interaction that is not passed; the others are not verified"
    add("--exit-on-first-error", None, text, action="store_true", default=None)
    add("--timeout", "SECONDS", "of the whole run, of all pacts (1800)", type=float)
    text = "of one request to the provider (5; PACT_PROVIDER_REQUEST_TIMEOUT, which is in milliseconds)"
    add("--request-timeout", "SECONDS", text, type=float)
    text = "how much memory the replay may take in the face of large answers (1024)"
    add("--memory-limit", "MB", text, type=int)
    add("--log-file", "FILE", "write what pact-python's core does to a file, without the secrets")
    text = f"how much of it: {', '.join(LogLevel)} (debug)"
    add("--log-level", "LEVEL", text, choices=list(map(str, LogLevel)))
    add("-q/--quiet", None, "only what did not pass, and the end", action="store_true")
    text = "where each value comes from, each step, each interaction, the provider's output"
    add("-v/--verbose", None, text, action="count", default=0)
