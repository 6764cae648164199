"""A JSON file from outside, read whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from igsearch.errors import SourceError
from igsearch.sources.folder import PICTURE_SUFFIXES

MAX_BYTES = 256 * 2**20
"""A million addresses of Instagram are about as long; parsed, they take some five times as much memory."""

Entry: TypeAlias = Mapping[str, object]


def read_json(path: Path) -> object:
    """The document in a file, or the list of the documents in a file with one on each line. Raises SourceError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as err:
        raise SourceError(f"{str(path)!r} cannot be read ({err.strerror}): check that you may read it") from err
    if len(data) > MAX_BYTES:
        raise SourceError(f"{str(path)!r} is larger than {MAX_BYTES // 2**20} MiB: split it")
    try:
        text = data.decode(json.detect_encoding(data))
        return [json.loads(line) for line in text.splitlines() if line.strip()] if _has_a_document_a_line(text) else json.loads(text)
    except RecursionError as err:
        raise SourceError(f"{str(path)!r} is nested too deep to be a list of photos: get the file again") from err
    except ValueError as err:
        raise SourceError(f"{str(path)!r} is no sound JSON ({err}): it may be cut off; get the file again") from err


def _has_a_document_a_line(text: str) -> bool:
    """Whether the first line is a whole object, and another one follows."""
    first, _, rest = text.strip().partition("\n")
    if not first.startswith("{") or not rest.lstrip().startswith("{"):
        return False
    try:
        json.loads(first)
    except ValueError:
        return False
    return True


def pictures_beside(path: Path, *subfolders: str) -> dict[str, Path]:
    """The pictures in the folder of a file, and in folders there of these names, by what stands before their suffix."""
    found: dict[str, Path] = {}
    for folder in (path.absolute().parent, *(path.absolute().parent / name for name in subfolders)):
        try:
            names = sorted(folder.iterdir())
        except (OSError, ValueError):
            continue
        for one in names:
            if one.suffix.lower() in PICTURE_SUFFIXES:
                found.setdefault(one.stem, one)
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
