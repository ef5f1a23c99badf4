"""Connections of requests and urllib3 that end when their time is over: connecting, TLS, headers and body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs

from broker.http.deadline import TimedSocket, connect_in_time, timed_tls
from broker.http.tls import ORDINARY
from broker.http.whole_head import WholeHeadResponse

if TYPE_CHECKING:
    import socket

    from requests import PreparedRequest
    from urllib3.connectionpool import ConnectionPool
    from urllib3.poolmanager import PoolManager

    from broker.http.deadline import Deadline
    from broker.http.tls import Tls


class LimitedAdapter(HTTPAdapter):
    """Sends requests; whatever is done with one of its connections ends at the deadline with a timeout.

    Args:
        deadline: The deadline; whoever sends the requests sets it anew for each.
        tls: What is shown on TLS connections.
    """

    def __init__(self, deadline: Deadline, tls: Tls = ORDINARY) -> None:
        super().__init__()
        self._deadline = deadline
        self._tls = tls

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> ConnectionPool:
        """Return the pool of connections to the request's host, or to a proxy."""
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        if "_deadline" not in vars(pool.ConnectionCls):
            pool.ConnectionCls = _timed(pool.ConnectionCls, self._deadline, self._tls)
        found: ConnectionPool = pool
        return found

    def proxy_manager_for(self, proxy: str, **options: Any) -> PoolManager:
        """Return the pools of connections through a proxy, to which there may be a TLS connection, too."""
        if proxy.lower().startswith("https:"):
            options.setdefault("proxy_ssl_context", timed_tls(create_urllib3_context(), self._deadline))
        manager: PoolManager = super().proxy_manager_for(proxy, **options)
        return manager


def _timed(plain: Any, deadline: Deadline, tls: Tls) -> Any:
    """Return a class of connections that keep to a deadline, made of the one for the scheme and the proxy."""

    class Timed(plain):  # type: ignore[misc] # known when it runs
        _deadline = deadline
        response_class = WholeHeadResponse

        def connect(self) -> None:
            unset = getattr(self, "ssl_context", None) is None
            if issubclass(plain, HTTPSConnection) and (unset or tls.certificate is not None):
                context = create_urllib3_context(cert_reqs=resolve_cert_reqs(self.cert_reqs))
                tls.show(context)
                self.ssl_context = timed_tls(context, deadline)
            super().connect()

        def _new_conn(self) -> socket.socket:
            try:
                made = connect_in_time(super()._new_conn, self.host, deadline)
            except TimeoutError as error:
                raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
            return TimedSocket(made, deadline, self.timeout)

    return Timed
