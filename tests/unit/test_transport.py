"""A server that takes its time, in every part of its answer, and one that never ends."""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from igsearch import fetch
from igsearch.errors import FetchError
from igsearch.fetch import Fetcher
from igsearch.records import Photo

Script = Callable[[socket.socket, str], None]
"""What a server does with a connection, once the head of a request has been read."""


class Proxy:
    """A proxy on loopback that does as it is told; what it was asked is noted."""

    def __init__(self, script: Script) -> None:
        self._script, self.requests = script, list[str]()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._connections = list[socket.socket]()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._connections.append(connection)
                threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            self.requests.append(head.decode())
            self._script(connection, head.decode())

    def close(self) -> None:
        """End every connection."""
        for one in (self._listening, *self._connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Script], Proxy]]:
    """Start a proxy and lead this process to it."""
    started: list[Proxy] = []

    def start(script: Script) -> Proxy:
        started.append(Proxy(script))
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, started[-1].address)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")
        return started[-1]

    yield start
    for one in started:
        one.close()


def trickling(start: bytes, endless: bytes, *, every: float = 0.05) -> Script:
    """Sends `start`, and then bytes one by one for ever."""

    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(start)
        for byte in itertools.cycle(endless):
            connection.sendall(bytes([byte]))
            time.sleep(every)

    return script


def flooding(start: bytes, endless: bytes) -> Script:
    """Sends `start`, and then the same for ever, as fast as it is taken."""

    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(endless * 1000)

    return script


def late(answer: bytes, *, after: float = 0.25) -> Script:
    """Waits before it answers."""

    def script(connection: socket.socket, _: str) -> None:
        time.sleep(after)
        connection.sendall(answer)

    return script


def plain(answer: bytes) -> Script:
    """Answers."""
    return late(answer, after=0)


def get(url: str = "http://photos.example.org/a.jpg", pauses: list[float] | None = None) -> bytes:
    """Fetch without really pausing."""
    with Fetcher(sleep=([] if pauses is None else pauses).append) as fetcher:
        return fetcher.fetch(Photo("a", url=url))


OK = b"HTTP/1.1 200 OK\r\n"
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /next\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

SLOW: dict[str, tuple[str, Script]] = {
    "status line": ("http", trickling(b"", b"H")),
    "headers": ("http", trickling(OK, b"X: a\r\n")),
    "one header": ("http", trickling(OK + b"X: ", b"a")),
    "answers before the answer": ("http", trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every=0.01)),
    "body": ("http", trickling(OK + b"Content-Length: 100000\r\n\r\n", b"x")),
    "body without a length": ("http", trickling(OK + b"\r\n", b"x")),
    "size of a chunk": ("http", trickling(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0")),
    "chunks": ("http", trickling(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")),
    "trailer": ("http", trickling(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: a\r\n")),
    "redirections": ("http", late(REDIRECT)),
    "attempts": ("http", late(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", after=0.35)),
    "tunnel": ("https", trickling(b"", b"H")),
    "headers of the tunnel": ("https", trickling(TUNNEL[:-2], b"X: a\r\n")),
    "handshake": ("https", trickling(TUNNEL + b"\x16\x03\x03\x3f\xff", b"\x02")),
}


@pytest.mark.parametrize("part", SLOW)
def test_the_deadline_bounds_the_whole_answer(proxy: Callable[[Script], Proxy], monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Whichever part of it comes byte by byte."""
    monkeypatch.setattr(fetch, "DEADLINE", 0.8)
    scheme, script = SLOW[part]
    proxy(script)
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"'photos.example.org' does not give the photo \(.*\): run the same command again later"):
        get(f"{scheme}://photos.example.org/a.jpg")
    assert time.monotonic() - started < 4


@pytest.mark.parametrize(
    "start",
    [OK + b"Transfer-Encoding: chunked\r\n\r\n", OK + b"\r\n", b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n", b""],
    ids=["chunk size", "body", "body of a redirection", "answers before the answer"],
)
def test_what_never_ends_is_not_kept(proxy: Callable[[Script], Proxy], monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    """However fast it comes, memory stays flat and the photo fails."""
    monkeypatch.setattr(fetch, "MAX_BYTES", 2**20)
    monkeypatch.setattr(fetch, "MAX_TRAFFIC", 2**22)
    monkeypatch.setattr(fetch, "DEADLINE", 2.0)
    proxy(flooding(start, b"0" * 100 if start else b"HTTP/1.1 100 Continue\r\n\r\n"))
    tracemalloc.start()
    with pytest.raises(FetchError):
        get()
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()


def test_no_pause_outlasts_the_deadline(proxy: Callable[[Script], Proxy], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that asks for more than is left is asked no more."""
    monkeypatch.setattr(fetch, "DEADLINE", 10.0)
    asked = proxy(plain(b"HTTP/1.1 503 Busy\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"))
    pauses: list[float] = []
    with pytest.raises(FetchError, match="HTTP 503 Busy"):
        get(pauses=pauses)
    assert (pauses, len(asked.requests)) == ([], 1)


def test_closing_ends_the_pauses(proxy: Callable[[Script], Proxy]) -> None:
    """A run that is given up does not wait for what its threads are waiting for."""
    asked = proxy(plain(b"HTTP/1.1 503 Busy\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n"))
    fetcher, failures = Fetcher(), list[str]()

    def work() -> None:
        try:
            fetcher.fetch(Photo("a", url="http://photos.example.org/a.jpg"))
        except FetchError as err:
            failures.append(str(err))

    thread = threading.Thread(target=work)
    thread.start()
    while not asked.requests:
        time.sleep(0.01)
    time.sleep(0.2)
    fetcher.close()
    thread.join(10)
    assert (thread.is_alive(), len(failures)) == (False, 1)


def test_what_came_packed_is_unpacked(proxy: Callable[[Script], Proxy]) -> None:
    """Some servers pack whatever they are asked."""
    packed = gzip.compress(b"a photo" * 100)
    proxy(plain(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed))
    assert get() == b"a photo" * 100


@pytest.mark.parametrize(
    ("encoding", "body", "says"),
    [
        (b"gzip", gzip.compress(bytes(150 * 10**6), 1), "more than 64 MiB"),
        (b"br", b"\x8b\x01\x80a photo\x03", "packed as 'br'"),
        (b"gzip, gzip, gzip", gzip.compress(gzip.compress(bytes(10**7))), "packed as 'gzip, gzip, gzip'"),
        (b"gzip", b"no gzip at all", "cannot be unpacked"),
        (b"\x1b[31m", b"x", "packed as"),
    ],
    ids=["bomb", "brotli", "layers", "nonsense", "escape"],
)
def test_what_came_packed_is_unpacked_within_bounds(proxy: Callable[[Script], Proxy], encoding: bytes, body: bytes, says: str) -> None:
    """A few bytes do not become many."""
    proxy(plain(OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body)) + body))
    with pytest.raises(FetchError, match=says) as caught:
        get()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 \x1b[31mgone\x07" + b"x" * 5000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 " + "\u202egone\u2028".encode() + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \x1b]0;title\x07://x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: https://[::\x1b[2J\r\nContent-Length: 0\r\n\r\n",
        b"\x1b[31mHTTP? no\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n\x1b[31m\r\n",
    ],
    ids=["reason", "direction", "address", "host", "status", "chunk"],
)
def test_what_a_server_says_is_repeated_in_one_plain_line(proxy: Callable[[Script], Proxy], answer: bytes) -> None:
    """Short, and without what a terminal would obey."""
    proxy(plain(answer))
    with pytest.raises(FetchError) as caught:
        get()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 450
