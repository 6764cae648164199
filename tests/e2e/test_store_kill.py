"""A writer killed at a random moment loses at most the batch in flight, and never harms what was committed."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from igsearch.errors import TryLaterError
from igsearch.paths import ProfilePaths
from igsearch.ranking.words import Index
from igsearch.store.reader import Store, thumbnail_path
from igsearch.store.writer import StoreWriter

NAME = "natgeo"
BATCH = 8

WRITER = """
import sys
from pathlib import Path
from igsearch.paths import ProfilePaths
from igsearch.records import DescribedPhoto, Description, FailedPhoto, Hypothesis, Label, Photo
from igsearch.store.writer import StoreWriter
from igsearch.ranking.words import fit
cache, batch, fits = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "fit"
paths = ProfilePaths.of(cache, "natgeo")
with StoreWriter.create(paths, "natgeo") as store:
    while True:
        first = store.generation * batch
        described = [
            DescribedPhoto(Photo(str(n), url="u"), Description(f"dog {n}", 0.0, (Hypothesis("cat", -1.0),), (Label("owl", 0.5),)), b"webp" + str(n).encode())
            for n in range(first, first + batch)
        ]
        store.commit(described, [FailedPhoto(Photo(f"f{first}"), "404")], captioner="lite2")
        if fits:
            fit(store, paths)
        print(store.generation, flush=True)
"""


def killed_writer(cache: Path, *, mode: str, n_batches: int, delay: float) -> int:
    """Let a writer report so many batches and work on for `delay` seconds, then SIGKILL it; the last batch it reported."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(cache), str(BATCH), mode], stdout=subprocess.PIPE, text=True)
    with writer:
        reported = [writer.stdout.readline() for _ in range(n_batches)] if writer.stdout else []
        with pytest.raises(TryLaterError):
            StoreWriter.create(ProfilePaths.of(cache, NAME), NAME)
        time.sleep(delay)
        writer.kill()
        reported += writer.stdout.read().splitlines() if writer.stdout else []
    return int(reported[-1])


def check(paths: ProfilePaths) -> int:
    """The store is sound and holds whole batches only; how many."""
    db = sqlite3.connect(paths.database)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()
    with Store.open(paths) as store:
        found = list(store.documents())
        assert [photo.id for _, _, photo in found] == [str(number) for number in range(store.generation * BATCH)]
        assert all(description.caption == f"dog {photo.id}" and description.alternatives and description.labels for _, description, photo in found)
        assert all(thumbnail_path(paths, photo.id).read_bytes() == b"webp" + photo.id.encode() for _, _, photo in found)
        assert len(list(store.failures())) == store.generation
        return store.generation


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_leaves_whole_batches(tmp_path: Path, seed: int) -> None:
    """Killed, resumed and killed again: all that was reported is there, and the next writer goes on without a repair."""
    paths, chance = ProfilePaths.of(tmp_path, NAME), random.Random(seed)
    n_before = 0
    for _ in range(4):
        reported = killed_writer(tmp_path, mode="commit", n_batches=chance.randint(1, 4), delay=chance.uniform(0, 0.05))
        n_batches = check(paths)
        assert n_before < reported <= n_batches <= reported + 1
        n_before = n_batches


def test_a_killed_fit_leaves_a_whole_index(tmp_path: Path) -> None:
    """Whatever it was doing, the newest index on disk loads and holds a generation that was committed."""
    paths, chance = ProfilePaths.of(tmp_path, NAME), random.Random(0)
    for _ in range(3):
        reported = killed_writer(tmp_path, mode="fit", n_batches=chance.randint(1, 3), delay=chance.uniform(0, 0.1))
        index = Index.load(paths)

        assert reported <= index.generation <= check(paths)
        assert len(index.query("dogs").rowids) == index.generation * BATCH
