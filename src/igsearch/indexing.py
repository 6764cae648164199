"""Indexing, the long use case. Read top to bottom: photos are walked, chosen, loaded, described, stored, and at the end made searchable.

The caller's thread walks the source, describes, and is the only one that writes; a few threads fetch and decode ahead of it (torch and Pillow release the
interpreter's lock). What is loaded ahead is bounded, so memory does not depend on the size of the profile.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from igsearch.errors import IgsearchError, PhotoError, UsageError
from igsearch.paths import ProfilePaths
from igsearch.ranking.words import fit, is_current
from igsearch.records import DescribedPhoto, Describer, Description, FailedPhoto, Photo, Prepared, Source
from igsearch.store.reader import GIVEN, Store

if TYPE_CHECKING:
    from pathlib import Path


log = logging.getLogger(__name__)

N_LOADERS = 4
"""Threads that fetch and decode: enough to hide a network's latency, few enough to be polite to a server."""

LOOKAHEAD_BATCHES = 3
"""Batches loaded ahead of the captioner, so that it never waits for one slow photo."""

MAX_UNSTORED_SECONDS = 15.0
"""A slow source's photos are described and committed at least this often, full batch or not."""

MIN_REFIT, REFIT_GROWTH = 500, 0.25
"""During a run the index is fitted anew when this many photos, and this share of the profile, are new: what is described can then be searched."""

MAX_LISTED_FAILURES = 1000

MIN_SIDE = 512
"""A picture is decoded to at least this many pixels a side: enough for a thumbnail and the packaged captioner, and a large JPEG is read many times faster."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Which photos of a source to look at: the first `limit`, taken from `since` on and before `until` (aware times); photos without a date always."""

    limit: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit {self.limit} leaves no photo: use 1 or more")
        if self.since and self.until and self.since >= self.until:
            raise UsageError(f"nothing lies between --since {self.since:%Y-%m-%d} and --until {self.until:%Y-%m-%d}: swap them")


EVERYTHING = Walk()


@dataclass(frozen=True, slots=True)
class Started:
    """A source was opened: what it was recognised as, and how many photos are to be described, where that is known."""

    profile: str
    source: str
    n_expected: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Instagram asked for a pause of so many seconds; the run goes on by itself."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stored:
    """A batch was committed."""

    described: Sequence[DescribedPhoto]
    failed: Sequence[FailedPhoto]


Event = Started | Waiting | Stored
OnEvent = Callable[[Event], None]


@dataclass(slots=True)
class IndexReport:
    """What a run did. Of those described, `n_given` came with their description; `n_known` were described before; the first `MAX_LISTED_FAILURES` are kept."""

    profile: str
    source: str
    n_described: int = 0
    n_given: int = 0
    n_known: int = 0
    n_failed: int = 0
    failed: list[FailedPhoto] = field(default_factory=list)
    n_photos: int = 0
    seconds: float = 0.0

    def count(self, described: Sequence[DescribedPhoto], failed: Sequence[FailedPhoto]) -> None:
        """Add a batch."""
        self.n_described += len(described)
        self.n_given += sum(one.photo.given is not None for one in described)
        self.n_failed += len(failed)
        self.failed += failed[: MAX_LISTED_FAILURES - len(self.failed)]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A photo ready for the captioner; without pixels if it came with its description, and then perhaps without a thumbnail."""

    photo: Photo
    pixels: Prepared | None
    thumbnail: bytes | None


Load = Callable[[Photo], Loaded]


def walked(source: Source, walk: Walk, *, recaption: bool = False) -> Iterator[Photo]:
    """The part of the source that the walk asks for. Pinned posts come first, whatever their age, and end nothing. `recaption` drops the descriptions given."""
    for n_seen, found in enumerate(source.photos()):
        photo = replace(found, given=None) if recaption else found
        if n_seen == walk.limit:
            return
        if walk.since and photo.taken_at and photo.taken_at < walk.since:
            if source.newest_first and not photo.is_pinned:
                return
        elif not (walk.until and photo.taken_at and photo.taken_at >= walk.until):
            yield photo


def is_known(store: Store, photo: Photo, captioner: str) -> bool:
    """Whether the store holds a description of the photo by `captioner`; one that came with the photo does where it comes with one again."""
    return store.is_described(photo.id, captioner) or (photo.given is not None and store.is_described(photo.id, GIVEN))


class IndexRun:
    """One walk over one source into one store.

    The store remembers whether everything older than its newest photo is in it (`walk_complete`). Only then may a walk that goes from new to old stop at the
    first photo it knows; a run that was cut short leaves the mark off, and the next one walks on past what is known.
    """

    def __init__(
        self, store: Store, paths: ProfilePaths, source: Source, describer: Describer, load: Load, *, walk: Walk, batch_size: int, recaption: bool
    ) -> None:
        self._store, self._paths, self._source, self._describer, self._load = store, paths, source, describer, load
        self._walk, self._batch_size, self._recaption = walk, batch_size, recaption
        self._pending: deque[tuple[Photo, Future[Loaded]]] = deque()
        self._was_complete, self._is_complete = store.walk_complete, False
        self._last_stored, self._n_unfitted = time.monotonic(), 0
        self.report = IndexReport(paths.root.name, source.name)

    def run(self, *, retry_failed: bool, on_event: OnEvent) -> IndexReport:
        """Walk, describe, store; whatever ends the walk, what was stored is made searchable."""
        started = time.monotonic()
        on_event(Started(self.report.profile, self.report.source, self._n_expected()))
        pool = ThreadPoolExecutor(N_LOADERS, thread_name_prefix="load")
        try:
            self._describe_all(self._chosen(stop_at_known=self._was_complete and not retry_failed), pool, on_event)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            fit_if_stale(self._store, self._paths)
            self.report.n_photos = self._store.n_photos
            self.report.seconds = time.monotonic() - started
        return self.report

    def _n_expected(self) -> int | None:
        there = self._source.n_expected
        return there if there is None else max(0, min(there, self._walk.limit or there) - self._store.n_photos)

    def _chosen(self, *, stop_at_known: bool) -> Iterator[Photo]:
        """The photos to describe: those that the walk meets and the store does not know, then those that failed in an earlier run and were not met again."""
        outstanding = {failure.photo.id: failure.photo for failure in self._store.failures()}
        for photo in self._unknown(stop_at_known=stop_at_known):
            outstanding.pop(photo.id, None)
            yield photo
        yield from outstanding.values()

    def _unknown(self, *, stop_at_known: bool) -> Iterator[Photo]:
        for photo in walked(self._source, self._walk, recaption=self._recaption):
            if not is_known(self._store, photo, self._describer.name):
                self._store.walk_complete = False
                yield photo
                continue
            self.report.n_known += 1
            if stop_at_known and self._source.newest_first and not photo.is_pinned:
                self._is_complete = True
                return
        self._is_complete = self._walk == EVERYTHING and not self._source.n_failed_posts

    def _describe_all(self, photos: Iterator[Photo], pool: ThreadPoolExecutor, on_event: OnEvent) -> None:
        try:
            for photo in photos:
                self._pending.append((photo, pool.submit(self._load, photo)))
                overdue = time.monotonic() - self._last_stored > MAX_UNSTORED_SECONDS
                if overdue or len(self._pending) >= self._batch_size * LOOKAHEAD_BATCHES:
                    on_event(self._store_batch())
        except IgsearchError:
            self._store_all(on_event)
            raise
        self._store_all(on_event)
        if self._is_complete:
            self._store.walk_complete = True

    def _store_all(self, on_event: OnEvent) -> None:
        while self._pending:
            on_event(self._store_batch())

    def _store_batch(self) -> Stored:
        """Describe the photos that have waited longest, at most a batch of them, and commit."""
        loaded, failed = [], []
        for photo, future in [self._pending.popleft() for _ in range(min(self._batch_size, len(self._pending)))]:
            one = outcome(future)
            if isinstance(one, Loaded):
                loaded.append(one)
            else:
                failed.append(FailedPhoto(photo, str(one)))
        pixels = [one.pixels for one in loaded if one.pixels is not None]
        descriptions = iter(self._describer.describe(pixels) if pixels else ())
        described = [DescribedPhoto(one.photo, one.photo.given or next(descriptions), one.thumbnail) for one in loaded]
        self._store.commit(described, failed, captioner=self._describer.name)
        if described and self._store.source != self._source.name:
            self._store.source = self._source.name
        self._last_stored = time.monotonic()
        self._n_unfitted += len(described)
        self.report.count(described, failed)
        if self._n_unfitted >= max(MIN_REFIT, REFIT_GROWTH * self._store.n_photos):
            fit(self._store, self._paths)
            self._n_unfitted = 0
        return Stored(described, failed)


def loader(fetch: Callable[[Photo], bytes], describer: Describer) -> Load:
    """What a loading thread does with a photo: fetch, decode, make the thumbnail, prepare for the captioner. Raises PhotoError.

    Of a photo that came with its description only the thumbnail is made, and where its picture is not to be had not even that.
    """
    from igsearch import images

    def load(photo: Photo) -> Loaded:
        if photo.given is not None:
            try:
                return Loaded(photo, None, images.thumbnail(images.decode(fetch(photo), at_least=MIN_SIDE)))
            except PhotoError as err:
                log.info("%s: no thumbnail (%s)", photo.id, err)
                return Loaded(photo, None, None)
        image = images.decode(fetch(photo), at_least=least_side(describer))
        return Loaded(photo, describer.prepare(image), images.thumbnail(image))

    return load


def least_side(describer: Describer) -> int | None:
    """To how many pixels a side a picture is decoded at least, for the describer and a thumbnail; None: to all it has."""
    wanted = describer.min_side
    return None if wanted is None else max(MIN_SIDE, wanted)


def fit_if_stale(store: Store, paths: ProfilePaths) -> None:
    """Fit the index unless the one on disk already holds everything in the store."""
    if store.n_photos and not is_current(store, paths):
        fit(store, paths)


def index_profile(
    cache: Path,
    profile: str,
    source: Source,
    describer: Describer,
    fetch: Callable[[Photo], bytes],
    *,
    walk: Walk = EVERYTHING,
    batch_size: int = 16,
    rebuild: bool = False,
    retry_failed: bool = False,
    recaption: bool = False,
    on_event: OnEvent = lambda _: None,
) -> IndexReport:
    """Describe the photos of `source` that the store of `profile` does not hold yet, and make them searchable.

    `rebuild` describes all of them anew; `retry_failed` walks the whole source again, for fresh addresses of what failed; `recaption` passes over the
    descriptions that come with photos and has `describer` describe those too. Raises what the source, the store
    and the describer raise; a photo that fails is recorded instead. Whatever was committed before an error stays.
    """
    paths = ProfilePaths.of(cache, profile)
    with Store.create(paths, paths.root.name) as store:
        if rebuild:
            store.mark_stale()
            store.walk_complete = False
        run = IndexRun(store, paths, source, describer, loader(fetch, describer), walk=walk, batch_size=batch_size, recaption=recaption)
        return run.run(retry_failed=retry_failed or rebuild, on_event=on_event)


def preview(cache: Path, profile: str, source: Source, captioner: str, *, walk: Walk = EVERYTHING, recaption: bool = False) -> Iterator[Photo]:
    """The photos of a walk that have no description by `captioner` yet; nothing is fetched, written or created."""
    paths = ProfilePaths.of(cache, profile)
    with Store.open(paths) if paths.database.exists() else contextlib.nullcontext() as store:
        photos = walked(source, walk, recaption=recaption)
        yield from (photo for photo in photos if store is None or not is_known(store, photo, captioner))


def described_files(
    files: Sequence[Path], describer: Describer, fetch: Callable[[Photo], bytes], *, batch_size: int
) -> Iterator[tuple[Path, Description | PhotoError]]:
    """Each file with its description, or with the error that stands for it, in order."""
    load = loader(fetch, describer)
    with ThreadPoolExecutor(N_LOADERS, thread_name_prefix="load") as pool:
        for first in range(0, len(files), batch_size):
            batch = files[first : first + batch_size]
            outcomes = [outcome(pool.submit(load, Photo(id=str(path), path=path))) for path in batch]
            descriptions = iter(describer.describe([one.pixels for one in outcomes if isinstance(one, Loaded) and one.pixels is not None]))
            yield from ((path, next(descriptions) if isinstance(one, Loaded) else one) for path, one in zip(batch, outcomes, strict=True))


def outcome(future: Future[Loaded]) -> Loaded | PhotoError:
    """What a loading thread came to, once it is done."""
    try:
        return future.result()
    except PhotoError as err:
        return err
