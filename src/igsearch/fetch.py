"""The bytes of a photo, from a file, a ZIP file or an address: bounded in size and time, patient with servers, never stopping the run."""

from __future__ import annotations

import logging
import math
import threading
import zipfile
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin, urlsplit

import requests
from requests.exceptions import ChunkedEncodingError, ContentDecodingError
from urllib3.exceptions import HTTPError

from igsearch import zips
from igsearch.errors import FetchError, as_said
from igsearch.regular import NotAFileError, open_regular
from igsearch.sources import cdn
from igsearch.transport import CONNECT_TIMEOUT, READ_TIMEOUT, Limit, limited, session

if TYPE_CHECKING:
    from igsearch.records import Photo

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 2**20
"""Larger than any photo: 100 megapixels of a phone are about 40 MB."""

DEADLINE = 120.0
"""Seconds for one photo: all attempts, redirections and pauses together, whatever its server trickles."""

MAX_TRAFFIC = 4 * MAX_BYTES
"""Bytes that may arrive for one photo, three attempts and what surrounds the photo included."""

PAUSES = (1.0, 2.0)
"""Seconds before the second attempt and the third, the last."""

LONGEST_PAUSE = 60.0
"""Seconds: what a server may ask for with Retry-After. For more, the photo is left to the next run."""

MAX_ARCHIVES = 32
"""ZIP files kept open: more than the parts of a large export, fewer than a system's limit."""

REFRESH = "igsearch index PROFILE, without --from, asks Instagram for a fresh one; the post itself can still be opened"

CHUNK_BYTES = 2**16
MAX_REDIRECTS = 5
MAX_PHRASE = 60
"""Characters of a status line that are repeated; the longest of the standard ones has 31."""

GZIP_OR_ZLIB = 47
"""zlib's number for both, told apart by their headers."""


class _AgainError(FetchError):
    """An attempt failed in a way that the next may not; `pause` is how many seconds the server asks to wait."""

    def __init__(self, reason: str, *, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class Fetcher:
    """Fetches photos, from several threads at once if need be; close it, or use it as a context manager. Proxy and CA settings come from the environment."""

    def __init__(self, *, n_connections: int = 8, sleep: Callable[[float], object] | None = None, offline: bool = False) -> None:
        """`n_connections` are kept open to a server; `sleep` does the pauses between attempts, which closing ends; `offline` asks no server for anything."""
        self._closed = threading.Event()
        self._sleep, self._offline = sleep or self._closed.wait, offline
        self._archives = _Archives()
        self._silent_hosts = set[str]()
        self._session = session(n_connections)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and the ZIP files."""
        self._closed.set()
        self._session.close()
        self._archives.close()

    def fetch(self, photo: Photo) -> bytes:
        """The bytes of `photo`, at most 64 MiB. Raises FetchError, whatever the reason.

        For a photo that came with its description, a server is asked once, and not at all if it left an earlier question unanswered.
        """
        if photo.path is not None:
            return _read(photo.path) if photo.member is None else self._archives.read(photo.path, photo.member)
        if photo.url is None:
            where = f": open {photo.permalink}" if photo.permalink else ""
            raise FetchError(f"photo {photo.id!r} has neither a file nor an address{where}")
        if self._offline:
            raise FetchError(f"{photo.url[:200]!r} is not asked for: leave out --offline to have it fetched")
        return self._download(photo.url, PAUSES) if photo.description is None else self._download_once(photo.url)

    def _download_once(self, url: str) -> bytes:
        """One attempt: thousands of old addresses on a server that no longer answers must not cost a timeout each."""
        host = _host(url)
        if host in self._silent_hosts:
            raise FetchError(f"{host!r} did not answer before")
        try:
            return self._download(url, ())
        except FetchError as err:
            if isinstance(err.__cause__, _AgainError):
                self._silent_hosts.add(host)
            raise

    def _download(self, url: str, pauses_between: Sequence[float]) -> bytes:
        _check(url)
        pauses = iter(pauses_between)
        with limited(DEADLINE, MAX_TRAFFIC) as limit:
            while True:
                try:
                    return self._attempt(url)
                except _AgainError as err:
                    self._pause(max(next(pauses, math.inf), err.pause), limit, url, err)

    def _pause(self, seconds: float, limit: Limit, url: str, failure: _AgainError) -> None:
        """Wait for the next attempt. Raises FetchError where none is to follow."""
        left = limit.seconds_left
        if seconds > min(LONGEST_PAUSE, left) or self._closed.is_set():
            reason = failure if left else f"not complete after {DEADLINE:.0f} s"
            raise FetchError(f"{_host(url)!r} does not give the photo ({reason}): run the same command again later") from failure
        log.info("%s: %s; again in %.0f s", _host(url), failure, seconds)
        self._sleep(seconds)

    def _attempt(self, url: str) -> bytes:
        try:
            return self._answer(url)
        except (requests.ConnectionError, requests.Timeout, ChunkedEncodingError, ContentDecodingError) as err:
            raise _AgainError(_reason(err)) from err
        except (requests.RequestException, HTTPError, ValueError) as err:
            raise FetchError(f"{url[:200]!r} cannot be fetched ({_reason(err)}): check the address") from err

    def _answer(self, url: str) -> bytes:
        """The body at the end of a chain of redirections."""
        for _ in range(MAX_REDIRECTS + 1):
            with self._session.get(url, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)) as response:
                if not response.is_redirect:
                    _check_status(response)
                    return _body(response)
                url = urljoin(response.url, response.headers["Location"])
        raise requests.TooManyRedirects


class _Archives:
    """The ZIP files that are read from. One thread reads at a time: a picture is read many times faster than it is described."""

    def __init__(self) -> None:
        self._open, self._reading = dict[Path, zipfile.ZipFile](), threading.Lock()

    def close(self) -> None:
        with self._reading:
            while self._open:
                self._open.popitem()[1].close()

    def read(self, path: Path, name: str) -> bytes:
        """What lies in a ZIP file under a name. Raises FetchError."""
        try:
            with self._reading:
                return zips.read_member(self._archive(path), name, MAX_BYTES)
        except zips.ZipError as err:
            raise FetchError(str(err)) from err

    def _archive(self, path: Path) -> zipfile.ZipFile:
        if path not in self._open:
            if len(self._open) >= MAX_ARCHIVES:
                self._open.pop(next(iter(self._open))).close()
            self._open[path] = zips.open_zip(path)
        return self._open[path]


def _read(path: Path) -> bytes:
    """The bytes of a file."""
    try:
        with open_regular(path) as file:
            data = file.read(MAX_BYTES + 1)
    except NotAFileError as err:
        raise FetchError(f"{str(path)!r} is not a file: name a picture") from err
    except OSError as err:
        raise FetchError(f"{str(path)!r} cannot be read ({err.strerror}): check that it exists and that you may read it") from err
    except ValueError as err:
        raise FetchError(f"{str(path)!r} is no name of a file: {err}") from err
    if len(data) > MAX_BYTES:
        raise FetchError(f"{str(path)!r} is larger than {MAX_BYTES // 2**20} MiB: make it smaller")
    return data


def _check(url: str) -> None:
    """Raises FetchError for an address that is not worth asking for."""
    if not url.lower().startswith(("https://", "http://")):
        raise FetchError(f"{url[:200]!r} is no web address: only http and https are fetched")
    expiry = cdn.expires_at(url)
    if expiry is not None and expiry <= datetime.now(UTC):
        raise FetchError(f"the photo's address expired on {expiry:%Y-%m-%d}: {REFRESH}")


def _check_status(response: requests.Response) -> None:
    """Raises _AgainError or FetchError unless the answer is the photo."""
    said = as_said(f"HTTP {response.status_code} {str(response.reason)[:MAX_PHRASE]}")
    if response.status_code == 429 or response.status_code >= 500:
        raise _AgainError(said, pause=retry_after(response.headers.get("Retry-After", "")))
    if response.status_code in (403, 410):
        raise FetchError(f"{_host(response.url)!r} refuses the photo ({said}): its address may have expired; {REFRESH}")
    if response.status_code != 200:
        raise FetchError(f"{_host(response.url)!r} does not have the photo ({said}): it may have been deleted")


def _body(response: requests.Response) -> bytes:
    """The photo; what came packed although it was not to, is unpacked within bounds."""
    packing = response.raw.headers.pop("Content-Encoding", "identity").strip().lower()  # requests would unpack it, layer by layer, without a bound
    data = bytearray()
    for chunk in response.iter_content(CHUNK_BYTES):
        data += chunk
        if len(data) > MAX_BYTES:
            break
    if packing in {"gzip", "x-gzip", "deflate"}:
        data = bytearray(_unpacked(data))
    elif packing not in {"identity", ""}:
        raise FetchError(f"{_host(response.url)!r} sends the photo packed as {as_said(packing)!r}, which was not asked for: open the post itself")
    if len(data) > MAX_BYTES:
        raise FetchError(f"{_host(response.url)!r} sends more than {MAX_BYTES // 2**20} MiB: that is no photo")
    return bytes(data)


def _unpacked(data: bytes | bytearray) -> bytes:
    try:
        return zlib.decompressobj(GZIP_OR_ZLIB).decompress(data, MAX_BYTES + 1)
    except zlib.error as err:
        raise _AgainError("what it sends cannot be unpacked") from err


def retry_after(header: str) -> float:
    """How many seconds a Retry-After header asks for, as a number or as a date (RFC 9110, 10.2.3); 0 if it says nothing of use."""
    if header.isascii() and header.isdigit() and len(header) < 10:
        return float(header)
    try:
        date = parsedate_to_datetime(header)
        return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, LookupError, OverflowError):
        return 0.0


def _host(url: str) -> str:
    """Who was asked; the rest of a signed address is long and says little."""
    try:
        return urlsplit(url).hostname or url[:80]
    except ValueError:
        return url[:80]


def _reason(err: Exception) -> str:
    """A failure of the network in a few words, in place of the nested ones of the libraries."""
    kinds = {
        requests.exceptions.ProxyError: "the proxy cannot be reached",
        requests.exceptions.SSLError: "no secure connection",
        requests.ConnectTimeout: "no answer",
        requests.Timeout: "no answer in time",
        requests.TooManyRedirects: "too many redirects",
        ChunkedEncodingError: "the connection was cut",
        requests.ConnectionError: "no connection",
    }
    return next((words for kind, words in kinds.items() if isinstance(err, kind)), as_said(str(err)))
