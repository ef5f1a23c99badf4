"""The pacts that a provider is to verify, chosen by consumer version selectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from broker.embedded.http.bodies import json_object
from broker.embedded.http.hal import json_response, link, url
from broker.embedded.pacts import metadata
from broker.embedded.pacts.resource import pact_name, pact_version_url
from broker.embedded.storage.records import provider_named, session, with_names
from broker.embedded.verification import notices, pending, selection_request, work_in_progress
from broker.embedded.verification.pending import ProviderVersion
from broker.embedded.verification.selectors import rules_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response

    from broker.embedded.storage.tables import Publication
    from broker.embedded.verification.selection_request import SelectionRequest
    from broker.embedded.verification.selectors import Rule
    from broker.embedded.verification.work_in_progress import WorkInProgress

blueprint = Blueprint("for_verification", __name__)

FOR_VERIFICATION = "/pacts/provider/<name:provider>/for-verification"

Choice = tuple["Rule", "Publication"]


@blueprint.get(FOR_VERIFICATION)
def default(provider: str) -> Response:
    """Answer the pacts that matter to every provider, or those that the selectors in the query choose."""
    query = request.query_string.decode("utf-8", errors="replace")
    return _answer(provider, selection_request.from_query(query))


@blueprint.post(FOR_VERIFICATION)
def selected(provider: str) -> Response:
    """Answer the pacts that the selectors in the document choose."""
    return _answer(provider, selection_request.from_document(json_object(empty_allowed=True)))


def _answer(name: str, asked: SelectionRequest) -> Response:
    provider = provider_named(name)
    verifier = ProviderVersion(asked.branch, asked.tags)
    chosen: dict[int, list[Choice]] = {}
    for rule in rules_for(provider, asked):
        for publication in session().scalars(with_names(rule.query)).all():
            chosen.setdefault(publication.pact_version_id, []).append((rule, publication))
    sorted_choices = sorted((_sorted(choices) for choices in chosen.values()), key=_place)
    warning = [notices.before(notices.DEPRECATED)] if asked.by_query else []
    documents = [
        _represent(choices, verifier if asked.pending else None, warning) for choices in sorted_choices
    ]
    if asked.wip_since is not None and asked.pending:
        in_progress = work_in_progress.find(provider, verifier, since=asked.wip_since, without=chosen.keys())
        documents += [_represent_in_progress(one, warning) for one in in_progress]
    return json_response(
        {
            "_embedded": {"pacts": documents},
            "_links": {
                "self": link(
                    url("pacts", "provider", provider.name, "for-verification"), title="Pacts to be verified"
                )
            },
        }
    )


def _sorted(choices: Sequence[Choice]) -> list[Choice]:
    """Return the choices of a content in the order in which the reasons are named."""
    return sorted(choices, key=lambda choice: (choice[0].order, choice[1].consumer_version_id))


def _latest(choices: Sequence[Choice]) -> Publication:
    return max((publication for _, publication in choices), key=lambda one: one.consumer_version_id)


def _place(choices: Sequence[Choice]) -> tuple[str, int]:
    publication = _latest(choices)
    return publication.pact_version.consumer.name, publication.consumer_version_id


def _represent(
    choices: Sequence[Choice], verifier: ProviderVersion | None, warning: list[dict[str, str]]
) -> dict[str, Any]:
    """Return a content to verify, with all the rules that chose it."""
    publication = _latest(choices)
    pact = publication.pact_version
    pairs: list[tuple[str, str]] = []
    for rule, chosen in choices:
        pairs += [*rule.pairs, ("s[][cv]", str(chosen.consumer_version_id))]
    properties: dict[str, Any] = {}
    texts = [*warning, notices.chosen(pact_version_url(pact), _criteria(choices), versions=len(choices))]
    if verifier is not None:
        status = pending.status(pact, verifier)
        properties["pending"] = status.pending
        texts += status.notices()
        pairs.append(("p", str(status.pending).lower()))
    properties["notices"] = texts
    href = pact_version_url(pact, "metadata", metadata.encode(pairs))
    return {
        "shortDescription": ", ".join(rule.short for rule, _ in choices),
        "verificationProperties": properties,
        "_links": {"self": link(href, name=pact_name(publication))},
    }


def _criteria(choices: Sequence[Choice]) -> list[str]:
    """Return the reasons, each with the version's number; environments share a sentence."""
    lines: dict[object, list[str]] = {}
    for rule, chosen in choices:
        criterion = rule.criterion(chosen.pact_version)
        number = chosen.consumer_version.number
        if rule.environment is None:
            lines[object()] = [f"{criterion} ({number})"]
        else:
            lines.setdefault(criterion, []).append(f"{rule.environment} ({number})")
    return [
        f"{key} {notices.joined(texts)}" if isinstance(key, str) else texts[0] for key, texts in lines.items()
    ]


def _represent_in_progress(one: WorkInProgress, warning: list[dict[str, str]]) -> dict[str, Any]:
    pact = one.publication.pact_version
    status = pending.described(pact.provider.name, one.verifier, pending=True, wip=True)
    at = pact_version_url(pact, "metadata", metadata.encode([("wip", "true")]))
    reason = notices.in_progress(at, pact.consumer.name, one.branches, one.tags, status.some)
    return {
        "shortDescription": one.short,
        "verificationProperties": {
            "pending": True,
            "wip": True,
            "notices": [*warning, reason, *status.notices()],
        },
        "_links": {
            "self": link(
                pact_version_url(pact, "metadata", metadata.encode([("w", "true")])),
                name=pact_name(one.publication),
            )
        },
    }
