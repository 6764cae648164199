"""Fetching the bytes of photos, from files and from a server on loopback."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igsearch import fetch, transport
from igsearch.errors import FetchError
from igsearch.fetch import Fetcher
from igsearch.records import Description, Photo
from tests.fake_instagram import Answer, FakeInstagram, FakePost, FakeProfile, FakeSlide, Fault, jpeg

URL = "https://photos.example.org/a.jpg"

Serve = Callable[..., FakeInstagram]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a server that has `files` and lead this process to it."""
    with ExitStack() as stack:

        def start(files: dict[str, bytes | Answer], *faults: Fault) -> FakeInstagram:
            server = stack.enter_context(FakeInstagram(files=files, faults=faults))
            for name, value in server.env().items():
                monkeypatch.setenv(name, value)
            return server

        yield start


def get(url: str = URL, *, pauses: list[float] | None = None) -> bytes:
    """Fetch an address without really pausing."""
    with Fetcher(sleep=([] if pauses is None else pauses).append) as fetcher:
        return fetcher.fetch(Photo("a", url=url))


def read(path: Path) -> bytes:
    """Fetch a file."""
    with Fetcher() as fetcher:
        return fetcher.fetch(Photo("a", path=path))


def test_a_file_is_read(tmp_path: Path) -> None:
    """Byte for byte."""
    (tmp_path / "a.jpg").write_bytes(jpeg())
    assert read(tmp_path / "a.jpg") == jpeg()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("missing.jpg", "No such file", id="missing"),
        pytest.param("folder", "is not a file", id="folder"),
        pytest.param("pipe", "is not a file", id="pipe"),
        pytest.param("large.jpg", "larger than 64 MiB", id="large"),
        pytest.param("a\0b.jpg", "is no name of a file", id="nul"),
        pytest.param("x" * 5000, "cannot be read", id="long-name"),
    ],
)
def test_what_is_no_readable_file_is_told(tmp_path: Path, name: str, message: str) -> None:
    """In one line with the path, and without waiting for a pipe."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large.jpg").open("wb") as large:
        large.truncate(fetch.MAX_BYTES + 1)
    with pytest.raises(FetchError, match=message):
        read(tmp_path / name)


@pytest.mark.parametrize("url", [URL, URL.replace("https", "http"), URL.upper().replace("A.JPG", "a.jpg")], ids=["https", "http", "capitals"])
def test_an_address_is_fetched_through_the_proxy(serve: Serve, url: str) -> None:
    """Proxy and certificate authority come from the environment."""
    serve({URL: jpeg(), URL.replace("https", "http"): jpeg()})
    assert get(url) == jpeg()


def test_a_redirect_is_followed(serve: Serve) -> None:
    """As far as it leads to a picture on the web."""
    serve({URL: Answer.redirect("http://other.example.org/b.jpg"), "http://other.example.org/b.jpg": jpeg()})
    assert get() == jpeg()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(Answer.redirect("file:///etc/passwd"), "cannot be fetched", id="to-a-file"),
        pytest.param(Answer.redirect("ftp://example.org/a.jpg"), "cannot be fetched", id="to-ftp"),
        pytest.param(Answer.redirect("https://[broken/"), "cannot be fetched", id="to-no-address"),
        pytest.param(Answer.redirect(URL), "too many redirects", id="round-and-round"),
        pytest.param(Answer(status=404), "HTTP 404 Not Found", id="missing"),
        pytest.param(Answer(status=403), "may have expired", id="forbidden"),
        pytest.param(Answer(status=204), "does not have the photo", id="no-content"),
    ],
)
def test_a_refusal_is_not_asked_again(serve: Serve, answer: Answer, message: str) -> None:
    """Asking again would not help; the message is one line."""
    server = serve({URL: answer})
    pauses: list[float] = []
    with pytest.raises(FetchError, match=message) as caught:
        get(pauses=pauses)
    assert pauses == []
    assert "\n" not in str(caught.value)
    assert len(server.requests) <= fetch.MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "trouble",
    [Answer(status=503), Answer(status=429), Answer(jpeg(), cut_after=100), Answer(b"", status=502)],
    ids=["unavailable", "too-many-requests", "cut", "bad-gateway"],
)
def test_trouble_that_passes_costs_a_pause(serve: Serve, trouble: Answer) -> None:
    """The third attempt succeeds."""
    server = serve({URL: jpeg()}, Fault("a.jpg", trouble, times=2))
    pauses: list[float] = []
    assert get(pauses=pauses) == jpeg()
    assert pauses == [1.0, 2.0]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        pytest.param(Answer(status=500), "HTTP 500", id="server-error"),
        pytest.param(Answer(jpeg(), cut_after=100), "cut", id="cut"),
    ],
)
def test_trouble_that_stays_is_told(serve: Serve, trouble: Answer, reason: str) -> None:
    """After three attempts, with the host rather than the endless address."""
    server = serve({URL: trouble})
    with pytest.raises(FetchError, match=f"'photos.example.org' does not give the photo .*{reason}.* run the same command again later"):
        get(URL + "?" + "signature" * 50)
    assert len(server.requests) == 3


def in_an_hour() -> str:
    """A date as headers have it."""
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


@pytest.mark.parametrize(
    ("header", "pauses"),
    [
        ("7", [7.0]),
        ("0", [1.0]),
        ("soon", [1.0]),
        ("", [1.0]),
        ("3600", []),
        (in_an_hour(), []),
        ("9" * 400, [1.0]),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", [1.0]),
    ],
    ids=["seconds", "less-than-ours", "nonsense", "empty", "too-long", "date-too-late", "absurd", "absurd-date"],
)
def test_a_server_that_asks_for_a_pause_gets_it(serve: Serve, header: str, pauses: list[float]) -> None:
    """Up to a minute; for longer, the photo is left to the next run."""
    serve({URL: jpeg()}, Fault("a.jpg", Answer(status=429, headers={"Retry-After": header}), times=1))
    made: list[float] = []
    if pauses:
        assert get(pauses=made) == jpeg()
    else:
        with pytest.raises(FetchError, match="HTTP 429"):
            get(pauses=made)
    assert made == pauses


def test_retry_after_may_be_a_date() -> None:
    """Also one that has passed."""
    assert 3500 < fetch.retry_after(in_an_hour()) <= 3600
    assert fetch.retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@given(st.text(max_size=40) | st.from_regex(r"(Mon, )?[0-9]{1,30} (Jan|Feb|x) [0-9]{1,30} [0-9]{1,9}(:[0-9]{1,9}){1,3} ([+-][0-9]{1,30}|GMT|)", fullmatch=True))
@settings(max_examples=50)
def test_nonsense_of_a_server_asks_for_no_pause(header: str) -> None:
    """Whatever stands in the header: a number of seconds, and no error."""
    assert fetch.retry_after(header) >= 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("file:///etc/passwd", "only http and https", id="file"),
        pytest.param("ftp://example.org/a.jpg", "only http and https", id="ftp"),
        pytest.param("https://", "cannot be fetched", id="no-host"),
        pytest.param("https://[broken", "cannot be fetched", id="bracket"),
        pytest.param("https://.example.org/a.jpg", "cannot be fetched", id="empty-label"),
        pytest.param("https://x.fbcdn.net/a.jpg?oe=608CF1C0", "expired on 2021-05-01", id="expired"),
    ],
)
def test_some_addresses_are_not_asked_at_all(serve: Serve, url: str, message: str) -> None:
    """There is no need to bother a server with them."""
    server = serve({})
    with pytest.raises(FetchError, match=message):
        get(url)
    assert server.requests == []


def test_an_address_of_instagram_is_good_until_it_expires(serve: Serve) -> None:
    """`oe` in the future is fetched; the server's own refusal is told as an expiry."""
    post = FakePost("CA", [FakeSlide(jpeg())])
    server = serve({})
    server.profiles["natgeo"] = FakeProfile("natgeo", [post])
    assert get(post.url(1)) == jpeg()
    server.faults.append(Fault("_n.jpg", Answer(b"URL signature expired", 403)))
    with pytest.raises(FetchError, match="may have expired; igsearch index PROFILE, without --from"):
        get(post.url(1))


def test_a_body_without_end_is_not_read_to_its_end(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the announced length nor the server's patience matters."""
    monkeypatch.setattr(fetch, "MAX_BYTES", 2**20)
    serve({URL: b"x" * (2**20 + 1)})
    with pytest.raises(FetchError, match="more than 1 MiB"):
        get()


def test_a_trickle_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """However regularly a byte comes, a photo has its deadline."""
    monkeypatch.setattr(fetch, "DEADLINE", 0.0)
    serve({URL: jpeg()})
    with pytest.raises(FetchError, match="not complete after"):
        get()


def test_a_silent_server_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer in time is an attempt that failed."""
    monkeypatch.setattr(transport, "READ_TIMEOUT", 0.2)
    serve({URL: jpeg()}, Fault("a.jpg", Answer(jpeg(), delay=0.6), times=1))
    pauses: list[float] = []
    assert get(pauses=pauses) == jpeg()
    assert pauses == [1.0]


def test_no_proxy_means_no_photo_and_no_traceback() -> None:
    """The environment of every test names a proxy that does not exist."""
    with pytest.raises(FetchError, match="the proxy cannot be reached"):
        get()


def test_a_picture_is_asked_for_as_it_is(serve: Serve) -> None:
    """Packed for the journey, a few bytes could become many."""
    server = serve({URL: jpeg()})
    get()
    assert server.requests[0].headers["Accept-Encoding"] == "identity"


def test_cookies_are_neither_kept_nor_sent(serve: Serve) -> None:
    """Nobody learns from a picture what was looked at before."""
    server = serve({URL: Answer(jpeg(), headers={"Set-Cookie": "track=1; Path=/"})})
    with Fetcher() as fetcher:
        for _ in range(2):
            fetcher.fetch(Photo("a", url=URL))
    assert [dict(request.cookies) for request in server.requests] == [{}, {}]


def test_several_threads_share_a_fetcher(serve: Serve) -> None:
    """Each gets its own photo."""
    pictures = {f"https://photos.example.org/{i}.jpg": bytes([i]) * 1000 for i in range(40)}
    serve(dict(pictures))
    with Fetcher(n_connections=4) as fetcher, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda url: fetcher.fetch(Photo(url, url=url)), pictures)) == list(pictures.values())


def test_a_photo_that_is_nowhere_is_told() -> None:
    """It should not happen, and is no crash if it does."""
    with Fetcher() as fetcher, pytest.raises(FetchError, match="neither a file nor an address"):
        fetcher.fetch(Photo("a"))


def zipped(path: Path, *names: str, content: bytes = b"", method: int = zipfile.ZIP_STORED) -> Path:
    """A ZIP file with these members; each holds `content`, or else its own name."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in names:
            archive.writestr(name, content or name.encode())
    return path


def member(path: Path, name: str) -> bytes:
    """Fetch a member of a ZIP file."""
    with Fetcher() as fetcher:
        return fetcher.fetch(Photo("a", path=path, member=name))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("name", ["media/posts/a.jpg", "../../../etc/passwd", "/etc/passwd", "C:\\a.jpg", "été.jpg"])
def test_a_member_of_a_zip_file_is_read(tmp_path: Path, name: str, method: int) -> None:
    """Under whatever name: it is looked up in the ZIP file, and never on the disk."""
    assert member(zipped(tmp_path / "x.zip", "other", name, method=method), name) == name.encode()


def patched(path: Path, old: bytes, new: bytes) -> None:
    """Replace bytes of a file that must be there."""
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def claiming(path: Path, size: int) -> None:
    """Have a ZIP file claim another size for its only member, of 5 bytes."""
    patched(path, struct.pack("<LL", 5, 5), struct.pack("<LL", 5, size))


def bomb(path: Path) -> None:
    """A member of 60 MB that takes 60 KB."""
    zipped(path, "a.jpg", content=bytes(60 * 10**6), method=zipfile.ZIP_DEFLATED)


def encrypted(path: Path) -> None:
    """The flag that says so, in both headers."""
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)


def pipe(path: Path) -> None:
    """A named pipe where the file was."""
    path.unlink()
    os.mkfifo(path)


SPOILT_ZIPS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no-such-member": (lambda path: zipped(path, "b.jpg"), "holds no 'a.jpg'"),
    "huge": (lambda path: claiming(path, 2**32 - 2), "claims 4294967294 bytes"),
    "shorter-than-it-is": (lambda path: claiming(path, 3), "cannot be read .Bad CRC"),
    "bomb": (bomb, "which is more than is read"),
    "lzma": (lambda path: zipped(path, "a.jpg", method=zipfile.ZIP_LZMA), "packed in an unusual way"),
    "encrypted": (encrypted, "is encrypted"),
    "crc": (lambda path: patched(path, b"a.jpga.jpg", b"a.jpga.jpX"), "cannot be read .Bad CRC"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-30]), "a damaged ZIP file"),
    "no-zip": (lambda path: path.write_bytes(b"hello"), "a damaged ZIP file"),
    "empty": (lambda path: path.write_bytes(b""), "a damaged ZIP file"),
    "missing": (Path.unlink, "No such file"),
    "pipe": (pipe, "is not a file"),
}


@pytest.mark.parametrize("spoil", SPOILT_ZIPS)
def test_what_is_wrong_with_a_zip_file_is_told(tmp_path: Path, spoil: str) -> None:
    """In one line, without unpacking more than a photo can be."""
    path = zipped(tmp_path / "x.zip", "a.jpg")
    spoil_it, message = SPOILT_ZIPS[spoil]
    spoil_it(path)
    tracemalloc.start()
    try:
        with pytest.raises(FetchError, match=message) as caught:
            member(path, "a.jpg")
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200), st.integers(0, 200))
@settings(max_examples=200)
def test_a_garbled_zip_file_ends_in_an_error_or_in_bytes(noise: bytes, place: int) -> None:
    """Whatever bytes are overwritten, nothing but FetchError comes out."""
    with tempfile.TemporaryDirectory() as folder:
        path = zipped(Path(folder) / "x.zip", "a.jpg", "b.jpg")
        data = bytearray(path.read_bytes())
        data[place : place + len(noise)] = noise
        path.write_bytes(data)
        with contextlib.suppress(FetchError):
            assert member(path, "a.jpg") == b"a.jpg"


def test_several_threads_read_one_zip_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gets its own member, also where there are more ZIP files than are kept open; and all are closed in the end."""
    monkeypatch.setattr(fetch, "MAX_ARCHIVES", 2)
    names = [f"{i}.jpg" for i in range(50)]
    paths = [zipped(tmp_path / f"{i}.zip", *names, method=zipfile.ZIP_DEFLATED) for i in range(3)]
    with Fetcher() as fetcher, ThreadPoolExecutor(4) as pool:
        photos = [Photo(name, path=path, member=name) for name in names for path in paths]
        assert list(pool.map(fetcher.fetch, photos)) == [photo.id.encode() for photo in photos]
    for path in paths:
        path.unlink()  # which Windows refuses for an open file


DESCRIBED = Description("a cat", None)


@pytest.mark.parametrize("trouble", [Answer(status=503), Answer(jpeg(), cut_after=100)], ids=["unavailable", "cut"])
def test_for_a_photo_that_came_described_a_server_is_asked_once(serve: Serve, trouble: Answer) -> None:
    """Its picture is no more than a thumbnail: no pauses, and a server that leaves one question unanswered is asked no other. Another server is."""
    other = URL.replace("photos", "other")
    server = serve({URL: trouble, other: jpeg()})
    pauses: list[float] = []
    with Fetcher(sleep=pauses.append) as fetcher:
        for _ in range(3):
            with pytest.raises(FetchError, match="photos"):
                fetcher.fetch(Photo("a", url=URL, description=DESCRIBED))
        assert fetcher.fetch(Photo("b", url=other, description=DESCRIBED)) == jpeg()
    assert (len(server.requests), pauses) == (2, [])


def test_a_refusal_says_nothing_of_the_servers_other_photos(serve: Serve) -> None:
    """One deleted picture does not stop the thumbnails of the rest."""
    serve({URL: Answer(status=404), URL.replace("a.jpg", "b.jpg"): jpeg()})
    with Fetcher() as fetcher:
        with pytest.raises(FetchError, match="404"):
            fetcher.fetch(Photo("a", url=URL, description=DESCRIBED))
        assert fetcher.fetch(Photo("b", url=URL.replace("a.jpg", "b.jpg"), description=DESCRIBED)) == jpeg()


def test_offline_nothing_is_asked_for(serve: Serve, tmp_path: Path) -> None:
    """Files are read all the same."""
    server = serve({URL: jpeg()})
    (tmp_path / "a.jpg").write_bytes(jpeg())
    with Fetcher(offline=True) as fetcher:
        with pytest.raises(FetchError, match="leave out --offline"):
            fetcher.fetch(Photo("a", url=URL))
        assert fetcher.fetch(Photo("a", path=tmp_path / "a.jpg")) == jpeg()
    assert server.requests == []


def test_where_only_the_post_is_known_its_address_is_told() -> None:
    """A link to the post is no address of the picture."""
    with Fetcher() as fetcher, pytest.raises(FetchError, match=r"neither a file nor an address: open https://www.instagram.com/p/CA/"):
        fetcher.fetch(Photo("CA", shortcode="CA"))
