"""Custom headers, which replace those of the pact whatever their case.

The core lets a custom header replace one of the pact only where both are spelt alike, and sends both otherwise: a
provider then met the token of the consumer's test in the place of the one that it was to get.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.http.json_values import value_at

if TYPE_CHECKING:
    from collections.abc import Collection


def without_headers(document: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return an interaction's document without some headers of its request.

    Args:
        document: The interaction's document.
        names: The names of the headers, in lower case.
    """
    headers = value_at(document, "request", "headers")
    if not isinstance(headers, dict) or not any(name.lower() in names for name in headers):
        return document
    kept = {name: value for name, value in headers.items() if name.lower() not in names}
    return {**document, "request": {**document["request"], "headers": kept}}
