"""Compression of answers that are large where there are many providers."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from prometheus_client.exposition import gzip_accepted

if TYPE_CHECKING:
    from flask import Request, Response

LEVEL = 1
"""Quick: a thousand providers have 300 KB of figures, which are 20 KB then."""


def compressed(response: Response, request: Request) -> Response:
    """Return an answer, compressed if who has asked takes that.

    It must hold no secret: how far something can be compressed tells something of it.
    """
    response.vary.add("Accept-Encoding")
    if gzip_accepted(request.headers.get("Accept-Encoding", "")):
        response.set_data(gzip.compress(response.get_data(), compresslevel=LEVEL))
        response.content_encoding = "gzip"
    return response
