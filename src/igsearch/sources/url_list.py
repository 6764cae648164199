"""A text file, or standard input, with one path or address of a picture a line."""

from __future__ import annotations

import codecs
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from igsearch.errors import SourceError
from igsearch.records import Photo
from igsearch.sources import cdn

log = logging.getLogger(__name__)

STDIN = "-"
MAX_LINE_BYTES = 8192
"""Signed addresses of Instagram are about 700 bytes long; browsers and servers give up at about 8,000."""

MAX_PASSED_BYTES = 2**24
"""A line longer than this is no line: /dev/zero has one without an end."""

ADDRESS = re.compile(r"https?://", re.IGNORECASE)


class UrlList:
    """The pictures that a list names. Blank lines and lines that start with # are passed over, and whatever was named before.

    Relative paths start from the list's own folder; those of standard input from the current one.
    """

    newest_first = False
    n_expected = None
    n_failed_posts = 0

    def __init__(self, given: Path | str) -> None:
        self._from_stdin = given == STDIN
        self._path = Path(given)
        self.name = "list of paths and addresses on standard input" if self._from_stdin else "list of paths and addresses"

    def photos(self) -> Iterator[Photo]:
        """The pictures, while the list is being read: it may come from a pipe. Raises SourceError, also when the list names none."""
        seen: set[str] = set()
        folder = Path.cwd() if self._from_stdin else self._path.absolute().parent
        try:
            with nullcontext(sys.stdin.buffer) if self._from_stdin else self._path.open("rb") as stream:
                for line in _lines(stream):
                    photo = _photo(line, folder)
                    if photo.id not in seen:
                        seen.add(photo.id)
                        yield photo
        except OSError as err:
            raise SourceError(f"list {str(self._path)!r} cannot be read ({err.strerror}): check that it exists and that you may read it") from err
        if not seen:
            raise SourceError(f"list {str(self._path)!r} names no picture: put one path or address on a line")


def photo_at(url: str) -> Photo:
    """The picture at an address. Its id stays the same when Instagram signs the address anew, and leads to the post where the address tells it."""
    shortcode = cdn.shortcode_of(url)
    return Photo(id=shortcode or cdn.without_signature(url), url=url, shortcode=shortcode)


def _lines(stream: BinaryIO) -> Iterator[str]:
    """The lines that name something; bytes that are not UTF-8 are kept as the file system's functions keep them."""
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            raw = _without_bom(raw)
        if len(raw) > MAX_LINE_BYTES:
            log.warning("line %d of the list is longer than %d bytes and is passed over", number, MAX_LINE_BYTES)
            _pass_over(stream, raw, number)
            continue
        line = raw.decode("utf-8", "surrogateescape").strip()
        if line and not line.startswith("#"):
            yield line


def _pass_over(stream: BinaryIO, raw: bytes, number: int) -> None:
    """Read on to the end of the line that begins with `raw`."""
    n_passed = 0
    while raw and not raw.endswith(b"\n"):
        raw = stream.readline(MAX_LINE_BYTES)
        n_passed += len(raw)
        if n_passed > MAX_PASSED_BYTES:
            raise SourceError(f"line {number} of the list has no end within {MAX_PASSED_BYTES >> 20} MiB: give a text file with one path or address a line")


def _without_bom(first: bytes) -> bytes:
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceError("the list is written in UTF-16: save it as UTF-8")
    return first.removeprefix(codecs.BOM_UTF8)


def _photo(line: str, folder: Path) -> Photo:
    if ADDRESS.match(line):
        return photo_at(os.fsencode(line).decode("utf-8", "replace"))
    path = folder / line
    plain = Path(os.path.normpath(path))
    named = plain.relative_to(folder) if plain.is_relative_to(folder) else plain
    return Photo(id=os.fsencode(named.as_posix()).decode("utf-8", "backslashreplace"), path=path)
