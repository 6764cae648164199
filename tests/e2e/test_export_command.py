"""The installed command on Instagram's own export, made of the sample photos: what people give it, and what they are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pillow_heif
import pytest
from PIL import Image

from tests.instagram_export import ERAS, export, media_folder, medium, parts, unpacked, written, zipped

if TYPE_CHECKING:
    from tests.conftest import Igsearch, Outcome


@pytest.fixture
def pictures(sample_photos: Path, tmp_path: Path) -> dict[str, bytes]:
    """A photo in each format that Instagram has exported."""
    made = {"cat.jpg": (sample_photos / "cat.jpg").read_bytes()}
    for photo, suffix in (("boats", "webp"), ("bee", "png"), ("coffee", "heic")):
        with Image.open(sample_photos / f"{photo}.jpg") as image:
            small = image.resize((160, 120))
        path = tmp_path / f"{photo}.{suffix}"
        pillow_heif.from_pillow(small).save(path) if suffix == "heic" else small.save(path)
        made[path.name] = path.read_bytes()
        path.unlink()
    return made


def counts(done: Outcome) -> dict[str, int]:
    """The numbers in an indexing run's report."""
    photos: dict[str, int] = json.loads(done.stdout)["photos"]
    return photos


def check_refused(done: Outcome, says: str) -> None:
    """One line on stderr, nothing on stdout, exit code 2."""
    assert (done.code, done.stdout) == (2, ""), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("igsearch: ")
    assert says in done.stderr


@pytest.mark.parametrize("era", ERAS)
def test_a_zip_is_indexed_as_it_is(igsearch: Igsearch, tmp_path: Path, pictures: dict[str, bytes], era: str) -> None:
    """Every format is described, the post's own words come along, and nothing is unpacked."""
    given = zipped(tmp_path / "instagram-me-2026-01-02-abcdef12.zip", export(era, pictures, title="S\xf6mmer \N{SUNFLOWER} #fun"))
    done = igsearch("index", "me", "--from", given, "--json", "-q")
    assert (done.code, done.stderr) == (0, "")
    assert json.loads(done.stdout)["source"] == "Instagram's export"
    assert (counts(done)["described"], counts(done)["failed"]) == (4, 0)
    hits = [json.loads(line) for line in igsearch("search", "me", "a", "the", "with", "on", "in", "of", "cat", "--jsonl").stdout.splitlines()]
    assert hits
    assert {(hit["path"], hit["post_text"], tuple(hit["hashtags"])) for hit in hits} == {(str(given), "S\xf6mmer \N{SUNFLOWER} #fun", ("fun",))}
    assert {hit["member"] for hit in hits} <= {f"{media_folder(era)}/{name}" for name in pictures}
    assert all(Path(hit["thumbnail"]).is_file() for hit in hits)
    assert sorted(path.name for path in tmp_path.iterdir()) == [given.name]


def test_a_part_that_comes_later_adds_its_pictures(igsearch: Igsearch, tmp_path: Path, pictures: dict[str, bytes]) -> None:
    """What is missing counts as failed until it comes; what was described from a ZIP is known when it comes unpacked."""
    (tmp_path / "parts").mkdir()
    *first, last = parts(export("2025", pictures), 3)
    for number, part in enumerate(first):
        zipped(tmp_path / "parts" / f"{number}.zip", part)
    done = igsearch("index", "me", "--from", tmp_path / "parts", "--json")
    assert done.code == 1, done.stderr
    assert counts(done)["described"] + counts(done)["failed"] == 4
    assert "me (Instagram's export): " in done.stderr
    assert "is listed in the export and not in it: put all the parts" in done.stderr
    unpacked(tmp_path / "parts" / "last", last)
    unpacked(tmp_path / "parts" / "again", first[0])
    done = igsearch("index", "me", "--from", tmp_path / "parts", "--json", "-q")
    assert (done.code, done.stderr, counts(done)["searchable"]) == (0, "", 4)


def test_other_kinds_come_in_by_name(igsearch: Igsearch, tmp_path: Path, pictures: dict[str, bytes]) -> None:
    """--include adds them; --dry-run lists what would be described, each as a path."""
    story = {
        "media/stories/202405/s.jpg": pictures["cat.jpg"],
        "your_instagram_activity/media/stories.json": written({"ig_stories": [medium("media/stories/202405/s.jpg")]}),
    }
    given = zipped(tmp_path / "x.zip", export("2025", {"cat.jpg": pictures["cat.jpg"]}) | story)
    listed = igsearch("index", "me", "--from", given, "--include", "stories", "--dry-run")
    assert sorted(listed.stdout.splitlines()) == [f"{given}/media/posts/202405/cat.jpg", f"{given}/media/stories/202405/s.jpg"]
    assert igsearch("index", "me", "--from", given, "--dry-run").stdout.splitlines() == [f"{given}/media/posts/202405/cat.jpg"]


def test_what_cannot_be_read_is_one_line(igsearch: Igsearch, tmp_path: Path, pictures: dict[str, bytes]) -> None:
    """With what to do next, and no cache is made for it."""
    cache = tmp_path / "cache"
    files = export("2025", pictures)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(zipped(tmp_path / "whole.zip", files).read_bytes()[:-1000])
    html = zipped(tmp_path / "html.zip", {name.replace(".json", ".html"): data for name, data in files.items()})
    pictures_alone = zipped(tmp_path / "part2.zip", {name: data for name, data in files.items() if name.startswith("media")})
    for given, says in ((cut, "download it again"), (html, "choose JSON"), (pictures_alone, "put all the parts")):
        check_refused(igsearch("index", "me", "--from", given, "--cache-dir", cache), says)
    check_refused(igsearch("index", "me", "--from", tmp_path / "whole.zip", "--include", "likes", "--cache-dir", cache), "there are posts, archived")
    check_refused(igsearch("index", "me", "--include", "all", "--cache-dir", cache), "--include goes with --from")
    assert not cache.exists()


def test_a_damaged_picture_in_a_zip_fails_alone(igsearch: Igsearch, tmp_path: Path, pictures: dict[str, bytes]) -> None:
    """The others are described, and the exit code says that not all were."""
    given = zipped(tmp_path / "x.zip", export("2025", pictures | {"bee.png": b"\x89PNG and no more"}))
    done = igsearch("index", "me", "--from", given, "--json")
    assert (done.code, counts(done)["described"], counts(done)["failed"]) == (1, 3, 1)
    assert json.loads(done.stdout)["failures"][0]["id"] == "media/posts/202405/bee.png"
