"""Indexing, the long use case. Read top to bottom: a walk is planned, photos are loaded, described and stored, and what is stored is made searchable.

The caller's thread plans, describes, and is the only one that reads and writes the store; another one walks the source, and a few fetch and decode ahead
(torch and Pillow release the interpreter's lock). What is loaded ahead is bounded, so memory does not depend on the size of the profile.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from igsearch.describing import described_each
from igsearch.errors import NotIndexedError, PhotoError
from igsearch.loading import Load, Loaded, Loader, loader
from igsearch.paths import ProfilePaths
from igsearch.planning import DESCRIBED, EVERYTHING, Action, End, Plan, Step, Walk, Wish
from igsearch.ranking.words import fit, is_current
from igsearch.records import DescribedPhoto, Describer, FailedPhoto, Photo, Source, Unread
from igsearch.store.reader import Store
from igsearch.store.rows import Met
from igsearch.store.writer import StoreWriter
from igsearch.walking import AT_ONCE, walked_beside

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

LOOKAHEAD_BATCHES = 3
"""Batches loaded ahead of the captioner, so that it never waits for one slow photo."""

PATIENCE = 1.0
"""Seconds that a batch waits for a photo that is still loading, and the store for a source that has nothing to give; then they go on without."""

MAX_UNSTORED_SECONDS = 15.0
"""A slow source's photos are described and committed at least this often, full batch or not."""

MAX_UNSEEN = 1000
"""Known photos whose being there is noted in one transaction."""

MIN_REFIT, REFIT_GROWTH = 500, 0.25
"""During a run the index is fitted anew when this many photos, and this share of the profile, are new; before that each time their number has doubled."""

MAX_LISTED_FAILURES = 1000


@dataclass(frozen=True, slots=True)
class Started:
    """A source was opened: what it was recognised as, and how many photos the walk will meet, where that is known."""

    profile: str
    source: str
    n_expected: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Instagram asked for a pause of so many seconds; the run goes on by itself."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Planned:
    """A dry run came to a photo that a run would describe."""

    photo: Photo


@dataclass(frozen=True, slots=True)
class Passed:
    """So many photos were met that need no description."""

    n_photos: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A batch was committed."""

    described: Sequence[DescribedPhoto]
    failed: Sequence[FailedPhoto]


Event = Started | Waiting | Planned | Passed | Stored
OnEvent = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Missed:
    """A photo that could not be described, or something listed that could not be read, and why."""

    id: str
    reason: str
    permalink: str | None
    url: str | None = None


@dataclass(slots=True)
class IndexReport:
    """What a run did, or with `is_dry` would do: how many photos of the walk were met with what to do, and what came of it.

    Of those described, `n_given` came with their description. `n_failed` counts photos and what could not be read; the first `MAX_LISTED_FAILURES` are kept.
    `left_out` is what the source passed over on purpose, by what it is.
    """

    profile: str
    source: str
    is_dry: bool = False
    planned: Counter[Action] = field(default_factory=Counter)
    n_described: int = 0
    n_given: int = 0
    n_failed: int = 0
    n_gone: int = 0
    n_pruned: int = 0
    n_photos: int = 0
    seconds: float = 0.0
    failed: list[Missed] = field(default_factory=list)
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_known(self) -> int:
        """How many photos were described before, and are as they were."""
        return self.planned[Action.KNOWN]

    def count(self, described: Sequence[DescribedPhoto], failed: Sequence[FailedPhoto]) -> None:
        """Add a batch."""
        self.n_described += len(described)
        self.n_given += sum(one.photo.description is not None for one in described)
        for one in failed:
            self.miss(Missed(one.photo.id, one.reason, one.photo.permalink, one.photo.url))

    def plan(self, step: Step) -> None:
        """Add what a walk met."""
        self.planned[step.action] += 1
        if step.unread is not None:
            self.miss(Missed(step.unread.id, step.unread.reason, step.unread.permalink))

    def miss(self, one: Missed) -> None:
        """Add a failure."""
        self.n_failed += 1
        if len(self.failed) < MAX_LISTED_FAILURES:
            self.failed.append(one)


def index_profile(
    cache: Path,
    profile: str,
    source: Source,
    describer: Describer,
    fetch: Callable[[Photo], bytes],
    *,
    walk: Walk = EVERYTHING,
    wish: Wish | None = None,
    batch_size: int = 16,
    prune: bool = False,
    on_event: OnEvent = lambda _: None,
) -> IndexReport:
    """Describe the photos of `source` that the store of `profile` does not hold yet, and make them searchable; with `prune`, drop those that are gone.

    Raises what the source, the store and the describer raise; a photo that fails is recorded instead. Whatever was committed before an error stays; a profile
    of which nothing was described leaves nothing behind.
    """
    paths = ProfilePaths.of(cache, profile)
    with StoreWriter.create(paths, paths.root.name) as store:
        try:
            store.begin_walk(source)
            plan = Plan(store, source, walk, wish or Wish(describer.name), fetch)
            return IndexRun(store, paths, plan, describer, loader(fetch, describer), batch_size).run(prune=prune, on_event=on_event)
        finally:
            if not store.n_photos:
                store.drop()


def preview(
    cache: Path,
    profile: str,
    source: Source,
    wish: Wish,
    fetch: Callable[[Photo], bytes],
    *,
    walk: Walk = EVERYTHING,
    prune: bool = False,
    on_event: OnEvent = lambda _: None,
) -> IndexReport:
    """What `index_profile` would do: the same walk, the same plan, the same counts; no photo is fetched or described, and nothing is written."""
    paths, started = ProfilePaths.of(cache, profile), time.monotonic()
    report = IndexReport(paths.root.name, source.name, is_dry=True)
    with _store_as_it_is(paths) as store:
        plan = Plan(store, source, walk, wish, fetch)
        for step in plan.steps():
            if isinstance(step, Step):
                report.plan(step)
                if step.action in DESCRIBED and step.met is not None:
                    on_event(Planned(step.met.photo))
            elif isinstance(step, End):
                report.n_gone = len(step.gone)
        report.n_pruned = report.n_gone + plan.prunable() if prune else 0
        report.n_photos = store.n_photos if store else 0
    report.source = source.name
    report.left_out, report.seconds = dict(source.left_out), time.monotonic() - started
    return report


def _store_as_it_is(paths: ProfilePaths) -> AbstractContextManager[Store | None]:
    """The profile's store, not even brought up to date; None if nothing was ever written to it."""
    try:
        return Store.open(paths, as_it_is=True)
    except NotIndexedError:
        return nullcontext()


def expected(plan: Plan) -> int | None:
    """How many photos a walk will meet, where its source knows and the walk goes to the end."""
    there, walk = plan.source.n_expected, plan.walk
    ends_early = plan.source.newest_first and plan.state is not None and plan.state.is_complete
    return None if there is None or walk.since or walk.until or ends_early else min(there, walk.limit or there)


class IndexRun:
    """One walk over one source into one store.

    The store remembers of each source whether everything older than its newest photo is there. Only then may a walk that goes from new to old stop at the
    first photo it knows; a run that was cut short leaves the mark off, and the next one walks on past what is known.
    """

    def __init__(self, store: StoreWriter, paths: ProfilePaths, plan: Plan, describer: Describer, load: Load, batch_size: int) -> None:
        self._store, self._paths, self._plan, self._describer, self._batch_size = store, paths, plan, describer, batch_size
        self._source = plan.source
        self._loader = Loader(load, ahead=batch_size * LOOKAHEAD_BATCHES)
        self._waiting, self._done, self._late = dict[str, Met](), dict[str, Loaded | FailedPhoto](), set[str]()
        self._seen, self._unread, self._n_passed = list[Met](), list[Unread](), 0
        self._last_stored, self._n_fitted, self._n_new = time.monotonic(), store.n_photos, 0
        self._is_begun = False
        self.report = IndexReport(paths.root.name, plan.source.name)

    def run(self, *, prune: bool, on_event: OnEvent) -> IndexReport:
        """Walk, describe, store; whatever ends the walk, what was stored is made searchable."""
        started = time.monotonic()
        try:
            with self._loader:
                self._walk_all(on_event)
            if prune:
                self.report.n_pruned = self._store.prune(self._source.root)
        finally:
            fit_if_stale(self._store, self._paths)
            self.report.n_photos = self._store.n_photos
            self.report.left_out = dict(self._source.left_out)
            self.report.seconds = time.monotonic() - started
        return self.report

    def _walk_all(self, on_event: OnEvent) -> None:
        if self._plan.wish.rebuild and self._plan.walk == EVERYTHING:
            self._store.mark_stale()
            self._store.interrupt_walk()
        n_at_once = 1 if self._source.newest_first else AT_ONCE
        found, end = walked_beside(self._source.photos(self._plan.retried), n_at_once=n_at_once, patience=PATIENCE), End(is_complete=False)
        is_started = False
        try:
            for step in self._plan.steps(found):
                if step is not None and not is_started:
                    self.report.source = self._source.name  # which standard input tells only now
                    on_event(Started(self.report.profile, self.report.source, expected(self._plan)))
                    is_started = True
                if isinstance(step, End):
                    end = step
                elif step is not None:
                    self._take(step)
                self._store_due(on_event)
        except Exception:
            self._store_all(on_event)
            raise
        finally:
            found.close()
        self._store_all(on_event)
        self._finish(end)

    def _take(self, step: Step) -> None:
        """Begin what is to be done about one thing."""
        self.report.plan(step)
        if step.unread is not None:
            self._unread.append(step.unread)
        elif step.met is not None and step.action not in DESCRIBED:
            self._seen.append(self._with_digest(step.met))
            self._n_passed += 1
        elif step.met is not None:
            if step.met.takes_over:
                self._seen.append(replace(step.met, stamp=None))
            if not self._is_begun:
                self._store.interrupt_walk()
                self._is_begun = True
            self._waiting[step.met.photo.id] = step.met
            self._loader.submit(step.met.photo)

    def _with_digest(self, met: Met) -> Met:
        """A known photo; one from an older store, which did not note what its file is like, with that."""
        is_noted = met.stamp is None or met.known is None or met.known.size is not None
        return met if is_noted else replace(met, digest=self._plan.digest(met.photo))

    def _finish(self, end: End) -> None:
        """Note how the walk ended."""
        if end.is_complete:
            self._store.end_walk((*end.gone, *end.never_described), end.read)
        else:
            self._store.forget_unread(end.read)
        self.report.n_gone = len(end.gone)

    def _store_due(self, on_event: OnEvent) -> None:
        """Commit what has become a batch, and after a while what has not."""
        if len(self._seen) + len(self._unread) >= MAX_UNSEEN:
            self._store_seen(on_event)
        while len(self._waiting) >= self._batch_size * LOOKAHEAD_BATCHES:
            self._store_batch(self._ready(PATIENCE), on_event)
        if time.monotonic() - self._last_stored > MAX_UNSTORED_SECONDS:
            self._store_batch(self._ready(None), on_event)

    def _store_all(self, on_event: OnEvent) -> None:
        while self._waiting:
            self._store_batch(self._ready(PATIENCE), on_event)
        self._store_seen(on_event)

    def _ready(self, patience: float | None) -> list[tuple[Met, Loaded | FailedPhoto]]:
        """The photos that have waited longest, at most a batch of them, loaded; after `patience` those that are, at least one. None: those that are.

        One that a batch has waited for in vain keeps no later batch waiting.
        """
        deadline = time.monotonic() + (patience or 0.0)
        while True:
            first = list(islice((name for name in self._waiting if name in self._done or name not in self._late), self._batch_size))
            if first and all(name in self._done for name in first):
                self._late -= set(first)
                return [(self._waiting.pop(name), self._done.pop(name)) for name in first]
            left = deadline - time.monotonic()
            self._done |= {one.photo.id: one for one in self._loader.done(timeout=max(0.0, left))}
            if left <= 0:
                self._late |= {name for name in first if name not in self._done}
                if not self._done.keys() & self._waiting.keys():
                    if patience is None or not self._waiting:
                        return []
                    deadline = time.monotonic() + patience

    def _store_batch(self, ready: Sequence[tuple[Met, Loaded | FailedPhoto]], on_event: OnEvent) -> None:
        """Describe photos and commit them, after what was met before them, since an id may have passed from one photo to another."""
        self._last_stored = time.monotonic()
        self._store_seen(on_event)
        if not ready:
            return
        loaded = [one for _, one in ready if isinstance(one, Loaded)]
        told = iter(described_each(self._describer, [one.pixels for one in loaded if one.pixels is not None]))
        outcomes = [(one, one.photo.description or next(told)) for one in loaded]
        described = [DescribedPhoto(one.photo, said, one.thumbnail, one.digest) for one, said in outcomes if not isinstance(said, PhotoError)]
        failed = [one for _, one in ready if isinstance(one, FailedPhoto)]
        failed += [FailedPhoto(one.photo, str(said)) for one, said in outcomes if isinstance(said, PhotoError)]
        self._store.commit(described, failed, captioner=self._describer.name, met=[met for met, _ in ready])
        self._last_stored = time.monotonic()
        self._n_new += len(described)
        self.report.count(described, failed)
        if self._n_new >= refit_after(self._n_fitted):
            fit(self._store, self._paths)
            self._n_fitted, self._n_new = self._store.n_photos, 0
        on_event(Stored(described, failed))

    def _store_seen(self, on_event: OnEvent) -> None:
        """Note what was met and needs no description, and what could not be read."""
        if not self._seen and not self._unread:
            return
        self._store.see(self._seen, self._unread)
        on_event(Passed(self._n_passed))
        self._seen, self._unread, self._n_passed = [], [], 0


def refit_after(n_fitted: int) -> int:
    """After how many more described photos the index is fitted again: at once for the first, then when their number has doubled, later less often."""
    return max(1, min(n_fitted, max(MIN_REFIT, int(REFIT_GROWTH * n_fitted))))


def fit_if_stale(store: Store, paths: ProfilePaths) -> None:
    """Fit the index unless the one on disk already holds everything in the store."""
    if store.n_photos and not is_current(store, paths):
        fit(store, paths)
