"""Which answers are redirects."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""The statuses whose `Location` says where to go instead."""
