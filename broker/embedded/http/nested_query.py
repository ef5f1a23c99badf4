"""Query strings with brackets in their names, as Ruby on a real broker's side reads them (no I/O).

`q[][version]=1&q[][version]=2` is a list of two objects, `tags[]=a&tags[]=b` one of two texts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from urllib.parse import parse_qsl

_NAME = re.compile(r"(\w+)\[\](?:\[(\w+)\])?")

Item = dict[str, str] | str


def parse(query: str) -> tuple[dict[str, str], dict[str, list[Item]]]:
    """Return the parameters without brackets, and the lists.

    An object of a list ends where one of its keys comes a second time.
    """
    plain: dict[str, str] = {}
    lists: dict[str, list[Item]] = defaultdict(list)
    for name, value in parse_qsl(query, keep_blank_values=True):
        match = _NAME.fullmatch(name)
        if match is None:
            plain[name] = value
            continue
        found, key = lists[match[1]], match[2]
        if key is None:
            found.append(value)
            continue
        last = found[-1] if found else None
        if not isinstance(last, dict) or key in last:
            last = {}
            found.append(last)
        last[key] = value
    return plain, lists
