"""The pacts that a provider is to verify, chosen by consumer version selectors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import invalid
from broker.embedded.http.hal import json_response, link, url
from broker.embedded.pacts import metadata
from broker.embedded.pacts.resource import pact_name, pact_version_url
from broker.embedded.storage.records import pacticipant_named, session, with_names
from broker.embedded.verification import notices, pending, work_in_progress
from broker.embedded.verification import selectors as consumer_version_selectors
from broker.embedded.verification.pending import ProviderVersion

if TYPE_CHECKING:
    from flask import Response

    from broker.embedded.storage.tables import Publication
    from broker.embedded.verification.selectors import Rule
    from broker.embedded.verification.work_in_progress import WorkInProgress

blueprint = Blueprint("for_verification", __name__)

FOR_VERIFICATION = "/pacts/provider/<name:provider>/for-verification"


@blueprint.get(FOR_VERIFICATION)
def default(provider: str) -> Response:
    """Answer the latest pact of each consumer."""
    return _answer(provider, [{"latest": True}], {})


@blueprint.post(FOR_VERIFICATION)
def selected(provider: str) -> Response:
    """Answer the pacts that the selectors in the document choose."""
    fields = json_object(empty_allowed=True)
    selectors = fields.get("consumerVersionSelectors")
    _check(selectors, fields)
    return _answer(provider, selectors or [{"latest": True}], fields)


def _check(selectors: object, fields: dict[str, Any]) -> None:
    errors: dict[str, list[str]] = {}
    if selectors is not None:
        mistakes = (
            [
                f"{text} (at index {index})"
                for index, one in enumerate(selectors)
                for text in consumer_version_selectors.mistakes(one)
            ]
            if isinstance(selectors, list)
            else ["must be an array"]
        )
        if mistakes:
            errors["consumerVersionSelectors"] = mistakes
    branch, tags = fields.get("providerVersionBranch"), fields.get("providerVersionTags")
    if branch is not None and not isinstance(branch, str):
        errors["providerVersionBranch"] = ["must be a string"]
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        errors["providerVersionTags"] = ["must be an array of strings"]
    since = fields.get("includeWipPactsSince")
    if since is not None and not (isinstance(since, str) and _is_time(since)):
        errors["includeWipPactsSince"] = ["must be a valid date"]
    if errors:
        raise invalid(errors)


def _is_time(text: str) -> bool:
    try:
        _utc(text)
    except (ValueError, OverflowError):
        return False
    return True


def _utc(text: str) -> str:
    """Return a time in the form of the tables, so that the two can be compared as texts."""
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")


def _answer(name: str, selectors: list[dict[str, Any]], fields: dict[str, Any]) -> Response:
    provider = pacticipant_named(name)
    branch = fields.get("providerVersionBranch") or None
    verifier = ProviderVersion(branch, tuple(fields.get("providerVersionTags") or ()))
    chosen: dict[int, list[tuple[Rule, Publication]]] = {}
    for selector in selectors:
        for rule in consumer_version_selectors.rules(provider, selector, branch):
            for publication in session().scalars(with_names(rule.query)).all():
                chosen.setdefault(publication.pact_version_id, []).append((rule, publication))
    # A real broker leaves the pending state out only if the request says so.
    pending_for = verifier if fields.get("includePendingStatus") is not False else None
    documents = [_represent(choices, pending_for) for choices in chosen.values()]
    since = fields.get("includeWipPactsSince")
    if since is not None and pending_for is not None:
        in_progress = work_in_progress.find(provider, pending_for, since=_utc(since), without=chosen.keys())
        documents += [_represent_in_progress(one, pending_for) for one in in_progress]
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


def _represent(choices: list[tuple[Rule, Publication]], verifier: ProviderVersion | None) -> dict[str, Any]:
    """Return a content to verify, with all the rules that chose it."""
    publication = choices[0][1]
    pact = publication.pact_version
    criteria: list[str] = []
    pairs: list[tuple[str, str]] = []
    for rule, chosen in sorted(choices, key=lambda choice: choice[0].short):
        version = chosen.consumer_version
        named = f" '{pact.consumer.main_branch}'" if rule.names_main_branch else ""
        criteria.append(f"{rule.criterion}{named} ({version.number})")
        pairs += [*rule.pairs, ("s[][cv]", str(version.id))]
    properties: dict[str, Any] = {}
    texts = [notices.chosen(pact_version_url(pact), criteria)]
    if verifier is not None:
        status = pending.status(pact, verifier)
        properties["pending"] = status.pending
        texts += status.notices()
        if status.pending:
            pairs.append(("p", "true"))
    properties["notices"] = texts
    href = pact_version_url(pact, "metadata", metadata.encode(pairs))
    return {
        "shortDescription": ", ".join(sorted({rule.short for rule, _ in choices})),
        "verificationProperties": properties,
        "_links": {"self": link(href, name=pact_name(publication))},
    }


def _represent_in_progress(one: WorkInProgress, verifier: ProviderVersion) -> dict[str, Any]:
    pact = one.publication.pact_version
    pairs = [("s[][cv]", str(one.publication.consumer_version_id)), ("p", "true"), ("w", "true")]
    status = pending.status(pact, verifier)
    return {
        "shortDescription": one.short,
        "verificationProperties": {
            "pending": True,
            "wip": True,
            "notices": [one.notice(pact_version_url(pact)), *status.notices()],
        },
        "_links": {
            "self": link(
                pact_version_url(pact, "metadata", metadata.encode(pairs)), name=pact_name(one.publication)
            )
        },
    }
