"""Values that many tests start from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from verifier.verification import InteractionResult, Mismatch, Outcome, Verification

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

PRICE = Mismatch(
    "body", "$.price", "34.9", '"34.90"', "Expected 34.9 (Decimal) but received '34.90' (String)"
)

PASSED = InteractionResult(
    index=0,
    id="a1",
    description="a request for a product",
    kind="Synchronous/HTTP",
    request="GET /products/7",
    states=("a product exists (id: 7)",),
    pending=False,
    outcome=Outcome.PASSED,
    duration=0.012,
)
FAILED = replace(
    PASSED, index=1, id="a2", description="the price", outcome=Outcome.FAILED, mismatches=(PRICE,)
)
PENDING_FAILED = replace(FAILED, index=2, id="a3", description="a wish", pending=True)
ERROR = replace(
    PASSED, index=3, id="a4", description="a lost one", outcome=Outcome.ERROR, reason="connection refused"
)


MANY_MISMATCHES = replace(FAILED, description="too many to show", more_mismatches=49_900)
COMMENTED = replace(
    PASSED, comments=("Asked for by every page", "and by the shop's till"), test_name="StockTest.reads()"
)


def verification(*results: InteractionResult, **values: Any) -> Verification:
    """Make a verification with these results, each at its place."""
    placed = tuple(replace(result, index=index) for index, result in enumerate(results))
    made = Verification(
        id="6f2d6c32-8f0a-4f0e-9e0c-0c9d2d5f5a11",
        pact_url="http://broker.example/pacts/provider/Products/consumer/Storefront/pact-version/abc",
        started_at=STARTED,
        consumer="Storefront",
        provider="Products",
        consumer_version="1.2.3",
        specification="4.0",
        provider_version="abc1234",
        provider_branch="main",
        provider_tags=("main", "prod"),
        duration=1.5,
        interactions=placed,
        interactions_in_pact=len(placed),
        links={"publish": "http://broker.example/publish"},
    )
    return replace(made, **values)


def http_interaction(description: str = "a request", **parts: Any) -> dict[str, Any]:
    """Make an HTTP interaction of a pact document."""
    return {
        "description": description,
        "request": {"method": "GET", "path": "/products"},
        "response": {"status": 200},
        **parts,
    }


def pact_document(*interactions: Any, **parts: Any) -> dict[str, Any]:
    """Make a pact document, of V3 unless its parts say otherwise."""
    return {
        "consumer": {"name": "Storefront"},
        "provider": {"name": "Products"},
        "interactions": list(interactions),
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
        **parts,
    }
