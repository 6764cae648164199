"""Describing files without an index: loaded ahead by several threads, described in batches, told in the order they were given."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from igsearch.errors import IgsearchError, PhotoError
from igsearch.loading import Loaded, Loader, Outcome, attempted, fault, loader
from igsearch.records import Describer, Description, Photo, Prepared


def described_each(describer: Describer, pixels: Sequence[Prepared]) -> Sequence[Description | PhotoError]:
    """A batch of prepared pictures with their descriptions. Where they cannot be described together each is tried alone, and which fails alone has an error.

    Raises what concerns the run rather than a picture: IgsearchError, and whatever the describer raises if it cannot describe a single one of several.
    """
    together = attempted(lambda: describer.describe(pixels) if pixels else [])
    if not isinstance(together, BaseException):
        return together
    if isinstance(together, IgsearchError) or not isinstance(together, Exception):
        raise together
    alone = [_described_alone(describer, one) for one in pixels]
    if len(alone) > 1 and all(isinstance(one, PhotoError) for one in alone):
        raise together
    return alone


def _described_alone(describer: Describer, picture: Prepared) -> Description | PhotoError:
    one = attempted(lambda: describer.describe([picture])[0])
    if isinstance(one, Description):
        return one
    if isinstance(one, IgsearchError) or not isinstance(one, Exception):
        raise one
    return PhotoError(f"cannot be described ({fault(one)}): open it and save it anew, or leave it out")


def described_files(
    files: Sequence[Path], describer: Describer, fetch: Callable[[Photo], bytes], *, batch_size: int
) -> Iterator[tuple[Path, Description | PhotoError]]:
    """Each file with its description, or with the error that stands for it, in order."""
    with Loader(loader(fetch, describer), ahead=3 * batch_size) as loading:
        outcomes = zip(files, _in_order(files, loading), strict=True)
        while batch := list(itertools.islice(outcomes, batch_size)):
            descriptions = iter(described_each(describer, [one.pixels for _, one in batch if isinstance(one, Loaded)]))
            yield from ((path, next(descriptions) if isinstance(one, Loaded) else PhotoError(one.reason)) for path, one in batch)


def _in_order(files: Sequence[Path], loading: Loader) -> Iterator[Outcome]:
    """What became of each file; those that are done before their turn wait for it, and count as pending."""
    photos, early = iter([Photo(id=str(number), path=path) for number, path in enumerate(files)]), dict[str, Outcome]()
    for number in range(len(files)):
        for photo in itertools.islice(photos, loading.ahead - loading.n_pending - len(early)):
            loading.submit(photo)
        while str(number) not in early:
            early |= {one.photo.id: one for one in loading.done(timeout=None)}
        yield early.pop(str(number))
