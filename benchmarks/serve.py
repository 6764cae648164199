"""How fast `igsearch serve` answers on loopback: searches, pages of all photos and thumbnails, from 1, 8 and 32 clients at a time.

    python benchmarks/serve.py [--captions DATASET.json.gz] [--photos 1000 5000] [--clients 1 8 32] [--seconds 3] [--json OUT]

The server is the installed command in a process of its own; the clients are threads here that keep their connections, and share the machine with it. Photos
have captions of the data set (Karpathy's JSON), else invented ones; their thumbnails are one picture. A client asks as the page does: for 60 hits.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from PIL import Image

from igsearch import images
from igsearch.paths import ProfilePaths
from igsearch.ranking.words import fit
from igsearch.records import DescribedPhoto, Description, Hypothesis, Label, Photo
from igsearch.store.writer import StoreWriter

PAGE = 60
N_ALTERNATIVES = 4
WHO = (
    "dog",
    "cat",
    "man",
    "woman",
    "boy",
    "girl",
    "child",
    "couple of people",
    "group of people",
    "bird",
    "horse",
    "cyclist",
    "skier",
    "surfer",
    "climber",
    "dancer",
)
DOES = (
    "running",
    "jumping",
    "sitting",
    "standing",
    "walking",
    "playing",
    "swimming",
    "sleeping",
    "looking at the camera",
    "riding a bike",
    "holding a ball",
    "climbing",
    "waiting",
)
WHERE = (
    "on a beach",
    "in the snow",
    "on a street",
    "in a field",
    "on a rock",
    "near a lake",
    "in front of a house",
    "on a bench",
    "in a forest",
    "at night",
    "in a park",
    "on a bridge",
)
LOOK = ("black and white", "brown", "small", "young", "old", "white", "red", "tall", "happy", "wet")


def invented(chance: random.Random) -> str:
    """A caption such as captioners write."""
    return f"a {chance.choice(LOOK)} {chance.choice(WHO)} is {chance.choice(DOES)} {chance.choice(WHERE)}"


def captions_of(dataset: Path | None, n: int, chance: random.Random) -> list[str]:
    """`n` captions: the data set's, over and over if need be, or invented ones."""
    if dataset is None:
        return [invented(chance) for _ in range(n)]
    with gzip.open(dataset, "rt", encoding="utf-8") as file:
        known = [sentence["raw"] for image in json.load(file)["images"] for sentence in image["sentences"]]
    chance.shuffle(known)
    return [known[number % len(known)] for number in range(n)]


def fill(cache: Path, captions: list[str], chance: random.Random) -> None:
    """The profile `bench`, written and fitted as `igsearch index` does."""
    thumbnail = images.thumbnail(Image.effect_noise((320, 240), 60).convert("RGB"))
    first = datetime(2020, 1, 1, tzinfo=UTC)
    labels = (Label("beach", 0.4), Label("dog", 0.2))
    photos = []
    for number, caption in enumerate(captions):
        code, taken_at = f"C{number:06}", first + timedelta(hours=number)
        photo = Photo(code, url=f"https://cdn.example/{code}.jpg", shortcode=code, taken_at=taken_at, likes=number % 977)
        alternatives = tuple(Hypothesis(chance.choice(captions), -10.0) for _ in range(N_ALTERNATIVES))
        photos.append(DescribedPhoto(photo, Description(caption, -9.0, alternatives, labels), thumbnail))
    paths = ProfilePaths.of(cache, "bench")
    with StoreWriter.create(paths, "bench") as store:
        store.commit(photos, [], captioner="benchmark")
        fit(store, paths)


@contextmanager
def serving(cache: Path) -> Iterator[tuple[str, int, int, float]]:
    """Host and port of a running server, its process id, and how many seconds it took until its first answer."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "igsearch", "serve", "--port", "0", "--cache-dir", str(cache)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            line = server.stderr.readline() if server.stderr else ""
            found = re.search(r"http://\S+", line)
            if not found:
                sys.exit(f"the server does not start: {line}")
            where = urlsplit(found[0])
            host, port = where.hostname or "", where.port or 80
            ask(http.client.HTTPConnection(host, port), "/healthz")
            yield host, port, server.pid, time.perf_counter() - began
        finally:
            server.terminate()


def ask(connection: http.client.HTTPConnection, path: str) -> bytes:
    """The body of an answer that must be well."""
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        sys.exit(f"{path}: {answer.status} {body[:200]!r}")
    return body


def load(host: str, port: int, paths: Callable[[random.Random], str], n_clients: int, seconds: float) -> dict[str, float]:
    """Let clients ask one question after the other; requests per second, and percentiles of the time that one takes."""
    times: list[list[float]] = [[] for _ in range(n_clients)]
    end = time.perf_counter() + seconds

    def client(number: int) -> None:
        chance, connection = random.Random(number), http.client.HTTPConnection(host, port, timeout=60)
        while (began := time.perf_counter()) < end:
            ask(connection, paths(chance))
            times[number].append(time.perf_counter() - began)
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [one for own in times for one in own]
    cuts = statistics.quantiles(every, n=100)
    return {"requests_per_second": round(len(every) / seconds, 1), "p50_ms": round(1000 * cuts[49], 1), "p99_ms": round(1000 * cuts[98], 1)}


def peak_memory(pid: int) -> float | None:
    """Peak resident memory of a process, in MB, where the system tells it in /proc."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"VmHWM:\s*(\d+)", status.read_text(encoding="ascii")) if status.is_file() else None
    return round(int(found[1]) / 1024, 1) if found else None


def measure(n_photos: int, dataset: Path | None, clients: list[int], seconds: float) -> dict[str, object]:
    """All numbers for an index of one size."""
    chance = random.Random(1)
    captions = captions_of(dataset, n_photos, chance)
    words = [re.findall(r"\w\w+", caption) for caption in captions]

    def search(chance: random.Random) -> str:
        return f"/api/v2/search?profiles=bench&n={PAGE}&q={quote(' '.join(chance.choices(chance.choice(words), k=chance.randint(1, 4))))}"

    def browse(chance: random.Random) -> str:
        return f"/api/v2/search?profiles=bench&n={PAGE}&offset={chance.randrange(0, n_photos, PAGE)}"

    def thumbnail(chance: random.Random) -> str:
        return f"/api/v2/thumbnails/bench/C{chance.randrange(n_photos):06}"

    with tempfile.TemporaryDirectory() as cache:
        fill(Path(cache), captions, chance)
        with serving(Path(cache)) as (host, port, pid, start_up):
            kinds = {"search": search, "browse": browse, "thumbnail": thumbnail}
            answers = {kind: {str(n): load(host, port, paths, n, seconds) for n in clients} for kind, paths in kinds.items()}
            return {"start_up_seconds": round(start_up, 2), "peak_memory_mb": peak_memory(pid), "by_clients": answers}


def main() -> None:
    """Measure and print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--captions", type=Path)
    parser.add_argument("--photos", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    report = {
        "machine": f"{os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "captions": "invented" if args.captions is None else args.captions.name,
        "seconds_each": args.seconds,
        "hits_a_page": PAGE,
        "photos": {str(n): measure(n, args.captions, args.clients, args.seconds) for n in args.photos},
    }
    print(json.dumps(report, indent=2))
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
