"""Photos made ready in threads: one fails alone, none holds up another, and memory is bounded."""

from __future__ import annotations

import io
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import pytest
from PIL import Image

from igsearch import images, loading
from igsearch.errors import CheckpointError, FetchError, ImageError, UsageError
from igsearch.loading import Budget, Load, Loaded, Loader, Outcome, loader
from igsearch.records import Description, FailedPhoto, Photo

TAKEN = datetime(2021, 5, 1, 10, 0, tzinfo=UTC)


def picture(size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    """A JPEG."""
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "JPEG", **options)
    return out.getvalue()


def dated_picture() -> bytes:
    """A JPEG that says when it was taken."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = TAKEN.strftime("%Y:%m:%d %H:%M:%S")
    return picture(exif=exif)


class Measuring:
    """A describer that notes the sizes of what it prepares."""

    name = "measuring"

    def __init__(self, min_side: int | None = 1) -> None:
        self.min_side = min_side
        self.sizes: list[tuple[int, int]] = []

    def prepare(self, image: Image.Image) -> tuple[int, int]:
        """The size."""
        self.sizes.append(image.size)
        return image.size

    def describe(self, pixels: Sequence[tuple[int, int]]) -> list[Description]:
        """The size in words."""
        return [Description(f"{width} by {height}", -1.0) for width, height in pixels]


def all_of(load: Load, *ids: str, n_threads: int = 4) -> dict[str, Outcome]:
    """What became of photos of these ids."""
    found: dict[str, Outcome] = {}
    with Loader(load, n_threads=n_threads) as photos:
        for one in ids:
            photos.submit(Photo(one))
        while photos.n_pending:
            found |= {one.photo.id: one for one in photos.done(timeout=10)}
    return found


def raising(error: BaseException, at: str = "bad") -> Load:
    """Loads every photo but one."""

    def load(photo: Photo) -> Loaded:
        if photo.id == at:
            raise error
        return Loaded(photo, None, None)

    return load


class OddError(Exception):
    """What a plug-in may raise: no text, or several lines of it."""


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (FetchError("'x' answered 404"), "'x' answered 404"),
        (ImageError("damaged"), "damaged"),
        (RuntimeError("cannot allocate\nmemory\x1b[31m"), "RuntimeError: cannot allocate"),
        (struct.error("unpack requires 4 bytes"), "error: unpack requires 4 bytes"),
        (MemoryError(), "not enough memory"),
        (RecursionError("maximum recursion depth exceeded"), "RecursionError"),
        (AssertionError(), "AssertionError"),
        (OddError(), "OddError"),
        (OddError("x" * 10_000), "OddError: xxx"),
        (Warning("a warning that was made an error"), "Warning"),
        (ExceptionGroup("several", [ValueError("one")]), "several"),
        (KeyError("odd\x1b[2Jkey"), "KeyError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_whatever_goes_wrong_with_a_photo_fails_that_photo(error: Exception, says: str) -> None:
    """With its reason in one line that a terminal can be shown; the photos before and behind it are loaded."""
    found = all_of(raising(error), "a", "bad", "b")
    assert isinstance(found["a"], Loaded)
    assert isinstance(found["b"], Loaded)
    failed = found["bad"]
    assert isinstance(failed, FailedPhoto)
    assert says in failed.reason
    assert failed.reason.isprintable()
    assert len(failed.reason) < 400


@pytest.mark.parametrize("error", [CheckpointError("weights are missing"), UsageError("no"), SystemExit(3), KeyboardInterrupt()])
def test_what_concerns_the_run_comes_out_where_results_are_taken(error: BaseException) -> None:
    """Once; what was done before it, and what is done after it, is not lost."""
    with Loader(raising(error), n_threads=1) as photos:
        for one in ("a", "bad", "b"):
            photos.submit(Photo(one))
        taken: list[str] = []
        raised: list[BaseException] = []
        while photos.n_pending or (taken and not raised):
            try:
                taken += [one.photo.id for one in photos.done(timeout=None)]
            except BaseException as err:  # noqa: BLE001 - the one that is looked for
                raised.append(err)
    assert (taken, raised) == (["a", "b"], [error])


def test_a_slow_photo_holds_no_other_back() -> None:
    """Results come in the order they are done."""
    may_end = threading.Event()

    def load(photo: Photo) -> Loaded:
        if photo.id == "slow":
            may_end.wait(30)
        return Loaded(photo, None, None)

    with Loader(load) as photos:
        for one in ("slow", "a", "b", "c"):
            photos.submit(Photo(one))
        first: list[str] = []
        while len(first) < 3:
            first += [one.photo.id for one in photos.done(timeout=10)]
        assert sorted(first) == ["a", "b", "c"]
        assert (photos.n_pending, photos.done()) == (1, [])
        may_end.set()
        assert [one.photo.id for one in photos.done(timeout=10)] == ["slow"]


def test_what_is_pending_is_counted() -> None:
    """From submission until it is taken; nothing is ever waited for where nothing is pending."""
    may_start = threading.Event()

    def load(photo: Photo) -> Loaded:
        may_start.wait(30)
        return Loaded(photo, None, None)

    with Loader(load, n_threads=2, ahead=3) as photos:
        assert photos.done(timeout=None) == []
        fullness = []
        for number in range(3):
            photos.submit(Photo(str(number)))
            fullness.append((photos.n_pending, photos.is_full))
        assert fullness == [(1, False), (2, False), (3, True)]
        started = time.monotonic()
        assert photos.done(timeout=0.1) == []
        assert 0.05 < time.monotonic() - started < 5
        may_start.set()
        n_taken = 0
        while n_taken < 3:
            n_taken += len(photos.done(timeout=None))
            assert photos.n_pending == 3 - n_taken
        assert not photos.is_full


def test_leaving_the_block_waits_for_no_photo() -> None:
    """Those that were not begun are not begun any more."""
    begun: list[str] = []
    may_end = threading.Event()

    def load(photo: Photo) -> Loaded:
        begun.append(photo.id)
        may_end.wait(30)
        return Loaded(photo, None, None)

    started = time.monotonic()
    with Loader(load, n_threads=1) as photos:
        for one in ("a", "b", "c"):
            photos.submit(Photo(one))
        while not begun:
            time.sleep(0.01)
    assert time.monotonic() - started < 10
    may_end.set()
    time.sleep(0.1)
    assert begun == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_is_heard_at_once() -> None:
    """Also while every thread waits for something that takes minutes; and the process does not wait for them either."""
    script = (
        "import sys, time\n"
        "from igsearch.loading import Loader\n"
        "from igsearch.records import Photo\n"
        "with Loader(lambda photo: time.sleep(120)) as photos:\n"
        "    for number in range(8): photos.submit(Photo(str(number)))\n"
        "    print('waiting', flush=True)\n"
        "    try: photos.done(timeout=None)\n"
        "    except KeyboardInterrupt: print('interrupted', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert process.stdout.readline() == "interrupted\n"
        assert process.wait(20) == 0
        assert time.monotonic() - started < 10


def test_the_budget_is_never_exceeded() -> None:
    """Four threads that want different shares, one of them more than there is, hold no more than that together; all of them get their turn."""
    budget, held, most, ended = Budget(100), 0, 0, 0
    counting = threading.Lock()

    def work(share: int) -> None:
        nonlocal held, most, ended
        for _ in range(20):
            with budget.held(share):
                with counting:
                    held += min(share, 100)
                    most = max(most, held)
                time.sleep(0.001)
                with counting:
                    held -= min(share, 100)
        with counting:
            ended += 1

    threads = [threading.Thread(target=work, args=[share]) for share in (30, 40, 60, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (ended, held) == (4, 0)
    assert 60 < most <= 100


def test_an_error_gives_its_share_of_the_budget_back() -> None:
    """Otherwise the run would stand still after a few damaged pictures."""
    budget = Budget(10)
    for _ in range(3):
        with pytest.raises(ValueError, match="damaged"), budget.held(10):
            raise ValueError("damaged")
    with budget.held(10):
        pass


def test_pictures_share_the_budget_by_what_their_headers_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that do not fit into it together are decoded one after the other, though there are four threads."""
    one = images.opened(picture((2000, 1500))).n_bytes
    monkeypatch.setattr(loading, "BUDGET", int(1.5 * one))
    together, most = 0, 0
    counting = threading.Lock()

    class Slow(Measuring):
        def prepare(self, image: Image.Image) -> tuple[int, int]:
            nonlocal together, most
            with counting:
                together += 1
                most = max(most, together)
            time.sleep(0.05)
            with counting:
                together -= 1
            return image.size

    found = all_of(loader(lambda _: picture((2000, 1500)), Slow(None)), *"abcd")
    assert (most, {type(one) for one in found.values()}) == (1, {Loaded})


def test_a_photo_is_loaded_with_all_that_its_file_tells() -> None:
    """Prepared, with a thumbnail, the digest of its bytes and its date, in place of no other."""
    data = dated_picture()
    load = loader(lambda _: data, Measuring())
    loaded = load(Photo("a"))
    assert (loaded.pixels, loaded.photo.taken_at) == ((40, 30), TAKEN)
    assert loaded.thumbnail is not None
    assert loaded.digest == blake2b(data, digest_size=16).digest()
    of_the_post = datetime(2022, 1, 1, tzinfo=UTC)
    assert load(Photo("a", taken_at=of_the_post)).photo.taken_at == of_the_post


@pytest.mark.parametrize(
    "fetch",
    [
        pytest.param(FetchError("404"), id="gone"),
        pytest.param(RuntimeError("a fault"), id="fault"),
        pytest.param(b"<html>", id="no picture"),
    ],
)
def test_a_photo_that_came_described_does_without_its_picture(fetch: bytes | Exception) -> None:
    """It costs the thumbnail, whatever the reason; the describer is not asked."""

    def fetched(_: Photo) -> bytes:
        if isinstance(fetch, Exception):
            raise fetch
        return fetch

    describer = Measuring()
    given = Photo("a", description=Description("a cat", None))
    assert loader(fetched, describer)(given) == Loaded(given, None, None)
    with_picture = loader(lambda _: dated_picture(), describer)(given)
    assert (with_picture.pixels, with_picture.thumbnail is not None, with_picture.photo.taken_at) == (None, True, TAKEN)
    assert describer.sizes == []


@pytest.mark.parametrize(("min_side", "seen"), [(1, (800, 600)), (900, (1600, 1200)), (None, (3200, 2400))])
def test_a_describer_says_how_much_of_a_large_photo_it_needs(min_side: int | None, seen: tuple[int, int]) -> None:
    """It is read scaled down as far as the describer allows, and never below what a thumbnail takes."""
    describer = Measuring(min_side)
    loader(lambda _: picture((3200, 2400)), describer)(Photo("a"))
    assert describer.sizes == [seen]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a process's peak of memory")
def test_four_large_pictures_at_once_stay_within_the_budget(tmp_path: Path) -> None:
    """Four loaders with PNGs of 30 megapixels and transparency: 2 GB if each were flattened in copies, or if what is freed were kept."""
    Image.new("RGBA", (6_000, 5_000), (200, 10, 10, 100)).save(tmp_path / "large.png", compress_level=1)
    repository = Path(__file__).resolve().parents[2]
    script = "import sys, pathlib, benchmarks.memory as m; print(m.measure_set([pathlib.Path(sys.argv[1])] * 8, 512)['peak_mb'])"
    command = [sys.executable, "-c", script, str(tmp_path / "large.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=repository)
    assert done.stderr == ""
    assert int(done.stdout) < 650
