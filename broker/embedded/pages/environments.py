"""The page of the environments, and of what is in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.embedded.pages.rendering import render
from broker.embedded.storage.deployment_records import current, environments
from broker.embedded.storage.deployment_tables import Deployment, Environment, Release
from broker.embedded.storage.records import session

if TYPE_CHECKING:
    from flask import Response


def show_all() -> Response:
    """Answer the page of all environments."""
    shown = [
        {"name": one.shown_name, "production": one.production, "versions": _versions(one)}
        for one in environments()
    ]
    return render("environments.html", environments=shown)


def _versions(environment: Environment) -> list[dict[str, Any]]:
    deployed = [
        (one, f"deployed ({one.application_instance})" if one.application_instance else "deployed")
        for one in session().scalars(current(Deployment).where(Deployment.environment == environment))
    ]
    released = [
        (one, "released")
        for one in session().scalars(current(Release).where(Release.environment == environment))
    ]
    found = [
        {
            "pacticipant": one.version.pacticipant.name,
            "number": one.version.number,
            "how": how,
            "since": one.created_at,
        }
        for one, how in (*deployed, *released)
    ]
    return sorted(found, key=lambda one: (one["pacticipant"], one["since"]))
