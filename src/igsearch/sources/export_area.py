"""Which part of a folder tree is an export of Instagram's, so that its pictures, which are messages and stories too, are left to its lists."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from igsearch.sources.instagram_export import ACCOUNT, LIST, MEDIA, OLD_LIST, PAGE

IN_AN_EXPORT = re.compile(
    r"your_instagram_activity/|media/(?:posts|other|archived_posts|profile|stories|reels|igtv|recently_deleted\w*)/"
    r"|messages/(?:inbox|archived_threads|message_requests|filtered_threads|broadcast|photos)/|(?:content|personal_information)/.*\.json\Z"
    r"|files/Instagram-|(?:photos|videos|stories|profile|direct)/\d{6}/|media\.json\Z",
    re.DOTALL,
)
"""Paths at the root of an export that Instagram makes, and hardly anybody else."""

SLASH = re.compile("/")
OLD_PART = re.compile(r"((?:.*/)?[A-Za-z0-9._]{1,30}_\d{8}(?:_part_\d{1,3})?)/.*", re.DOTALL)
"""How the folders of an old export were called, which may hold pictures without the list."""


def is_of_an_export(name: str) -> bool:
    """Whether a path may be that of an export's list, or of its page."""
    return any(kind.search(name) for kind in (LIST, PAGE)) or OLD_LIST.fullmatch(name) is not None


def export_roots(names: Iterable[str]) -> frozenset[str]:
    """The folders in which an export begins, by the paths of its lists and pictures."""
    roots = set()
    for name in names:
        if (match := LIST.search(name) or PAGE.search(name) or MEDIA.search(name)) is not None:
            roots.add(name[: match.start()])
        elif OLD_LIST.fullmatch(name):
            roots.add(name.rpartition("/")[0])
        elif (match := ACCOUNT.search(name)) is not None:
            roots.add(name[: name.find("/", match.end())])
        elif (match := OLD_PART.fullmatch(name)) is not None:
            roots.add(match[1])
    return frozenset(roots)


def lies_in_export(name: str, roots: Collection[str]) -> bool:
    """Whether a file belongs to an export that begins in one of `roots`."""
    if not roots:
        return False
    starts = (0, *(match.end() for match in SLASH.finditer(name)))
    return any(name[: max(start - 1, 0)] in roots and IN_AN_EXPORT.match(name, start) for start in starts)
