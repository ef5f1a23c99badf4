"""The values of `${pactbroker.NAME}` for what has happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from broker.embedded.http.hal import base_url, url
from broker.embedded.pacts import metadata
from broker.embedded.pacts.resource import pact_version_url
from broker.embedded.storage.records import session
from broker.embedded.storage.tables import Branch, BranchVersion, Tag
from broker.embedded.webhooks.records import labels_of

if TYPE_CHECKING:
    from broker.embedded.storage.tables import Publication, VerificationResult, Version
    from broker.embedded.webhooks.required_verifications import RequiredVerification

TEST = "test"

_STATUS_NAMES = {
    "githubVerificationStatus": {None: "pending", True: "success", False: "failure"},
    "bitbucketVerificationStatus": {None: "INPROGRESS", True: "SUCCESSFUL", False: "FAILED"},
    "gitlabVerificationStatus": {None: "pending", True: "success", False: "failed"},
    "azureDevOpsVerificationStatus": {None: "pending", True: "succeeded", False: "failed"},
}
"""What GitHub, Bitbucket, GitLab and Azure DevOps call a commit's status."""

_PLACEHOLDER_VERSION = "gggghhhhjjjjkkkkllll66667777"
"""What a real broker puts into a test without a pact."""
_PLACEHOLDER_PROVIDER_VERSION = "aaaabbbbccccddddeeeeffff11112222"
_PLACEHOLDER_SHA = "5d445a4612743728dfd99ccd4210423c052bb9db"


@dataclass(frozen=True)
class Occasion:
    """What a webhook is triggered by: an event, its pact, and what more there is to know."""

    event: str
    publication: Publication
    result: VerificationResult | None = None
    required: RequiredVerification | None = None


def values(occasion: Occasion) -> dict[str, str]:
    """Return the value of each variable, by name; empty for what there is none of."""
    publication, result, required = occasion.publication, occasion.result, occasion.required
    pact, consumer_version = publication.pact_version, publication.consumer_version
    tags = tags_of(consumer_version)
    pairs = [("cvn", consumer_version.number), *(("cvt[]", tag) for tag in tags), ("w", "true")]
    provider_version = result.provider_version if result else required.version if required else None
    verification = ("verification-results", str(result.id)) if result else None
    return {
        "pactUrl": pact_version_url(pact, "metadata", metadata.encode(pairs)),
        "verificationResultUrl": pact_version_url(result.pact_version, *verification)
        if result and verification
        else "",
        "consumerName": pact.consumer.name,
        "consumerVersionNumber": consumer_version.number,
        "consumerVersionBranch": branch_of(consumer_version) or "",
        "consumerVersionTags": ", ".join(tags),
        "consumerLabels": ", ".join(labels_of(pact.consumer)),
        "providerName": pact.provider.name,
        "providerVersionNumber": provider_version.number if provider_version else "",
        "providerVersionBranch": (branch_of(provider_version) or "") if provider_version else "",
        "providerVersionTags": ", ".join(tags_of(provider_version)) if provider_version else "",
        "providerVersionDescriptions": required.description if required else "",
        "providerLabels": ", ".join(labels_of(pact.provider)),
        "eventName": occasion.event,
        "buildUrl": _build_url(occasion) or "",
        # Empty in a real 2.120.0 as well, whatever is deployed.
        "currentlyDeployedProviderVersionNumber": "",
        **_statuses(result.success if result else None),
    }


def placeholders(consumer: str | None, provider: str | None) -> dict[str, str]:
    """Return values for the test of a webhook that has no pact yet."""
    consumer, provider = consumer or "placeholder-consumer", provider or "placeholder-provider"
    content = ("pacts", "provider", provider, "consumer", consumer, "pact-version", _PLACEHOLDER_SHA)
    pairs = [("cvn", _PLACEHOLDER_VERSION), ("w", "true")]
    return {
        "pactUrl": url(*content, "metadata", metadata.encode(pairs)),
        "verificationResultUrl": url(*content, "verification-results", "1"),
        "consumerName": consumer,
        "consumerVersionNumber": _PLACEHOLDER_VERSION,
        "consumerVersionBranch": "main",
        "consumerVersionTags": "main",
        "consumerLabels": "placeholder-consumer-label",
        "providerName": provider,
        "providerVersionNumber": _PLACEHOLDER_PROVIDER_VERSION,
        "providerVersionBranch": "main",
        "providerVersionTags": "main",
        "providerVersionDescriptions": "",
        "providerLabels": "placeholder-provider-label",
        "eventName": TEST,
        "buildUrl": "",
        "currentlyDeployedProviderVersionNumber": "",
        **_statuses(success=True),
    }


def context(occasion: Occasion) -> dict[str, Any]:
    """Return what the first line of a delivery's log shows, as a real broker does."""
    shown: dict[str, Any] = {
        "base_url": base_url(),
        "consumer_version_branch": branch_of(occasion.publication.consumer_version),
        "build_url": _build_url(occasion),
        "consumer_version_tags": tags_of(occasion.publication.consumer_version),
    }
    if occasion.required is not None:
        shown["provider_version_number"] = occasion.required.version.number
        shown["provider_version_descriptions"] = [occasion.required.description]
    if occasion.result is not None:
        shown["provider_version_number"] = occasion.result.provider_version.number
    return {**shown, "event_name": occasion.event}


def context_of_test() -> dict[str, Any]:
    """Return what the first line of a test's log shows."""
    return {"base_url": base_url(), "event_name": TEST}


def tags_of(version: Version) -> list[str]:
    """Return the tags of a version in the order in which it got them."""
    return list(session().scalars(select(Tag.name).where(Tag.version_id == version.id).order_by(Tag.id)))


def branch_of(version: Version) -> str | None:
    """Return the branch that a version was put on last, if it is on any."""
    query = select(Branch.name).join(BranchVersion).where(BranchVersion.version_id == version.id)
    return session().scalar(query.order_by(BranchVersion.id.desc()).limit(1))


def _statuses(success: bool | None) -> dict[str, str]:  # noqa: FBT001 - none yet, passed or failed
    return {name: words[success] for name, words in _STATUS_NAMES.items()}


def _build_url(occasion: Occasion) -> str | None:
    if occasion.event == TEST:
        return None
    return occasion.result.build_url if occasion.result else occasion.publication.consumer_version.build_url
