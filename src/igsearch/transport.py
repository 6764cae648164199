"""A session of requests whose every wait ends in time: a server that sends a byte now and then, wherever in its answer, cannot hold anybody longer than agreed.

The timeouts of requests start anew with every piece that arrives. Here a `Limit` on seconds and bytes holds for whatever the current thread sends and
receives while it is in force: proxies, TLS, the status line, headers, chunk sizes, and all attempts and redirections together.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs

from igsearch.errors import FetchError

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 30.0
"""Seconds to reach an address of the server's, and between two pieces of its answer."""


@dataclass(slots=True)
class Limit:
    """How long something may take from now on, and how many bytes it may bring."""

    seconds: float
    n_bytes: int
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    @property
    def seconds_left(self) -> float:
        """0 once it is over."""
        return max(0.0, self._end - time.monotonic())

    def wait(self, at_most: float) -> float:
        """How long the next wait may be. Raises TimeoutError if it is over."""
        left = self.seconds_left
        if not left:
            raise TimeoutError(f"not complete after {self.seconds:.0f} s")
        return min(left, at_most)

    def count(self, n_bytes: int) -> None:
        """Take what has arrived into account. Raises FetchError if it is too much."""
        self.n_bytes -= n_bytes
        if self.n_bytes < 0:
            raise FetchError("the server sends without end: that is no photo")


_LIMIT: ContextVar[Limit | None] = ContextVar("limit", default=None)


@contextlib.contextmanager
def limited(seconds: float, n_bytes: int) -> Iterator[Limit]:
    """Let a limit hold for what this thread does inside."""
    limit = Limit(seconds, n_bytes)
    token = _LIMIT.set(limit)
    try:
        yield limit
    finally:
        _LIMIT.reset(token)


class _Timed(socket.socket):
    """A socket that waits no longer than the limit allows, however often it is asked."""

    def hurry(self, at_most: float | None = None) -> Limit | None:
        """Let the next wait be no longer than `at_most`, or what is left."""
        limit = _LIMIT.get()
        if limit is not None:
            self.settimeout(limit.wait(at_most or READ_TIMEOUT))
        return limit

    def recv(self, *args: Any, **options: Any) -> bytes:  # noqa: ANN401 - those of the socket, or of TLS
        limit = self.hurry()
        data = super().recv(*args, **options)
        if limit is not None:
            limit.count(len(data))
        return data

    def recv_into(self, *args: Any, **options: Any) -> int:  # noqa: ANN401 - those of the socket, or of TLS
        limit = self.hurry()
        n_bytes = super().recv_into(*args, **options)
        if limit is not None:
            limit.count(n_bytes)
        return n_bytes

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401 - a ReadableBuffer, which only typeshed can name
        self.hurry()
        super().sendall(data, flags)


class _TimedTLS(_Timed, ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's signature
        self.hurry()
        super().do_handshake(block)


class _Connection(HTTPConnection):
    """Connects to the first address that answers, in the time there is for all of them together."""

    def _new_conn(self) -> socket.socket:
        try:
            places = socket.getaddrinfo(self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM)
        except socket.gaierror as err:
            raise NameResolutionError(self.host, self, err) from err
        failure: OSError = OSError("no address")
        for family, kind, protocol, _, place in places:
            sock = _Timed(family, kind, protocol)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.hurry(CONNECT_TIMEOUT)
                sock.connect(place)
            except OSError as err:
                sock.close()
                failure = err
            else:
                return sock
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, str(failure)) from failure
        raise NewConnectionError(self, str(failure)) from failure


class _TLSConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        if self.ssl_context is None:
            self.ssl_context = create_urllib3_context(cert_reqs=resolve_cert_reqs(self.cert_reqs))
        self.ssl_context.sslsocket_class = _TimedTLS
        super().connect()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    """Makes its connections of ours, also through proxies; those through SOCKS, which needs a library of its own, keep the timeouts of requests."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - those of requests
        super().init_poolmanager(*args, **options)
        _of_ours(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - those of requests
        manager = super().proxy_manager_for(*args, **options)
        return _of_ours(manager) if isinstance(manager, ProxyManager) else manager


def _of_ours(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager


class _Session(requests.Session):
    """Follows no redirection by itself: on the way requests reads whatever the answer holds, without a bound and unpacked."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, whatever the answer."""


def session(n_connections: int) -> requests.Session:
    """A session for pictures, with so many connections kept open to a server; without cookies, so it holds nothing that threads could fight over."""
    made = _Session()
    made.headers.update({"User-Agent": "igsearch", "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"})
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        made.mount(scheme, _Adapter(pool_connections=n_connections, pool_maxsize=n_connections))
    return made
