"""Instagram's own export of a profile (Accounts Center, "Export your information"): the ZIP as it is, its folder, or a folder with several parts of either."""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from igsearch.errors import SourceError, UsageError
from igsearch.sources.export_files import ExportFile, ExportFiles
from igsearch.sources.export_post import entries_of, old_entries_of, photos_of
from igsearch.sources.folder import PICTURE_SUFFIXES

if TYPE_CHECKING:
    from igsearch.records import Photo

log = logging.getLogger(__name__)

KINDS = {
    "posts": "posts",
    "archived": "archived_posts",
    "reels": "reels",
    "stories": "stories",
    "igtv": "igtv_videos",
    "profile": "profile_photos",
    "other": "other_content",
    "deleted": "recently_deleted_content",
}
"""What the export lists beside posts, by the name a user gives it; and the name of the list. Large lists come numbered: `posts_1`, `posts_2`, …"""

POSTS = frozenset(("posts",))

_NAMES = "|".join(KINDS.values())
_FOLDER = r"(?:^|/)(your_instagram_activity/)?(?:content|media)/"
LIST = re.compile(rf"{_FOLDER}({_NAMES})(?:_\d{{1,4}})?\.json\Z")
"""Since 2021. In between Instagram has moved them: `content/`, then `your_instagram_activity/content/`, since 2025 `your_instagram_activity/media/`."""

OLD_LIST = re.compile(r"(?:.*/)?media\.json")
"""2018 to 2020: one list with everything, beside the folders `photos` and `videos`."""

PAGE = re.compile(rf"{_FOLDER}(?:{_NAMES})(?:_\d{{1,4}})?\.html\Z")
MEDIA = re.compile(r"(?:^|/)media/[a-z_]+/\d{6}/")
ACCOUNT = re.compile(r"(?:^|/)instagram-([A-Za-z0-9._]{1,30})-\d{4}-\d\d-\d\d(?=[-/]|$)")
"""Whose export a ZIP or its folder is, by the name that Instagram gives it."""

IN_A_LIST = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*(?:\[\s*\]|[\[{].*"(?:uri|path)"\s*:)', re.DOTALL)
HEAD_BYTES = 2**17
"""Enough of a list to meet its first picture behind the longest text."""

VIDEO_SUFFIXES = frozenset((".mp4", ".mov", ".m4v", ".webm"))
N_NAMED = 3
"""Missing pictures that a message names."""

ASK_FOR_JSON = "choose JSON under Accounts Center > Your information and permissions > Export your information > Format"
ALL_PARTS = "put all the parts that Instagram offered, packed or not, into one folder and give that"


def included(given: str) -> frozenset[str]:
    """The kinds that a user names, separated by commas, or `all`; posts are always among them. Raises UsageError."""
    names = {name.strip().lower() for name in given.split(",")} - {""}
    if names == {"all"}:
        return frozenset(KINDS)
    if unknown := sorted(names - KINDS.keys()):
        raise UsageError(f"--include {given!r}: the export has no {unknown[0]!r}; there are {', '.join(KINDS)}, or all")
    return POSTS | names


def open_export(given: Path, kinds: Collection[str] = POSTS) -> InstagramExport | None:
    """The export at a path; None if it is something else. Raises SourceError for one in HTML, for a part without lists, and for a damaged ZIP."""
    if not (given.is_dir() or _is_zip(given)):
        return None
    has_pages = has_media = False
    with ExportFiles(given) as files:
        for file in files:
            if _is_list(file, files):
                return InstagramExport(given, kinds)
            has_pages = has_pages or PAGE.search(file.name) is not None
            has_media = has_media or (file.member is not None and MEDIA.search(file.name) is not None)
    if has_pages:
        raise SourceError(f"{str(given)!r} is Instagram's export in HTML, made for reading only: ask Instagram for it again, in JSON; {ASK_FOR_JSON}")
    if has_media:
        raise SourceError(f"{str(given)!r} is a part of Instagram's export with pictures but without the list of posts: {ALL_PARTS}")
    return None


@dataclass(slots=True)
class _Findings:
    """What came of reading the lists: photos by id, and what could not be had. `seen` are all ids, however often they are listed."""

    photos: dict[str, Photo] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    n_videos: int = 0
    n_unreadable: int = 0
    damaged: list[str] = field(default_factory=list)


class InstagramExport:
    """The pictures that the lists in an export name, newest first, each once however often it is listed; `kinds` says which lists.

    A video counts if a picture of the same name lies beside it, as the export itself has no covers. Ids are paths in the export, so that they are the same
    whether it is packed, unpacked, or in parts. No promise is made that what is known is followed by nothing new: another run may include other kinds.
    """

    newest_first = False

    def __init__(self, given: Path, kinds: Collection[str] = POSTS) -> None:
        """Read nothing yet. `kinds` are keys of `KINDS`."""
        self._given = given
        self._kinds = [kind for kind in KINDS if kind in kinds]
        self._photos: list[Photo] | None = None
        self.name = "Instagram's export" if set(kinds) <= POSTS else f"Instagram's export of {', '.join(self._kinds)}"
        self.n_failed_posts = 0
        """Lists and entries that could not be understood, and pictures that are not there."""

    @property
    def n_expected(self) -> int:
        """How many pictures there are. Raises SourceError."""
        return len(self._read())

    def photos(self) -> Iterator[Photo]:
        """The pictures. Raises SourceError, also when there is none. What is missing is summed up in warnings, once."""
        yield from self._read()

    def _read(self) -> list[Photo]:
        if self._photos is None:
            with ExportFiles(self._given) as files:
                every = list(dict.fromkeys(files))
                lists = sorted((file for file in every if _is_list(file, files)), key=_order)
                _check_account([self._given.name, *(file.name for file in lists)], self._given)
                findings = self._findings(lists, files, _Pictures(every))
            if not findings.photos:
                raise SourceError(f"{str(self._given)!r} is Instagram's export, but {self._why_none(findings, lists)}")
            for remark in _remarks(findings):
                log.warning("%s", remark)
            self.n_failed_posts = findings.n_unreadable + len(findings.missing) + len(findings.damaged)
            self._photos = sorted(findings.photos.values(), key=_age)
        return self._photos

    def _findings(self, lists: Iterable[ExportFile], files: ExportFiles, pictures: _Pictures) -> _Findings:
        findings = _Findings(damaged=files.damaged)
        for file in lists:
            if set(self._kinds).isdisjoint(_kinds_in(file)):
                continue
            try:
                document = json.loads(files.read(file))
            except SourceError as err:
                findings.damaged.append(str(err))
            except (ValueError, RecursionError, MemoryError) as err:
                findings.damaged.append(f"{file.name!r} is no JSON that can be read ({' '.join(str(err).split())[:80]}): get the export again")
            else:
                for entry in self._entries(file, document):
                    _add(entry, pictures, findings)
        return findings

    def _entries(self, file: ExportFile, document: object) -> list[object]:
        if LIST.search(file.name):
            return entries_of(document)
        return [entry for kind in self._kinds for entry in old_entries_of(document, kind)]

    def _why_none(self, findings: _Findings, lists: list[ExportFile]) -> str:
        if findings.damaged:
            return findings.damaged[0]
        if findings.missing:
            return f"the pictures that it lists are not in it ({_some(findings.missing)}): {ALL_PARTS}"
        if findings.n_videos:
            return f"of {'/'.join(self._kinds)} it holds nothing but videos, and no covers for them: there is no picture to describe"
        if findings.n_unreadable:
            return f"no entry in its lists of {'/'.join(self._kinds)} can be understood: download it again"
        others = [kind for kind in KINDS if kind not in self._kinds and any(kind in _kinds_in(file) for file in lists)]
        advice = f": add --include {','.join(others)} for those" if others else ": choose posts, and all time, when you ask Instagram for it"
        return f"it lists no {'/'.join(self._kinds)}{advice}"


class _Pictures:
    """Where the pictures are: looked up by the path that a list gives, which starts at the export's root, wherever that is among the folders and ZIPs."""

    def __init__(self, files: Iterable[ExportFile]) -> None:
        self._by_name: defaultdict[str, list[ExportFile]] = defaultdict(list)
        for file in files:
            if not file.name.endswith((".json", ".html")):
                self._by_name[file.name.rpartition("/")[2]].append(file)

    def find(self, place: str) -> ExportFile | None:
        """The file at a path in the export."""
        candidates = self._by_name.get(place.rpartition("/")[2], ())
        return next((file for file in candidates if f"/{file.name}".endswith(f"/{place}")), None)

    def cover_of(self, place: str) -> ExportFile | None:
        """The picture that has a video's name."""
        stem = place.rpartition(".")[0]
        return next((found for suffix in sorted(PICTURE_SUFFIXES) if (found := self.find(stem + suffix)) is not None), None)


def _add(entry: object, pictures: _Pictures, findings: _Findings) -> None:
    """Add what an entry of a list holds."""
    photos = list(photos_of(entry))
    if not photos:
        findings.n_unreadable += 1
    for photo in photos:
        if photo.id in findings.seen:
            continue
        findings.seen.add(photo.id)
        is_video = PurePosixPath(photo.id).suffix.lower() in VIDEO_SUFFIXES
        file = pictures.cover_of(photo.id) if is_video else pictures.find(photo.id)
        if file is not None:
            findings.photos[photo.id] = replace(photo, url=None, path=file.path, member=file.member, is_video=is_video)
        elif is_video:
            findings.n_videos += 1
        elif photo.url is not None:
            findings.photos[photo.id] = photo
        else:
            findings.missing.append(photo.id)


def _remarks(findings: _Findings) -> Iterator[str]:
    """A line for each kind of thing that will not be found."""
    yield from findings.damaged
    if findings.missing:
        n_listed = len(findings.missing) + len(findings.photos)
        yield f"{len(findings.missing)} of the {n_listed} pictures that the export lists are not in it ({_some(findings.missing)}): {ALL_PARTS}"
    if findings.n_videos:
        yield f"videos left out, since the export has no covers for them: {findings.n_videos}"
    if findings.n_unreadable:
        yield f"entries of the export's lists left out, since they could not be understood: {findings.n_unreadable}"


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:N_NAMED])) + (", …" if len(names) > N_NAMED else "")


def _is_zip(path: Path) -> bool:
    """Whether a regular file begins as a ZIP does, with an entry or as an empty one."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) in (b"PK\3\4", b"PK\5\6")
    except OSError:
        return False


def _is_list(file: ExportFile, files: ExportFiles) -> bool:
    """Whether a file is one of the export's lists: by its place, and where other programs may have files of that name, by how it begins."""
    match = LIST.search(file.name)
    if match is None and not OLD_LIST.fullmatch(file.name):
        return False
    if match is not None and match[1]:
        return True
    try:
        return IN_A_LIST.match(files.head(file, HEAD_BYTES)) is not None
    except SourceError:
        return True  # `read` will say the same, where it is reported


def _kinds_in(file: ExportFile) -> list[str]:
    """Which kinds a list may hold."""
    match = LIST.search(file.name)
    return ["posts", "stories", "profile"] if match is None else [kind for kind, name in KINDS.items() if name == match[2]]


def _order(file: ExportFile) -> tuple[int, int, str]:
    """Posts before what may repeat them, and `posts_2` before `posts_10`, whatever part they are in."""
    return list(KINDS).index(_kinds_in(file)[0]), len(file.name.rpartition("/")[2]), file.name


def _age(photo: Photo) -> float:
    """For sorting: the newest first, those without a date last; photos of one time keep their order."""
    return -(photo.taken_at or datetime.fromtimestamp(0, UTC)).timestamp()


def _check_account(names: Iterable[str], given: Path) -> None:
    accounts = sorted({match[1].lower() for name in names for match in ACCOUNT.finditer(name)})
    if len(accounts) > 1:
        raise SourceError(f"{str(given)!r} holds exports of several accounts ({', '.join(accounts)}): give them one at a time, as profiles of their own")
