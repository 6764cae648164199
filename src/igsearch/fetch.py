"""The bytes of a photo, from a file, a ZIP file or an address: bounded in size and time, patient with servers, never stopping the run."""

from __future__ import annotations

import logging
import math
import stat
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ContentDecodingError
from urllib3.exceptions import HTTPError

from igsearch.errors import FetchError
from igsearch.sources import cdn

if TYPE_CHECKING:
    from igsearch.records import Photo

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 2**20
"""Larger than any photo: 100 megapixels of a phone are about 40 MB."""

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 30.0
"""Seconds to reach the server, and between two pieces of its answer."""

DEADLINE = 120.0
"""Seconds for one photo, whatever its server trickles."""

PAUSES = (1.0, 2.0)
"""Seconds before the second attempt and the third, the last."""

LONGEST_PAUSE = 60.0
"""Seconds: what a server may ask for with Retry-After. For more, the photo is left to the next run."""

MAX_ARCHIVES = 32
"""ZIP files kept open: more than the parts of a large export, fewer than a system's limit."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How what lies in a ZIP file may be packed; bzip2 and LZMA are never met in exports, and zipfile unpacks those without a bound."""

MAX_RATIO, RATIO_FREE_BYTES = 100, 2**20
"""Pictures hardly shrink when they are packed; what shrinks to less than a hundredth of more than a MiB is made to fill a memory."""

# What zipfile lets out for damaged, encrypted and hostile files, met or standing in its source.
ZIP_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, LookupError, OverflowError, AttributeError)

REFRESH = "igsearch index PROFILE, without --from, asks Instagram for a fresh one; the post itself can still be opened"

CHUNK_BYTES = 2**16
MAX_REDIRECTS = 5


class _AgainError(FetchError):
    """An attempt failed in a way that the next may not; `pause` is how many seconds the server asks to wait."""

    def __init__(self, reason: str, *, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class Fetcher:
    """Fetches photos, from several threads at once if need be; close it, or use it as a context manager. Proxy and CA settings come from the environment."""

    def __init__(self, *, n_connections: int = 8, sleep: Callable[[float], object] = time.sleep, offline: bool = False) -> None:
        """`n_connections` are kept open to a server; `sleep` does the pauses between attempts; `offline` asks no server for anything."""
        self._sleep, self._offline = sleep, offline
        self._archives, self._reading = dict[Path, zipfile.ZipFile](), threading.Lock()
        self._silent_hosts = set[str]()
        self._session = requests.Session()
        self._session.max_redirects = MAX_REDIRECTS
        self._session.headers.update({"User-Agent": "igsearch", "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"})
        # Pictures need no cookies, and without them the session holds nothing that threads could fight over.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=n_connections, pool_maxsize=n_connections))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and the ZIP files."""
        self._session.close()
        with self._reading:
            while self._archives:
                self._archives.popitem()[1].close()

    def fetch(self, photo: Photo) -> bytes:
        """The bytes of `photo`, at most 64 MiB. Raises FetchError, whatever the reason.

        For a photo that came with its description, a server is asked once, and not at all if it left an earlier question unanswered.
        """
        if photo.path is not None:
            return _read(photo.path) if photo.member is None else self._member(photo.path, photo.member)
        if photo.url is None:
            where = f": open {photo.permalink}" if photo.permalink else ""
            raise FetchError(f"photo {photo.id!r} has neither a file nor an address{where}")
        if self._offline:
            raise FetchError(f"{photo.url[:200]!r} is not asked for: leave out --offline to have it fetched")
        return self._download(photo.url, PAUSES) if photo.given is None else self._download_once(photo.url)

    def _member(self, path: Path, name: str) -> bytes:
        """What lies in a ZIP file under a name. One thread reads at a time: a picture is read many times faster than it is described."""
        try:
            with self._reading:
                archive = self._archive(path)
                info = archive.getinfo(name)
                _check_member(info, path)
                with archive.open(info) as file:
                    return file.read(MAX_BYTES + 1)
        except OSError as err:
            raise FetchError(f"{str(path)!r} cannot be read ({err.strerror or err}): check that it exists and that you may read it") from err
        except KeyError as err:
            raise FetchError(f"{str(path)!r} holds no {name!r}: is it the ZIP file that was indexed?") from err
        except ZIP_DAMAGE as err:
            raise FetchError(f"{name!r} in {str(path)!r} is damaged ({_reason(err)}): get the ZIP file again") from err

    def _archive(self, path: Path) -> zipfile.ZipFile:
        if path not in self._archives:
            if not stat.S_ISREG(path.stat().st_mode):
                raise FetchError(f"{str(path)!r} is not a file: name a ZIP file")
            if len(self._archives) >= MAX_ARCHIVES:
                self._archives.pop(next(iter(self._archives))).close()
            self._archives[path] = zipfile.ZipFile(path)
        return self._archives[path]

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
        while True:
            try:
                return self._attempt(url)
            except _AgainError as err:
                pause = max(next(pauses, math.inf), err.pause)
                if pause > LONGEST_PAUSE:
                    raise FetchError(f"{_host(url)!r} does not give the photo ({err}): run the same command again later") from err
                log.info("%s: %s; again in %.0f s", _host(url), err, pause)
                self._sleep(pause)

    def _attempt(self, url: str) -> bytes:
        give_up = time.monotonic() + DEADLINE
        try:
            with self._session.get(url, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)) as response:
                _check_status(response)
                return _body(response, give_up)
        except (requests.ConnectionError, requests.Timeout, ChunkedEncodingError, ContentDecodingError) as err:
            raise _AgainError(_reason(err)) from err
        except (requests.RequestException, HTTPError, ValueError) as err:
            raise FetchError(f"{url[:200]!r} cannot be fetched ({_reason(err)}): check the address") from err


def _read(path: Path) -> bytes:
    """The bytes of a regular file; a pipe or a device could keep us waiting for ever."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FetchError(f"{str(path)!r} is not a file: name a picture")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as err:
        raise FetchError(f"{str(path)!r} cannot be read ({err.strerror}): check that it exists and that you may read it") from err
    except ValueError as err:
        raise FetchError(f"{str(path)!r} is no name of a file: {err}") from err
    if len(data) > MAX_BYTES:
        raise FetchError(f"{str(path)!r} is larger than {MAX_BYTES // 2**20} MiB: make it smaller")
    return data


def _check_member(info: zipfile.ZipInfo, path: Path) -> None:
    """Raises FetchError for what is not worth unpacking, judged before anything is."""
    named = f"{info.filename!r} in {str(path)!r}"
    if info.flag_bits & 1:
        raise FetchError(f"{named} is encrypted: unpack the ZIP file with its password, and give the folder")
    if info.compress_type not in METHODS:
        raise FetchError(f"{named} is packed in an unusual way: unpack the ZIP file, and give the folder")
    if info.file_size > MAX_BYTES:
        raise FetchError(f"{named} is larger than {MAX_BYTES // 2**20} MiB: that is no photo")
    if info.file_size > max(RATIO_FREE_BYTES, MAX_RATIO * info.compress_size):
        raise FetchError(f"{named} would unpack to more than {MAX_RATIO} times its size: that is no photo")


def _check(url: str) -> None:
    """Raises FetchError for an address that is not worth asking for."""
    if not url.lower().startswith(("https://", "http://")):
        raise FetchError(f"{url[:200]!r} is no web address: only http and https are fetched")
    expiry = cdn.expires_at(url)
    if expiry is not None and expiry <= datetime.now(UTC):
        raise FetchError(f"the photo's address expired on {expiry:%Y-%m-%d}: {REFRESH}")


def _check_status(response: requests.Response) -> None:
    """Raises _AgainError or FetchError unless the answer is the photo."""
    said = f"HTTP {response.status_code} {response.reason}"
    if response.status_code == 429 or response.status_code >= 500:
        raise _AgainError(said, pause=retry_after(response.headers.get("Retry-After", "")))
    if response.status_code in (403, 410):
        raise FetchError(f"{_host(response.url)!r} refuses the photo ({said}): its address may have expired; {REFRESH}")
    if response.status_code != 200:
        raise FetchError(f"{_host(response.url)!r} does not have the photo ({said}): it may have been deleted")


def _body(response: requests.Response, give_up: float) -> bytes:
    """The body; `give_up` is when, on the monotonic clock."""
    data = bytearray()
    for chunk in response.iter_content(CHUNK_BYTES):
        data += chunk
        if len(data) > MAX_BYTES:
            raise FetchError(f"{_host(response.url)!r} sends more than {MAX_BYTES // 2**20} MiB: that is no photo")
        if time.monotonic() > give_up:
            raise _AgainError(f"not complete after {DEADLINE:.0f} s")
    return bytes(data)


def retry_after(header: str) -> float:
    """How many seconds a Retry-After header asks for, as a number or as a date (RFC 9110, 10.2.3); 0 if it says nothing of use."""
    if header.isascii() and header.isdigit() and len(header) < 10:
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


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
    return next((words for kind, words in kinds.items() if isinstance(err, kind)), " ".join(str(err).split())[:120])
