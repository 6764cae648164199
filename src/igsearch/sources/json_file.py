"""A JSON file from outside: one document, or one after the other. One odd value costs no more than itself.

A number of a thousand digits, a value that is nested without end, and a key that stands twice with different values are unknown; a line of JSON lines that is
no JSON is `Unsound`. Time is linear in the file, whatever it holds.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from igsearch.errors import SourceError
from igsearch.sources.tree import PICTURE_SUFFIXES

MAX_BYTES = 256 * 2**20
"""A million addresses of Instagram are about as long; parsed, they take some five times as much memory."""

MAX_DEPTH = 64
"""Instagram's own answers are nested about fifteen deep; Python's parser gives up at some hundreds."""

MAX_DIGITS = 20
"""The largest number of 64 bits has as many."""

HEAD = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]])")
"""How JSON begins that may tell of photos, and the name of a file in a list hardly ever."""

Entry: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Unsound:
    """What stands in place of an entry that could not be read: why, and whether it may have been a photo."""

    reason: str
    hides: bool = True


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What stands in place of an entry that is passed over on purpose: what it is, in words for the user."""

    what: str


def read_json(path: Path) -> object:
    """The document in a file, or the list of the documents in a file with one after the other, as in JSON lines. Raises SourceError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SourceError(f"{str(path)!r} is not a regular file: give a JSON file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as err:
        raise SourceError(f"{str(path)!r} cannot be read ({err.strerror}): check that you may read it") from err
    return parsed(data, repr(str(path)))


def parsed(data: bytes, name: str) -> object:
    """The document in the bytes of a file called `name`, or the list of the documents in them. Raises SourceError."""
    if len(data) > MAX_BYTES:
        raise SourceError(f"{name} is larger than {MAX_BYTES // 2**20} MiB: split it")
    text = _text(data)
    try:
        return loads(text)
    except ValueError as err:
        if (documents := _documents(text)) is not None:
            return documents
        raise SourceError(f"{name} is not valid JSON ({err}): it may be cut off; get the file again") from err


def looks_like_json(head: bytes) -> bool:
    """Whether a file that begins with `head` is JSON, rather than a list whose first name begins with a bracket."""
    return HEAD.match(_text(head).removeprefix("\ufeff")) is not None


def loads(text: str | bytes) -> object:
    """One JSON document. Raises ValueError; never RecursionError."""
    if isinstance(text, bytes):
        text = _text(text)
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return _DECODER.decode(_shallow(text))


def _text(data: bytes) -> str:
    """As text: a byte that is not UTF-8 stays what a file's name may be made of, so that it spoils nothing else."""
    encoding = json.detect_encoding(data)
    return data.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")


def _documents(text: str) -> list[object] | None:
    """The documents of JSON lines, or of a file to which several were written one after the other; None if it is neither."""
    first, *second = (match[0].strip() for match in islice(re.finditer(r"[^\n]*\S[^\n]*", text), 2))
    if first not in ("[", "{") and any(isinstance(_line(0, line), dict | list) for line in (first, *second)):
        return [_line(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return _one_after_the_other(text)


def _line(number: int, line: str) -> object:
    try:
        return loads(line)
    except ValueError as err:
        return Unsound(f"line {number} is not valid JSON ({err}): it may be cut off; get the file again")


def _one_after_the_other(text: str) -> list[object] | None:
    documents, place = [], len(text) - len(text.lstrip())
    try:
        while place < len(text):
            document, end = _DECODER.raw_decode(text, place)
            documents.append(document)
            place = end + len(_BLANK.match(text, end)[0])  # type: ignore[index]  # it matches everywhere
    except (ValueError, RecursionError):
        return None
    return documents


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """An object. Of a key that stands there twice, lists are joined, and other values, unless they are equal, are unknown."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    values: dict[str, list[object]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return {key: _one_of(several) for key, several in values.items()}


def _one_of(values: Sequence[object]) -> object:
    if len(values) > 1 and all(isinstance(value, list) for value in values):
        return [item for value in values if isinstance(value, list) for item in value]
    return values[0] if all(value == values[0] for value in values[1:]) else None


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= MAX_DIGITS else None


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, strict=False)
_BLANK = re.compile(r"\s*")
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def _shallow(text: str) -> str:
    """`text` with null for every list and object that is nested deeper than `MAX_DEPTH`."""
    pieces, kept, depth = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            if depth == MAX_DEPTH + 1:
                pieces += [text[kept : token.start()], "null"]
        elif token[0] in ("]", "}"):
            if depth == MAX_DEPTH + 1:
                kept = token.end()
            depth -= 1
    return "".join(pieces) + (text[kept:] if depth <= MAX_DEPTH else "")


def pictures_beside(path: Path | None, *subfolders: str) -> dict[str, Path]:
    """The pictures in the folder of a file, and in folders there of these names, by what stands before their suffix; none beside standard input (None)."""
    found: dict[str, Path] = {}
    if path is None:
        return found
    folder = path.absolute().parent
    for one in (folder, *(folder / name for name in subfolders)):
        try:
            with os.scandir(one) as entries:
                names = sorted(entry.name for entry in entries if entry.is_file())
        except (OSError, ValueError):
            continue
        for name in names:
            stem, suffix = os.path.splitext(name)  # noqa: PTH122  # called for every file there is
            if suffix.lower() in PICTURE_SUFFIXES:
                found.setdefault(stem, one / name)
    return found


def path_of(url: str) -> str:
    """The path in an address; empty where it is none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def stem_of(url: str) -> str:
    """The name of the file that an address ends with, without its suffix: downloaders keep it."""
    return path_of(url).rsplit("/", 1)[-1].rpartition(".")[0]
