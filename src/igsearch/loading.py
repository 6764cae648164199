"""Photos made ready ahead of the captioner: a few threads fetch, decode and prepare, and whoever asks gets what is done, in the order it was done.

What is in memory is bounded twice: by how many photos are pending, and by one budget of bytes for everything that is decoded at a time.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from igsearch.errors import IgsearchError, PhotoError, first_line
from igsearch.records import Describer, FailedPhoto, Photo, Prepared

if TYPE_CHECKING:
    from PIL import Image

    from igsearch.images import Undecoded

log = logging.getLogger(__name__)

N_LOADERS = 4
"""Threads that fetch and decode: enough to hide a network's latency, few enough to be polite to a server."""

AHEAD = 48
"""Photos pending at a time: three batches, so that the captioner never waits for one slow photo."""

BUDGET = 512 * 2**20
"""Bytes for what is decoded at a time, by the header: four photos of 30 megapixels side by side, whatever their kind. One picture that takes more, up to 1 GB,
is decoded while no other is."""

MIN_SIDE = 512
"""A picture is decoded to at least this many pixels a side: enough for a thumbnail and the packaged captioner, and a large JPEG is read many times faster."""

DIGEST_BYTES = 16

POLL = 0.2
"""Seconds after which a wait looks up, since on Windows it does not hear Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A photo ready for the captioner; without pixels if it came with its description, and then perhaps without a thumbnail and a digest.

    `digest` is BLAKE2b, 16 bytes, of the bytes that were fetched.
    """

    photo: Photo
    pixels: Prepared | None
    thumbnail: bytes | None
    digest: bytes | None = None


Load = Callable[[Photo], Loaded]
Outcome = Loaded | FailedPhoto
Result = TypeVar("Result")


class Budget:
    """So many bytes for several threads; who asks first is served first. Whoever wants more than there is waits until nobody else has any."""

    def __init__(self, n_bytes: int) -> None:
        self._all = self._free = n_bytes
        self._turn, self._changed = threading.Lock(), threading.Condition()

    @contextlib.contextmanager
    def held(self, n_bytes: int) -> Iterator[None]:
        """Have the bytes while inside."""
        wanted = min(n_bytes, self._all)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


class Loader:
    """Loads the photos that are submitted, in threads that last as long as the `with` block; an interrupted program does not wait for them."""

    def __init__(self, load: Load, *, n_threads: int = N_LOADERS, ahead: int = AHEAD) -> None:
        self._load, self._n_threads, self.ahead = load, n_threads, ahead
        self._todo, self._done = queue.SimpleQueue[Photo | None](), queue.SimpleQueue[Outcome | BaseException]()
        self._stopped, self._raised = threading.Event(), list[BaseException]()
        self._n_pending = 0

    def __enter__(self) -> Self:
        for number in range(self._n_threads):
            threading.Thread(target=self._work, name=f"load-{number}", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._stopped.set()
        for _ in range(self._n_threads):
            self._todo.put(None)

    def submit(self, photo: Photo) -> None:
        """Have a photo loaded; it is pending until `done` gives it. Never blocks."""
        self._n_pending += 1
        self._todo.put(photo)

    @property
    def n_pending(self) -> int:
        """How many photos were submitted and not yet taken."""
        return self._n_pending

    @property
    def is_full(self) -> bool:
        """Whether as many are pending as memory is meant for: take some before submitting more."""
        return self._n_pending >= self.ahead

    def done(self, *, timeout: float | None = 0.0) -> list[Outcome]:
        """The photos that are done, in the order they were done, after at most `timeout` seconds for the first (None: as long as it takes).

        Nothing if none is pending. Raises what concerns the run rather than a photo: an IgsearchError that is no PhotoError, SystemExit, KeyboardInterrupt.
        """
        end = None if timeout is None else time.monotonic() + timeout
        taken = list[Outcome]()
        while self._n_pending and not self._raised:
            left = POLL if end is None else min(POLL, max(0.0, end - time.monotonic()))
            try:
                one = self._done.get(timeout=0.0 if taken else left)
            except queue.Empty:
                if taken or (end is not None and time.monotonic() >= end):
                    break
                continue
            self._n_pending -= 1
            if isinstance(one, BaseException):
                self._raised.append(one)
            else:
                taken.append(one)
        if self._raised and not taken:
            raise self._raised.pop()
        return taken

    def _work(self) -> None:
        while (photo := self._todo.get()) is not None and not self._stopped.is_set():
            self._done.put(_outcome(self._load, photo))


def attempted(act: Callable[[], Result]) -> Result | BaseException:
    """What `act` gives, or whatever it raises: one thread is to tell another, and only that one can judge."""
    try:
        return act()
    except BaseException as err:  # noqa: BLE001 - the one place where a thread's errors are handed over
        return err


def _outcome(load: Load, photo: Photo) -> Outcome | BaseException:
    """A photo loaded; or failed, whatever went wrong with it, the faults of libraries and ours included; or what is to end the run."""
    one = attempted(lambda: load(photo))
    if isinstance(one, PhotoError):
        return FailedPhoto(photo, str(one))
    if isinstance(one, Exception) and not isinstance(one, IgsearchError):
        log.debug("%s", photo.id, exc_info=one)
        return FailedPhoto(photo, f"cannot be prepared ({fault(one)}): open it and save it anew, or leave it out")
    return one


def fault(err: Exception) -> str:
    """What an unexpected error says, in a few words."""
    if isinstance(err, MemoryError):
        return "there is not enough memory for it"
    said = first_line(err)
    return said if said == type(err).__name__ else f"{type(err).__name__}: {said}"


def loader(fetch: Callable[[Photo], bytes], describer: Describer) -> Load:
    """What a loading thread does with a photo: fetch, decode, make the thumbnail, prepare for the captioner. Raises PhotoError.

    Of a photo that came with its description only the thumbnail is made, and where its picture is not to be had not even that. All calls share one budget.
    """
    from igsearch import images

    images.give_memory_back()
    budget = Budget(BUDGET)

    def load(photo: Photo) -> Loaded:
        if photo.description is None:
            return _load(fetch, photo, least_side(describer), budget, describer.prepare)
        one = attempted(lambda: _load(fetch, photo, MIN_SIDE, budget, lambda _: None))
        if isinstance(one, Loaded):
            return one
        if not isinstance(one, Exception) or (isinstance(one, IgsearchError) and not isinstance(one, PhotoError)):
            raise one
        log.info("%s: no thumbnail (%s)", photo.id, one if isinstance(one, PhotoError) else fault(one))
        return Loaded(photo, None, None)

    return load


def _load(fetch: Callable[[Photo], bytes], photo: Photo, at_least: int | None, budget: Budget, prepare: Callable[[Image.Image], Prepared]) -> Loaded:
    from igsearch import images

    undecoded, digest = _opened(fetch(photo), at_least)
    with budget.held(undecoded.n_bytes):
        image = undecoded.decoded()
        pixels, thumbnail = prepare(image), images.thumbnail(image)
    return Loaded(replace(photo, taken_at=photo.taken_at or undecoded.exif.taken_at), pixels, thumbnail, digest)


def _opened(data: bytes, at_least: int | None) -> tuple[Undecoded, bytes]:
    """The picture in `data` and its digest; `data` itself is let go on return."""
    from igsearch import images

    return images.opened(data, at_least=at_least), digest_of(data)


def digest_of(data: bytes) -> bytes:
    """What tells a file's contents from another's, where nobody tries to make two alike: BLAKE2b, 16 bytes."""
    return blake2b(data, digest_size=DIGEST_BYTES).digest()


def least_side(describer: Describer) -> int | None:
    """To how many pixels a side a picture is decoded at least, for the describer and a thumbnail; None: to all it has."""
    wanted = describer.min_side
    return None if wanted is None else max(MIN_SIDE, wanted)
