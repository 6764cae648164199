"""Listening: `igsearch serve` from its options to its end, on waitress."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from waitress.server import create_server

from igsearch.errors import NotIndexedError, UsageError
from igsearch.web.app import create_app
from igsearch.web.library import Library
from igsearch.web.security import is_wildcard, one_spelling

if TYPE_CHECKING:
    from types import FrameType

    from igsearch.web.settings import Settings

N_THREADS = 8
"""A question keeps the interpreter busy for a few milliseconds: more threads would wait for each other, fewer for the disk."""

MAX_CONNECTIONS = 512

MAX_HEADER_BYTES, MAX_BODY_BYTES = 16 * 1024, 1024
"""The address is part of the header; nobody has a reason to send a body."""

IDLE_SECONDS = 60
"""A connection on which nothing happens for so long is closed."""


def serve(settings: Settings, *, port: int, on_start: Callable[[str], None]) -> None:
    """Answer until Ctrl-C or SIGTERM; `on_start` is given the address as soon as it can be asked.

    Raises UsageError if that cannot be listened on, NotIndexedError for a profile asked for that is not there.
    """
    app = create_app(settings)
    _check_profiles(settings)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that questions wait their turn is no news
    with _listening(settings.host, port) as listener:
        server = create_server(
            app, sockets=[listener], threads=N_THREADS, connection_limit=MAX_CONNECTIONS, asyncore_use_poll=True, channel_timeout=IDLE_SECONDS,
            max_request_header_size=MAX_HEADER_BYTES, max_request_body_size=MAX_BODY_BYTES, ident=None, log_socket_errors=False,
        )  # fmt: skip
        signal.signal(signal.SIGTERM, _end)
        on_start(address(settings.host, listener.getsockname()[1]))
        server.run()


def address(host: str, port: int) -> str:
    """What to put into a browser."""
    name = socket.gethostname() if is_wildcard(one_spelling(host)) else one_spelling(host)
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"


def _check_profiles(settings: Settings) -> None:
    library = Library(settings.cache)
    missing = [name for profile in settings.profiles if (name := library.paths(profile).root.name) not in library.names()]
    if missing:
        raise NotIndexedError(f"nothing is indexed under {missing[0]!r}: run igsearch index {missing[0]}")


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that takes connections from now on. Raises UsageError."""
    try:
        family, _, _, _, where = socket.getaddrinfo(one_spelling(host), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(where[:2], family=family)
    except socket.gaierror as err:
        raise UsageError(f"{host!r} is no name or address of this machine ({err.strerror}): choose another with --host") from err
    except OSError as err:
        raise UsageError(f"port {port} on {host!r} cannot be listened on ({os.strerror(err.errno or 0)}): choose another with --port or --host") from err
    with listener:
        yield listener


def _end(_: int, __: FrameType | None) -> NoReturn:
    """SIGTERM ends the server as Ctrl-C does: waitress finishes what it has begun."""
    raise SystemExit
