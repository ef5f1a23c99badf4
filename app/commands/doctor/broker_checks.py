"""What the broker itself says: whether it answers, the pact, the provider's versions, the result."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from app.commands.doctor.check import Check, Status, listed
from app.commands.doctor.pact_state import document_at, index_link, pacticipant

if TYPE_CHECKING:
    from app.commands.doctor.pact_state import PactState
    from broker.client import BrokerClient

CONTENT_CHANGED = (
    "have the webhook triggered by contract_content_changed: pact-dispatch webhooks update UUID --event ..."
)


def check_broker(client: BrokerClient) -> Check:
    """Tell what the broker is.

    Raises:
        BrokerError: it does not answer, or takes the credentials for none.
    """
    index_link(client, "pb:pacticipants")
    version = client.get(f"{client.origin}/").broker_version
    return Check(
        "broker", Status.OK, f"{client.origin} answers" + (f" (version {version})" if version else "")
    )


def no_pact(
    client: BrokerClient, *, consumer: str | None, version: str | None, provider: str | None
) -> Check:
    """Say why there is no pact to look at.

    Raises:
        BrokerError: the broker could not be asked.
    """
    for role, name in (("consumer", consumer), ("provider", provider)):
        if name is not None and pacticipant(client, name) is None:
            near = get_close_matches(name, _names(client), n=3, cutoff=0.6)
            meant = f"; is {' or '.join(map(repr, near))} meant?" if near else ""
            return Check(
                "pact",
                Status.BROKEN,
                f"the broker knows no {name!r}, the {role}{meant}",
                "check the name; if it is right, the pact was never published to this broker",
            )
    if consumer is None or version is None:
        return Check(
            "pact",
            Status.BROKEN,
            f"no consumer has a pact with {provider}",
            "have a consumer publish its pact (pact broker publish)",
        )
    url = index_link(client, "pb:pacticipant-version", pacticipant=consumer, version=version)
    with_whom = f" with {provider}" if provider is not None else ""
    if document_at(client, url) is not None:
        return Check(
            "pact",
            Status.BROKEN,
            f"version {version} of {consumer} is in the broker, and has no pact{with_whom}",
            "have the consumer's build publish its pacts (pact broker publish), and look at what it printed",
        )
    latest = _latest_version(pacticipant(client, consumer))
    return Check(
        "pact",
        Status.BROKEN,
        f"the broker knows no version {version} of {consumer}"
        + (f"; its latest is {latest}" if latest else ""),
        "check the version; if it is right, the consumer's build has not published its pacts (pact broker publish)",
    )


def check_pact(state: PactState) -> Check:
    """Tell whether the pact is there."""
    case = state.case
    if state.pact is None:
        return no_pact(state.client, consumer=case.consumer, version=case.version, provider=case.provider)
    at = f", published {state.published_at}" if state.published_at else ""
    return Check("pact", Status.OK, f"{case.consumer} {case.version} has a pact with {case.provider}{at}")


def check_main_branch(state: PactState) -> Check:
    """Tell whether the provider's main branch is set."""
    name, provider = state.main_branch, state.case.provider
    if name is not None:
        return Check("main-branch", Status.OK, f"it is {name}")
    todo = (
        f"publish a result with the provider's branch, or set it: pact broker create-or-update-pacticipant "
        f"--name {provider!r} --main-branch main"
    )
    if state.needs_versions and not state.versions:
        return Check(
            "main-branch",
            Status.BROKEN,
            f"{provider} has no main branch, and nothing of it is deployed or released: "
            "contract_requiring_verification_published, the only event of the webhook, never happens",
            f"{todo}. Or {CONTENT_CHANGED}",
        )
    return Check(
        "main-branch",
        Status.WARNING,
        f"{provider} has no main branch: contract_requiring_verification_published happens for none of its latest",
        todo,
    )


def check_versions(state: PactState) -> Check:
    """Tell which of the provider's versions need a result."""
    found, provider = state.versions, state.case.provider
    if found:
        named = listed([f"{version.number} ({version.why})" for version in found])
        return Check("provider-versions", Status.OK, f"a result is needed of {named}")
    where = f"on its main branch {state.main_branch}" if state.main_branch else "on a main branch"
    said = f"{provider} has no version {where}, and none that is deployed or released"
    todo = (
        "publish a first result from the provider's own build, with its branch, or record a deployment "
        "(pact broker record-deployment)"
    )
    if state.needs_versions:
        return Check(
            "provider-versions",
            Status.BROKEN,
            f"{said}: contract_requiring_verification_published, the only event of the webhook, never happens",
            f"{todo}. Or {CONTENT_CHANGED}",
        )
    return Check("provider-versions", Status.WARNING, f"{said}: a result of any version will do", todo)


def check_result(state: PactState, earlier: list[Check]) -> Check:
    """Tell what the matrix says, in the light of the links before."""
    wanted = {version.number: version.why for version in state.versions}
    results = (
        [one for one in state.results if one.provider_version in wanted] if wanted else state.results[:1]
    )
    failed = [one.provider_version for one in results if not one.passed]
    if failed:
        return Check(
            "result",
            Status.BROKEN,
            f"failed for {listed(failed)}: the chain works, and the contract is broken",
            f"look at the result in the broker: {state.case.provider} doesn't do what {state.case.consumer} expects",
        )
    passed = [f"{one.provider_version}" for one in results]
    if passed and not state.lacking:
        return Check("result", Status.OK, f"passed for {listed(passed)}")
    others = [one for one in state.results if one.provider_version not in wanted] if wanted else []
    missing = listed([f"{version.number} ({version.why})" for version in state.lacking])
    said = f"none yet{f' of {missing}' if missing else ''}"
    if passed or others:
        of = listed(
            [f"{one.provider_version} ({'passed' if one.passed else 'failed'})" for one in results + others]
        )
        said += f"; there is one of {of}"
    if any(check.under_way for check in earlier):
        return Check(
            "result", Status.WARNING, f"{said}, but it is under way", "wait, and look again", under_way=True
        )
    if any(check.status is Status.BROKEN for check in earlier):
        return Check("result", Status.BROKEN, said, "mend the first broken link")
    unseen = [check.id for check in earlier if check.status is Status.UNKNOWN]
    return Check(
        "result",
        Status.BROKEN,
        f"{said}, and no link before it is known to be broken",
        (f"look at what could not be looked at: {', '.join(unseen)}. " if unseen else "")
        + "Have it sent once more: pact-dispatch webhooks test UUID",
    )


def _names(client: BrokerClient) -> list[str]:
    document = document_at(client, index_link(client, "pb:pacticipants")) or {}
    embedded = document.get("_embedded")
    found = embedded.get("pacticipants") if isinstance(embedded, dict) else None
    return [
        one["name"]
        for one in (found if isinstance(found, list) else [])[:2000]
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    ]


def _latest_version(document: dict[str, Any] | None) -> str | None:
    embedded = (document or {}).get("_embedded")
    latest = embedded.get("latestVersion") if isinstance(embedded, dict) else None
    number = latest.get("number") if isinstance(latest, dict) else None
    return number if isinstance(number, str) else None
