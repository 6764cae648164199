"""The files of the 2021 prototype and of other tools through the installed command: in, searched, out, and in again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Igsearch

CDN = "https://scontent-cdg2-1.cdninstagram.com/v/t51.2885-15/e35/"
DEAD = "?tp=1&oh=28a63a&oe=608CF1C0"
DATABASE = {
    "natgeotravel": [
        {"id": "2377771936383945871", "url": f"{CDN}cat.jpg{DEAD}", "caption": " <start> a cat sitting on a couch <end> ", "yolo_objects": "cat"},
        {"id": "2377771936383945872", "url": f"{CDN}gone.jpg{DEAD}", "caption": " <start> a group of people walking down a street <end> ", "yolo_objects": ""},
    ],
    "nasa": [{"id": "1", "url": f"{CDN}1.jpg{DEAD}", "caption": " <start> a rocket <end> ", "yolo_objects": ""}],
}


@pytest.fixture
def database(tmp_path: Path, sample_photos: Path) -> Path:
    """The prototype's database, with one of its pictures beside it."""
    path = tmp_path / "photosearch_db.json"
    path.write_text(json.dumps(DATABASE))
    shutil.copy(sample_photos / "cat.jpg", tmp_path)
    return path


def results(igsearch: Igsearch, profile: str, query: str) -> list[dict[str, Any]]:
    """What a search finds."""
    done = igsearch("search", profile, query, "--json")
    assert done.code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return found


def test_the_prototypes_database_in_and_out(igsearch: Igsearch, database: Path, tmp_path: Path) -> None:
    """Its captions are searched as they are, dead addresses or not; the export of it is searched alike; --recaption looks at the pictures that are here."""
    done = igsearch("index", "NatGeoTravel", "--from", database)
    assert (done.code, done.stdout) == (0, "")
    assert "2 photos described" in done.stderr
    assert "2 with their existing captions" in done.stderr
    [street] = results(igsearch, "natgeotravel", "people walking")
    assert (street["caption"], street["permalink"], street["thumbnail"]) == (
        "a group of people walking down a street",
        "https://www.instagram.com/p/CD_ivppDsyQ/",
        None,
    )
    [cat] = results(igsearch, "natgeotravel", "cats")
    assert cat["objects"] == [{"name": "cat", "count": None, "score": None}]
    assert Path(cat["thumbnail"]).is_file()

    out = tmp_path / "out.json"
    assert igsearch("export", "natgeotravel", "--format", "photosearch-db", "-o", out).code == 0
    assert [entry["caption"] for entry in json.loads(out.read_text())["natgeotravel"]] == [cat["caption"], street["caption"]]
    assert igsearch("remove", "natgeotravel").code == 0
    assert igsearch("index", "natgeotravel", "--from", out).code == 0
    for query, expected in (("people walking", street), ("cats", cat)):
        assert results(igsearch, "natgeotravel", query) == [expected]

    afresh = igsearch("index", "natgeotravel", "--from", database, "--recaption")
    assert afresh.code == 1
    assert "1 photo described" in afresh.stderr
    assert "expired on 2021-05-01: igsearch index PROFILE, without --from, asks Instagram for a fresh one" in afresh.stderr
    assert [hit["id"] for hit in results(igsearch, "natgeotravel", "cat") if hit["labels"]] == ["CD_ivppDsyP"]


def test_exports_go_through_a_pipe(igsearch: Igsearch, database: Path) -> None:
    """On stdout, a photo a line; what cannot be exported leaves nothing there."""
    igsearch("index", "nasa", "--from", database, "--offline", "-q")
    done = igsearch("export", "nasa")
    assert (done.code, done.stderr) == (0, "")
    [line] = done.stdout.splitlines()
    assert json.loads(line)["caption"] == "a rocket"
    missing = igsearch("export", "nasa", "nobody", "--format", "captions-dict")
    assert (missing.code, missing.stdout) == (5, "")
    assert "igsearch index nobody" in missing.stderr


@pytest.mark.parametrize(
    ("content", "profile", "says"),
    [
        pytest.param(json.dumps(DATABASE), "esa", "holds no profile 'esa', but nasa, natgeotravel", id="no such profile"),
        pytest.param("[" * 100_000, "x", "is not valid JSON", id="deep"),
        pytest.param(json.dumps(DATABASE)[:-40], "nasa", "is not valid JSON", id="cut"),
        pytest.param('{"GraphImages": []}', "x", "lists no post", id="no post"),
        pytest.param("[1, 2]", "x", "a JSON file of another kind", id="other"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(igsearch: Igsearch, tmp_path: Path, content: str, profile: str, says: str) -> None:
    """It names the file, and nothing is indexed."""
    (tmp_path / "given.json").write_text(content)
    done = igsearch("index", profile, "--from", "given.json")
    assert (done.code, done.stdout) == (2, "")
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert says in done.stderr
    assert "given.json" in done.stderr
    assert not Path(os.environ["IGSEARCH_CACHE_DIR"]).exists()


def test_offline_goes_with_photos_that_are_here(igsearch: Igsearch) -> None:
    """Instagram cannot be walked without asking it."""
    done = igsearch("index", "natgeo", "--offline")
    assert (done.code, done.stdout) == (2, "")
    assert "--offline goes with --from" in done.stderr
