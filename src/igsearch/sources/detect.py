"""Which source a path is, by what lies there rather than by its name."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from igsearch.errors import SourceError, UsageError, first_line
from igsearch.records import Unread
from igsearch.sources.descriptions import described
from igsearch.sources.export_area import export_roots, is_of_an_export, lies_in_export
from igsearch.sources.file_names import FILE_SCHEME, NamedFile, file_at, named_file
from igsearch.sources.folder import Folder
from igsearch.sources.foreign import WANTED, kind_of_bytes
from igsearch.sources.instagram_export import IN_A_LIST, LIST, OLD_LIST, included, open_export
from igsearch.sources.json_file import looks_like_json
from igsearch.sources.json_source import json_source
from igsearch.sources.standard_input import STDIN, StandardInput
from igsearch.sources.tree import Tree
from igsearch.sources.url_list import ADDRESS, UrlList, is_null_separated, page_unread

if TYPE_CHECKING:
    from igsearch.records import Source

HEAD_BYTES = 2**16
"""Enough of a JSON file to see the keys of its first post."""


def detect(given: str, profile: str, *, include: str | None = None) -> Source:
    """The source of `profile` at a path, or on standard input for `-`; `include` names what else of Instagram's export than posts.

    Raises SourceError for nothing there and for what is not read as photos, UsageError for an `include` that cannot be.
    """
    kinds = included(include or "")
    if given == STDIN:
        _refuse(include, given)
        return StandardInput(profile)
    if not given.strip():
        raise SourceError(f"--from is empty: give `igsearch index {profile} --from` {WANTED}")
    if ADDRESS.match(given):
        page = page_unread(given)
        advice = f"{given!r} is an address: list it, as in echo {quote(given)} | igsearch index {profile} --from -"
        raise SourceError(advice if page is None else page.reason)
    try:
        path = _named(given).path
        (path if os.path.lexists(path) else Path(given).expanduser()).stat()
    except (OSError, RuntimeError, ValueError) as err:
        reason = getattr(err, "strerror", None) or str(err)
        raise SourceError(f"{given!r} cannot be read ({reason}): give `igsearch index {profile} --from` {WANTED}") from err
    return _in_folder(path, kinds, include) if path.is_dir() else _in_file(path, given, profile, kinds, include)


def _named(given: str) -> NamedFile:
    at = file_at(given.strip()) if given.strip().lower().startswith(FILE_SCHEME) else None
    return at or named_file(given, Path())


def _in_folder(path: Path, kinds: Collection[str], include: str | None) -> Source:
    """An export alone is read as one; beside other pictures it is a part of what the folder holds."""
    tree = Tree.below(path)
    if not tree.archives and not any(map(is_of_an_export, (*tree.descriptions, *tree.pages))):
        _refuse(include, str(path))
        return Folder(path, tree)
    roots = export_roots((*tree.descriptions, *tree.pages, *tree.pictures))
    try:
        export = open_export(path, kinds, lambda name: lies_in_export(name, roots))
    except SourceError as err:
        if all(lies_in_export(name, roots) for name in tree.pictures):
            raise
        tree.unread.append(Unread("Instagram's export", first_line(err)))
        return Folder(path, tree, is_kept=lambda name: not lies_in_export(name, roots))
    if export is None:
        _refuse(include, str(path))
        return Folder(path, tree)
    return Folder(path, tree, export=export, is_kept=lambda name: not lies_in_export(name, roots)) if _is_mixed(tree, roots) else export


def _is_mixed(tree: Tree, roots: Collection[str]) -> bool:
    """Whether there are pictures beside the export, or posts that a downloader tells of."""
    if any(not lies_in_export(name, roots) for name in tree.pictures):
        return True
    return any(described(tree.root / name, name).told for name in tree.descriptions if not lies_in_export(name, roots))


def _in_file(path: Path, given: str, profile: str, kinds: Collection[str], include: str | None) -> Source:
    if (export := open_export(path, kinds)) is not None:
        return export
    _refuse(include, given)
    if _is_export_list(path):
        raise SourceError(f"{given!r} is one list of Instagram's export, and names pictures beside it: give the whole export, its ZIP or its folder")
    if not path.is_file():
        return StandardInput(profile, path)
    if looks_like_json(_head(path)) and (source := json_source(path, profile)) is not None:
        return source
    if (what := _foreign(path)) is not None:
        raise SourceError(f"{given!r} is {what}, which this version does not read: give `igsearch index {profile} --from` {WANTED}")
    return UrlList(path)


def _is_export_list(path: Path) -> bool:
    """Whether it is a list out of an export, by its place, or by its name and how it begins."""
    match = LIST.search(f"media/{path.name}") or OLD_LIST.fullmatch(path.name)
    return (LIST.search(path.absolute().as_posix()) or (None, None))[1] is not None or (
        match is not None and path.is_file() and IN_A_LIST.match(_head(path)) is not None
    )


def _refuse(include: str | None, given: str) -> None:
    if include is not None:
        raise UsageError(f"--include goes with Instagram's own export, which {given!r} is not: leave it out")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as err:
        raise SourceError(f"{str(path)!r} cannot be read ({err.strerror}): check that you may read it") from err


def _foreign(path: Path) -> str | None:
    """What a file is, if not a text with one path or address a line."""
    head = _head(path)
    if (kind := kind_of_bytes(head)) is not None:
        return kind
    if looks_like_json(head) or (head.lstrip()[:1] == b"[" and head.rstrip()[-1:] == b"]"):
        return _json_kind(head)
    return "a file of another kind" if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")) and not is_null_separated(head) else None


def _json_kind(text: bytes) -> str:
    """Which of the known JSON files `text` begins, of those that are not read."""
    if b'"category"' in text and b'"media_id"' in text:
        return "the description of a single file by gallery-dl"
    if b'"edge_media_to_caption"' in text or b'"iphone_struct"' in text or b'"shortcode"' in text:
        return "a single post of instaloader"
    return "a JSON file of another kind"
