"""The use cases with everything put together: which source, which captioner, which cache. The command and `import igsearch` both come through here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from igsearch import managing, searching
from igsearch.errors import UsageError
from igsearch.paths import cache_root, new_profile_name
from igsearch.searching import Answer, Query

if TYPE_CHECKING:
    from igsearch.errors import PhotoError
    from igsearch.indexing import Event, IndexReport, OnEvent
    from igsearch.planning import Walk
    from igsearch.records import Describer, Description, Source
    from igsearch.store.rows import Summary

BATCH_SIZE = 16
"""Photos described at a time and committed together: a kill loses no more than these."""

HUGGING_FACE = "hf:"


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Where photos come from: `path` (a folder, a file, `-`), or Instagram, with the session of `login` or of a `browser`.

    `include` names what else of Instagram's own export than posts is read; `offline` fetches nothing from the network.
    """

    path: str | None = None
    login: str | None = None
    browser: str | None = None
    include: str | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True)
class CaptionerOptions:
    """What describes photos: a captioner by name (None: the packaged one), on which device, how wide its beam is, and which engine runs it (auto, torch, onnx).

    `labeller` names a classifier of torchvision's, `objects` one of its detectors (True: the default one).
    """

    name: str | Path | None = None
    device: str = "auto"
    beam_size: int | None = None
    labeller: str | None = None
    objects: bool | str = False
    batch_size: int = BATCH_SIZE
    engine: str = "auto"


INSTAGRAM, PACKAGED = SourceOptions(), CaptionerOptions()


@dataclass(frozen=True, slots=True)
class DescribedFiles:
    """The captioner's name, and for each file its description or why there is none."""

    captioner: str
    results: Iterator[tuple[Path, Description | PhotoError]]


def ignore(_: Event) -> None:
    """What happens to events nobody asked for."""


def open_source(profile: str, given: SourceOptions = INSTAGRAM, *, limit: int | None = None, on_event: OnEvent = ignore) -> Source:
    """The source that the path is recognised as, or the profile on Instagram. Raises SourceError or UsageError."""
    if given.login and given.browser:
        raise UsageError("--login and --cookies-from-browser cannot be combined: choose one")
    if given.path is not None:
        from igsearch.sources.detect import detect

        return detect(given.path, new_profile_name(profile), include=given.include)
    if given.include is not None:
        raise UsageError("--include goes with --from and Instagram's own export: leave it out")
    if given.offline:
        raise UsageError("--offline goes with --from: without it, photos come from Instagram")
    from igsearch.indexing import Waiting
    from igsearch.sources.instagram import InstagramProfile

    return InstagramProfile(profile, login=given.login, browser=given.browser, limit=limit, on_wait=lambda seconds: on_event(Waiting(seconds)))


def open_describer(given: CaptionerOptions = PACKAGED, *, cache_dir: Path | None = None) -> Describer:
    """A captioner, with a classifier's labels and a detector's objects where they are asked for.

    Raises UsageError, CheckpointError, DeviceError, OfflineError, CacheError or LoginRequiredError.
    """
    from igsearch.captioner.catalogue import open_captioner

    describer = open_captioner(given.name, device=given.device, beam_size=given.beam_size, engine=given.engine, cache_dir=cache_dir)
    if given.labeller is not None:
        from igsearch.captioner.labellers import Labeller, WithLabels

        describer = WithLabels(describer, Labeller(given.labeller, device=given.device))
    if given.objects:
        from igsearch.captioner.objects import Detector, WithObjects

        describer = WithObjects(describer, Detector(None if given.objects is True else given.objects, device=given.device))
    return describer


def told_name(given: CaptionerOptions = PACKAGED, *, cache_dir: Path | None = None) -> str:
    """The name of the captioner that `open_describer` would open, told without loading or fetching weights; `*` stands for what only they tell."""
    if isinstance(given.name, str) and given.name.startswith(HUGGING_FACE):
        model = given.name.removeprefix(HUGGING_FACE)
        name = f"hf:{Path(model).resolve().name if Path(model).is_dir() else model.partition('@')[0]}-*"
    else:
        from igsearch.captioner.catalogue import open_captioner

        name = open_captioner(given.name, device="cpu", beam_size=given.beam_size, cache_dir=cache_dir).name
    labeller = "" if given.labeller is None else f"+{given.labeller.partition('=')[0]}-*"
    return f"{name}{labeller}+*" if given.objects else f"{name}{labeller}"


def index(
    profile: str,
    source: str | Path | SourceOptions | None = None,
    *,
    walk: Walk | None = None,
    captioner: CaptionerOptions = PACKAGED,
    rebuild: bool = False,
    retry_failed: bool = False,
    recaption: bool = False,
    prune: bool = False,
    dry_run: bool = False,
    cache_dir: Path | None = None,
    on_event: OnEvent = ignore,
) -> IndexReport:
    """Describe the photos of a profile (from Instagram, or from `source`: a folder, a list, `-`) and make them searchable.

    Photos that are described already are left alone, so calling again goes on where the last call stopped. Those that come with a description, as from the
    files of the 2021 prototype, keep it unless `recaption` asks for the captioner's own. Those that their source no longer has stay until `prune` drops them.
    `dry_run` walks and plans, and neither fetches, describes nor writes. Raises IgsearchError.
    """
    given = source if isinstance(source, SourceOptions) else SourceOptions(None if source is None else str(source))
    from igsearch import indexing
    from igsearch.fetch import Fetcher
    from igsearch.planning import EVERYTHING, Wish

    wanted = walk or EVERYTHING
    opened = open_source(profile, given, limit=wanted.limit, on_event=on_event)
    cache, name = cache_root(cache_dir), new_profile_name(profile if given.path is not None else opened.root)
    if dry_run:
        wish = Wish(told_name(captioner, cache_dir=cache_dir), rebuild, recaption, retry_failed)
        with Fetcher(offline=True) as fetcher:
            return indexing.preview(cache, name, opened, wish, fetcher.fetch, walk=wanted, prune=prune, on_event=on_event)
    describer = open_describer(captioner, cache_dir=cache_dir)
    wish = Wish(describer.name, rebuild, recaption, retry_failed)
    with Fetcher(offline=given.offline) as fetcher:
        return indexing.index_profile(
            cache, name, opened, describer, fetcher.fetch, walk=wanted, wish=wish, batch_size=captioner.batch_size, prune=prune, on_event=on_event
        )


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
    return searching.search(cache_root(cache_dir), profile, Query(query, n, offset, min_score, since, until, sort))


def describe_files(files: Sequence[Path], captioner: CaptionerOptions = PACKAGED, *, cache_dir: Path | None = None) -> DescribedFiles:
    """Describe picture files, lazily and in order; one that fails comes with its error. Raises CheckpointError, DeviceError or UsageError."""
    from igsearch.describing import described_files
    from igsearch.fetch import Fetcher

    describer = open_describer(captioner, cache_dir=cache_dir)

    def results() -> Iterator[tuple[Path, Description | PhotoError]]:
        with Fetcher() as fetcher:
            yield from described_files(files, describer, fetcher.fetch, batch_size=captioner.batch_size)

    return DescribedFiles(describer.name, results())


def draw_attention(file: Path, figure: Path, captioner: CaptionerOptions = PACKAGED, *, cache_dir: Path | None = None) -> None:
    """Write to `figure`, as PNG, where in the picture `file` the captioner looked for each word.

    Raises PhotoError if the picture cannot be read, UsageError if the captioner shows no attention or the figure cannot be written, CheckpointError or
    DeviceError.
    """
    if figure.suffix.lower() != ".png":
        raise UsageError(f"--attention {str(figure)!r} must be a PNG file: give it a name that ends in .png")
    from igsearch import images
    from igsearch.captioner import attention
    from igsearch.captioner.captioner import Captioner
    from igsearch.captioner.catalogue import find
    from igsearch.fetch import Fetcher
    from igsearch.loading import least_side
    from igsearch.records import Photo

    if isinstance(captioner.name, str) and captioner.name.startswith(HUGGING_FACE):
        raise UsageError(f"--attention is not available for {captioner.name}: leave --captioner out")
    looking = Captioner(find(captioner.name, cache_dir), device=captioner.device, beam_size=captioner.beam_size, engine=captioner.engine)
    with Fetcher() as fetcher:
        image = images.decode(fetcher.fetch(Photo(id=str(file), path=file)), at_least=least_side(looking))
    attention.write(attention.figure(image, looking.attend(looking.prepare(image))), figure)


def profiles(cache_dir: Path | None = None) -> list[Summary]:
    """What is indexed, in alphabetical order; a profile whose store is damaged says so."""
    return managing.summaries(cache_root(cache_dir))


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
    return managing.remove(cache_root(cache_dir), profile)
