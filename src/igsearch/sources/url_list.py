"""A list of pictures, one path or address on a line, or each followed by a NUL character: a text file, or what another program writes."""

from __future__ import annotations

import codecs
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import chain
from pathlib import Path

from igsearch.errors import SourceError
from igsearch.records import Found, Photo, Unread
from igsearch.sources import cdn
from igsearch.sources.file_names import FILE_SCHEME, NamedFile, file_at, is_possible, is_there, named_file, spelt, unquoted

MAX_LINE_BYTES = 8192
"""Signed addresses of Instagram are about 700 bytes long; browsers and servers give up at about 8,000."""

MAX_PASSED_BYTES = 2**24
"""A line longer than this is no line: /dev/zero has one without an end."""

MAX_BLANK_LINES = 2**20
"""As many empty lines one after the other come from a program that writes nothing else."""

CHUNK_BYTES = 2**16

ADDRESS = re.compile(r"https?://", re.IGNORECASE)
OTHER_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]+://|(?:data|blob|mailto|javascript):)", re.IGNORECASE)
INSTAGRAM = re.compile(r"(?:www\.|m\.)?instagram\.com/", re.IGNORECASE)
"""An address of Instagram as people write it, without `https://`."""

CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")
REMARKS = "lines of a list that start with # and name no file"


@dataclass(frozen=True, slots=True)
class _Line:
    """What stands between two separators; `content` is not all of a line that is too long."""

    number: int
    content: bytes
    is_too_long: bool


class UrlList:
    """The pictures that a list names, each once. Relative paths start from the list's own folder."""

    kind = "list"
    name = "list of paths and addresses"
    newest_first = False
    n_expected = None

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self._path = path
        self.root = os.path.abspath(path)  # noqa: PTH100  # unlike Path's, without .. in it
        self.left_out: Mapping[str, int] = {}

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Found]:  # noqa: ARG002  # it is met anyway
        """The pictures, while the list is being read. Raises SourceError, also when the list names none."""
        self.left_out = left_out = Counter[str]()
        try:
            with self._path.open("rb") as stream:
                yield from listed(chunks_of(stream), self._path.absolute().parent, f"list {str(self._path)!r}", left_out)
        except OSError as err:
            raise SourceError(f"list {str(self._path)!r} cannot be read ({err.strerror}): check that it exists and that you may read it") from err


def chunks_of(stream: BufferedReader) -> Iterator[bytes]:
    """What a stream gives, as soon as it is there."""
    while chunk := stream.read1(CHUNK_BYTES):
        yield chunk


def with_head(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first line of a stream, and perhaps more; and the whole stream again."""
    head = b""
    while len(head) <= MAX_LINE_BYTES and not any(sign in head.lstrip() for sign in (b"\n", b"\0")) and (chunk := next(chunks, b"")):
        head += chunk
    return head, chain([head], chunks)


def listed(chunks: Iterator[bytes], folder: Path, name: str, left_out: Counter[str]) -> Iterator[Found]:
    """The pictures of a list called `name`. A name that is followed by a NUL character, as by `find -print0`, is taken exactly as it is."""
    head, chunks = with_head(chunks)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceError(f"{name} is written in UTF-16: save it as UTF-8")
    if not (is_exact := is_null_separated(head)) and b"\0" in head:
        raise SourceError(f"{name} is not a list: give a text with one path or address a line")
    is_empty = True
    for found in each_once(_all_found(_split(chunks, b"\0" if is_exact else b"\n", name), folder, left_out, is_exact=is_exact)):
        is_empty = False
        yield found
    if is_empty:
        raise SourceError(f"{name} names no picture: put one path or address on a line")


def each_once(found: Iterable[Found]) -> Iterator[Found]:
    """Every photo once, and once what could not be read, unless a photo of its id came before."""
    photos, unread = set[str](), set[str]()
    for one in found:
        known = photos if isinstance(one, Photo) else unread
        if one.id not in known and one.id not in photos:
            known.add(one.id)
            yield one


def is_null_separated(head: bytes) -> bool:
    """Whether what begins with `head` is names, each followed by a NUL character, rather than a file of another kind or a text in UTF-16."""
    *names, _ = head.split(b"\0")
    is_utf_16 = len(names) > 3 and all(len(name) == 1 for name in names)
    return bool(names) and all(names) and not is_utf_16 and CONTROL.search(head) is None


def photo_at(url: str) -> Photo:
    """The picture at an address. Its id stays the same when Instagram signs the address anew, and leads to the post where the address tells it."""
    shortcode = cdn.shortcode_of(url)
    return Photo(id=shortcode or cdn.without_signature(url), url=url, shortcode=shortcode)


def page_unread(url: str) -> Unread | None:
    """What to say of an address on Instagram that shows a page and is no picture; None for any other."""
    if not cdn.is_page(url):
        return None
    advice = "run igsearch index PROFILE to ask Instagram for the photos of a profile, or list the picture's own address or file"
    if (post := cdn.post_at(url)) is None:
        return Unread(cdn.without_signature(url), f"{url[:200]!r} is a page of Instagram, not a picture: {advice}")
    shortcode, slide = post
    permalink = f"https://www.instagram.com/p/{shortcode}/"
    return Unread(shortcode if slide == 1 else f"{shortcode}_{slide}", f"{url[:200]!r} is a post, not a picture: {advice}", permalink)


def _split(chunks: Iterable[bytes], separator: bytes, name: str) -> Iterator[_Line]:
    """The lines. Raises SourceError where there is no end of a line, or of empty ones."""
    number, n_blank, n_passed, rest = 0, 0, 0, b""
    for chunk in chain(chunks, [b""]):
        *whole, last = (chunk or separator).split(separator)
        for piece in whole:
            number += 1
            content = rest + piece
            n_blank = 0 if content.strip() or n_passed else n_blank + 1
            yield _Line(number, content.removeprefix(codecs.BOM_UTF8) if number == 1 else content, n_passed > 0 or len(content) > MAX_LINE_BYTES)
            rest, n_passed = b"", 0
        rest += last
        if len(rest) > MAX_LINE_BYTES:
            rest, n_passed = b"", n_passed + len(rest)
        if n_passed > MAX_PASSED_BYTES or n_blank > MAX_BLANK_LINES:
            raise SourceError(f"line {number + 1} of {name} has no end within {MAX_PASSED_BYTES >> 20} MiB: give a text file with one path or address a line")


def _all_found(lines: Iterable[_Line], folder: Path, left_out: Counter[str], *, is_exact: bool) -> Iterator[Found]:
    for line in lines:
        found = _found(line, folder, is_exact=is_exact)
        if isinstance(found, str):
            left_out[found] += 1
        elif found is not None:
            yield found


def _found(line: _Line, folder: Path, *, is_exact: bool) -> Found | str | None:
    """What a line names; None if nothing; in words what it is, if it is left out."""
    if line.is_too_long:
        return Unread(f"line {line.number}", f"line {line.number} of the list is longer than {MAX_LINE_BYTES} bytes: no path or address is")
    written = line.content.decode("utf-8", "surrogateescape")
    if is_exact:
        return _named(written, folder, is_exact=True) if written else None
    if not (plain := written.strip()):
        return None
    if plain.startswith("#") and not is_there(plain, folder):
        return REMARKS if plain.lstrip("#")[:1].strip() else None
    return _named(written.rstrip("\r"), folder, is_exact=False)


def _named(written: str, folder: Path, *, is_exact: bool) -> Found:
    """The picture at an address or in a file; a file of exactly this name goes before any other reading."""
    plain = unquoted(written.strip()).strip()
    if ADDRESS.match(plain):
        url = os.fsencode(plain).decode("utf-8", "replace")
        return page_unread(url) or (photo_at(url) if cdn.has_host(url) else Unread(url, f"{url[:200]!r} names no host: give the whole address"))
    if not is_possible(written):
        return Unread(repr(written), f"{written[:200]!r} has a NUL character in it: no path has one")
    if is_there(written, folder):
        place = NamedFile(folder / written)
    elif plain.lower().startswith(FILE_SCHEME):
        if (found := file_at(plain)) is None:
            return Unread(_as_text(plain), f"{plain[:200]!r} names no file on this machine: give a path, or file:///...")
        place = found
    elif INSTAGRAM.match(plain) and (page := page_unread(f"https://{_as_text(plain)}")):
        return page
    elif OTHER_SCHEME.match(plain):
        return Unread(_as_text(plain), f"{plain[:200]!r} is not asked for: give an http or https address, or a path")
    elif is_exact:
        place = NamedFile(spelt(folder / written) or folder / written)
    else:
        place = named_file(written, folder)
    return Photo(place.id(folder), path=place.path, member=place.member)


def _as_text(name: str) -> str:
    """What the file system calls something, as text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
