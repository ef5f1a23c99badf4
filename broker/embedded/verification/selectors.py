"""Consumer version selectors: the pacts that they choose, and the reasons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, select

from broker.embedded.pacts.lists import latest_of_each
from broker.embedded.pacts.resource import with_tag
from broker.embedded.storage.deployment_records import current
from broker.embedded.storage.deployment_tables import Deployment, Environment, Release
from broker.embedded.storage.heads import heads_of_branches, heads_of_tags
from broker.embedded.storage.records import publications, session
from broker.embedded.storage.tables import Branch, Pacticipant, PactVersion, Publication, Tag, Version

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement, Select

    from broker.embedded.verification.selection_request import SelectionRequest

_LATEST = ("s[][l]", "true")
_OVERALL, _BRANCH, _LATEST_TAG, _TAG, _DEPLOYED, _RELEASED, _OTHER = range(7)
"""The kinds of rules, in the order in which a real broker names the reasons."""


@dataclass(frozen=True)
class Rule:
    """The pacts that a selector chooses, and the reason.

    Attributes:
        query: The pacts.
        order: The place among other reasons: a kind, then names.
        short: The reason in short.
        criterion: The reason in a sentence, for a pact.
        pairs: What the metadata of the pact's URL says of it.
        environment: The environment, where several are named in one sentence.
    """

    query: Select[Publication]
    order: tuple[Any, ...]
    short: str
    criterion: Callable[[PactVersion], str]
    pairs: tuple[tuple[str, str], ...]
    environment: str | None = None


def rules_for(provider: Pacticipant, request: SelectionRequest) -> list[Rule]:
    """Return the rules of all selectors, or, without any, what matters to every provider."""
    of_provider = publications().where(PactVersion.provider == provider)
    if not request.selectors:
        return _default_rules(of_provider, provider)
    return [rule for one in request.selectors for rule in _rules(of_provider, provider, one, request.branch)]


def _default_rules(query: Select[Publication], provider: Pacticipant) -> list[Rule]:
    """Return the rules for what is deployed or released, and for each consumer's main branch.

    Of a consumer without a version on its main branch, the latest with the main branch's name as tag is meant, and of
    one without that, the latest.
    """
    on_main, tagged_main = (
        PactVersion.consumer_id.in_(select(Pacticipant.id).where(there))
        for there in (
            exists().where(Branch.pacticipant_id == Pacticipant.id, Branch.name == Pacticipant.main_branch),
            exists().where(
                Version.pacticipant_id == Pacticipant.id,
                Tag.version_id == Version.id,
                Tag.name == Pacticipant.main_branch,
            ),
        )
    )
    by_tag = query.where(~on_main & tagged_main)
    names = select(Pacticipant.main_branch).where(
        Pacticipant.id.in_(by_tag.with_only_columns(PactVersion.consumer_id).order_by(None))
    )
    return [
        _main_branch(query.where(on_main), _of_consumer, pairs=()),
        *(
            _latest_tagged(
                by_tag.join(PactVersion.consumer).where(Pacticipant.main_branch == name), _of_consumer, name
            )
            for name in session().scalars(names.distinct()).all()
            if name is not None
        ),
        _overall(query.where(~on_main & ~tagged_main), provider, _of_consumer),
        *_in_environments(query, {"deployedOrReleased": True}),
    ]


def _rules(
    query: Select[Publication], provider: Pacticipant, selector: dict[str, Any], provider_branch: str | None
) -> list[Rule]:
    """Return the rules of a selector: one, or one for each environment or branch."""
    consumer = selector.get("consumer")
    which = partial(_constant, f"version of {consumer}" if consumer else "version")
    if consumer:
        its_id = select(Pacticipant.id).where(Pacticipant.name == consumer)
        query = query.where(PactVersion.consumer_id == its_id.scalar_subquery())
    if selector.keys() & {"environment", "deployed", "released", "deployedOrReleased"}:
        return _in_environments(query, selector)
    if selector.get("mainBranch"):
        return [_main_branch(query, which, pairs=(_LATEST,))]
    branch = provider_branch if selector.get("matchingBranch") else selector.get("branch")
    if branch is True:
        names = session().scalars(select(Branch.name).distinct().order_by(Branch.name))
        return [_from_branch(query, which, name) for name in names]
    if branch:
        return [_branch_or_fallback(query, which, branch, selector)]
    if selector.get("tag"):
        return [_tagged(query, which, selector)]
    return [_overall(query, provider, which if consumer else lambda _: "version of a consumer")]


def _of_consumer(pact: PactVersion) -> str:
    return f"version of {pact.consumer.name}"


def _main_branch(
    query: Select[Publication], which: Callable[[PactVersion], str], *, pairs: tuple[tuple[str, str], ...]
) -> Rule:
    heads = heads_of_branches(Branch.name == Pacticipant.main_branch)
    return Rule(
        query.where(Publication.consumer_version_id.in_(heads)),
        (_OTHER,),
        "latest from main branch",
        lambda pact: f"latest {which(pact)} from the main branch '{pact.consumer.main_branch}'",
        pairs,
    )


def _overall(query: Select[Publication], provider: Pacticipant, which: Callable[[PactVersion], str]) -> Rule:
    return Rule(
        latest_of_each(query),
        (_OVERALL,),
        "latest",
        lambda pact: f"latest {which(pact)} that has a pact with {provider.name}",
        (_LATEST,),
    )


def _branch_or_fallback(
    query: Select[Publication], which: Callable[[PactVersion], str], branch: str, selector: dict[str, Any]
) -> Rule:
    rule = _from_branch(query, which, branch)
    # A real broker looks at the fallback only where the latest version is asked for in so many words.
    fallback = selector.get("fallbackBranch") if selector.get("latest") else None
    if not fallback or session().scalar(rule.query.limit(1)) is not None:
        return rule
    note = f" (fallback branch used as no pact was found from branch '{branch}')"
    return _from_branch(query, which, fallback, note=note)


def _from_branch(
    query: Select[Publication], which: Callable[[PactVersion], str], branch: str, note: str = ""
) -> Rule:
    return Rule(
        _among(query, heads_of_branches(Branch.name == branch)),
        (_BRANCH, branch),
        f"latest from branch {branch}",
        lambda pact: f"latest {which(pact)} from branch '{branch}'{note}",
        (("s[][b]", branch), _LATEST),
    )


def _tagged(
    query: Select[Publication], which: Callable[[PactVersion], str], selector: dict[str, Any]
) -> Rule:
    tag: str = selector["tag"]
    if not selector.get("latest"):
        consumer = selector.get("consumer")
        return Rule(
            with_tag(query, tag),
            (_TAG, tag),
            f"one of {consumer} {tag}" if consumer else f"one of {tag}",
            lambda _: f"all {consumer or 'consumer'} versions tagged '{tag}'",
            (("s[][t]", tag),),
        )
    rule = _latest_tagged(query, which, tag)
    fallback = selector.get("fallbackTag")
    if not fallback or session().scalar(rule.query.limit(1)) is not None:
        return rule
    note = f" (fallback tag used as no pact was found with tag '{tag}')"
    return replace(_latest_tagged(query, which, fallback, note), order=rule.order, pairs=rule.pairs)


def _latest_tagged(
    query: Select[Publication], which: Callable[[PactVersion], str], tag: str, note: str = ""
) -> Rule:
    return Rule(
        _among(query, heads_of_tags(Tag.name == tag)),
        (_LATEST_TAG, tag),
        f"latest with tag {tag}",
        lambda pact: f"latest {which(pact)} tagged '{tag}'{note}",
        (("s[][t]", tag), _LATEST),
    )


def _in_environments(query: Select[Publication], selector: dict[str, Any]) -> list[Rule]:
    """Return a rule for each environment in which something is deployed, and in which something is released."""
    consumer, named = selector.get("consumer"), selector.get("environment")
    what = f"version(s) of {consumer}" if consumer else "consumer version(s)"
    pairs = (("s[][e]", named),) if named else ()
    both = selector.get("deployedOrReleased")
    if not (both or selector.get("deployed") or selector.get("released")):
        versions = {one for kind in (Deployment, Release) for one in _versions_in(kind).get(named, [])}
        return [
            Rule(
                _among(query, versions),
                (_OTHER,),
                f"in {named}",
                lambda _: f"{consumer or 'a consumer'} version in environment {named}",
                pairs,
            )
        ]
    states: list[tuple[Any, int, str, str]] = []
    if both or selector.get("deployed"):
        states.append((Deployment, _DEPLOYED, "deployed to", "currently deployed to"))
    if both or selector.get("released"):
        states.append((Release, _RELEASED, "released in", "released and supported in"))
    return [
        Rule(
            _among(query, versions),
            (kind, production, name),
            f"{short} {name}",
            partial(_constant, f"{what} {criterion}"),
            pairs,
            environment=name,
        )
        for records, kind, short, criterion in states
        for (name, production), versions in _versions_by_environment(records).items()
        if named in {None, name}
    ]


def _constant(criterion: str, _: PactVersion) -> str:
    return criterion


def _versions_in(records: type[Deployment | Release]) -> dict[str | None, list[int]]:
    return {name: versions for (name, _), versions in _versions_by_environment(records).items()}


def _versions_by_environment(records: type[Deployment | Release]) -> dict[tuple[str, bool], list[int]]:
    there: dict[tuple[str, bool], list[int]] = {}
    query = current(records).order_by(None).order_by(Environment.name)
    for record in session().scalars(query):
        environment = record.environment
        there.setdefault((environment.name, environment.production), []).append(record.version_id)
    return there


def _among(
    query: Select[Publication], versions: ColumnElement[int] | Select[Any] | set[int] | list[int]
) -> Select[Publication]:
    return query.where(Publication.consumer_version_id.in_(versions))
