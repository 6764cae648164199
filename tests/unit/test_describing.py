"""Files described without an index."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from igsearch.describing import described_files
from igsearch.errors import FetchError, PhotoError
from igsearch.records import Description, Photo

WORDS = ("dog", "cat", "boat", "tree", "street", "mountain", "bridge", "snow")


class Naming:
    """A captioner that says a picture's shade as a word, and notes its batches."""

    name, min_side = "naming", 1

    def __init__(self) -> None:
        self.batches: list[int] = []

    def prepare(self, image: Image.Image) -> int:
        """The shade of the first pixel, 32 apart."""
        red, _, _ = image.getpixel((0, 0))  # type: ignore[misc]  # of an RGB picture
        return int(red) // 32

    def describe(self, pixels: Sequence[int]) -> list[Description]:
        """The word for each."""
        self.batches.append(len(pixels))
        return [Description(WORDS[shade], -1.0) for shade in pixels]


def shade(photo: Photo) -> bytes:
    """A picture whose shade is told by the number in the file's name."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (int(photo.path.stem if photo.path else 0) * 32 + 8, 0, 0)).save(out, "PNG")
    return out.getvalue()


def told(outcomes: Sequence[tuple[Path, Description | PhotoError]]) -> list[str]:
    """Captions and errors in words."""
    return [one.caption if isinstance(one, Description) else str(one) for _, one in outcomes]


def test_files_are_described_in_order_with_their_errors() -> None:
    """Good and bad ones, and one that is named twice, come back as they were given."""
    files = [Path(f"{number}.png") for number in (0, 1, 2, 2, 4)]

    def fetch(photo: Photo) -> bytes:
        if photo.path == Path("1.png"):
            raise FetchError("'1.png' is gone")
        return shade(photo)

    outcomes = list(described_files(files, Naming(), fetch, batch_size=2))
    assert [path for path, _ in outcomes] == files
    assert told(outcomes) == ["dog", "'1.png' is gone", "boat", "boat", "street"]


def test_files_are_loaded_while_others_are_described() -> None:
    """When the first batch is described, the next ones are on their way; and no more than four batches are held."""
    files, fetched, counting = [Path(f"{number % 8}.png") for number in range(40)], list[int](), threading.Condition()

    def fetch(photo: Photo) -> bytes:
        with counting:
            fetched.append(1)
            counting.notify_all()
        return shade(photo)

    class Watching(Naming):
        def describe(self, pixels: Sequence[int]) -> list[Description]:
            with counting:
                assert counting.wait_for(lambda: len(fetched) >= min(40, sum(self.batches) + 8), timeout=30)
                assert len(fetched) <= sum(self.batches) + 16
            return super().describe(pixels)

    describer = Watching()
    assert told(list(described_files(files, describer, fetch, batch_size=4))) == [WORDS[number % 8] for number in range(40)]
    assert describer.batches == [4] * 10


def test_a_slow_file_keeps_its_place() -> None:
    """Those behind it are loaded, and wait for it."""
    others_are_done, n_done, counting = threading.Event(), 0, threading.Lock()

    def fetch(photo: Photo) -> bytes:
        nonlocal n_done
        if photo.path == Path("0.png"):
            others_are_done.wait(30)
        with counting:
            n_done += 1
            if n_done == 5:
                others_are_done.set()
        return shade(photo)

    files = [Path(f"{number}.png") for number in range(6)]
    assert told(list(described_files(files, Naming(), fetch, batch_size=2))) == list(WORDS[:6])
    assert others_are_done.is_set()


def test_no_files_are_no_results() -> None:
    """And the captioner is not asked."""
    describer = Naming()
    assert (list(described_files([], describer, shade, batch_size=4)), describer.batches) == ([], [])
