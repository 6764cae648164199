"""The two use cases with everything put together: which source, which captioner, which cache. The command and `import igsearch` both come through here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from igsearch import searching
from igsearch.paths import cache_root, profile_name
from igsearch.searching import Answer, Search

if TYPE_CHECKING:
    from igsearch.errors import PhotoError
    from igsearch.records import Description, Photo, Source
    from igsearch.service import Event, IndexReport, OnEvent, Walk
    from igsearch.store import Summary

BATCH_SIZE = 16
"""Photos described at a time and committed together: a kill loses no more than these."""


@dataclass(frozen=True, slots=True)
class DescribedFiles:
    """The captioner's name, and for each file its description or why there is none."""

    captioner: str
    results: Iterator[tuple[Path, Description | PhotoError]]


def ignore(_: Event) -> None:
    """What happens to events nobody asked for."""


def open_source(profile: str, given: str | None, *, login: str | None = None, on_event: OnEvent = ignore) -> Source:
    """The source that `given` (a path, or `-`) is recognised as; None means the profile on Instagram. Raises SourceError or UsageError."""
    if given is not None:
        from igsearch.sources.detect import detect

        return detect(given, profile)
    from igsearch.service import Waiting
    from igsearch.sources.instagram import InstagramProfile

    return InstagramProfile(profile, login=login, on_wait=lambda seconds: on_event(Waiting(seconds)))


def index(
    profile: str,
    source: str | Path | None = None,
    *,
    walk: Walk | None = None,
    login: str | None = None,
    captioner: Path | None = None,
    device: str = "auto",
    beam_size: int | None = None,
    batch_size: int = BATCH_SIZE,
    rebuild: bool = False,
    retry_failed: bool = False,
    cache_dir: Path | None = None,
    on_event: OnEvent = ignore,
) -> IndexReport:
    """Describe the photos of a profile (from Instagram, or from `source`: a folder, a list, `-`) and make them searchable.

    Photos that are described already are left alone, so calling again goes on where the last call stopped. Raises IgsearchError.
    """
    opened = open_source(profile_name(profile), None if source is None else str(source), login=login, on_event=on_event)
    from igsearch import service
    from igsearch.captioner.captioner import Captioner
    from igsearch.fetch import Fetcher

    describer = Captioner(captioner, device=device, beam_size=beam_size)
    with Fetcher() as fetcher:
        return service.index_profile(
            cache_root(cache_dir),
            profile,
            opened,
            describer,
            fetcher.fetch,
            walk=walk or service.EVERYTHING,
            batch_size=batch_size,
            rebuild=rebuild,
            retry_failed=retry_failed,
            on_event=on_event,
        )


def preview(
    profile: str,
    source: str | Path | None = None,
    *,
    walk: Walk | None = None,
    login: str | None = None,
    captioner: Path | None = None,
    cache_dir: Path | None = None,
) -> Iterator[Photo]:
    """The photos that `index` would describe; their bytes are not fetched and nothing is written. Raises IgsearchError."""
    opened = open_source(profile_name(profile), None if source is None else str(source), login=login)
    from igsearch import service
    from igsearch.captioner.captioner import Captioner

    return service.preview(cache_root(cache_dir), profile, opened, Captioner(captioner, device="cpu").name, walk=walk or service.EVERYTHING)


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
    captioner: Path | None = None,
    device: str = "auto",
    beam_size: int | None = None,
    batch_size: int = BATCH_SIZE,
) -> DescribedFiles:
    """Describe picture files, lazily and in order; one that fails comes with its error. Raises CheckpointError, DeviceError or UsageError."""
    from igsearch import service
    from igsearch.captioner.captioner import Captioner
    from igsearch.fetch import Fetcher

    describer = Captioner(captioner, device=device, beam_size=beam_size)

    def results() -> Iterator[tuple[Path, Description | PhotoError]]:
        with Fetcher() as fetcher:
            yield from service.described_files(files, describer, fetcher.fetch, batch_size=batch_size)

    return DescribedFiles(describer.name, results())


def profiles(cache_dir: Path | None = None) -> list[Summary]:
    """What is indexed, in alphabetical order. Raises StoreError if one of them is damaged."""
    return searching.summaries(cache_root(cache_dir))


def remove(profile: str, *, cache_dir: Path | None = None) -> str:
    """Delete everything igsearch keeps of a profile and return its name. Raises NotIndexedError if there is nothing, CacheError if it cannot be deleted."""
    return searching.remove(cache_root(cache_dir), profile)
