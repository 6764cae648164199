"""`igsearch index` as a program sees it: exit codes, the report, what a dry run tells, and what is left when nothing came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from igsearch.paths import ProfilePaths
from igsearch.store.writer import StoreWriter

if TYPE_CHECKING:
    from tests.conftest import Igsearch

CAT = Path(__file__).resolve().parents[2] / "assets" / "sample" / "cat.jpg"


def entry(number: int, **changes: object) -> dict[str, object]:
    """A photo that comes with its caption, so that no captioner is loaded."""
    return {"id": str(number), "url": CAT.as_uri(), "caption": f"a cat number {number}"} | changes


def listed(folder: Path, *entries: object) -> Path:
    """A file of them."""
    path = folder / "photos.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def indexed(igsearch: Igsearch, source: Path, *options: str, code: int = 0) -> dict[str, Any]:
    """The report of a run, after a dry run that must count the same and write nothing new."""
    walk = [option for option in options if option != "--prune"]
    dry = igsearch("index", "cats", "--from", source, "--json", "-q", "--dry-run", *walk)
    done = igsearch("index", "cats", "--from", source, "--json", "-q", *options)
    assert (done.code, done.stderr) == (code, ""), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    told = json.loads(dry.stdout)
    assert (dry.code, told["dry_run"], report["dry_run"]) == (code, True, False)
    for count in ("new", "changed", "again", "known", "moved", "gone", "failed"):
        assert told["photos"][count] == report["photos"][count], count
    assert [one["id"] for one in told["failures"]] == [one["id"] for one in report["failures"]]
    return report


def test_what_is_in_a_list_is_told_by_its_fate(igsearch: Igsearch, tmp_path: Path) -> None:
    """New, known, changed, gone, pruned: the numbers are in the report, and a search agrees with them."""
    report = indexed(igsearch, listed(tmp_path, entry(1), entry(2), entry(3)))
    assert (report["photos"]["new"], report["photos"]["described"], report["photos"]["searchable"]) == (3, 3, 3)
    report = indexed(igsearch, listed(tmp_path, entry(1), entry(2, caption="a dog"), entry(4)))
    assert {name: report["photos"][name] for name in ("new", "changed", "known", "gone", "searchable")} == {
        "new": 1, "changed": 1, "known": 1, "gone": 1, "searchable": 4,
    }  # fmt: skip
    found = json.loads(igsearch("search", "cats", "cat", "--json").stdout)
    assert {one["id"]: one["is_gone"] for one in found["results"]} == {"1": False, "3": True, "4": False}
    report = indexed(igsearch, listed(tmp_path, entry(1), entry(2, caption="a dog"), entry(4)), "--prune")
    assert (report["photos"]["pruned"], report["photos"]["searchable"]) == (1, 3)
    assert json.loads(igsearch("search", "cats", "cat", "--json").stdout)["total"] == 2


def test_an_entry_that_cannot_be_read_is_a_failure(igsearch: Igsearch, tmp_path: Path) -> None:
    """Exit code 1, its reason in the report, in that run and the next, until the list is mended; the others are indexed."""
    for _ in range(2):
        report = indexed(igsearch, listed(tmp_path, entry(1), {"nothing": "here"}, entry(2)), code=1)
        assert (report["photos"]["failed"], report["photos"]["searchable"], len(report["failures"])) == (1, 2, 1)
        assert report["failures"][0]["error"]
    [profile] = json.loads(igsearch("list", "--json").stdout)["profiles"]
    assert (profile["photos"], profile["failed"]) == (2, 1)
    indexed(igsearch, listed(tmp_path, entry(1), entry(2)))
    assert json.loads(igsearch("list", "--json").stdout)["profiles"][0]["failed"] == 0


def test_a_dry_run_names_photos_on_stdout_and_counts_on_stderr(igsearch: Igsearch, tmp_path: Path) -> None:
    """One a line, and nothing is made anywhere."""
    done = igsearch("index", "cats", "--from", listed(tmp_path, entry(1), entry(2)), "--dry-run", "--cache-dir", tmp_path / "cache")
    assert (done.code, len(done.stdout.splitlines())) == (0, 2)
    assert "would describe 2 photos" in done.stderr
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("contents", ["[]", '[{"nothing": 1}]', '[{"id": "1", "url', "\0\0\0"], ids=["empty", "no photo", "cut off", "binary"])
def test_a_first_run_of_nothing_leaves_nothing(igsearch: Igsearch, tmp_path: Path, contents: str) -> None:
    """One line, a usage error, and no empty profile in the list."""
    path = tmp_path / "photos.json"
    path.write_text(contents, encoding="utf-8")
    done = igsearch("index", "cats", "--from", path)
    assert (done.code, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert json.loads(igsearch("list", "--json").stdout)["profiles"] == []


def test_a_first_run_that_finds_no_picture_leaves_nothing(igsearch: Igsearch, tmp_path: Path) -> None:
    """Every file of it is gone: the failures are told, and no empty profile stays."""
    done = igsearch("index", "cats", "--from", listed(tmp_path, {"id": "1", "path": "missing.jpg"}), "--json", "-q")
    assert (done.code, json.loads(done.stdout)["photos"]["failed"]) == (1, 1)
    assert json.loads(igsearch("list", "--json").stdout)["profiles"] == []


def test_the_second_of_two_is_told_who_is_first(igsearch: Igsearch, tmp_path: Path) -> None:
    """Whether it is to index or to remove: exit code 4, the process, and since when."""
    paths = ProfilePaths.of(tmp_path / "cache", "cats")
    source = listed(tmp_path, entry(1))
    with StoreWriter.create(paths, "cats"):
        for command in (("index", "cats", "--from", source), ("remove", "cats")):
            done = igsearch(*command, "--cache-dir", tmp_path / "cache")
            assert done.code == 4
            assert "'cats' is being indexed by process " in done.stderr
    assert igsearch("index", "cats", "--from", source, "--cache-dir", tmp_path / "cache", "-q").code == 0
