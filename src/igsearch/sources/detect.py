"""Which source a path is, by what lies there rather than by its name."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from igsearch.errors import SourceError
from igsearch.sources.folder import Folder
from igsearch.sources.instaloader_folder import InstaloaderFolder, is_instaloader_folder
from igsearch.sources.url_list import STDIN, UrlList

if TYPE_CHECKING:
    from collections.abc import Iterable

    from igsearch.records import Source

EXPORT_LISTS = ("media.json", *(f"{folder}/{name}.json" for folder in ("content", "media") for name in ("posts", "posts_[0-9]*")))
"""The ends of the paths under which Instagram's export has listed the posts since 2018."""

EXPORT_PAGES = ("content/posts_[0-9]*.html", "media/posts_[0-9]*.html")
EXPORT = "Instagram's export of a profile"
HTML_EXPORT = "Instagram's export in HTML"

KINDS_OF_BYTES = {
    b"\xff\xd8\xff": "a single picture",
    b"\x89PNG": "a single picture",
    b"GIF8": "a single picture",
    b"RIFF": "a single picture",
    b"\xfd7zXZ": "a single packed file",
    b"\x1f\x8b": "a packed file",
    b"SQLite": "a database",
}
HEAD_BYTES = 2**16
"""Enough of a JSON file to see the keys of its first post."""

WANTED = "a folder of pictures, a folder that instaloader made, or a text file with one path or address a line"


def detect(given: str, profile: str) -> Source:
    """The source of `profile` at a path, or on standard input for `-`. Raises SourceError for nothing there and for what is not read as photos."""
    if given == STDIN:
        return UrlList(STDIN)
    try:
        path = Path(given).expanduser()
        path.stat()
    except (OSError, RuntimeError, ValueError) as err:
        reason = getattr(err, "strerror", None) or str(err)
        raise SourceError(f"{given!r} cannot be read ({reason}): give `igsearch index {profile} --from` {WANTED}") from err
    what = _export_in(path) if path.is_dir() else _foreign(path) if path.is_file() else None
    if what is not None:
        raise SourceError(f"{given!r} is {what}, which this version does not read: give `igsearch index {profile} --from` {WANTED}")
    if not path.is_dir():
        return UrlList(path)
    return InstaloaderFolder(path) if is_instaloader_folder(path) else Folder(path)


def _export_in(folder: Path) -> str | None:
    """What a folder is if Instagram's export was unpacked there, or in a folder just below."""
    found = (path.relative_to(folder).as_posix() for depth in ("", "*/", "*/*/") for end in (*EXPORT_LISTS, *EXPORT_PAGES) for path in folder.glob(depth + end))
    return _export_among(found)


def _export_among(names: Iterable[str]) -> str | None:
    paths = [PurePosixPath(name) for name in names]
    if any(path.match(end) for path in paths for end in EXPORT_LISTS):
        return EXPORT
    return HTML_EXPORT if any(path.match(end) for path in paths for end in EXPORT_PAGES) else None


def _foreign(path: Path) -> str | None:
    """What a file is, if not a text with one path or address a line."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if head.startswith(b"PK\3\4"):
            with zipfile.ZipFile(path) as archive:
                return _export_among(archive.namelist()) or "a ZIP file"
    except OSError as err:
        raise SourceError(f"{str(path)!r} cannot be read ({err.strerror}): check that you may read it") from err
    except zipfile.BadZipFile:
        return "a damaged ZIP file"
    return _foreign_bytes(head)


def _foreign_bytes(head: bytes) -> str | None:
    if (kind := next((kind for magic, kind in KINDS_OF_BYTES.items() if head.startswith(magic)), None)) is not None:
        return kind
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in (b"{", b"["):
        return _json_kind(text)
    return "a file of another kind" if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")) else None


def _json_kind(text: bytes) -> str:
    """Which of the known JSON files `text` begins."""
    if b'"GraphImages"' in text:
        return "metadata written by instagram-scraper"
    if b'"edge_media_to_caption"' in text or b'"iphone_struct"' in text or b'"shortcode"' in text:
        return "a single post of instaloader"
    if b'"caption"' in text and b'"url"' in text:
        return "a list of captioned photos" if text.startswith(b"[") else "a database of captioned photos"
    return "a list of photo addresses in JSON" if text.startswith(b"[") and b'"url"' in text else "a JSON file"
