"""Verify one pact: fetch it, replay it against its provider, publish the result.

    >>> from verifier import ProviderUnderTest, VerificationRequest, verify
    >>> request = VerificationRequest(
    ...     pact_url="examples/storefront-products.json",
    ...     provider=ProviderUnderTest(base_url="http://127.0.0.1:8080"),
    ... )

`verify(request)` returns a `Verification`; `publish(verification, access)` returns a `PublishedResult`. They are
separate, and a `Verification` can be saved and loaded, so that a result can be published later without verifying again.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if (
    TYPE_CHECKING
):  # `typing` would be imported for this alone, before the engine is started (`verifier.engine.spawn`)
    from typing import Any

    from broker.http.access import BrokerAccess
    from verifier.errors import PublishFailed, UsageError
    from verifier.publishing import publish
    from verifier.request import ProviderUnderTest, VerificationRequest
    from verifier.run import verify
    from verifier.verification import InteractionResult, Mismatch, Outcome, PublishedResult, Verification

__all__ = [
    "BrokerAccess",
    "InteractionResult",
    "Mismatch",
    "Outcome",
    "ProviderUnderTest",
    "PublishFailed",
    "PublishedResult",
    "UsageError",
    "Verification",
    "VerificationRequest",
    "publish",
    "verify",
]

_HOMES = {
    "BrokerAccess": "broker.http.access",
    "InteractionResult": "verifier.verification",
    "Mismatch": "verifier.verification",
    "Outcome": "verifier.verification",
    "ProviderUnderTest": "verifier.request",
    "PublishFailed": "verifier.errors",
    "PublishedResult": "verifier.verification",
    "UsageError": "verifier.errors",
    "Verification": "verifier.verification",
    "VerificationRequest": "verifier.request",
    "publish": "verifier.publishing",
    "verify": "verifier.run",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: the engine's child process starts with every run, and needs none."""
    if name not in _HOMES:
        raise AttributeError(f"module 'verifier' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
