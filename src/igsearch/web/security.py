"""Who may ask, and what a browser may do with the answer.

Without a token the server listens on loopback only, and answers to loopback's names only: a page elsewhere could otherwise have its own name resolve to this
machine (DNS rebinding) and read everything. With a token, what counts is the token, in a header or in a cookie that no other site's page makes a browser send.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from igsearch.errors import UsageError

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{8,256}")
"""What a header, a cookie and an address carry alike (RFC 6750, 2.1)."""

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
"""A Host header (RFC 9110, 7.2)."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""On every answer."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets a request pass or not: `host` is what the server listens on, `token` what it asks for, if anything."""

    host: str
    token: str | None

    def __post_init__(self) -> None:
        if self.token is not None and not TOKEN.fullmatch(self.token):
            raise UsageError("a token is 8 to 256 letters, digits or any of . _ ~ + / = -: make one with openssl rand -hex 16")
        if self.token is None and not self.is_local:
            raise UsageError(f"everybody who reaches {self.host!r} could search your photos: protect them with --token TOKEN")

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine reach the server."""
        return is_loopback(one_spelling(self.host))

    def knows_host(self, host: str) -> bool:
        """Whether a request's Host header, port or none, names this server."""
        name = host_name(host)
        if name is None:
            return False
        if is_loopback(name) or name == one_spelling(self.host):
            return True
        # Whoever listens everywhere is reached under names we cannot know. An address in figures needs no name server that could lie.
        return is_wildcard(one_spelling(self.host)) and (is_address(name) or name.removesuffix(".local") == socket.gethostname().lower().removesuffix(".local"))

    def is_allowed(self, request: Request, cookie_name: str) -> bool:
        """Whether a request brings the token, in its Authorization header or by the cookie."""
        if self.token is None:
            return True
        given = request.authorization
        if given is not None and given.type == "bearer" and given.token is not None:
            return _same(given.token, self.token)
        return _same(request.cookies.get(cookie_name, ""), self.cookie)

    def is_token(self, given: str) -> bool:
        """Whether this is the token."""
        return self.token is not None and _same(given, self.token)

    @property
    def cookie(self) -> str:
        """What the cookie holds: it proves the token without being it, for cookies are sent to every port of a host."""
        return hmac.new((self.token or "").encode(), b"igsearch cookie", hashlib.sha256).hexdigest()


def protect(response: Response) -> Response:
    """`response` with the headers that keep what is in it where it belongs."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def host_name(host: str) -> str | None:
    """The name or address in a Host header, in one spelling; None if there is neither."""
    found = HOST.fullmatch(host)
    return found and one_spelling(found[1])


def one_spelling(name: str) -> str:
    """A host's name in lower case without the root's dot, or its address as `ipaddress` writes it."""
    bare = name.removeprefix("[").removesuffix("]")
    return str(ip_address(bare)) if is_address(bare) else bare.lower().removesuffix(".")


def is_address(name: str) -> bool:
    """Whether `name` is an IP address in figures."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Whether `name`, in one spelling, always means this machine."""
    return name == "localhost" or (is_address(name) and ip_address(name).is_loopback)


def is_wildcard(name: str) -> bool:
    """Whether listening on `name` means on every address of the machine."""
    return is_address(name) and ip_address(name).is_unspecified


def _same(given: str, expected: str) -> bool:
    """Compare in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())
