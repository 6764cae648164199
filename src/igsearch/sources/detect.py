"""Which source a path is, by what lies there rather than by its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from igsearch.errors import SourceError, UsageError
from igsearch.sources.folder import Folder
from igsearch.sources.gallery_dl_folder import GalleryDlFolder, is_gallery_dl_folder
from igsearch.sources.instagram_export import LIST, included, open_export
from igsearch.sources.instaloader_folder import InstaloaderFolder, is_instaloader_folder
from igsearch.sources.json_source import json_source
from igsearch.sources.scraper_json import POSTS
from igsearch.sources.url_list import STDIN, UrlList

if TYPE_CHECKING:
    from igsearch.records import Source

KINDS_OF_BYTES = {
    b"\xff\xd8\xff": "a single picture",
    b"\x89PNG": "a single picture",
    b"GIF8": "a single picture",
    b"RIFF": "a single picture",
    b"\xfd7zXZ": "a single packed file",
    b"\x1f\x8b": "a packed file",
    b"SQLite": "a database",
    b"profile,id,caption,": "a table for spreadsheets",
    b"rank,score,profile,": "a table for spreadsheets",
    b"PK\3\4": "a ZIP file of something else than Instagram's export",
    b"PK\5\6": "an empty ZIP file",
}
HEAD_BYTES = 2**16
"""Enough of a JSON file to see the keys of its first post."""

PEEKED_FILES = 20
BLANK = b"\xef\xbb\xbf \t\r\n"
"""What may stand before a JSON document: the mark of UTF-8, and white space."""

WANTED = "a folder of pictures or of a downloader, Instagram's own export, a JSON file of igsearch export, or a list with one path or address a line"


def detect(given: str, profile: str, *, include: str | None = None) -> Source:
    """The source of `profile` at a path, or on standard input for `-`; `include` names what else of Instagram's export than posts.

    Raises SourceError for nothing there and for what is not read as photos, UsageError for an `include` that cannot be.
    """
    kinds = included(include or "")
    if given == STDIN:
        _refuse(include, given)
        return UrlList(STDIN)
    try:
        path = Path(given).expanduser()
        path.stat()
    except (OSError, RuntimeError, ValueError) as err:
        reason = getattr(err, "strerror", None) or str(err)
        raise SourceError(f"{given!r} cannot be read ({reason}): give `igsearch index {profile} --from` {WANTED}") from err
    if (export := open_export(path, kinds)) is not None:
        return export
    _refuse(include, given)
    if (match := LIST.search(path.absolute().as_posix())) is not None and match[1]:
        raise SourceError(f"{given!r} is one list of Instagram's export, and names pictures beside it: give the whole export, its ZIP or its folder")
    if (written := _written_by_a_tool(path, profile)) is not None:
        return written
    what = _foreign(path) if path.is_file() else None
    if what is not None:
        raise SourceError(f"{given!r} is {what}, which this version does not read: give `igsearch index {profile} --from` {WANTED}")
    if not path.is_dir():
        return UrlList(path)
    return InstaloaderFolder(path) if is_instaloader_folder(path) else Folder(path)


def _refuse(include: str | None, given: str) -> None:
    if include is not None:
        raise UsageError(f"--include goes with Instagram's own export, which {given!r} is not: leave it out")


def _written_by_a_tool(path: Path, profile: str) -> Source | None:
    """What igsearch, its prototype or a downloader wrote: a JSON file, or a folder with a description beside each file or one of them all."""
    if path.is_file():
        return json_source(path, profile) if _head(path).lstrip(BLANK).startswith((b"{", b"[")) else None
    if not path.is_dir():
        return None
    if is_gallery_dl_folder(path):
        return GalleryDlFolder(path)
    files = (file for _, file in zip(range(PEEKED_FILES), path.glob("*.json"), strict=False) if file.is_file() and POSTS.encode() in _head(file))
    return next(filter(None, (json_source(file, profile) for file in files)), None)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as err:
        raise SourceError(f"{str(path)!r} cannot be read ({err.strerror}): check that you may read it") from err


def _foreign(path: Path) -> str | None:
    """What a file is, if not a text with one path or address a line."""
    head = _head(path)
    if (kind := next((kind for magic, kind in KINDS_OF_BYTES.items() if head.startswith(magic)), None)) is not None:
        return kind
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in (b"{", b"["):
        return _json_kind(text)
    return "a file of another kind" if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")) else None


def _json_kind(text: bytes) -> str:
    """Which of the known JSON files `text` begins, of those that are not read."""
    if b'"category"' in text and b'"media_id"' in text:
        return "the description of a single file by gallery-dl"
    if b'"edge_media_to_caption"' in text or b'"iphone_struct"' in text or b'"shortcode"' in text:
        return "a single post of instaloader"
    return "a JSON file of another kind"
