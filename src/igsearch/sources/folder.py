"""The pictures below a folder, whoever put them there, each with what is known of it: from a downloader's descriptions, from its name, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import filterfalse
from pathlib import Path
from typing import TYPE_CHECKING

from igsearch.errors import SourceError, first_line
from igsearch.records import Found, Photo, Unread
from igsearch.sources.contents import MIXED, Contents, contents_of
from igsearch.sources.instagram_export import UNLISTED
from igsearch.sources.tree import Tree, plain

if TYPE_CHECKING:
    from igsearch.records import Source


class Folder:
    """Every picture below a folder: first those of posts and those whose name tells a time, newest first, then the others, folder by folder by name.

    A picture that a description lists and that lies nowhere in the folder is a photo at its address. Ids are the post's, where it is known, else the path
    below the folder. An export of Instagram's somewhere in the folder contributes its photos.
    """

    kind = "folder"
    newest_first = False

    def __init__(self, root: Path, tree: Tree | None = None, *, export: Source | None = None, is_kept: Callable[[str], bool] | None = None) -> None:
        """`tree` is what lies there, where it is listed already. Files that belong to an export are those that `is_kept` does not keep.

        Nothing is looked at before it is asked for, and each walk looks anew.
        """
        self._path, self._tree, self._export, self._is_kept = root, tree, export, is_kept
        self._contents: Contents | None = None
        self._of_export: list[str] = []
        self._is_walked = False
        self.root = str(root.absolute())
        self.left_out: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """What was recognised."""
        return MIXED if self._export else self._read().name

    @property
    def n_expected(self) -> int | None:
        """How many photos there are, but for those of an export. Raises SourceError."""
        contents = self._read()
        return None if self._export else len(contents.known) + len(contents.pictures)

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Found]:  # noqa: ARG002  # every walk is of everything
        """The pictures. Raises SourceError, also when there is nothing."""
        if self._is_walked:
            self._tree = self._contents = None
        contents, self._is_walked = self._read(), True
        self.left_out = contents.left_out.copy()
        yield from contents.unread
        from_export = [] if self._export is None else list(self._exported(self._export))
        seen, files = set[str](), {found.path for found in from_export if isinstance(found, Photo) and not found.member}
        for found in (*contents.known, *from_export):
            seen.add(found.id)
            yield found
        folder = Path(self.root)
        for picture in contents.pictures:
            if (path := folder / picture) not in files:
                yield Photo(id=_unused(plain(picture), seen), path=path)
        if not files:  # or the export counted them
            self.left_out += Counter({UNLISTED: len(self._of_export)})
        if not (contents.unread or seen or contents.pictures):
            raise SourceError(_why_none(str(self._path), contents))

    def _exported(self, export: Source) -> Iterator[Found]:
        """What the export lists; that it cannot be read costs nothing else."""
        try:
            yield from export.photos()
        except SourceError as err:
            yield Unread("Instagram's export", first_line(err))
        self.left_out.update(export.left_out)

    def _read(self) -> Contents:
        if self._contents is None:
            tree = self._tree or Tree.below(self._path)
            if self._is_kept is not None:
                self._of_export = list(filterfalse(self._is_kept, tree.pictures))
                tree.keep(self._is_kept)
            if self._export is not None:
                tree.archives.clear()  # of which the export tells
            self._contents = contents_of(tree)
        return self._contents


def _unused(name: str, seen: set[str]) -> str:
    """An id for a picture, where a photo of a post or of the export may have the same."""
    return name if name not in seen else _unused(f"./{name}", seen)


def _why_none(folder: str, contents: Contents) -> str:
    passed_over = ", ".join(f"{what} ({n})" for what, n in contents.left_out.items())
    if not (contents.n_files or passed_over):
        return f"folder {folder!r} is empty: name a folder with pictures in it"
    looked_for = "looked for jpg, png, webp, gif, bmp, tiff, heic and avif, and for descriptions of posts"
    return f"folder {folder!r} holds no picture among its {contents.n_files} files: {looked_for}" + (passed_over and f"; passed over {passed_over}")
