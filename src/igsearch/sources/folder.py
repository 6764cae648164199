"""A plain folder of pictures."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from igsearch.errors import SourceError
from igsearch.records import Photo

log = logging.getLogger(__name__)

PICTURE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"))


class Folder:
    """Every picture below a folder, folder by folder in the order of their names; hidden files are skipped."""

    name = "folder of pictures"
    newest_first = False
    n_failed_posts = 0

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def n_expected(self) -> int:
        """How many pictures lie there now."""
        return sum(map(is_picture, walk(self._root)))

    def photos(self) -> Iterator[Photo]:
        """The pictures; an id is the path below the folder, with `/` between its parts. Raises SourceError, also when there is none."""
        files = pictures = 0
        for path in walk(self._root):
            files += 1
            if is_picture(path):
                pictures += 1
                yield Photo(id=relative_id(path, self._root), path=path)
        if not files:
            raise SourceError(f"folder {str(self._root)!r} is empty: name a folder with pictures in it")
        if not pictures:
            raise SourceError(f"folder {str(self._root)!r} holds no picture among its {files} files: looked for jpg, png, webp, gif, bmp, tiff, heic and avif")


def is_picture(path: Path) -> bool:
    """Whether the file's name says that it is a picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def relative_id(path: Path, root: Path) -> str:
    """An id for a file that stays when the folder around it moves, and is text whatever bytes the file system allows in a name."""
    return os.fsencode(path.relative_to(root.absolute()).as_posix()).decode("utf-8", "backslashreplace")


def walk(root: Path) -> Iterator[Path]:
    """The absolute paths of all files below `root` except hidden ones, sorted within each folder.

    Links are followed, each folder once, so that a loop of links ends. A subfolder that cannot be read is passed over with a warning; for `root` itself that
    is a SourceError.
    """
    pending = [root.absolute()]
    seen: set[tuple[int, int]] = set()
    while pending:
        folder = pending.pop()
        try:
            identity = folder.stat()
            with os.scandir(folder) as found:
                entries = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
        except OSError as err:
            if folder == root.absolute():
                raise SourceError(f"folder {str(root)!r} cannot be read ({err.strerror}): check that it exists and that you may read it") from err
            log.warning("folder %r cannot be read (%s) and is passed over", str(folder), err.strerror)
            continue
        if (identity.st_dev, identity.st_ino) in seen:
            continue
        seen.add((identity.st_dev, identity.st_ino))
        yield from (Path(entry) for entry in entries if os.path.isfile(entry))  # noqa: PTH113  # unlike Path's, False where asking is an error
        pending += [Path(entry) for entry in reversed(entries) if os.path.isdir(entry)]  # noqa: PTH112  # the same
