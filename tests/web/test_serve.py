"""`igsearch serve` as a process of its own, asked over real connections: its start, its end, what happens meanwhile, and the seed's page as a client."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from igsearch import api
from igsearch.paths import ProfilePaths
from igsearch.ranking.words import fit
from igsearch.store.writer import StoreWriter
from tests.web import shelf

if TYPE_CHECKING:
    from tests.conftest import Igsearch

TOKEN = "correct-horse-battery"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and the address it printed."""

    process: subprocess.Popen[str]
    address: str

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Status and body."""
        request = urllib.request.Request(self.address.rstrip("/") + path, headers=headers)  # noqa: S310 - the address is our own
        try:
            with DIRECT.open(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as err:
            with err:
                return err.code, err.read()

    def json(self, path: str) -> Any:  # noqa: ANN401 - whatever the route answers
        """The document of an answer that must be well."""
        status, body = self.get(path)
        assert status == 200, body
        return json.loads(body)

    def connect(self) -> socket.socket:
        """A bare connection."""
        where = urlsplit(self.address)
        return socket.create_connection((where.hostname, where.port or 80), timeout=30)

    def end(self, sign: signal.Signals) -> tuple[int, str]:
        """Send a signal; how the process ended, and what else it had written to stderr."""
        self.process.send_signal(sign)
        _, stderr = self.process.communicate(timeout=30)
        return self.process.returncode, stderr


@contextmanager
def started(cache: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    """The command on a free port, from its first line on stderr to its end."""
    command = [sys.executable, "-X", "utf8", "-m", "igsearch", "serve", *arguments, "--port", "0", "--cache-dir", str(cache)]
    listened = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore Ctrl-C, and so would the server
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
    signal.signal(signal.SIGINT, listened)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.fullmatch(r"igsearch: serving on (http://\S+:[1-9]\d*/) until Ctrl-C\n", line)
        assert found, line
        yield Server(process, found[1])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(shelves: Path) -> Iterator[Server]:
    """A server that several tests ask."""
    with started(shelves) as running:
        yield running


# Its start and its end


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(shelves: Path, sign: signal.Signals) -> None:
    """Ctrl-C and SIGTERM are the ordinary ways: exit code 0, nothing more on stderr, the port free; a client that holds a connection does not keep it."""
    with started(shelves) as server, server.connect() as idle:
        assert server.json("/api/v2/search?q=frisbee")["total"] == 1
        idle.sendall(b"GET / HT")
        assert server.end(sign) == (0, "")
        with pytest.raises(ConnectionError):
            server.connect()


def test_a_port_that_is_taken_is_told(igsearch: Igsearch, server: Server, shelves: Path) -> None:
    """One line, exit code 2."""
    port = str(urlsplit(server.address).port)
    done = igsearch("serve", "--port", port, "--cache-dir", shelves)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr == f"igsearch: port {port} on '127.0.0.1' cannot be listened on (Address already in use): choose another with --port or --host\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nobody",), 5, "nothing is indexed under 'nobody': run igsearch index nobody"),
        (("..",), 2, "'..' is not a profile name: begin with a letter, a digit or an underscore"),
        (("--host", "0.0.0.0"), 2, "everybody who reaches '0.0.0.0' could search your photos: protect them with --token TOKEN"),  # noqa: S104 - what is tested
        (("--token", "short"), 2, "a token is 8 to 256 letters, digits or any of . _ ~ + / = -: make one with openssl rand -hex 16"),
        (("--host", "no such host", "--token", TOKEN), 2, "'no such host' is no name or address of this machine"),
        (("--host", "192.0.2.1", "--token", TOKEN), 2, "port 5000 on '192.0.2.1' cannot be listened on"),
    ],
)
def test_what_cannot_be_served_is_told(igsearch: Igsearch, shelves: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    """One line, and nothing is listened on."""
    done = igsearch("serve", *arguments, "--cache-dir", shelves)
    assert (done.code, done.stdout) == (code, "")
    assert done.stderr.startswith(f"igsearch: {said}")
    assert done.stderr.count("\n") == 1


def test_a_token_may_come_from_the_environment(shelves: Path) -> None:
    """Where other users of the machine do not see it; and it is not printed."""
    with started(shelves, "natgeo", IGSEARCH_TOKEN=TOKEN) as server:
        assert server.get("/api/v2/profiles")[0] == 401
        status, body = server.get("/api/v2/profiles", Authorization=f"Bearer {TOKEN}")
        assert (status, [one["profile"] for one in json.loads(body)["profiles"]]) == (200, ["natgeo"])


def test_on_another_address_it_goes_by_that(shelves: Path) -> None:
    """Everywhere includes here; the name of another machine does not."""
    with started(shelves, "--host", "0.0.0.0", "--token", TOKEN) as server:  # noqa: S104 - what is tested
        port = urlsplit(server.address).port
        here = Server(server.process, f"http://127.0.0.1:{port}/")
        assert here.get("/healthz")[0] == 200
        assert here.get("/healthz", Host=f"evil.example:{port}")[0] == 421


def test_the_browser_is_shown_the_page(shelves: Path, tmp_path: Path) -> None:
    """With the token, if there is one; a browser that runs in the terminal is answered while it runs."""
    browser, seen = tmp_path / "browser.py", tmp_path / "seen"
    seen.touch()
    browser.write_text(
        "import sys, urllib.request as web\n"
        "opener = web.build_opener(web.ProxyHandler({}), web.HTTPCookieProcessor())\n"
        f"open({str(seen)!r}, 'ab').write(opener.open(sys.argv[1]).read())\n",
        encoding="utf-8",
    )
    with started(shelves, "--open", "--token", TOKEN, BROWSER=f"{sys.executable} {browser} %s") as server:
        deadline = time.monotonic() + 30
        while "</html>" not in seen.read_text(encoding="utf-8") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.end(signal.SIGTERM) == (0, "")
    assert "</html>" in seen.read_text(encoding="utf-8")


# What is asked over a wire


def test_the_seeds_page_works_unchanged(server: Server) -> None:
    """As its JavaScript did: spaces in the address as they come, rows by position, every url put into an <img>."""
    where = urlsplit(server.address)
    for route in ("/?str=dog%20frisbee&name=natgeo", "/api/v1/search?str=dog+frisbee&name=natgeo"):
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        connection.request("GET", route, headers={"Origin": "http://localhost:3000", "Referer": "http://localhost:3000/", "Accept": "*/*"})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
        pictures = [{"src": row[1], "title": row[2]} for row in json.loads(answer.read())]
        connection.close()
        assert pictures[0]["title"] == "a dog catches a frisbee dog frisbee"
        assert pictures[0]["src"].startswith(server.address)
        with DIRECT.open(pictures[0]["src"], timeout=30) as image:
            assert (image.headers["Content-Type"], image.read()) == ("image/webp", shelf.THUMBNAIL)


def test_the_page_comes_with_its_files(server: Server) -> None:
    """Every file that it names is there."""
    status, page = server.get("/")
    assert status == 200
    named = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.decode())
    assert named
    assert {server.get(path)[0] for path in named} == {200}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        (b"GET /?q=" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /api/v2/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n" + b"x" * 5_000, b"413"),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
        (b"GET //evil.example/%2e%2e/?token=x HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"421"),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"405"),
        (b"GET /static/../../app.py HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
    ids=["header", "address", "body", "chunks", "another host", "an odd path", "no host", "a proxy", "dots", "TLS"],
)
def test_what_no_browser_sends_is_refused(server: Server, sent: bytes, status: bytes) -> None:
    """Bounded in size before anything of ours sees it; and the next question is answered."""
    with server.connect() as connection:
        connection.sendall(sent)
        head = connection.recv(65536)
    assert head.split(b" ")[1] == status, head
    assert b"Traceback" not in head
    assert server.get("/healthz")[0] == 200


def test_slow_clients_keep_nobody_waiting(server: Server) -> None:
    """Many connections on which a request never ends."""
    slow = [server.connect() for _ in range(64)]
    try:
        for connection in slow:
            connection.sendall(b"GET /api/v2/search?q=dog HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        started_at = time.monotonic()
        assert server.json("/api/v2/search?q=frisbee")["total"] == 1
        assert time.monotonic() - started_at < 5
    finally:
        for connection in slow:
            connection.close()


def test_many_ask_at_once(server: Server) -> None:
    """Everybody gets the same answer."""
    with ThreadPoolExecutor(32) as clients:
        answers = list(clients.map(server.json, ["/api/v2/search?q=dog&sort=date", "/?str=dog&name=natgeo"] * 64))
    assert all(answer == answers[0] for answer in answers[::2])
    assert all(answer == answers[1] for answer in answers[1::2])


def test_searching_goes_on_while_photos_are_added(tmp_path: Path) -> None:
    """Readers never wait for the writer or see half a batch; what is fitted is found without a restart; a profile that is removed is gone."""
    paths = shelf.put(tmp_path, "natgeo", [shelf.post("C000", "a dog")])
    with started(tmp_path) as server:
        totals: list[int] = []
        is_done = threading.Event()

        def ask() -> None:
            while not is_done.is_set():
                answer = server.json("/api/v2/search?q=dog&n=500")
                assert len(answer["results"]) == answer["total"]
                totals.append(answer["total"])
                assert server.json("/api/v2/search?n=1")["total"] >= answer["total"]

        with ThreadPoolExecutor(4) as clients:
            asking = [clients.submit(ask) for _ in range(4)]
            try:
                for batch in range(1, 9):
                    shelf.put(tmp_path, "natgeo", [shelf.post(f"C{batch}{number:02}", "a dog") for number in range(10)])
            finally:
                is_done.set()
            for one in asking:
                one.result(timeout=30)
        assert totals
        assert {(total - 1) % 10 for total in totals} == {0}
        assert server.json("/api/v2/search?q=dog&n=1")["total"] == 81
        with StoreWriter.create(paths, "natgeo") as store:
            fit(store, paths)
            assert server.json("/api/v2/search?q=dog&n=1")["total"] == 81
        api.remove("natgeo", cache_dir=tmp_path)
        status, body = server.get("/api/v2/search?q=dog&profiles=natgeo")
        assert (status, "nothing is indexed under 'natgeo'" in body.decode()) == (404, True)
        assert not ProfilePaths.of(tmp_path, "natgeo").root.exists()
        assert server.end(signal.SIGTERM) == (0, "")
