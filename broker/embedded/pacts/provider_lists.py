"""Lists of a provider's pacts: all, the latest, and those of tags and branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint
from sqlalchemy import select

from broker.embedded.http.hal import json_response, link, url
from broker.embedded.pacts.lists import latest_of_each
from broker.embedded.pacts.resource import on_branch, pact_name, pact_url, with_tag
from broker.embedded.storage.records import provider_named, publications, session, with_names
from broker.embedded.storage.tables import Branch, BranchVersion, Pacticipant, PactVersion, Publication

if TYPE_CHECKING:
    from flask import Response
    from sqlalchemy import Select

blueprint = Blueprint("provider_pacts", __name__)

PROVIDER = "/pacts/provider/<name:provider>"

_ALL, _LATEST = "All pact versions for the provider", "Latest pact versions for the provider"


@blueprint.get(PROVIDER)
def all_of_provider(provider: str) -> Response:
    """Answer all pacts of a provider."""
    return _answer(provider, _of(provider), (), f"{_ALL} {provider}")


@blueprint.get(f"{PROVIDER}/latest")
def latest(provider: str) -> Response:
    """Answer a provider's latest pact with each consumer."""
    return _answer(provider, latest_of_each(_of(provider)), ("latest",), f"{_LATEST} {provider}")


@blueprint.get(f"{PROVIDER}/tag/<name:tag>")
def tagged(provider: str, tag: str) -> Response:
    """Answer all pacts of a provider whose consumer versions have a tag."""
    title = f"{_ALL} {provider} with consumer version tag '{tag}'"
    return _answer(provider, with_tag(_of(provider), tag), ("tag", tag), title)


@blueprint.get(f"{PROVIDER}/latest/<name:tag>")
def latest_tagged(provider: str, tag: str) -> Response:
    """Answer a provider's latest pact with each consumer, among the versions with the tag."""
    title = f"{_LATEST} {provider} with consumer version tag '{tag}'"
    return _answer(provider, latest_of_each(with_tag(_of(provider), tag)), ("latest", tag), title)


@blueprint.get(f"{PROVIDER}/branch")
def on_main_branches(provider: str) -> Response:
    """Answer all pacts of a provider from the consumers' main branches."""
    return _answer(provider, _on_main_branches(_of(provider)), ("branch",), f"{_ALL} {provider}")


@blueprint.get(f"{PROVIDER}/branch/latest")
def latest_on_main_branches(provider: str) -> Response:
    """Answer a provider's latest pact with each consumer, from the consumers' main branches."""
    query = latest_of_each(_on_main_branches(_of(provider)))
    return _answer(provider, query, ("branch", "latest"), f"{_LATEST} {provider}")


@blueprint.get(f"{PROVIDER}/branch/<name:branch>")
def all_on_branch(provider: str, branch: str) -> Response:
    """Answer all pacts of a provider from the consumers' branches of a name."""
    title = f"{_ALL} {provider} with consumer version branch '{branch}'"
    return _answer(provider, on_branch(_of(provider), branch), ("branch", branch), title)


@blueprint.get(f"{PROVIDER}/branch/<name:branch>/latest")
def latest_on_branch(provider: str, branch: str) -> Response:
    """Answer a provider's latest pact with each consumer, from the consumers' branches of a name."""
    title = f"{_LATEST} {provider} with consumer version branch '{branch}'"
    query = latest_of_each(on_branch(_of(provider), branch))
    return _answer(provider, query, ("branch", branch, "latest"), title)


def _of(provider: str) -> Select[Publication]:
    return publications().where(PactVersion.provider_id == provider_named(provider).id)


def _on_main_branches(query: Select[Publication]) -> Select[Publication]:
    on_it = (
        select(BranchVersion.version_id)
        .join(BranchVersion.branch)
        .join(Branch.pacticipant)
        .where(Branch.name == Pacticipant.main_branch)
    )
    return query.where(Publication.consumer_version_id.in_(on_it))


def _answer(provider: str, query: Select[Publication], path: tuple[str, ...], title: str) -> Response:
    pacts = sorted(
        session().scalars(with_names(query)),
        key=lambda one: (one.pact_version.consumer.name, one.consumer_version_id),
    )
    deprecated = "DEPRECATED - please use the pb:{} relation"
    return json_response(
        {
            "_links": {
                "self": link(url("pacts", "provider", provider, *path), title=title),
                "pb:provider": link(url("pacticipants", provider), name=provider),
                "pb:pacts": [
                    link(pact_url(one), title=pact_name(one), name=one.pact_version.consumer.name)
                    for one in pacts
                ],
                "provider": link(
                    url("pacticipants", provider), title=provider, name=deprecated.format("provider")
                ),
                "pacts": [
                    link(
                        pact_url(one),
                        title=f"{deprecated.format('pacts')}. {pact_name(one)}",
                        name=one.pact_version.consumer.name,
                    )
                    for one in pacts
                ],
            }
        }
    )
