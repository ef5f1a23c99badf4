"""The example's provider states in Python, for `--provider-states examples/states.py:handlers`.

They stand for what a team would do to its provider's database; the example's provider starts with products, so
there is little to do.
"""

from __future__ import annotations

from typing import Any


def there_are_products(parameters: dict[str, Any]) -> None:
    """Do nothing: the provider has products from its start."""


handlers = {"there are products": there_are_products}
