"""The pacts that a provider is to verify, chosen by consumer version selectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import exists, select

from broker.embedded import metadata, notices
from broker.embedded.bodies import json_object
from broker.embedded.errors import invalid
from broker.embedded.hal import json_response, link, url
from broker.embedded.pact_lists import latest_of_each
from broker.embedded.pacts import on_branch, pact_name, pact_version_url, with_tag
from broker.embedded.records import pacticipant_named, publications, session
from broker.embedded.tables import (
    Branch,
    BranchVersion,
    Pacticipant,
    PactVersion,
    Publication,
    VerificationResult,
)

if TYPE_CHECKING:
    from flask import Response
    from sqlalchemy import Select

blueprint = Blueprint("for_verification", __name__)

FOR_VERIFICATION = "/pacts/provider/<name:provider>/for-verification"

_TEXT_FIELDS = ("branch", "tag", "fallbackTag", "fallbackBranch", "consumer", "environment")
_DEPLOYMENT_FLAGS = ("deployed", "released", "deployedOrReleased")
_FLAGS = ("mainBranch", "latest", "matchingBranch", *_DEPLOYMENT_FLAGS)


@dataclass(frozen=True)
class Rule:
    """A selector, read: the pacts it chooses, and why, in short, in a sentence and for the metadata."""

    query: Select[Publication]
    short: str
    criterion: str
    pairs: tuple[tuple[str, str], ...]
    names_main_branch: bool = False


@blueprint.get(FOR_VERIFICATION)
def default(provider: str) -> Response:
    """Answer the latest pact of each consumer."""
    return _answer(provider, [{"latest": True}], {})


@blueprint.post(FOR_VERIFICATION)
def selected(provider: str) -> Response:
    """Answer the pacts that the selectors in the document choose."""
    wanted = json_object(empty_allowed=True)
    selectors = wanted.get("consumerVersionSelectors")
    _check(selectors, wanted)
    return _answer(provider, selectors or [{"latest": True}], wanted)


def _check(selectors: object, wanted: dict[str, Any]) -> None:
    errors: dict[str, list[str]] = {}
    if selectors is not None:
        mistakes = (
            [f"{text} (at index {index})" for index, one in enumerate(selectors) for text in _mistakes(one)]
            if isinstance(selectors, list)
            else ["must be an array"]
        )
        if mistakes:
            errors["consumerVersionSelectors"] = mistakes
    branch = wanted.get("providerVersionBranch")
    if branch is not None and not isinstance(branch, str):
        errors["providerVersionBranch"] = ["must be a string"]
    if errors:
        raise invalid(errors)


def _mistakes(selector: object) -> list[str]:
    if not isinstance(selector, dict):
        return ["must be an object"]
    mistakes = [
        f"{name} must be a string" for name in _TEXT_FIELDS if not isinstance(selector.get(name), str | None)
    ]
    mistakes += [
        f"{name} must be boolean" for name in _FLAGS if not isinstance(selector.get(name), bool | None)
    ]
    if selector.get("environment") is not None:
        mistakes.append(f"environment with name '{selector['environment']}' does not exist")
    return mistakes


def _answer(name: str, selectors: list[dict[str, Any]], wanted: dict[str, Any]) -> Response:
    provider = pacticipant_named(name)
    chosen: dict[int, list[tuple[Rule, Publication]]] = {}
    for selector in selectors:
        rule = _rule(provider, selector, wanted.get("providerVersionBranch"))
        if rule is None:
            continue
        for publication in session().scalars(rule.query).all():
            chosen.setdefault(publication.pact_version_id, []).append((rule, publication))
    branch = wanted.get("providerVersionBranch") if wanted.get("includePendingStatus") is True else None
    return json_response(
        {
            "_embedded": {"pacts": [_represent(choices, branch) for choices in chosen.values()]},
            "_links": {
                "self": link(
                    url("pacts", "provider", provider.name, "for-verification"), title="Pacts to be verified"
                )
            },
        }
    )


def _rule(provider: Pacticipant, selector: dict[str, Any], provider_branch: str | None) -> Rule | None:
    """Return how a selector is read; None for one that can't choose anything.

    Which versions are deployed or released isn't known here, and a matching branch needs the provider's.
    """
    branch = provider_branch if selector.get("matchingBranch") else selector.get("branch")
    if any(selector.get(name) for name in _DEPLOYMENT_FLAGS) or (
        selector.get("matchingBranch") and not branch
    ):
        return None
    query = publications().where(PactVersion.provider == provider)
    if selector.get("consumer"):
        consumer = select(Pacticipant.id).where(Pacticipant.name == selector["consumer"])
        query = query.where(PactVersion.consumer_id == consumer.scalar_subquery())
    latest = ("s[][l]", "true")
    tag = selector.get("tag")
    if selector.get("mainBranch"):
        query = latest_of_each(_on_main_branch(query))
        criterion = "latest version from the main branch"
        return Rule(query, "latest from main branch", criterion, (latest,), names_main_branch=True)
    if branch:
        query = latest_of_each(on_branch(query, branch))
        pairs = (("s[][b]", branch), latest)
        return Rule(query, f"latest from branch {branch}", f"latest version from branch '{branch}'", pairs)
    if tag and selector.get("latest"):
        query = latest_of_each(with_tag(query, tag))
        pairs = (("s[][t]", tag), latest)
        return Rule(query, f"latest with tag {tag}", f"latest version with tag '{tag}'", pairs)
    if tag:
        return Rule(
            with_tag(query, tag), f"all with tag {tag}", f"version with tag '{tag}'", (("s[][t]", tag),)
        )
    criterion = f"latest version of a consumer that has a pact with {provider.name}"
    return Rule(latest_of_each(query), "latest", criterion, (latest,))


def _on_main_branch(query: Select[Publication]) -> Select[Publication]:
    on_it = (
        select(BranchVersion.version_id)
        .join(BranchVersion.branch)
        .join(Branch.pacticipant)
        .where(Branch.name == Pacticipant.main_branch)
    )
    return query.where(Publication.consumer_version_id.in_(on_it))


def _represent(choices: list[tuple[Rule, Publication]], branch: str | None) -> dict[str, Any]:
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
    if branch is not None:
        properties["pending"] = _is_pending(pact, branch)
        texts += notices.pending(pact.provider.name, branch, pending=properties["pending"])
        if properties["pending"]:
            pairs.append(("p", "true"))
    properties["notices"] = texts
    href = pact_version_url(pact, "metadata", metadata.encode(pairs))
    return {
        "shortDescription": ", ".join(sorted({rule.short for rule, _ in choices})),
        "verificationProperties": properties,
        "_links": {"self": link(href, name=pact_name(publication))},
    }


def _is_pending(pact: PactVersion, branch: str) -> bool:
    """Return whether no version on the provider's branch has verified the content successfully."""
    on_it = (
        select(BranchVersion.version_id)
        .join(BranchVersion.branch)
        .where(Branch.name == branch, Branch.pacticipant_id == pact.provider_id)
    )
    verified = exists().where(
        VerificationResult.pact_version_id == pact.id,
        VerificationResult.success,
        VerificationResult.provider_version_id.in_(on_it),
    )
    return not session().scalar(select(verified))
