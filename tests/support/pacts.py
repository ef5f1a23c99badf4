"""Pacts for tests, small and plain."""

from __future__ import annotations

from typing import Any


def interaction(
    description: str,
    path: str,
    *,
    status: int = 200,
    body: Any = None,
    state: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """An HTTP interaction of a V3 pact; without a body, any body will do."""
    response: dict[str, Any] = {"status": status}
    if body is not None:
        response["body"] = body
    document: dict[str, Any] = {
        "description": description,
        "request": {"method": "GET", "path": path},
        "response": response,
        **more,
    }
    if state is not None:
        document["providerStates"] = [{"name": state}]
    return document


def pact(
    *interactions: dict[str, Any], consumer: str = "Storefront", provider: str = "Things"
) -> dict[str, Any]:
    """A V3 pact."""
    return {
        "consumer": {"name": consumer},
        "provider": {"name": provider},
        "interactions": list(interactions),
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }


def things(number: int) -> list[dict[str, Any]]:
    """Interactions that the scripted provider honours."""
    return [interaction(f"a request for thing {n}", f"/things/{n}", body={"id": n}) for n in range(number)]


BROKEN = interaction("a request for a thing with a price", "/things/1", body={"id": 1, "price": 9.5})
"""One that the scripted provider doesn't honour."""
