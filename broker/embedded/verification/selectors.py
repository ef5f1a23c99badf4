"""Consumer version selectors: the pacts that they choose, and the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from broker.embedded.pacts.lists import latest_of_each
from broker.embedded.pacts.resource import on_branch, with_tag
from broker.embedded.storage.deployment_records import current, find_environment
from broker.embedded.storage.deployment_tables import Deployment, Environment, Release
from broker.embedded.storage.records import publications, session
from broker.embedded.storage.tables import Branch, BranchVersion, Pacticipant, PactVersion, Publication

if TYPE_CHECKING:
    from sqlalchemy import Select

_TEXT_FIELDS = ("branch", "tag", "fallbackTag", "fallbackBranch", "consumer", "environment")
_DEPLOYMENT_FLAGS = ("deployed", "released", "deployedOrReleased")
_FLAGS = ("mainBranch", "latest", "matchingBranch", *_DEPLOYMENT_FLAGS)

_LATEST = ("s[][l]", "true")


@dataclass(frozen=True)
class Rule:
    """The pacts that a selector chooses, and the reason, in short, in a sentence and for the metadata."""

    query: Select[Publication]
    short: str
    criterion: str
    pairs: tuple[tuple[str, str], ...]
    names_main_branch: bool = False


def mistakes(selector: object) -> list[str]:
    """Return what is wrong with a selector."""
    if not isinstance(selector, dict):
        return ["must be an object"]
    found = [
        f"{name} must be a string" for name in _TEXT_FIELDS if not isinstance(selector.get(name), str | None)
    ]
    found += [f"{name} must be boolean" for name in _FLAGS if not isinstance(selector.get(name), bool | None)]
    environment = selector.get("environment")
    if isinstance(environment, str) and find_environment(environment) is None:
        found.append(f"environment with name '{environment}' does not exist")
    return found


def rules(provider: Pacticipant, selector: dict[str, Any], provider_branch: str | None) -> list[Rule]:
    """Return the rules of a selector: one, or one for each environment.

    Args:
        provider: The provider of the pacts.
        selector: Without mistakes.
        provider_branch: The branch that `matchingBranch` means; without one, such a selector chooses nothing.
    """
    query = publications().where(PactVersion.provider == provider)
    consumer = selector.get("consumer")
    if consumer:
        its_id = select(Pacticipant.id).where(Pacticipant.name == consumer)
        query = query.where(PactVersion.consumer_id == its_id.scalar_subquery())
    which = f"version of {consumer}" if consumer else "version"
    if selector.get("environment") or any(selector.get(name) for name in _DEPLOYMENT_FLAGS):
        return _in_environments(query, selector)
    if selector.get("mainBranch"):
        criterion = f"latest {which} from the main branch"
        main = latest_of_each(_on_main_branch(query))
        return [Rule(main, "latest from main branch", criterion, (_LATEST,), names_main_branch=True)]
    branch = provider_branch if selector.get("matchingBranch") else selector.get("branch")
    if branch:
        return [_from_branch(query, which, branch, selector.get("fallbackBranch"))]
    if selector.get("matchingBranch"):
        return []
    if selector.get("tag"):
        return [_tagged(query, which, selector)]
    criterion = f"latest version of {consumer or 'a consumer'} that has a pact with {provider.name}"
    return [Rule(latest_of_each(query), "latest", criterion, (_LATEST,))]


def _from_branch(query: Select[Publication], which: str, branch: str, fallback: str | None) -> Rule:
    found, note = latest_of_each(on_branch(query, branch)), ""
    if fallback and session().scalar(found.limit(1)) is None:
        note = f" (fallback branch used as no pact was found from branch '{branch}')"
        found, branch = latest_of_each(on_branch(query, fallback)), fallback
    pairs = (("s[][b]", branch), _LATEST)
    return Rule(found, f"latest from branch {branch}", f"latest {which} from branch '{branch}'{note}", pairs)


def _tagged(query: Select[Publication], which: str, selector: dict[str, Any]) -> Rule:
    tag: str = selector["tag"]
    if not selector.get("latest"):
        consumer = selector.get("consumer")
        short = f"one of {consumer} {tag}" if consumer else f"one of {tag}"
        criterion = f"all {consumer or 'consumer'} versions tagged '{tag}'"
        return Rule(with_tag(query, tag), short, criterion, (("s[][t]", tag),))
    fallback = selector.get("fallbackTag")
    found, note = latest_of_each(with_tag(query, tag)), ""
    if fallback and session().scalar(found.limit(1)) is None:
        note = f" (fallback tag used as no pact was found with tag '{tag}')"
        found, tag = latest_of_each(with_tag(query, fallback)), fallback
    pairs = (("s[][t]", tag), _LATEST)
    return Rule(found, f"latest with tag {tag}", f"latest {which} tagged '{tag}'{note}", pairs)


def _in_environments(query: Select[Publication], selector: dict[str, Any]) -> list[Rule]:
    """Return a rule for each environment in which something is deployed, and in which something is released."""
    consumer, environment_name = selector.get("consumer"), selector.get("environment")
    what = f"version(s) of {consumer}" if consumer else "consumer version(s)"
    both = selector.get("deployedOrReleased") or not any(selector.get(name) for name in _DEPLOYMENT_FLAGS)
    states: list[tuple[Any, str, str]] = []
    if both or selector.get("deployed"):
        states.append((current(Deployment), "deployed in", "currently deployed to"))
    if both or selector.get("released"):
        states.append((current(Release), "released in", "released and supported in"))
    found = []
    for records, short, criterion in states:
        there: dict[str, list[int]] = {}
        for record in session().scalars(records.order_by(None).order_by(Environment.name)):
            there.setdefault(record.environment.name, []).append(record.version_id)
        found += [
            Rule(
                query.where(Publication.consumer_version_id.in_(versions)),
                f"{short} {name}",
                f"{what} {criterion} {name}",
                (("s[][e]", name),),
            )
            for name, versions in there.items()
            if environment_name in {None, name}
        ]
    return found


def _on_main_branch(query: Select[Publication]) -> Select[Publication]:
    on_it = (
        select(BranchVersion.version_id)
        .join(BranchVersion.branch)
        .join(Branch.pacticipant)
        .where(Branch.name == Pacticipant.main_branch)
    )
    return query.where(Publication.consumer_version_id.in_(on_it))
