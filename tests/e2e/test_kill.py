"""Indexing that is killed without warning: the same command goes on, and in the end nothing tells it from a run that nobody disturbed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from igsearch.paths import ProfilePaths
from igsearch.store.reader import Store, thumbnail_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Igsearch, Outcome

NAME = "photos"
PATIENCE = 300.0
"""Seconds to wait for a photo on a machine that is busy with something else."""

TOLERANCE = 1e-4
"""How much log-probabilities and probabilities may differ between two runs: the order in which a processor adds up is not promised."""


def index_command(folder: Path, cache: Path, *, batch_size: int) -> list[str | Path]:
    """The arguments that index a folder. On the CPU: lower precision elsewhere would make near ties a matter of chance."""
    return ["index", NAME, "--from", folder, "--cache-dir", cache, "--batch-size", str(batch_size), "--device", "cpu"]


def n_thumbnails(cache: Path) -> int:
    """How many thumbnails lie on the disk, those of a batch that is not committed yet included."""
    return len(list(ProfilePaths.of(cache, NAME).thumbnails.glob("*/*.webp")))


def killed(command: Sequence[str | Path], cache: Path, *, n_more: int, delay: float) -> None:
    """Start indexing and SIGKILL it `delay` seconds after it wrote so many more thumbnails than are there."""
    wanted = n_thumbnails(cache) + n_more
    process = subprocess.Popen([sys.executable, "-m", "igsearch", *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    give_up = time.monotonic() + PATIENCE
    try:
        while n_thumbnails(cache) < wanted and process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.005)
        time.sleep(delay)
    finally:
        process.kill()
        code = process.wait()
    assert code == -signal.SIGKILL, f"it ended by itself, with {code}, before it was killed"


def n_stored(cache: Path) -> int:
    """How many photos are described."""
    with Store.open(ProfilePaths.of(cache, NAME)) as store:
        return store.n_photos


Words = tuple[str, list[str], list[str], bytes]


def contents(cache: Path) -> tuple[dict[str, Words], list[float | None]]:
    """By photo id the caption, the alternatives, the labels and the thumbnail; and all numbers of the descriptions in a row, in the order of the ids."""
    paths = ProfilePaths.of(cache, NAME)
    with Store.open(paths) as store:
        found = sorted(((photo.id, described) for _, described, photo in store.documents()), key=lambda one: one[0])
        assert list(store.failures()) == []
    words = {
        id_: (one.caption, [other.caption for other in one.alternatives], [label.name for label in one.labels], thumbnail_path(paths, id_).read_bytes())
        for id_, one in found
    }
    numbers = [
        number for _, one in found for number in (one.logprob, *(other.logprob for other in one.alternatives), *(label.probability for label in one.labels))
    ]
    return words, numbers


def answers(igsearch: Igsearch, cache: Path, query: str) -> tuple[int, list[tuple[str, float]]]:
    """How many photos a query finds, and the best of them with their scores."""
    done = igsearch("search", NAME, query, "--json", "-n", "100", "--cache-dir", cache)
    assert (done.code, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    return document["total"], [(hit["id"], hit["score"]) for hit in document["results"]]


def check_alike(igsearch: Igsearch, cache: Path, undisturbed: Path) -> None:
    """Both caches hold the same, and answer the same to captions that they hold."""
    words, numbers = contents(cache)
    expected_words, expected_numbers = contents(undisturbed)
    assert words == expected_words
    assert numbers == pytest.approx(expected_numbers, abs=TOLERANCE)
    captions = [caption for caption, *_ in words.values()]
    for query in (captions[0], captions[len(captions) // 2]):
        total, hits = answers(igsearch, cache, query)
        expected_total, expected_hits = answers(igsearch, undisturbed, query)
        assert total == expected_total > 0
        assert [id_ for id_, _ in hits] == [id_ for id_, _ in expected_hits]
        assert [score for _, score in hits] == pytest.approx([score for _, score in expected_hits], abs=TOLERANCE)


def done(run: Outcome) -> dict[str, int]:
    """The counts of a run that are not nought."""
    return {name: n for name, n in json.loads(run.stdout)["photos"].items() if n}


def test_killed_again_and_again_it_ends_like_an_undisturbed_run(igsearch: Igsearch, sample_photos: Path, tmp_path: Path) -> None:
    """Killed at three moments, each run goes on after the last whole batch; the end is a single run's store; until then a search finds what was fitted."""
    chance, batch_size = random.Random(2024), 4
    folder, cache, undisturbed = tmp_path / "folder", tmp_path / "cache", tmp_path / "undisturbed"
    folder.mkdir()
    for n in range(3):
        for photo in sample_photos.glob("*.jpg"):
            shutil.copy(photo, folder / f"{n}-{photo.name}")
    command = index_command(folder, cache, batch_size=batch_size)
    before = 0
    for _ in range(3):
        killed(command, cache, n_more=chance.randint(1, 6), delay=chance.uniform(0, 0.1))
        stored = n_stored(cache)
        assert before <= stored <= n_thumbnails(cache)
        assert stored % batch_size == 0
        before = stored
    meanwhile = igsearch("search", NAME, "cat", "--cache-dir", cache)
    assert (meanwhile.code, meanwhile.stderr) == (0, f"igsearch: some photos of {NAME} are not searchable yet: run igsearch index again\n")
    assert meanwhile.stdout
    rest = igsearch(*command, "--json", "-q")
    counts = {"described": 36 - before, "new": 36 - before, "known": before, "searchable": 36}
    assert (rest.code, done(rest)) == (0, counts)
    assert igsearch(*index_command(folder, undisturbed, batch_size=batch_size), "-q").code == 0
    check_alike(igsearch, cache, undisturbed)


def test_a_thousand_photos_survive_a_kill(igsearch: Igsearch, shared_data: Path, tmp_path: Path) -> None:
    """Killed once at a random moment among 1000 photos, the run goes on with the rest and ends with the store and the answers of an undisturbed one."""
    chance = random.Random(8000)
    with tarfile.open(shared_data / "flickr8k-val.tar") as archive:
        archive.extractall(tmp_path / "flickr", filter="data")
    folder, cache, undisturbed = tmp_path / "flickr" / "images", tmp_path / "cache", tmp_path / "undisturbed"
    n_photos = len(list(folder.iterdir()))
    assert n_photos == 1000
    command = index_command(folder, cache, batch_size=16)
    killed(command, cache, n_more=chance.randint(50, 800), delay=chance.uniform(0, 1))
    stored = n_stored(cache)
    assert 0 < stored < n_photos
    rest = igsearch(*command, "--json", "-q", timeout=900)
    assert done(rest) == {"described": n_photos - stored, "new": n_photos - stored, "known": stored, "searchable": n_photos}
    assert igsearch(*index_command(folder, undisturbed, batch_size=16), "-q", timeout=900).code == 0
    check_alike(igsearch, cache, undisturbed)
