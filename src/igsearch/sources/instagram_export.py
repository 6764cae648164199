"""Instagram's own export of a profile (Accounts Center, "Export your information"): the ZIP as it is, its folder, or a folder with several parts of either."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from igsearch.errors import SourceError, UsageError
from igsearch.records import Found, Photo, Unread
from igsearch.sources.export_files import ExportFile, ExportFiles
from igsearch.sources.export_post import entries_of, found_in, old_entries_of
from igsearch.sources.json_file import loads
from igsearch.sources.tree import PICTURE_SUFFIXES

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
UNLISTED = "pictures in an export that are none of its posts"
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


def open_export(given: Path, kinds: Collection[str] = POSTS, is_own: Callable[[str], bool] = lambda _: True) -> InstagramExport | None:
    """The export at a path; None if it is something else. Raises SourceError for one in HTML, for a part without lists, and for a damaged ZIP."""
    if not (given.is_dir() or _is_zip(given)):
        return None
    has_pages = has_media = False
    with ExportFiles(given) as files:
        for file in files:
            if _is_list(file, files):
                return InstagramExport(given, kinds, is_own)
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
    missing: list[Unread] = field(default_factory=list)
    unreadable: list[Unread] = field(default_factory=list)
    damaged: list[Unread] = field(default_factory=list)
    n_videos: int = 0


class InstagramExport:
    """The pictures that the lists in an export name, newest first, each once however often it is listed; `kinds` says which lists.

    A video counts if a picture of the same name lies beside it, as the export itself has no covers. Ids are paths in the export, so that they are the same
    whether it is packed, unpacked, or in parts. No promise is made that what is known is followed by nothing new: another run may include other kinds.
    """

    kind = "export"
    newest_first = False

    def __init__(self, given: Path, kinds: Collection[str] = POSTS, is_own: Callable[[str], bool] = lambda _: True) -> None:
        """Read nothing yet. `kinds` are keys of `KINDS`; `is_own` tells whether a file below the folder, by its path there, belongs to an export."""
        self._given, self._is_own = given, is_own
        self._kinds = [kind for kind in KINDS if kind in kinds]
        self._found: list[Found] | None = None
        self.root = os.path.abspath(given)  # noqa: PTH100  # unlike Path's, without .. in it
        self.name = "Instagram's export" if set(kinds) <= POSTS else f"Instagram's export of {', '.join(self._kinds)}"
        self.left_out: Mapping[str, int] = {}

    @property
    def n_expected(self) -> int:
        """How many pictures there are. Raises SourceError."""
        return sum(isinstance(found, Photo) for found in self._read())

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Found]:  # noqa: ARG002  # it is met anyway
        """The pictures, then those that are listed and not there, and the lists and entries that cannot be read. Raises SourceError, also for no picture."""
        yield from self._read()

    def _read(self) -> list[Found]:
        if self._found is None:
            with ExportFiles(self._given) as files:
                every = list(dict.fromkeys(files))
                lists = sorted((file for file in every if _is_list(file, files)), key=_order)
                _check_account([self._given.name, *(file.name for file in lists)], self._given)
                pictures = _Pictures(every)
                findings = self._findings(lists, files, pictures)
            if not findings.photos:
                raise SourceError(f"{str(self._given)!r} is Instagram's export, but {self._why_none(findings, lists)}")
            n_unlisted = 0 if findings.damaged else pictures.n_unlisted(findings, self._is_own)
            self.left_out = +Counter({"videos without a cover": findings.n_videos, UNLISTED: n_unlisted})
            self._found = [*sorted(findings.photos.values(), key=_age), *findings.missing, *findings.unreadable, *findings.damaged]
        return self._found

    def _findings(self, lists: Iterable[ExportFile], files: ExportFiles, pictures: _Pictures) -> _Findings:
        findings = _Findings(damaged=[Unread(name, reason, hides=True) for name, reason in files.damaged.items()])
        for file in lists:
            if set(self._kinds).isdisjoint(_kinds_in(file)):
                continue
            try:
                entries = self._entries(file, loads(files.read(file)))
            except SourceError as err:
                findings.damaged.append(Unread(file.name, str(err), hides=True))
            except (ValueError, MemoryError) as err:
                reason = f"{file.name!r} is not a list that can be read ({' '.join(str(err).split())[:80]}): get the export again"
                findings.damaged.append(Unread(file.name, reason, hides=True))
            else:
                for number, entry in enumerate(entries, start=1):
                    _add(found_in(entry, f"entry {number} of {file.name}"), pictures, findings)
        return findings

    def _entries(self, file: ExportFile, document: object) -> list[object]:
        if LIST.search(file.name):
            return entries_of(document)
        return [entry for kind in self._kinds for entry in old_entries_of(document, kind)]

    def _why_none(self, findings: _Findings, lists: list[ExportFile]) -> str:
        if findings.damaged:
            return findings.damaged[0].reason
        if findings.missing:
            return f"the pictures that it lists are not in it ({_some([one.id for one in findings.missing])}): {ALL_PARTS}"
        if findings.n_videos:
            return f"of {'/'.join(self._kinds)} it holds nothing but videos, and no covers for them: there is no picture to describe"
        if findings.unreadable:
            return f"no entry in its lists of {'/'.join(self._kinds)} can be understood: download it again"
        others = [kind for kind in KINDS if kind not in self._kinds and any(kind in _kinds_in(file) for file in lists)]
        advice = f": add --include {','.join(others)} for those" if others else ": choose posts, and all time, when you ask Instagram for it"
        return f"it lists no {'/'.join(self._kinds)}{advice}"


class _Pictures:
    """Where the pictures are: looked up by the path that a list gives, which starts at the export's root, wherever that is among the folders and ZIPs."""

    def __init__(self, files: Iterable[ExportFile]) -> None:
        self._files = [(normalize("NFC", file.name), file) for file in files if not file.name.endswith((".json", ".html"))]
        self._by_end: dict[int, dict[str, ExportFile]] = {}

    def find(self, place: str) -> ExportFile | None:
        """The file at a path in the export."""
        depth = place.count("/")
        if depth not in self._by_end:
            self._by_end[depth] = {_end(name, depth): file for name, file in reversed(self._files)}  # of several the first
        return self._by_end[depth].get(place)

    def n_unlisted(self, findings: _Findings, is_own: Callable[[str], bool]) -> int:
        """How many pictures of the export are none of those that were found, nor another copy of one."""
        used = {(photo.path, photo.member) for photo in findings.photos.values()}
        depths = {place.count("/") for place in findings.seen}
        return sum(
            PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES
            and (file.path, file.member) not in used
            and not any(_end(name, depth) in findings.seen for depth in depths)
            and (file.member is not None or is_own(file.name))
            for name, file in self._files
        )

    def cover_of(self, place: str) -> ExportFile | None:
        """The picture that has a video's name."""
        stem = place.rpartition(".")[0]
        return next((found for suffix in sorted(PICTURE_SUFFIXES) if (found := self.find(stem + suffix)) is not None), None)


def _end(name: str, depth: int) -> str:
    """The last parts of a path: its name, and of `depth` folders above."""
    return "/".join(name.rsplit("/", depth + 1)[-depth - 1 :])


def _add(found: Iterable[Found], pictures: _Pictures, findings: _Findings) -> None:
    """Add what an entry of a list holds."""
    for photo in found:
        if isinstance(photo, Unread):
            findings.unreadable.append(photo)
            continue
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
            findings.missing.append(Unread(photo.id, f"{photo.id!r} is listed in the export and not in it: {ALL_PARTS}"))


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
