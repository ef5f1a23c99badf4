"""The routes of the page: System."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from flask import Blueprint

from app.config.shown_configuration import document_of, lines_of, without_secrets
from app.database.database_url import described
from app.records.sightings import Seen
from app.web.context import database, receiver
from app.web.dashboard.rendering import show
from app.web.dashboard.system.query import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Response

    from app.web.context import Receiver

PACKAGES = {"pact-dispatch": "pact-dispatch", "pact-python": "pact-python", "Pact's core": "pact-python-ffi"}
"""The packages whose versions are shown, by the name of what is in them."""
UNITS = ((2**30, "GB"), (2**20, "MB"), (2**10, "KB"))

blueprint = Blueprint("system", __name__)


@blueprint.get("/system")
def show_system() -> Response:
    """Answer with the page."""
    return show("system/system.html.jinja", _values, topics=("runs",))


def _values() -> dict[str, Any]:
    here = receiver()
    with database() as connection:
        system = read(connection)
    document = without_secrets(_configuration(here))
    token = system.seen.get(Seen.GITHUB_TOKEN)
    return {
        "system": system,
        "versions": {**dict(_versions()), "Python": platform.python_version(), "PostgreSQL": system.version},
        "configuration": list(lines_of(document)),
        "document": json.dumps(document, indent=2),
        "providers": len(here.settings.providers),
        "days": here.settings.retention.days,
        "tokens": here.tokens.all(),
        "api_tokens": here.api_tokens.all(),
        "server": here.settings.server,
        "broker": system.seen.get(Seen.BROKER),
        "token": token,
        "size": size,
    }


def size(number: int) -> str:
    """Return a number of bytes for people."""
    for unit, name in UNITS:
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number} B"


def _configuration(here: Receiver) -> dict[str, Any]:
    """Return the configuration as this process understood it; credentials for others are those of the workers."""
    github = here.settings.github
    conninfo = here.pool.conninfo
    return document_of(
        here.settings,
        tokens={token.name: token.repositories for token in here.tokens.all()},
        api_tokens={token.name: token.read_only for token in here.api_tokens.all()},
        webhook_secret=here.webhook_secret is not None,
        github=_github(github.api_url, github.app_id) if here.settings.needs_github else None,
        database=here.database or described(conninfo if isinstance(conninfo, str) else conninfo()),
    )


def _github(url: str, app_id: str | None) -> dict[str, str]:
    return {"url": url, "login": "with a token" if app_id is None else f"as the App {app_id}"}


def _versions() -> Iterator[tuple[str, str]]:
    for name, package in PACKAGES.items():
        try:
            yield name, version(package)
        except PackageNotFoundError:
            yield name, "not installed here"
