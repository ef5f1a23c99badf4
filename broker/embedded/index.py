"""The index, where clients find every other URL, and the heartbeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from broker.embedded.http.hal import json_response, template, url

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("index", __name__)

_PACT = "pacts/provider/{provider}/consumer/{consumer}"
_PROVIDER = "pacts/provider/{provider}"
_FOR_VERIFICATION = "pacts/provider/{provider}/for-verification"
_CAN_I_DEPLOY = "can-i-deploy?pacticipant={pacticipant}&version={version}"

_RELATIONS = {
    "pb:publish-pact": (f"{_PACT}/version/{{consumerApplicationVersion}}", "Publish a pact"),
    "pb:publish-contracts": ("contracts/publish", "Publish contracts"),
    "pb:latest-pact-versions": ("pacts/latest", "Latest pact versions"),
    "pb:tagged-pact-versions": (
        f"{_PACT}/tag/{{tag}}",
        "All versions of a pact for a given consumer, provider and consumer version tag",
    ),
    "pb:branch-pact-versions": (
        f"{_PACT}/branch/{{branch}}",
        "All versions of pacts for a provider, for a named consumers branch",
    ),
    "pb:provider-pacts-with-main-branch": (
        f"{_PROVIDER}/branch",
        "All pacts for a provider, for any consumers main branch",
    ),
    "pb:provider-pacts-with-branch": (
        f"{_PROVIDER}/branch/{{branch}}",
        "All pacts for a provider, for any consumers named branch",
    ),
    "pb:latest-provider-pacts-with-main-branch": (
        f"{_PROVIDER}/branch/latest",
        "Latest pact for a provider, for any consumers main branch",
    ),
    "pb:latest-provider-pacts-with-branch": (
        f"{_PROVIDER}/branch/{{branch}}/latest",
        "Latest pacts for a provider, for any consumers named branch",
    ),
    "pb:provider-pacts-with-tag": (
        f"{_PROVIDER}/tag/{{tag}}",
        "All pact versions for the provider with the specified consumer version tag",
    ),
    "pb:pacticipants": ("pacticipants", "Pacticipants"),
    "pb:pacticipant": ("pacticipants/{pacticipant}", "Fetch pacticipant by name"),
    "pb:latest-provider-pacts": ("pacts/provider/{provider}/latest", "Latest pacts by provider"),
    "pb:latest-provider-pacts-with-tag": (
        "pacts/provider/{provider}/latest/{tag}",
        "Latest pacts for provider with the specified tag",
    ),
    "pb:provider-pacts": ("pacts/provider/{provider}", "All pact versions for the specified provider"),
    "pb:latest-version": ("pacticipants/{pacticipant}/latest-version", "Latest pacticipant version"),
    "pb:latest-tagged-version": (
        "pacticipants/{pacticipant}/latest-version/{tag}",
        "Latest pacticipant version with the specified tag",
    ),
    "pb:pacticipant-version-tag": (
        "pacticipants/{pacticipant}/versions/{version}/tags/{tag}",
        "Get, create or delete a tag for a pacticipant version",
    ),
    "pb:pacticipant-branch": (
        "pacticipants/{pacticipant}/branches/{branch}",
        "Get or delete a pacticipant branch",
    ),
    "pb:pacticipant-branch-version": (
        "pacticipants/{pacticipant}/branches/{branch}/versions/{version}",
        "Get or add/create a pacticipant version for a branch",
    ),
    "pb:pacticipant-version": (
        "pacticipants/{pacticipant}/versions/{version}",
        "Get, create or delete a pacticipant version",
    ),
    "pb:can-i-deploy-pacticipant-version-to-tag": (
        f"{_CAN_I_DEPLOY}&to={{tag}}",
        "Determine if an application version can be safely deployed to an environment identified by the given tag",
    ),
    "pb:can-i-deploy-pacticipant-version-to-environment": (
        f"{_CAN_I_DEPLOY}&environment={{environment}}",
        "Determine if an application version can be safely deployed to an environment",
    ),
    "pb:environments": ("environments", "Environments"),
    "pb:environment": ("environments/{uuid}", "Environment"),
    "pb:integrations": ("integrations", "Integrations"),
    "pb:webhooks": ("webhooks", "Webhooks"),
    "pb:webhook": ("webhooks/{uuid}", "Webhook"),
    "pb:provider-pacts-for-verification": (
        _FOR_VERIFICATION,
        "Pact versions to be verified for the specified provider",
    ),
}


@blueprint.get("/")
def show() -> Response:
    """Answer the index."""
    links: dict[str, object] = {
        "self": {"href": template("").rstrip("/"), "title": "Index", "templated": False}
    }
    for relation, (path, title) in _RELATIONS.items():
        links[relation] = {"href": template(path), "title": title, "templated": "{" in path}
    links["beta:provider-pacts-for-verification"] = {
        "name": "beta",
        "href": template(_FOR_VERIFICATION),
        "title": "DEPRECATED - please use pb:provider-pacts-for-verification",
        "templated": True,
    }
    return json_response({"_links": links})


@blueprint.get("/diagnostic/status/heartbeat")
def heartbeat() -> Response:
    """Answer that the broker is alive and its database can be read."""
    body = {"ok": True, "_links": {"self": {"href": url("diagnostic", "status", "heartbeat")}}}
    return json_response(body, content_type="application/hal+json")


@blueprint.get("/diagnostic/status/dependencies")
def dependencies() -> Response:
    """Answer that the database can be written to."""
    href = url("diagnostic", "status", "dependencies")
    body = {"database": {"ok": True}, "_links": {"self": {"href": href}}}
    return json_response(body, content_type="application/hal+json")
