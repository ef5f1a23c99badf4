"""`pact-dispatch webhooks`: the webhooks of any Pact Broker or PactFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_broker_options, add_github_url

if TYPE_CHECKING:
    import argparse

    from app.commands import Commands

DESCRIPTION = """\
See, create, change, delete and try out the webhooks of any Pact Broker or PactFlow.

A webhook sends a request when something happens to a pact, for example to a provider's repository or to the receiver
when a pact changes.
"""

EPILOG = """\
examples:
  have GitHub verify every changed pact of the provider Products (the token is the broker's secret githubToken):
    pact-dispatch webhooks create --template github --repository acme/products --provider Products

  the same for each provider version without a result, with its commit:
    pact-dispatch webhooks create --template github-requiring-verification \\
        --repository acme/products --provider Products

  have a receiver do it:
    pact-dispatch webhooks create --template receiver --receiver-url https://dispatch.example.org \\
        --repository acme/products --provider Products

  which webhooks are triggered by a pact, does this one work, and what were its last deliveries:
    pact-dispatch webhooks list --consumer Storefront --provider Products
    pact-dispatch webhooks test UUID
    pact-dispatch webhooks logs --provider Products

exit codes:
  0  done
  1  the target of the tested webhook did not accept it
  2  the command is wrong
  3  could not: the broker is away, refused it, or doesn't have it
"""

CREATE = """\
Create a webhook, or change the existing one.

The UUID is made from the pacts that it is for, the URL and the template. So the same command a second time changes
nothing, and with other events or headers it changes that webhook instead of adding a second one.
"""

CREATE_EXAMPLES = """\
examples:
  see what would be sent, without a broker:
    pact-dispatch webhooks create --template github --repository acme/products --provider Products --dry-run

  tell the consumer's commits of each verification (the token is the broker's secret githubStatusToken):
    pact-dispatch webhooks create --template github-status --repository acme/storefront --consumer Storefront

  tell a chat; its URL is a credential, and comes from the environment:
    pact-dispatch webhooks create --template slack --url-from-env SLACK_URL --provider Products

  any other target; its token comes from the environment, not from the command line:
    pact-dispatch webhooks create --provider Products --event provider_verification_failed \\
        --url https://chat.example.org/hooks/pact --body message.json \\
        --header-from-env 'Authorization=Bearer CHAT_TOKEN'
"""

UPDATE = """\
Change a webhook: what isn't given stays as it is.

Values that the broker hides (stars) are kept on a Pact Broker from 2.120.0 on and on pact-dispatch broker, as long as
the URL's host stays the same. For other brokers give them again.
The pacts that it is for don't change; create with --uuid replaces the whole webhook.
"""

TEST = """\
Have the broker send the request once, now, with the latest pact (a real dispatch), also while the webhook is disabled.
Shows what was sent and answered, and what that means.
"""

LOGS = """\
Show the latest delivery of each webhook and event, with every attempt and its answer; for a consumer version, all
that its publication triggered. --output json has the broker's logs.
"""


def add_to(commands: Commands) -> None:
    """Add the command and those below it."""
    webhooks = commands.add_parser(
        "webhooks",
        help="see, create, change and try out the webhooks of a broker",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    webhooks.set_defaults(print_help=webhooks.print_help)
    below = webhooks.add_subparsers(dest="webhooks_command", metavar="COMMAND")
    _add_list(below)
    _add_show(below)
    _add_create(below)
    _add_update(below)
    _add_delete(below)
    _add_test(below)
    _add_logs(below)


def _add(
    commands: Commands, name: str, text: str, description: str | None = None, examples: str | None = None
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=text,
        description=description or f"{text[0].upper()}{text[1:]}.",
        epilog=examples,
        allow_abbrev=False,
    )


def _add_list(commands: Commands) -> None:
    parser = _add(commands, "list", "list the webhooks, or those that are for certain pacts")
    parser.add_argument("--consumer", metavar="NAME", help="those that are for its pacts, among others")
    parser.add_argument("--provider", metavar="NAME", help="likewise")
    parser.add_argument("--event", metavar="NAME", help="those that it triggers")
    _add_output(parser)
    add_broker_options(parser)


def _add_show(commands: Commands) -> None:
    parser = _add(commands, "show", "show a webhook")
    _add_uuid(parser)
    _add_output(parser)
    add_broker_options(parser)


def _add_create(commands: Commands) -> None:
    parser = _add(
        commands, "create", "create a webhook; repeating it creates no second one", CREATE, CREATE_EXAMPLES
    )
    scope = parser.add_argument_group("whose pacts")
    for role in ("provider", "consumer"):
        scope.add_argument(f"--{role}", metavar="NAME", help=f"of this {role}")
        scope.add_argument(f"--{role}-label", metavar="LABEL", help=f"of {role}s with this label")
    scope.add_argument("--all-pacts", action="store_true", help="every pact in the broker")
    template = parser.add_argument_group("a template")
    template.add_argument(
        "--template",
        choices=(
            "github",
            "github-requiring-verification",
            "workflow-dispatch",
            "receiver",
            "github-status",
            "slack",
            "teams",
        ),
        metavar="NAME",
        help="URL, headers, body and event of a repository_dispatch (github, github-requiring-verification, receiver), "
        "a workflow_dispatch (workflow-dispatch), a commit status (github-status), or of a message to a chat (slack, "
        "teams)",
    )
    template.add_argument(
        "--repository", metavar="OWNER/REPO", help="the provider's; for github-status the consumer's"
    )
    add_github_url(template)
    template.add_argument("--receiver-url", metavar="URL", help="where the receiver listens")
    template.add_argument(
        "--secret",
        metavar="NAME",
        help="the broker's secret that holds the token (default: githubToken, githubActionsToken, githubStatusToken "
        "or receiverToken)",
    )
    template.add_argument(
        "--workflow",
        metavar="FILE",
        help="of workflow-dispatch: the workflow file (default: pact_changed.yml, or "
        "contract_requiring_verification_published.yml for that event)",
    )
    template.add_argument(
        "--ref", metavar="BRANCH", help="of workflow-dispatch: where it runs (default: main)"
    )
    _add_request(parser)
    parser.add_argument("--disabled", action="store_true", help="create it disabled: nothing triggers it")
    parser.add_argument("--uuid", metavar="UUID", help="instead of the one that follows from scope and URL")
    _add_dry_run(parser)
    _add_output(parser)
    add_broker_options(parser)


def _add_update(commands: Commands) -> None:
    parser = _add(commands, "update", "change what is given of a webhook", UPDATE)
    _add_uuid(parser)
    _add_request(parser)
    switch = parser.add_mutually_exclusive_group()
    switch.add_argument(
        "--enable", dest="enabled", action="store_true", default=None, help="enable it: events trigger it"
    )
    switch.add_argument(
        "--disable", dest="enabled", action="store_false", help="disable it: nothing triggers it"
    )
    _add_dry_run(parser)
    _add_output(parser)
    add_broker_options(parser)


def _add_delete(commands: Commands) -> None:
    parser = _add(commands, "delete", "delete a webhook; what it had yet to deliver isn't delivered")
    _add_uuid(parser)
    parser.add_argument("--yes", action="store_true", help="don't ask for confirmation on a terminal")
    add_broker_options(parser)


def _add_test(commands: Commands) -> None:
    parser = _add(commands, "test", "send a webhook's request now, and explain the answer", TEST)
    _add_uuid(parser)
    _add_output(parser)
    add_broker_options(parser)


def _add_logs(commands: Commands) -> None:
    parser = _add(commands, "logs", "show what was triggered, each attempt with its answer", LOGS)
    parser.add_argument("uuid", nargs="?", metavar="UUID", help="only of this webhook")
    parser.add_argument("--consumer", metavar="NAME", help="for its pacts")
    parser.add_argument("--provider", metavar="NAME", help="likewise")
    parser.add_argument("--consumer-version", metavar="VERSION", help="triggered by its publication")
    _add_output(parser)
    add_broker_options(parser)


def _add_request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--event", action="append", metavar="NAME", help="what triggers it; may be repeated")
    parser.add_argument("--description", metavar="TEXT", help="for people")
    request = parser.add_argument_group("the request", "A secret comes from the environment or from a file.")
    request.add_argument("--url", metavar="URL", help="the URL; its path and query may have variables")
    request.add_argument(
        "--url-from-env",
        metavar="VARIABLE",
        help="the environment variable with the URL, for one that is a credential, as that of a chat",
    )
    request.add_argument("--url-from-file", metavar="FILE", help="the file with the URL")
    request.add_argument("--method", metavar="METHOD", type=str.upper, help="the HTTP method (default: POST)")
    request.add_argument(
        "--header", action="append", metavar="'NAME: VALUE'", help="not for secrets; may be repeated"
    )
    request.add_argument(
        "--header-from-env",
        action="append",
        metavar="'NAME=[Bearer] VARIABLE'",
        help="a header whose value is in an environment variable; may be repeated",
    )
    request.add_argument(
        "--header-from-file",
        action="append",
        metavar="'NAME=[Bearer] FILE'",
        help="a header whose value is in a file; may be repeated",
    )
    request.add_argument(
        "--body", metavar="FILE", help="JSON, or text that is sent as it is; - is standard input"
    )
    request.add_argument("--username", metavar="NAME", help="the user name for basic auth with the target")
    request.add_argument(
        "--password-env", metavar="VARIABLE", help="the environment variable with the password"
    )
    request.add_argument("--password-file", metavar="FILE", help="the file with the password")


def _add_uuid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uuid", metavar="UUID", help="the webhook, as webhooks list shows it")


def _add_dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show the JSON, and change nothing")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", choices=("table", "json", "yaml"), default="table", help="for people, or for programs"
    )
