"""What a run will do, decided before it does any of it: (store, source, walk) → new, changed, known, moved, gone, failed before. A dry run shows the same plan.

Nothing here writes, and of pictures only files are read: those whose size or time changed, and those that may be a known one in another place.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from igsearch.errors import PhotoError, UsageError
from igsearch.loading import digest_of
from igsearch.records import Found, Photo, Source, Unread
from igsearch.store.reader import EXPORT, GIVEN, Store
from igsearch.store.rows import KnownPhoto, Met, SourceState, Stamp
from igsearch.store.schema import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

Read = Callable[[Photo], bytes]
"""The bytes of a picture that is a file here. Raises PhotoError."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Which photos of a source to look at: the first `limit`, taken from `since` on and before `until` (aware times); photos without a date always."""

    limit: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit must be at least 1, not {self.limit}")
        if self.since and self.until and self.since >= self.until:
            raise UsageError(f"nothing lies between --since {self.since:%Y-%m-%d} and --until {self.until:%Y-%m-%d}: swap them")


EVERYTHING = Walk()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is asked for beside the walk: by which captioner photos are described, and what of the known is not to count.

    `rebuild` describes everything again; `recaption` passes over descriptions that come with photos; `retry_failed` walks past what is known, for fresh
    addresses of what failed.
    """

    captioner: str
    rebuild: bool = False
    recaption: bool = False
    retry_failed: bool = False

    def is_by(self, captioner: str) -> bool:
        """Whether a description by `captioner` is one that was asked for. In a name that only loading weights would tell, a `*` stands for what is unknown."""
        return captioner == self.captioner or re.fullmatch(re.escape(self.captioner).replace(r"\*", ".*"), captioner) is not None


class Action(StrEnum):
    """What is to be done about something that a walk meets. The first three are described."""

    NEW = "new"
    CHANGED = "changed"
    AGAIN = "again"
    KNOWN = "known"
    MOVED = "moved"
    UNREAD = "unread"


DESCRIBED = frozenset((Action.NEW, Action.CHANGED, Action.AGAIN))


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the walk meets, a photo or something that could not be read."""

    action: Action
    met: Met | None = None
    unread: Unread | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How the walk ended: whether all that the source has is known now; the rows of photos it no longer has, those that were never described apart.

    `read` are ids of what could not be read before and need not be tried again.
    """

    is_complete: bool
    gone: tuple[int, ...] = ()
    never_described: tuple[int, ...] = ()
    read: tuple[str, ...] = ()


@dataclass(slots=True)
class _Progress:
    """What the walk has met so far.

    `claimed` are rows that get another id, `healed` is what could not be read and was told of better since, `passed` what was met and not asked for.
    """

    rows: set[int] = field(default_factory=set)
    claimed: set[int] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    healed: set[str] = field(default_factory=set)
    passed: set[str | None] = field(default_factory=set)
    hides: bool = False


class Plan:
    """The plan of one walk. `store` is None where nothing was indexed yet."""

    def __init__(self, store: Store | None, source: Source, walk: Walk, wish: Wish, read: Read) -> None:
        self._store, self.source, self.walk, self.wish, self._read = store, source, walk, wish, read
        self.state: SourceState | None = store.source(source.kind, source.root) if store else None
        self._row = self.state.row if self.state else None
        self._last_row = store.last_row if store else 0
        self.retried = tuple(store.unread(self._row)) if store and self._row is not None else ()
        self._met = _Progress()
        self._real_folders = dict[str, str]()

    def steps(self, found: Iterable[Found | None] | None = None) -> Iterator[Step | End | None]:
        """What to do, one thing after the other, and at last the end. `found` is what the source gives, where it is walked elsewhere.

        None stands for a moment in which the source has nothing to give yet. Raises what the source raises.
        """
        walked = self._walked(self.source.photos(self.retried) if found is None else found)
        is_complete = True
        for one in walked:
            if one is None:
                yield None
                continue
            step = self._unread(one) if isinstance(one, Unread) else self._step(one)
            if step is None:
                continue
            yield step
            if self._may_stop_at(step):
                break
        else:
            is_complete = self.walk == EVERYTHING and not self._met.hides
            if is_complete:
                gone = list(self._gone())
                described, never = ([one.row for one in gone if (one.captioner is not None) is is_described] for is_described in (True, False))
                yield End(is_complete, tuple(described), tuple(never), self._read_now(set(self.retried)))
                return
        yield from self._failed_before()
        yield End(is_complete, read=self._read_now(set(self.retried) if self.source.newest_first else self._met.ids.intersection(self.retried)))

    def prunable(self) -> int:
        """How many photos were gone before and are still, after the walk."""
        return sum(one.row not in self._met.rows for one in self._lying_there(gone=True))

    def _read_now(self, tried: set[str]) -> tuple[str, ...]:
        """What of the things that could not be read is no longer to be tried: all that was tried, but for what still cannot be read or was not asked for."""
        return tuple((tried | self._met.healed) - self._met.unread - self._met.passed)

    def _walked(self, found: Iterable[Found | None]) -> Iterator[Found | None]:
        """The part of the source that the walk asks for, and not a photo more. Pinned posts come first, whatever their age, and end nothing."""
        walk, n_photos = self.walk, 0
        for one in found:
            if not isinstance(one, Photo):
                yield one
                continue
            photo = replace(one, description=None) if self.wish.recaption and one.description else one
            if photo.path is not None and (path := self._in_real_folder(photo.path)) is not photo.path:
                photo = replace(photo, path=path)
            taken_at = _taken_at(photo) if walk.since or walk.until else None
            if walk.since and taken_at and taken_at < walk.since:
                if self.source.newest_first and not photo.is_pinned and not self._is_retried(photo):
                    return
                self._met.passed |= {photo.id, photo.shortcode}
            elif walk.until and taken_at and taken_at >= walk.until:
                self._met.passed |= {photo.id, photo.shortcode}
            else:
                yield photo
            n_photos += not self._is_retried(photo)
            if n_photos == walk.limit:
                return

    def _in_real_folder(self, path: Path) -> Path:
        """A path without `..` and links in it, but for its last part, so that a file is known again by whatever way it is come to."""
        folder, name = os.path.split(path)
        if folder not in self._real_folders:
            self._real_folders[folder] = os.path.realpath(folder)
        return path if self._real_folders[folder] == folder else Path(self._real_folders[folder], name)

    def _is_retried(self, photo: Photo) -> bool:
        """Whether a photo was asked for because it could not be read before: it comes before the others, whatever its age."""
        return self.source.newest_first and (photo.id in self.retried or photo.shortcode in self.retried)

    def _unread(self, unread: Unread) -> Step:
        self._met.unread.add(unread.id)
        self._met.hides |= unread.hides
        if self._store and self._row is not None and (known := self._store.known(self._row, Photo(unread.id), kind=self.source.kind)):
            self._met.rows.add(known.row)
        return Step(Action.UNREAD, unread=unread)

    def _step(self, photo: Photo) -> Step | None:
        """What to do about a photo; None if the walk has met it before."""
        if photo.id in self._met.ids:
            return None
        if photo.id in self._met.unread:  # told of twice, once in a way that can be read
            self._met.unread.remove(photo.id)
            self._met.healed.add(photo.id)
        self._met.ids |= {photo.id} | ({photo.shortcode} if photo.shortcode in self.retried and photo.shortcode else set())
        stamp = stamp_of(photo)
        if (known := self._known(photo)) is not None:
            comes_first = known.source is None or known.is_gone or self.source.newest_first or self.source.kind == EXPORT
            return self._again(known, photo, stamp, takes_over=known.source != self._row and comes_first)
        if stamp is not None and (known := self._in_file(photo)) is not None:
            self._met.claimed.add(known.row)
            return self._again(known, photo, stamp, takes_over=known.source in (None, self._row) or known.is_gone)
        if stamp is not None and (known := self._moved(photo, stamp)) is not None:
            self._met.claimed.add(known.row)
            return self._again(known, photo, stamp, takes_over=True, has_moved=True)
        return Step(Action.NEW, Met(photo, None, stamp))

    def _known(self, photo: Photo) -> KnownPhoto | None:
        """The row that has the photo's id, unless it has become another photo's in this walk."""
        known = self._store.known(self._row, photo, kind=self.source.kind) if self._store else None
        return known if known is not None and known.row not in self._met.claimed else None

    def _in_file(self, photo: Photo) -> KnownPhoto | None:
        """The photo known before that lies in the same file, under whatever id; but a list may have several in one file, and another one more."""
        found = self._store.in_file(photo.path, photo.member) if self._store and photo.path else []
        unmet = (one for one in found if one.row <= self._last_row and one.row not in self._met.rows)
        return next((one for one in unmet if one.source != self._row or len(found) == 1), None)

    def _again(self, known: KnownPhoto, photo: Photo, stamp: Stamp | None, *, takes_over: bool, has_moved: bool = False) -> Step:
        """What to do about a photo that is known; one that has moved has the contents it had."""
        self._met.rows.add(known.row)
        action = self._action(known, photo, None if has_moved else stamp)
        return Step(Action.MOVED if has_moved and action is Action.KNOWN else action, Met(photo, known, stamp, takes_over=takes_over))

    def _action(self, known: KnownPhoto, photo: Photo, stamp: Stamp | None) -> Action:
        """What to do about a photo that was met before."""
        if known.captioner is None or known.is_due or self.wish.rebuild:
            return Action.AGAIN
        if photo.description is not None and known.captioner == GIVEN:
            if known.caption != clean(photo.description.caption):
                return Action.CHANGED
        elif not self.wish.is_by(known.captioner):
            return Action.AGAIN
        return Action.CHANGED if self._is_changed(known, photo, stamp) else Action.KNOWN

    def _is_changed(self, known: KnownPhoto, photo: Photo, stamp: Stamp | None) -> bool:
        """Whether a file has other contents than when it was described; its size and time are looked at first."""
        if stamp is None or known.size is None or (stamp.size, stamp.modified) == (known.size, known.modified):
            return False
        return known.digest is None or self.digest(photo) != known.digest

    def _moved(self, photo: Photo, stamp: Stamp) -> KnownPhoto | None:
        """The described photo that has these contents and is no longer where it was."""
        if self._store is None or not self._store.has_size(stamp.size) or (digest := self.digest(photo)) is None:
            return None
        same = self._store.with_contents(stamp.size, digest)
        return next((one for one in same if one.row not in self._met.rows and one.member == photo.member and not _lies_there(one.path)), None)

    def digest(self, photo: Photo) -> bytes | None:
        """What tells a file's contents from another's; None if it cannot be read, which the run will tell."""
        try:
            return digest_of(self._read(photo))
        except PhotoError:
            return None

    def _may_stop_at(self, step: Step) -> bool:
        """Whether everything behind is known: the source goes from new to old, was walked to its end before, and gave this photo then."""
        met = step.met
        if step.action is not Action.KNOWN or met is None or met.known is None or not self.source.newest_first:
            return False
        is_looked_through = self.wish.rebuild or self.wish.retry_failed or self.state is None or not self.state.is_complete
        return not is_looked_through and met.known.source == self._row and not met.photo.is_pinned and not self._is_retried(met.photo)

    def _gone(self) -> Iterator[KnownPhoto]:
        """The photos that the source had and has no longer. What comes on standard input is never all there is.

        A post that cannot be read is there, with all its pictures; so is a picture that only another source has told of, as long as its file lies there.
        """
        for one in self._lying_there() if self.source.kind != "stdin" else ():
            is_told = one.row in self._met.rows or (one.shortcode is not None and one.shortcode in self._met.unread)
            is_elsewhere = one.source != self._row or self.source.newest_first
            if not is_told and not (is_elsewhere and _lies_there(one.path)):
                yield one

    def _lying_there(self, *, gone: bool = False) -> Iterator[KnownPhoto]:
        """The photos that the store has of the source, those that are gone or the others."""
        if self._store:
            yield from self._store.lying_in(self._row, self.source.root, self._last_row, gone=gone)

    def _failed_before(self) -> Iterator[Step]:
        """The photos that failed in an earlier run and that this walk did not come to."""
        for failure in self._store.failures(self._row) if self._store and self._row is not None else ():
            if failure.photo.id not in self._met.ids:
                yield Step(Action.AGAIN, Met(failure.photo, self._known(failure.photo), stamp_of(failure.photo)))


def counted(counts: Mapping[Action, int]) -> int:
    """How many photos a plan describes."""
    return sum(n for action, n in counts.items() if action in DESCRIBED)


def stamp_of(photo: Photo) -> Stamp | None:
    """What the photo's file (the ZIP file it is in) is like from outside; None where there is none, or what is there is no regular file."""
    if photo.path is None:
        return None
    try:
        found = photo.path.stat()
    except (OSError, ValueError):
        return None
    return Stamp(found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _taken_at(photo: Photo) -> datetime | None:
    """When a photo was taken, as its post says, or else its file."""
    if photo.taken_at is not None or photo.path is None or photo.member is not None:
        return photo.taken_at
    from igsearch import images

    return images.taken_at_of_file(photo.path)


def _lies_there(path: Path | None) -> bool:
    """Whether a file is at a path, as far as can be seen."""
    try:
        return path is not None and path.is_file()
    except OSError:
        return True
    except ValueError:
        return False
