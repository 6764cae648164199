"""The two use cases with everything put together: which source, which captioner, which cache. The command and `import igsearch` both come through here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from igsearch import searching
from igsearch.errors import UsageError
from igsearch.paths import cache_root, profile_name
from igsearch.searching import Answer, Search

if TYPE_CHECKING:
    from igsearch.errors import PhotoError
    from igsearch.indexing import Event, IndexReport, OnEvent, Walk
    from igsearch.records import Describer, Description, Photo, Source
    from igsearch.store.reader import Summary

BATCH_SIZE = 16
"""Photos described at a time and committed together: a kill loses no more than these."""


@dataclass(frozen=True, slots=True)
class DescribedFiles:
    """The captioner's name, and for each file its description or why there is none."""

    captioner: str
    results: Iterator[tuple[Path, Description | PhotoError]]


def ignore(_: Event) -> None:
    """What happens to events nobody asked for."""


def open_source(
    profile: str,
    given: str | None,
    *,
    login: str | None = None,
    browser: str | None = None,
    include: str | None = None,
    on_event: OnEvent = ignore,
) -> Source:
    """The source that `given` (a path, or `-`) is recognised as; None means the profile on Instagram. Raises SourceError or UsageError."""
    if login and browser:
        raise UsageError("only one of --login and --cookies-from-browser can be had at a time")
    if given is not None:
        from igsearch.sources.detect import detect

        return detect(given, profile, include=include)
    if include is not None:
        raise UsageError("--include goes with --from and Instagram's own export: leave it out")
    from igsearch.indexing import Waiting
    from igsearch.sources.instagram import InstagramProfile

    return InstagramProfile(profile, login=login, browser=browser, on_wait=lambda seconds: on_event(Waiting(seconds)))


def open_describer(
    captioner: str | Path | None = None,
    *,
    device: str = "auto",
    beam_size: int | None = None,
    labeller: str | None = None,
    objects: bool | str = False,
    cache_dir: Path | None = None,
) -> Describer:
    """A captioner, with the labels of a classifier of torchvision's and the objects of one of its detectors where they are named (True: the default one).

    Raises UsageError, CheckpointError, DeviceError, OfflineError, CacheError or LoginRequiredError.
    """
    from igsearch.captioner.catalogue import open_captioner

    describer = open_captioner(captioner, device=device, beam_size=beam_size, cache_dir=cache_dir)
    if labeller is not None:
        from igsearch.captioner.labellers import Labeller, WithLabels

        describer = WithLabels(describer, Labeller(labeller, device=device))
    if objects:
        from igsearch.captioner.objects import Detector, WithObjects

        describer = WithObjects(describer, Detector(None if objects is True else objects, device=device))
    return describer


def index(
    profile: str,
    source: str | Path | None = None,
    *,
    walk: Walk | None = None,
    login: str | None = None,
    browser: str | None = None,
    include: str | None = None,
    captioner: str | Path | None = None,
    device: str = "auto",
    beam_size: int | None = None,
    labeller: str | None = None,
    objects: bool | str = False,
    batch_size: int = BATCH_SIZE,
    rebuild: bool = False,
    retry_failed: bool = False,
    recaption: bool = False,
    offline: bool = False,
    cache_dir: Path | None = None,
    on_event: OnEvent = ignore,
) -> IndexReport:
    """Describe the photos of a profile (from Instagram, or from `source`: a folder, a list, `-`) and make them searchable.

    Photos that are described already are left alone, so calling again goes on where the last call stopped. Those that come with a description, as from the
    files of the 2021 prototype, keep it unless `recaption` asks for the captioner's own. `offline` fetches nothing from the network. Raises IgsearchError.
    """
    if offline and source is None:
        raise UsageError("--offline goes with --from: without it, photos come from Instagram")
    opened = open_source(profile_name(profile), None if source is None else str(source), login=login, browser=browser, include=include, on_event=on_event)
    from igsearch import indexing
    from igsearch.fetch import Fetcher

    describer = open_describer(captioner, device=device, beam_size=beam_size, labeller=labeller, objects=objects, cache_dir=cache_dir)
    with Fetcher(offline=offline) as fetcher:
        return indexing.index_profile(
            cache_root(cache_dir),
            profile,
            opened,
            describer,
            fetcher.fetch,
            walk=walk or indexing.EVERYTHING,
            batch_size=batch_size,
            rebuild=rebuild,
            retry_failed=retry_failed,
            recaption=recaption,
            on_event=on_event,
        )


def preview(
    profile: str,
    source: str | Path | None = None,
    *,
    walk: Walk | None = None,
    login: str | None = None,
    browser: str | None = None,
    include: str | None = None,
    captioner: str | Path | None = None,
    beam_size: int | None = None,
    labeller: str | None = None,
    objects: bool | str = False,
    recaption: bool = False,
    cache_dir: Path | None = None,
) -> Iterator[Photo]:
    """The photos that `index` would describe; their bytes are not fetched and nothing is written. Raises IgsearchError."""
    opened = open_source(profile_name(profile), None if source is None else str(source), login=login, browser=browser, include=include)
    from igsearch import indexing

    describer = open_describer(captioner, device="cpu", beam_size=beam_size, labeller=labeller, objects=objects, cache_dir=cache_dir)
    return indexing.preview(cache_root(cache_dir), profile, opened, describer.name, walk=walk or indexing.EVERYTHING, recaption=recaption)


def search(
    profile: str,
    query: str,
    *,
    n: int = 20,
    offset: int = 0,
    min_score: float = 0.0,
    since: datetime | None = None,
    until: datetime | None = None,
    sort: Literal["score", "date", "likes"] = "score",
    cache_dir: Path | None = None,
) -> Answer:
    """The photos of a profile (of several separated by commas, or of `@all`) that match `query`, best first. Raises IgsearchError."""
    return searching.search(cache_root(cache_dir), profile, Search(query, n, offset, min_score, since, until, sort))


def describe_files(
    files: Sequence[Path],
    *,
    captioner: str | Path | None = None,
    device: str = "auto",
    beam_size: int | None = None,
    labeller: str | None = None,
    objects: bool | str = False,
    batch_size: int = BATCH_SIZE,
    cache_dir: Path | None = None,
) -> DescribedFiles:
    """Describe picture files, lazily and in order; one that fails comes with its error. Raises CheckpointError, DeviceError or UsageError."""
    from igsearch import indexing
    from igsearch.fetch import Fetcher

    describer = open_describer(captioner, device=device, beam_size=beam_size, labeller=labeller, objects=objects, cache_dir=cache_dir)

    def results() -> Iterator[tuple[Path, Description | PhotoError]]:
        with Fetcher() as fetcher:
            yield from indexing.described_files(files, describer, fetcher.fetch, batch_size=batch_size)

    return DescribedFiles(describer.name, results())


def draw_attention(
    file: Path,
    figure: Path,
    *,
    captioner: str | Path | None = None,
    device: str = "auto",
    beam_size: int | None = None,
    cache_dir: Path | None = None,
) -> None:
    """Write to `figure`, as PNG, where in the picture `file` the captioner looked for each word.

    Raises PhotoError if the picture cannot be read, UsageError if the captioner shows no attention or the figure cannot be written, CheckpointError or
    DeviceError.
    """
    if figure.suffix.lower() != ".png":
        raise UsageError(f"--attention {str(figure)!r} is to be a PNG file: give it a name that ends in .png")
    from igsearch import images
    from igsearch.captioner import attention
    from igsearch.captioner.captioner import Captioner
    from igsearch.captioner.catalogue import HUGGING_FACE, find
    from igsearch.fetch import Fetcher
    from igsearch.indexing import least_side
    from igsearch.records import Photo

    if isinstance(captioner, str) and captioner.startswith(HUGGING_FACE):
        raise UsageError(f"--attention cannot be had of {captioner}: leave --captioner out")
    looking = Captioner(find(captioner, cache_dir), device=device, beam_size=beam_size)
    with Fetcher() as fetcher:
        image = images.decode(fetcher.fetch(Photo(id=str(file), path=file)), at_least=least_side(looking))
    attention.write(attention.figure(image, looking.attend(looking.prepare(image))), figure)


def profiles(cache_dir: Path | None = None) -> list[Summary]:
    """What is indexed, in alphabetical order. Raises StoreError if one of them is damaged."""
    return searching.summaries(cache_root(cache_dir))


def export(
    profiles: Sequence[str],
    target: Path | BinaryIO,
    *,
    form: Literal["jsonl", "csv", "photosearch-db", "captions-dict", "url-list"] = "jsonl",
    cache_dir: Path | None = None,
) -> None:
    """Write what is known of profiles to a file or a stream, whole or not at all; `index` reads back all but CSV. Raises IgsearchError."""
    from igsearch.output import files

    files.export(cache_root(cache_dir), profiles, form, target)


def remove(profile: str, *, cache_dir: Path | None = None) -> str:
    """Delete everything igsearch keeps of a profile and return its name.

    Raises NotIndexedError if there is nothing, TryLaterError while it is being indexed, CacheError if it cannot be deleted.
    """
    return searching.remove(cache_root(cache_dir), profile)
