"""The template that the options of `webhooks create` ask for, filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.webhook_templates import TEMPLATES, Filled, Kind, base_url, fill, fill_chat
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse

_OF_API = ("repository", "github_url", "receiver_url", "secret", "workflow", "ref")
"""The options of templates that send to GitHub or to a receiver."""
_OF_WORKFLOW = ("workflow", "ref")


def filled_template(options: argparse.Namespace, url: str | None) -> Filled | None:
    """Return the template that the options name, filled in; None if they name none.

    Args:
        options: The parsed options.
        url: The URL of the request, if an option gives one.

    Raises:
        UsageError: An option is missing, or doesn't belong to the template.
    """
    if options.template is None:
        _refuse(options, _OF_API, "goes with --template")
        return None
    if TEMPLATES[options.template].kind is Kind.CHAT:
        return _chat(options, url)
    return _api(options, url)


def _chat(options: argparse.Namespace, url: str | None) -> Filled:
    _refuse(options, _OF_API, f"is not for --template {options.template}")
    if url is None:
        raise UsageError(
            f"--template {options.template} wants the URL that the chat gave: --url-from-env VARIABLE or "
            "--url-from-file FILE"
        )
    return fill_chat(options.template, url, tuple(options.event or ()))


def _api(options: argparse.Namespace, url: str | None) -> Filled:
    kind = TEMPLATES[options.template].kind
    if not options.repository:
        whose = "consumer" if kind is Kind.STATUS else "provider"
        raise UsageError(f"--template {options.template} wants --repository OWNER/REPO, the {whose}'s")
    if kind is Kind.STATUS and not options.consumer:
        raise UsageError(
            f"--template {options.template} wants --consumer, whose commits the repository has: statuses of other "
            "consumers' commits can't be set there"
        )
    if kind is not Kind.WORKFLOW:
        _refuse(options, _OF_WORKFLOW, "is for --template workflow-dispatch")
    if url is not None:
        raise UsageError("--url is part of the template: leave out one of the two")
    return fill(
        options.template,
        repository=options.repository,
        base_url=base_url(options, "--template", options.template),
        events=tuple(options.event or ()),
        secret=options.secret,
        workflow=options.workflow,
        ref=options.ref,
    )


def _refuse(options: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} {why}")
