"""The query, the body and the answers of each route, by its endpoint; a test checks that none is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Query:
    """A parameter of a query string."""

    name: str
    required: bool = False
    several: bool = False
    schema: str = "string"

    def described(self) -> dict[str, Any]:
        """Return it in the form of OpenAPI."""
        one: dict[str, Any] = {"type": self.schema}
        schema = {"type": "array", "items": one} if self.several else one
        return {"name": self.name, "in": "query", "required": self.required, "schema": schema}


@dataclass(frozen=True)
class Operation:
    """What a route takes and answers.

    Attributes:
        answers: The statuses of success.
        refusals: The statuses of refusals, beyond those that any request, any name in a path and any body may get.
        body: The schema of the document that is sent, if one is.
        body_optional: Whether it may be left out.
        query: The parameters.
        media_type: The media type of the answers.
    """

    answers: tuple[int, ...] = (200,)
    refusals: tuple[int, ...] = ()
    body: str | None = None
    body_optional: bool = False
    query: tuple[Query, ...] = ()
    media_type: str = "application/hal+json"


_SHOWN = Operation()
_DELETED = Operation(answers=(204,))

_PAGE = tuple(Query(name, schema="integer") for name in ("pageNumber", "pageSize", "page", "size"))
_PART = Query("q")
_SELECTOR = tuple(
    Query(f"q[][{key}]", several=True)
    for key in ("pacticipant", "version", "latest", "tag", "branch", "mainBranch", "environment")
)
"""As Ruby reads a query (see `matrix.query`): a selector ends where one of its keys comes again."""
_IGNORED = tuple(Query(f"ignore[][{key}]", several=True) for key in ("pacticipant", "version"))
_ROWS = (Query("success[]", several=True), Query("limit", schema="integer"))
_MATRIX = (
    *_SELECTOR,
    *(Query(name) for name in ("latestby", "latest", "tag", "mainBranch", "environment")),
    *_IGNORED,
    *_ROWS,
)

OPERATIONS: dict[str, Operation] = {
    "openapi.show": Operation(media_type="application/json"),
    "index.show": _SHOWN,
    "index.heartbeat": _SHOWN,
    "index.dependencies": _SHOWN,
    # Pacticipants, and what belongs to them.
    "pacticipants.show_all": Operation(query=(*_PAGE, _PART)),
    "pacticipants.show_labelled": _SHOWN,
    "pacticipants.create": Operation(answers=(201,), body="NewPacticipant"),
    "pacticipants.show": _SHOWN,
    "pacticipants.replace": Operation(body="Pacticipant"),
    "pacticipants.change": Operation(answers=(200, 201), body="Pacticipant"),
    "pacticipants.remove": _DELETED,
    "labels.show_all": _SHOWN,
    "labels.show": _SHOWN,
    "labels.put": Operation(answers=(200, 201), body="Nothing", body_optional=True),
    "labels.remove": _DELETED,
    "versions.show_all": Operation(query=_PAGE),
    "versions.show_tagged": Operation(query=_PAGE),
    "versions.show": _SHOWN,
    "versions.put": Operation(answers=(200, 201), body="Version", body_optional=True),
    "versions.remove": _DELETED,
    "versions.show_latest": _SHOWN,
    "versions.show_latest_tagged": _SHOWN,
    "tags.show": _SHOWN,
    "tags.put": Operation(answers=(200, 201), body="Nothing", body_optional=True),
    "tags.remove": _DELETED,
    "branches.show_branches": Operation(query=(*_PAGE, _PART)),
    "branches.show_branch": _SHOWN,
    "branches.remove_branch": _DELETED,
    "branches.show_latest_on_branch": _SHOWN,
    "branches.show_all_on_branch": Operation(query=_PAGE),
    "branches.show_branch_version": _SHOWN,
    "branches.put_branch_version": Operation(answers=(200, 201), body="Nothing", body_optional=True),
    "branches.remove_branch_version": _DELETED,
    # Pacts and their results.
    "publishing.publish_contracts": Operation(refusals=(409,), body="Publication"),
    "publishing.put_pact": Operation(answers=(200, 201), refusals=(409,), body="Pact"),
    "publishing.merge_pact": Operation(answers=(200, 201), refusals=(409,), body="Pact"),
    "pacts.by_consumer_version": _SHOWN,
    "pacts.remove": _SHOWN,
    "pacts.previous_distinct": _SHOWN,
    "pacts.latest": _SHOWN,
    "pacts.latest_old_style": _SHOWN,
    "pacts.latest_tagged": _SHOWN,
    "pacts.latest_untagged": _SHOWN,
    "pacts.latest_on_branch": _SHOWN,
    "pacts.by_content": _SHOWN,
    "pacts.by_content_for_versions": _SHOWN,
    "pact_lists.latest": _SHOWN,
    "pact_lists.versions": _SHOWN,
    "pact_lists.versions_on_branch": _SHOWN,
    "pact_lists.remove_on_branch": _SHOWN,
    "pact_lists.versions_with_tag": _SHOWN,
    "pact_lists.remove_with_tag": _SHOWN,
    "provider_pacts.all_of_provider": _SHOWN,
    "provider_pacts.latest": _SHOWN,
    "provider_pacts.tagged": _SHOWN,
    "provider_pacts.latest_tagged": _SHOWN,
    "provider_pacts.on_main_branches": _SHOWN,
    "provider_pacts.latest_on_main_branches": _SHOWN,
    "provider_pacts.all_on_branch": _SHOWN,
    "provider_pacts.latest_on_branch": _SHOWN,
    "provider_states.of_main_branches": _SHOWN,
    "provider_states.of_branch": _SHOWN,
    "provider_states.of_environment": _SHOWN,
    "for_verification.default": Operation(
        query=(
            *(
                Query(f"consumer_version_selectors[][{key}]", several=True)
                for key in ("tag", "latest", "fallback_tag", "consumer")
            ),
            Query("provider_version_tags[]", several=True),
            Query("include_pending_status"),
            Query("include_wip_pacts_since"),
        )
    ),
    "for_verification.selected": Operation(body="Selection", body_optional=True),
    "verification_results.publish": Operation(answers=(201,), body="VerificationResult"),
    "verification_results.show": _SHOWN,
    "verification_results.show_latest": _SHOWN,
    "verification_results.show_latest_of_version": _SHOWN,
    "verification_results.show_latest_of_latest": _SHOWN,
    "verification_results.show_latest_of_consumer_version": _SHOWN,
    "integrations.show_all": Operation(query=(*_PAGE, _PART)),
    "integrations.remove_all": _DELETED,
    "integrations.remove": _DELETED,
    "relationships.show_all": Operation(media_type="text/csv"),
    "relationships.show_group": Operation(media_type="text/csv"),
    # What goes together, and what is where.
    "matrix.show": Operation(query=_MATRIX),
    "matrix.show_pair": Operation(query=(Query("latestby"), *_ROWS)),
    "matrix.can_i_deploy": Operation(
        query=(
            Query("pacticipant", required=True),
            Query("version", required=True),
            Query("to"),
            Query("environment"),
            Query("ignore[]", several=True),
            *_IGNORED,
        )
    ),
    "matrix.can_i_deploy_branch": _SHOWN,
    "matrix.can_i_deploy_tag": _SHOWN,
    "environments.show_all": Operation(query=(Query("name"),)),
    "environments.create": Operation(answers=(201,), body="Environment"),
    "environments.show": _SHOWN,
    "environments.replace": Operation(body="Environment"),
    "environments.remove": _DELETED,
    "deployments.record": Operation(answers=(201,), body="NewDeployment", body_optional=True),
    "deployments.show_of_version": _SHOWN,
    "deployments.show_in_environment": Operation(
        query=(Query("pacticipant"), Query("applicationInstance"), Query("target"))
    ),
    "deployments.show": _SHOWN,
    "deployments.change": Operation(body="Deployment"),
    "releases.record": Operation(answers=(200, 201), body="Nothing", body_optional=True),
    "releases.show_of_version": _SHOWN,
    "releases.show_in_environment": Operation(query=(Query("pacticipant"), Query("version"))),
    "releases.show": _SHOWN,
    "releases.change": Operation(body="Release"),
    # Webhooks.
    "webhooks.show_all": _SHOWN,
    "webhooks.create": Operation(answers=(201,), body="Webhook"),
    "webhooks.show_scope": _SHOWN,
    "webhooks.create_in_scope": Operation(answers=(201,), body="Webhook"),
    "webhooks.show_of_pact": _SHOWN,
    "webhooks.show": _SHOWN,
    "webhooks.put": Operation(answers=(200, 201), body="Webhook"),
    "webhooks.remove": _DELETED,
    "webhook_executions.saved": Operation(body="Nothing", body_optional=True),
    "webhook_executions.unsaved": Operation(body="Webhook"),
    "triggered_webhooks.show_logs": _SHOWN,
    "triggered_webhooks.show_of_publication": _SHOWN,
    "triggered_webhooks.show_of_result": _SHOWN,
    "triggered_webhooks.show_status": _SHOWN,
    "user_secrets.show_all": _SHOWN,
    "user_secrets.create": Operation(answers=(201,), body="NewSecret"),
    "user_secrets.show": _SHOWN,
    "user_secrets.put": Operation(body="Secret"),
    "user_secrets.remove": _DELETED,
}
