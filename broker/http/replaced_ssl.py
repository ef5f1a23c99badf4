"""TLS by requests and urllib3 in a process whose `ssl` was replaced by one that waits without holding others up."""

from __future__ import annotations

import ssl
from typing import Any

from urllib3.util import ssl_


def use_replaced_ssl() -> None:
    """Have urllib3 make connections with the class of contexts that is in `ssl` now.

    It was imported before gevent had replaced that class, and would set up a context of the former one by methods that
    look for the latter, without an end (RecursionError).
    """
    replaced: Any = ssl_
    replaced.SSLContext = ssl.SSLContext
