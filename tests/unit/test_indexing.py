"""A run over a source: what is described, what is skipped, where it stops, and what is left when it does not end well."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from igsearch.errors import FetchError, RateLimitedError, UsageError
from igsearch.indexing import Event, IndexReport, Planned, Started, Stored, index_profile, preview
from igsearch.managing import summaries
from igsearch.paths import ProfilePaths
from igsearch.planning import Walk, Wish
from igsearch.records import Description, DetectedObject, Hypothesis, Label, Photo, Unread
from igsearch.searching import Query, search
from igsearch.store.reader import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOW = datetime(2025, 6, 30, 12, tzinfo=UTC)
Fetch = Callable[[Photo], bytes]
WORDS = ("dog", "cat", "boat", "tree", "street", "mountain", "bridge", "snow")


def post(age: int, **changes: object) -> Photo:
    """A photo taken `age` days ago."""
    photo = Photo(id=f"p{age}", url=f"https://cdn.example/{age}.jpg", shortcode=f"p{age}", taken_at=NOW - timedelta(days=age))
    return replace(photo, **changes)  # type: ignore[arg-type]  # the fields of Photo


class Listed:
    """A source that gives what it was told to, newest first, and counts how far it was walked. An exception in the list is raised in its turn."""

    name, root, left_out = "list", "natgeo", dict[str, int]()

    def __init__(self, *items: Photo | Unread | Exception, newest_first: bool = True, kind: str = "list") -> None:
        self.items, self.n_given, self.newest_first, self.kind = items, 0, newest_first, kind
        self.n_expected: int | None = None

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Photo | Unread]:
        """The items in order; those to be tried again first, as Instagram's are."""
        self.n_given = 0
        again = [item for item in self.items if isinstance(item, Photo | Unread) and item.id in retry]
        for item in (*again, *self.items):
            if isinstance(item, Exception):
                raise item
            self.n_given += 1
            yield item


class Naming:
    """A captioner that says a photo's colour as a word, and notes the batches it was given."""

    def __init__(self, name: str = "naming", min_side: int | None = 1) -> None:
        self.name, self.min_side = name, min_side
        self.batches: list[int] = []

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """The first pixel."""
        return np.asarray(image)[:1, :1]

    def describe(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Description]:
        """The word for each colour."""
        self.batches.append(len(pixels))
        return [Description(f"a {WORDS[int(pixel[0, 0, 0]) // 32]}", -1.0) for pixel in pixels]


class Pictures:
    """Serves a picture for every photo, its colour told by the photo's age, except those that are missing; counts what is fetched."""

    def __init__(self, *missing: str) -> None:
        self.missing, self.fetched = set(missing), []  # type: tuple[set[str], list[str]]

    def __call__(self, photo: Photo) -> bytes:
        """PNG bytes."""
        self.fetched.append(photo.id)
        if photo.id in self.missing:
            raise FetchError(f"{photo.id} answered 404: the photo may be gone")
        shade = int(photo.id.removeprefix("p").split("_")[0]) % len(WORDS) * 32 + 8
        out = io.BytesIO()
        Image.new("RGB", (24, 16), (shade, 0, 0)).save(out, "PNG")
        return out.getvalue()


WISHES = ("rebuild", "recaption", "retry_failed")


def run(cache: Path, source: Listed, pictures: Fetch | None = None, describer: Naming | None = None, **options: Any) -> IndexReport:  # noqa: ANN401 - options of index_profile
    """One indexing run of the profile `natgeo`, four photos a batch unless told otherwise."""
    chosen = describer or Naming()
    wish = Wish(chosen.name, **{name: options.pop(name) for name in WISHES if name in options})
    options = {"batch_size": 4} | options
    return index_profile(cache, "natgeo", source, chosen, pictures or Pictures(), wish=wish, **options)


def planned(cache: Path, source: Listed, pictures: Fetch | None = None, **options: Any) -> tuple[list[str], IndexReport]:  # noqa: ANN401 - the same
    """The ids that a dry run names, and what it reports."""
    events: list[Event] = []
    wish = Wish("naming", **{name: options.pop(name) for name in WISHES if name in options})
    report = preview(cache, "natgeo", source, wish, pictures or Pictures(), on_event=events.append, **options)
    return [event.photo.id for event in events if isinstance(event, Planned)], report


def stored(cache: Path) -> dict[str, str]:
    """What the store holds: captions by photo id."""
    with Store.open(ProfilePaths.of(cache, "natgeo")) as store:
        return {photo.id: description.caption for _, description, photo in store.documents()}


def test_every_photo_is_described_and_can_be_found(tmp_path: Path) -> None:
    """After a run the store holds a caption for each photo, in batches of the asked size, and a search finds it."""
    describer = Naming()
    report = run(tmp_path, Listed(*map(post, range(10))), describer=describer)
    assert (report.n_described, report.n_known, report.n_failed, report.n_photos) == (10, 0, 0, 10)
    assert describer.batches == [4, 4, 2]
    assert stored(tmp_path)["p3"] == "a tree"
    answer = search(tmp_path, "natgeo", Query("trees"))
    assert [hit.photo.id for hit in answer.hits] == ["p3"]
    assert answer.hits[0].matched == ("tree",)
    assert [(one.profile, one.n_photos, one.source) for one in summaries(tmp_path)] == [("natgeo", 10, "list")]


def test_events_tell_the_whole_run(tmp_path: Path) -> None:
    """The start comes first; then every photo in one stored batch, described or failed."""
    events: list[Event] = []
    run(tmp_path, Listed(*map(post, range(6))), Pictures("p2"), on_event=events.append)
    assert isinstance(events[0], Started)
    batches = [event for event in events[1:] if isinstance(event, Stored)]
    assert [one.photo.id for batch in batches for one in batch.described] == ["p0", "p1", "p3", "p4", "p5"]
    assert [one.photo.id for batch in batches for one in batch.failed] == ["p2"]


def test_a_second_run_fetches_nothing_and_stops_at_the_first_known_photo(tmp_path: Path) -> None:
    """Once a walk was complete, the next asks the source for no more than its first known post."""
    source = Listed(*map(post, range(10)))
    run(tmp_path, source)
    pictures = Pictures()
    report = run(tmp_path, source, pictures)
    assert (report.n_described, report.n_known, pictures.fetched, source.n_given) == (0, 1, [], 1)


def test_new_photos_are_added_and_pinned_ones_do_not_end_the_walk(tmp_path: Path) -> None:
    """Known posts pinned above the new ones are passed over; the walk ends at the first known one that is not pinned."""
    run(tmp_path, Listed(*map(post, range(5, 10))))
    source = Listed(post(9, is_pinned=True), post(7, is_pinned=True), *map(post, range(3, 10)))
    report = run(tmp_path, source)
    assert (report.n_described, sorted(stored(tmp_path))) == (2, [f"p{n}" for n in range(3, 10)])
    assert source.n_given == 5


def test_a_source_without_order_is_walked_to_its_end(tmp_path: Path) -> None:
    """Where photos do not come newest first, a known one says nothing of those behind it."""
    run(tmp_path, Listed(post(1), post(2), newest_first=False))
    report = run(tmp_path, Listed(post(1), post(9), post(2), newest_first=False))
    assert (report.n_described, report.n_known) == (1, 2)


@pytest.mark.parametrize("cut", [{"walk": Walk(limit=4)}, {"walk": Walk(since=NOW - timedelta(days=3))}], ids=["limit", "since"])
def test_a_run_that_was_cut_short_does_not_hide_what_lies_behind(tmp_path: Path, cut: dict[str, Any]) -> None:
    """After a run with --limit or --since, the next one walks past the known photos to the rest."""
    source = Listed(*map(post, range(10)))
    assert run(tmp_path, source, **cut).n_described == 4
    report = run(tmp_path, source)
    assert (report.n_described, report.n_known) == (6, 4)
    assert run(tmp_path, source).n_known == 1


def test_a_cut_run_above_a_gap_does_not_hide_the_gap(tmp_path: Path) -> None:
    """Complete at first, then ten new posts of which a limited run takes three: the next full run still finds the seven between."""
    run(tmp_path, Listed(*map(post, range(10, 15))))
    run(tmp_path, Listed(*map(post, range(15))), walk=Walk(limit=3))
    report = run(tmp_path, Listed(*map(post, range(15))))
    assert report.n_described == 7
    assert len(stored(tmp_path)) == 15


@pytest.mark.parametrize(
    ("walk", "expected"),
    [
        (Walk(limit=3), [0, 1, 2]),
        (Walk(since=NOW - timedelta(days=2)), [0, 1, 2]),
        (Walk(until=NOW - timedelta(days=7)), [8, 9]),
        (Walk(since=NOW - timedelta(days=5), until=NOW - timedelta(days=2)), [3, 4, 5]),
    ],
    ids=["limit", "since", "until", "both"],
)
def test_the_walk_takes_what_was_asked_for(tmp_path: Path, walk: Walk, expected: list[int]) -> None:
    """A limit counts photos from the top; since is inclusive, until exclusive."""
    run(tmp_path, Listed(*map(post, range(10))), walk=walk)
    assert sorted(stored(tmp_path)) == [f"p{age}" for age in expected]


def test_since_passes_over_old_pinned_posts(tmp_path: Path) -> None:
    """An old pinned post is left out and does not end the walk."""
    run(tmp_path, Listed(post(50, is_pinned=True), *map(post, range(4))), walk=Walk(since=NOW - timedelta(days=2)))
    assert sorted(stored(tmp_path)) == ["p0", "p1", "p2"]


@pytest.mark.parametrize(
    ("options", "says"), [({"limit": 0}, "--limit must be at least 1, not 0"), ({"since": NOW, "until": NOW}, "swap")], ids=["limit", "period"]
)
def test_a_walk_over_nothing_is_refused(options: dict[str, object], says: str) -> None:
    """What cannot give a photo is a usage error, not an empty run."""
    with pytest.raises(UsageError, match=says):
        Walk(**options)  # type: ignore[arg-type]  # the fields of Walk


def test_a_photo_that_fails_is_recorded_and_tried_again(tmp_path: Path) -> None:
    """A failure stops nothing, is reported with its reason, and the next run tries it although the walk stops early."""
    source = Listed(*map(post, range(6)))
    report = run(tmp_path, source, Pictures("p4"))
    assert [(one.id, "404" in one.reason) for one in report.failed] == [("p4", True)]
    assert "p4" not in stored(tmp_path)
    pictures = Pictures()
    again = run(tmp_path, source, pictures)
    assert (again.n_described, again.n_failed, pictures.fetched) == (1, 0, ["p4"])
    assert stored(tmp_path)["p4"] == "a street"


def test_a_failure_that_stays_is_counted_once(tmp_path: Path) -> None:
    """A photo that fails again is tried once per run, even when the walk meets it a second time."""
    source = Listed(*map(post, range(6)))
    run(tmp_path, source, Pictures("p4"))
    pictures = Pictures("p4")
    report = run(tmp_path, source, pictures, retry_failed=True)
    assert (report.n_failed, pictures.fetched) == (1, ["p4"])


def test_bytes_that_are_no_picture_fail_alone(tmp_path: Path) -> None:
    """A page served in place of a photo is one failure among described photos."""
    pictures = Pictures()
    report = index_profile(tmp_path, "natgeo", Listed(post(1), post(2)), Naming(), lambda p: b"<html>" if p.id == "p1" else pictures(p))
    assert (report.n_described, [one.id for one in report.failed]) == (1, ["p1"])


def test_an_error_of_the_source_keeps_what_was_walked(tmp_path: Path) -> None:
    """When Instagram says wait in mid-walk, the photos before it are described, searchable, and the error reaches the caller; the next run goes on."""
    items: list[Photo | Exception] = [*map(post, range(5)), RateLimitedError("wait a while"), *map(post, range(5, 8))]
    with pytest.raises(RateLimitedError):
        run(tmp_path, Listed(*items))
    assert sorted(stored(tmp_path)) == [f"p{n}" for n in range(5)]
    assert search(tmp_path, "natgeo", Query("street")).total == 1
    report = run(tmp_path, Listed(*map(post, range(8))))
    assert (report.n_described, report.n_known) == (3, 5)


def test_an_interruption_keeps_whole_batches_and_makes_them_searchable(tmp_path: Path) -> None:
    """Ctrl-C in mid-run leaves the committed batches, fitted; nothing half-done, and the next run does the rest."""

    def interrupt(event: Event) -> None:
        if isinstance(event, Stored):
            raise KeyboardInterrupt

    source = Listed(*map(post, range(20)))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, source, on_event=interrupt)
    assert sorted(stored(tmp_path)) == ["p0", "p1", "p2", "p3"]
    assert search(tmp_path, "natgeo", Query("tree")).total == 1
    assert run(tmp_path, source).n_described == 16
    assert len(stored(tmp_path)) == 20


def test_rebuild_describes_everything_anew(tmp_path: Path) -> None:
    """With rebuild every photo is fetched again, and what was there stays until it is replaced."""
    source = Listed(*map(post, range(6)))
    run(tmp_path, source)
    pictures = Pictures()
    report = run(tmp_path, source, pictures, rebuild=True)
    assert (report.n_described, len(pictures.fetched), len(stored(tmp_path))) == (6, 6, 6)


def test_an_interrupted_rebuild_goes_on(tmp_path: Path) -> None:
    """What a rebuild did not reach is described by the next ordinary run."""
    source = Listed(*map(post, range(12)))
    run(tmp_path, source)
    with pytest.raises(RateLimitedError):
        run(tmp_path, Listed(*map(post, range(5)), RateLimitedError("wait")), rebuild=True)
    assert run(tmp_path, source).n_described == 7


def test_another_captioner_describes_anew(tmp_path: Path) -> None:
    """Descriptions belong to the captioner that made them."""
    source = Listed(*map(post, range(3)))
    run(tmp_path, source)
    assert run(tmp_path, source, describer=Naming("other")).n_described == 3


def test_a_preview_writes_nothing(tmp_path: Path) -> None:
    """A dry run names the photos to come, before and after a real one, and leaves no trace."""
    source = Listed(*map(post, range(4)))
    assert planned(tmp_path, source)[0] == ["p0", "p1", "p2", "p3"]
    assert list(tmp_path.iterdir()) == []
    run(tmp_path, source, walk=Walk(limit=2))
    assert planned(tmp_path, source)[0] == ["p2", "p3"]


def test_a_run_holds_no_more_photos_than_its_window(tmp_path: Path) -> None:
    """However long the source, no more than three batches are loaded ahead of the captioner."""
    pictures, describer = Pictures(), Naming()
    ahead: list[int] = []

    def watch(event: Event) -> None:
        if isinstance(event, Stored):
            ahead.append(len(pictures.fetched) - sum(describer.batches))

    run(tmp_path, Listed(*map(post, range(60))), pictures, describer, on_event=watch)
    assert max(ahead) <= 2 * 4


def test_a_fresh_address_from_the_walk_is_preferred(tmp_path: Path) -> None:
    """A photo that failed under an old address is fetched under the one the walk gives, once."""
    addresses: list[str | None] = []

    def fetch(photo: Photo) -> bytes:
        addresses.append(photo.url)
        if photo.url == "old":
            raise FetchError("the address expired")
        return Pictures()(photo)

    index_profile(tmp_path, "natgeo", Listed(post(1, url="old")), Naming(), fetch)
    report = index_profile(tmp_path, "natgeo", Listed(post(1, url="new")), Naming(), fetch)
    assert (report.n_described, addresses) == (1, ["old", "new"])


def test_the_start_tells_how_many_are_to_come(tmp_path: Path) -> None:
    """Where a source knows its size, that is announced, no more than the limit."""
    source = Listed(*map(post, range(10)))
    source.n_expected = 10
    events: list[Event] = []
    run(tmp_path, source, walk=Walk(limit=4), on_event=events.append)
    run(tmp_path, source, on_event=events.append)
    assert [event.n_expected for event in events if isinstance(event, Started)] == [4, 10]


def test_a_photo_is_found_by_what_was_nearly_said_of_it_and_by_its_labels(tmp_path: Path) -> None:
    """Words of the runners-up and of the labels find a photo too, behind one whose caption has the word."""

    class Richer(Naming):
        def describe(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Description]:
            plain = super().describe(pixels)
            return [replace(one, alternatives=(Hypothesis("a puppy in a boat", -3.0),), labels=(Label("Egyptian cat", 0.9),)) for one in plain]

    run(tmp_path, Listed(post(0), post(2)), describer=Richer())
    assert [hit.photo.id for hit in search(tmp_path, "natgeo", Query("boat")).hits] == ["p2", "p0"]
    assert {hit.photo.id for hit in search(tmp_path, "natgeo", Query("egyptian")).hits} == {"p0", "p2"}


def described_post(age: int, caption: str, **changes: object) -> Photo:
    """A photo that comes with a caption."""
    return post(age, description=Description(caption, None, objects=(DetectedObject("surfboard", 2),)), **changes)


def test_a_description_that_comes_along_is_taken_as_it_is(tmp_path: Path) -> None:
    """It is stored, with a thumbnail, and found by caption and objects; the captioner sees only the photos without one; a second run does nothing."""
    describer, source = Naming(), Listed(described_post(1, "a violin on a chair"), post(2))
    report = run(tmp_path, source, describer=describer)
    assert (report.n_described, report.n_given, describer.batches) == (2, 1, [1])
    assert stored(tmp_path) == {"p1": "a violin on a chair", "p2": "a boat"}
    for query in ("violins", "surfboard"):
        [hit] = search(tmp_path, "natgeo", Query(query)).hits
        assert (hit.photo.id, hit.description.logprob, hit.thumbnail is not None) == ("p1", None, True)
    pictures = Pictures()
    again = run(tmp_path, source, pictures)
    assert (again.n_described, pictures.fetched) == (0, [])


def test_a_picture_that_is_gone_costs_a_given_description_only_its_thumbnail(tmp_path: Path) -> None:
    """A list of five years ago is searchable although every address in it is dead."""
    report = run(tmp_path, Listed(*(described_post(age, "a violin") for age in range(3))), Pictures("p0", "p1"))
    assert (report.n_described, report.n_failed) == (3, 0)
    hits = search(tmp_path, "natgeo", Query("violin")).hits
    assert sorted((hit.photo.id, hit.thumbnail is None) for hit in hits) == [("p0", True), ("p1", True), ("p2", False)]


def test_recaption_describes_what_came_with_a_description(tmp_path: Path) -> None:
    """Also after they were taken as they came; afterwards the captioner's own stand, and neither kind of run does anything."""
    source = Listed(described_post(1, "a violin"), described_post(2, "a harp"))
    run(tmp_path, source)
    assert planned(tmp_path, source, recaption=True)[0] == ["p1", "p2"]
    assert run(tmp_path, source, recaption=True).n_described == 2
    assert stored(tmp_path) == {"p1": "a cat", "p2": "a boat"}
    assert run(tmp_path, source).n_described == run(tmp_path, source, recaption=True).n_described == 0
    assert planned(tmp_path, source)[0] == []


def test_what_came_with_a_description_is_described_where_it_comes_without_one(tmp_path: Path) -> None:
    """A walk over Instagram after the import of an old list: the captioner looks at the photos themselves."""
    run(tmp_path, Listed(described_post(1, "a violin")))
    assert run(tmp_path, Listed(post(1))).n_described == 1
    assert stored(tmp_path) == {"p1": "a cat"}
