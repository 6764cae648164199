"""The installed command on the sample photos, with the packaged checkpoint: what people see, what programs read, and how errors end."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from igsearch.output.formats import HIT_FIELDS
from tests.conftest import Outcome

if TYPE_CHECKING:
    from tests.conftest import Igsearch


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache directory in which the sample photos are indexed as `sample`, and three of them as `few`."""
    cache = tmp_path_factory.mktemp("indexed")
    sample = Path(__file__).resolve().parents[2] / "assets" / "sample"
    few = tmp_path_factory.mktemp("few")
    for name in ("cat.jpg", "coffee.jpg", "rocket.jpg"):
        shutil.copy(sample / name, few)
    for profile, folder in (("sample", sample), ("few", few)):
        command = [sys.executable, "-m", "igsearch", "index", profile, "--from", str(folder), "--cache-dir", str(cache)]
        subprocess.run(command, check=True, capture_output=True)
    return cache


def test_indexing_says_what_it_did(igsearch: Igsearch, sample_photos: Path) -> None:
    """Results to nobody: stdout stays empty, the summary is on stderr, and a second run finds nothing to do."""
    first = igsearch("index", "sample", "--from", sample_photos)
    assert (first.code, first.stdout) == (0, "")
    assert "12 photos described" in first.stderr
    second = igsearch("index", "sample", "--from", sample_photos)
    assert second.code == 0
    assert "0 photos described" in second.stderr
    assert "12 already indexed" in second.stderr


def test_indexing_reports_to_programs(igsearch: Igsearch, sample_photos: Path) -> None:
    """With --json the report is one document on stdout; with -q stderr is empty."""
    done = igsearch("index", "sample", "--from", sample_photos, "--limit", "2", "--json", "-q")
    report = json.loads(done.stdout)
    assert (done.code, done.stderr) == (0, "")
    assert {name: n for name, n in report["photos"].items() if n} == {"described": 2, "new": 2, "searchable": 2}


def test_a_dry_run_lists_and_writes_nothing(igsearch: Igsearch, sample_photos: Path, tmp_path: Path) -> None:
    """The photos that would be described, one a line, and no cache."""
    done = igsearch("index", "sample", "--from", sample_photos, "--dry-run", "--cache-dir", tmp_path / "cache")
    assert sorted(Path(line).name for line in done.stdout.splitlines()) == sorted(path.name for path in sample_photos.glob("*.jpg"))
    assert not (tmp_path / "cache").exists()


def test_a_bad_photo_among_good_ones_stops_nothing(igsearch: Igsearch, sample_photos: Path, tmp_path: Path) -> None:
    """It is named with its reason in the summary, the others are described, and the exit code is 1; once repaired it is described by the next run."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("cat.jpg", "coffee.jpg"):
        shutil.copy(sample_photos / name, folder)
    (folder / "broken.jpg").write_bytes((sample_photos / "cat.jpg").read_bytes()[:3000])
    done = igsearch("index", "mixed", "--from", folder)
    assert done.code == 1
    assert "2 photos described" in done.stderr
    assert "1 failed" in done.stderr
    assert "broken.jpg" in done.stderr
    shutil.copy(sample_photos / "rocket.jpg", folder / "broken.jpg")
    again = igsearch("index", "mixed", "--from", folder)
    assert again.code == 0
    assert "1 photo described" in again.stderr


def test_search_prints_a_line_a_hit_into_a_pipe(igsearch: Igsearch, indexed: Path) -> None:
    """Rank, score, caption, date and address, separated by tabs, best first."""
    done = igsearch("search", "sample", "water", "--cache-dir", indexed)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert done.code == 0
    assert rows[0][0] == "1"
    assert Path(rows[0][4]).is_file()
    scores = [float(row[1]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert "water" in rows[0][2]


def test_json_is_the_contract(igsearch: Igsearch, indexed: Path) -> None:
    """Every documented field is there; the JSON lines are the same hits; the file named exists."""
    document = json.loads(igsearch("search", "sample", "a", "standing", "man", "--json", "--cache-dir", indexed).stdout)
    assert document["schema_version"] == 1
    assert document["query"] == "a standing man"
    assert document["profiles"] == ["sample"]
    assert document["total"] == len(document["results"]) > 0
    assert [tuple(hit) for hit in document["results"]] == [HIT_FIELDS] * document["total"]
    assert all(Path(hit["path"]).is_file() and Path(hit["thumbnail"]).is_file() for hit in document["results"])
    lines = igsearch("search", "sample", "a", "standing", "man", "--jsonl", "--cache-dir", indexed).stdout.splitlines()
    assert [json.loads(line) for line in lines] == document["results"]


def test_other_forms_name_the_same_hits(igsearch: Igsearch, indexed: Path) -> None:
    """CSV, links and files list the same photos in the same order; -0 ends them with NUL."""
    ask = ("search", "sample", "standing", "--cache-dir", indexed)
    paths = [hit["path"] for hit in json.loads(igsearch(*ask, "--json").stdout)["results"]]
    assert [row["path"] for row in csv.DictReader(io.StringIO(igsearch(*ask, "--csv").stdout))] == paths
    assert igsearch(*ask, "--paths").stdout.splitlines() == paths
    assert igsearch(*ask, "--paths", "-0").stdout.split("\0")[:-1] == paths
    assert igsearch(*ask, "--urls").stdout.splitlines() == [Path(path).as_uri() for path in paths]


def test_paging_and_thresholds(igsearch: Igsearch, indexed: Path) -> None:
    """-n and --offset cut the list and keep ranks and total; --min-score leaves out what is below."""
    ask = ("search", "sample", "a", "man", "standing", "--json", "--cache-dir", indexed)
    everything = json.loads(igsearch(*ask).stdout)
    page = json.loads(igsearch(*ask, "-n", "2", "--offset", "1").stdout)
    assert page["results"] == everything["results"][1:3]
    assert page["total"] == everything["total"]
    threshold = everything["results"][1]["score"]
    assert all(hit["score"] >= threshold for hit in json.loads(igsearch(*ask, "--min-score", str(threshold)).stdout)["results"])


def test_several_profiles_are_searched_together(igsearch: Igsearch, indexed: Path) -> None:
    """Profiles separated by commas, or @all; hits say which they are from, and ranks run through."""
    both = json.loads(igsearch("search", "sample,few", "standing", "--json", "--cache-dir", indexed).stdout)
    assert both["profiles"] == ["sample", "few"]
    assert [hit["rank"] for hit in both["results"]] == list(range(1, len(both["results"]) + 1))
    everywhere = json.loads(igsearch("search", "@all", "standing", "--json", "--cache-dir", indexed).stdout)
    assert everywhere["profiles"] == ["few", "sample"]
    assert everywhere["total"] == both["total"]


def test_a_query_without_a_known_word_finds_nothing_and_says_so(igsearch: Igsearch, indexed: Path) -> None:
    """No hit is no error: exit code 0, empty results, and a remark on stderr."""
    done = igsearch("search", "sample", "xyzzy", "--json", "--cache-dir", indexed)
    assert (done.code, json.loads(done.stdout)["total"]) == (0, 0)
    assert "xyzzy" in done.stderr


def test_profiles_are_listed_and_removed(igsearch: Igsearch, sample_photos: Path) -> None:
    """`list` shows what is indexed; after `remove` it is gone, and the photos themselves are not."""
    igsearch("index", "Gone", "--from", sample_photos, "--limit", "1")
    listed = json.loads(igsearch("list", "--json").stdout)
    assert [(one["profile"], one["photos"]) for one in listed["profiles"]] == [("gone", 1)]
    assert igsearch("remove", "gone").code == 0
    assert igsearch("search", "gone", "cat").code == 5
    assert len(list(sample_photos.glob("*.jpg"))) == 12


def test_captions_for_files(igsearch: Igsearch, sample_photos: Path) -> None:
    """One file gives its caption alone; several give path and caption; JSON gives alternatives and labels, and errors in their place."""
    cat, coffee = sample_photos / "cat.jpg", sample_photos / "coffee.jpg"
    alone = igsearch("caption", cat)
    assert alone.code == 0
    assert len(alone.stdout.split()) >= 3
    several = igsearch("caption", cat, "nowhere.jpg", coffee, "--json")
    results = json.loads(several.stdout)["results"]
    assert several.code == 1
    assert [result["path"] for result in results] == [str(cat), "nowhere.jpg", str(coffee)]
    assert results[0]["caption"] == alone.stdout.strip()
    assert results[0]["labels"][0]["name"] in {"Egyptian cat", "tabby", "tiger cat"}
    assert results[0]["alternatives"]
    assert "nowhere.jpg" in results[1]["error"]
    assert "nowhere.jpg" in several.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["index", "../etc", "--from", "."], 2, "not a profile name"),
        (["index", "a/b", "--from", "."], 2, "not a profile name"),
        (["index", "..", "--from", "."], 2, "not a profile name"),
        (["index", "x", "--from", "nowhere"], 2, "'nowhere' cannot be read"),
        (["index", "x", "--from", "empty"], 2, "empty"),
        (["index", "x", "--from", "texts"], 2, "texts"),
        (["index", "x", "--from", "empty", "--since", "2024-02-30"], 2, "2024-02-30"),
        (["index", "x", "--from", "empty", "--until", "soon"], 2, "soon"),
        (["index", "x", "--from", "empty", "--limit", "0"], 2, "--limit '0' is not a whole number from 1"),
        (["index", "x", "--from", "photo", "--device", "tpu"], 2, "tpu"),
        (["index", "x", "--from", "photo", "--captioner", "empty"], 6, "SHA256SUMS"),
        (["index", "x", "--from", "photo", "--cache-dir", "photo/cat.jpg"], 2, "--cache-dir"),
        (["index"], 2, "PROFILE"),
        (["index", "x", "--batch-size", "0"], 2, "--batch-size"),
        (["frobnicate"], 2, "frobnicate"),
        (["search", "nobody", "cat"], 5, "igsearch index nobody"),
        (["search", "@all", "cat"], 5, "igsearch index PROFILE"),
        (["search", "a/b", "cat"], 2, "not a profile name"),
        (["search", "x", "cat", "--json", "--csv"], 2, "--csv"),
        (["search", "x", "cat", "-0"], 2, "-0"),
        (["remove", "nobody"], 5, "nobody"),
        (["caption"], 2, "FILE"),
        (["caption", "nowhere.jpg"], 1, "nowhere.jpg"),
        (["caption", "photo/cat.jpg", "--beam-size", "0"], 2, "--beam-size"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_line_with_the_next_step(igsearch: Igsearch, sample_photos: Path, arguments: list[str], code: int, says: str) -> None:
    """Whatever is wrong with the arguments: one line on stderr that names it, nothing on stdout, no traceback, and the documented exit code."""
    for name in ("empty", "texts", "photo"):
        (igsearch.cwd / name).mkdir()
    (igsearch.cwd / "texts" / "notes.txt").write_text("no photo here")
    shutil.copy(sample_photos / "cat.jpg", igsearch.cwd / "photo")
    done = igsearch(*arguments)
    assert done.code == code
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert says in done.stderr


def test_a_page_goes_to_stdout(igsearch: Igsearch, indexed: Path) -> None:
    """`--html -` writes the page there and no file; what is said of it goes to stderr, or nowhere with -q, before the command or after it."""
    ask = ("search", "sample", "water", "--cache-dir", indexed, "--html", "-")
    done = igsearch(*ask)
    assert done.code == 0
    assert (done.stdout[:15], done.stdout[-7:]) == ("<!doctype html>", "</html>")
    assert done.stderr.startswith("igsearch: wrote the page: ")
    for quiet in (("-q", *ask), (*ask, "-q")):
        assert igsearch(*quiet) == Outcome(0, done.stdout, "")
    assert not list(igsearch.cwd.iterdir())


def test_a_picture_comes_from_stdin(igsearch: Igsearch, sample_photos: Path) -> None:
    """`caption -` describes it, among files too; what is no picture fails under that name, and where it was kept is told to nobody."""
    cat = sample_photos / "cat.jpg"
    done = igsearch("caption", "nowhere.jpg", "-", cat, "--json", stdin=cat.read_bytes())
    results = json.loads(done.stdout)["results"]
    assert done.code == 1
    assert [result["path"] for result in results] == ["nowhere.jpg", "-", str(cat)]
    assert results[1]["caption"] == results[2]["caption"]
    for bad in (b"", b"no picture", cat.read_bytes()[:3000]):
        failed = igsearch("caption", "-", stdin=bad)
        assert (failed.code, failed.stdout) == (1, "")
        assert "standard input" in failed.stderr
        assert "igsearch-" not in failed.stderr
        assert failed.stderr.count("\n") == 1


def test_attention_goes_to_stdout(sample_photos: Path) -> None:
    """`--attention -` writes the PNG there, and nothing else, also for a picture from stdin."""
    command = [sys.executable, "-m", "igsearch", "caption", "-", "--attention", "-"]
    done = subprocess.run(command, input=(sample_photos / "cat.jpg").read_bytes(), capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as figure:
        figure.load()
        assert figure.format == "PNG"
    failed = subprocess.run(command, input=b"no picture", capture_output=True, check=False)
    assert (failed.returncode, failed.stdout) == (1, b"")
    assert failed.stderr.startswith(b"igsearch: standard input")


def test_a_name_may_be_of_any_language(igsearch: Igsearch, sample_photos: Path, tmp_path: Path) -> None:
    """Hyphens and letters with marks: indexed, searched in either spelling and as an address, exported to stdout, removed."""
    (tmp_path / "few").mkdir()
    shutil.copy(sample_photos / "cat.jpg", tmp_path / "few" / "-x.jpg")
    assert igsearch("index", "Caf\u00e9-วันหยุด", "--from", f'"{tmp_path}/few"', "-q").code == 0
    for name in ("cafe\u0301-วันหยุด", "@caf\u00e9-วันหยุด", "https://www.instagram.com/caf\u00e9-วันหยุด/?hl=en"):
        assert igsearch("search", name, "cat", "--paths").stdout == f"{tmp_path}/few/-x.jpg\n"
    assert json.loads(igsearch("export", "cafe\u0301-วันหยุด", "-o", "-").stdout)["profile"] == "caf\u00e9-วันหยุด"
    assert igsearch("remove", "caf\u00e9-วันหยุด", "-q") == Outcome(0, "", "")
    assert igsearch("search", "caf\u00e9-วันหยุด", "cat").code == 5


def test_without_arguments_the_help_is_shown(igsearch: Igsearch) -> None:
    """`igsearch` alone says what it can do, on stdout."""
    alone, asked = igsearch(), igsearch("--help")
    assert (alone.code, alone.stderr) == (0, "")
    assert alone.stdout == asked.stdout
    assert "Describe a profile's photos" in alone.stdout


def test_a_missing_device_is_an_error(igsearch: Igsearch, sample_photos: Path) -> None:
    """Asking for CUDA where there is none ends with one line; where there is one, the caption comes."""
    import torch

    done = igsearch("caption", sample_photos / "cat.jpg", "--device", "cuda")
    if torch.cuda.is_available():
        assert done.code == 0
    else:
        assert (done.code, done.stdout) == (2, "")
        assert "--device cuda" in done.stderr


def test_a_traceback_appears_only_when_asked_for(igsearch: Igsearch) -> None:
    """--debug shows where an error came from; without it there is a line."""
    assert "Traceback" not in igsearch("search", "nobody", "cat").stderr
    assert "Traceback" in igsearch("--debug", "search", "nobody", "cat").stderr
    assert "Traceback" in igsearch("search", "nobody", "cat", "--debug").stderr
    assert "Traceback" not in igsearch("search", "nobody", "--", "--debug").stderr


def test_a_closed_pipe_is_no_error(indexed: Path) -> None:
    """`igsearch … | head -1` ends quietly."""
    command = f"'{sys.executable}' -m igsearch search sample standing --jsonl --cache-dir '{indexed}' | head -c 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_control_c_ends_cleanly_and_the_next_run_goes_on(igsearch: Igsearch, sample_photos: Path, tmp_path: Path) -> None:
    """An interrupt in mid-run exits with 130 and one line on how to go on; what was committed can be searched, and the next run does the rest."""
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(20):
        for photo in sample_photos.glob("*.jpg"):
            shutil.copy(photo, folder / f"{n:02}-{photo.name}")
    command = [sys.executable, "-m", "igsearch", "index", "many", "--from", str(folder), "--batch-size", "4"]
    listened = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore Ctrl-C, and so would the command
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=os.environ)
    signal.signal(signal.SIGINT, listened)
    database = next(iter(Path(os.environ["IGSEARCH_CACHE_DIR"]).glob("profiles/many/thumbnails")), None)
    deadline = time.monotonic() + 120
    while database is None and time.monotonic() < deadline:
        time.sleep(0.05)
        database = next(iter(Path(os.environ["IGSEARCH_CACHE_DIR"]).glob("profiles/many/thumbnails/*/*.webp")), None)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    assert stderr.strip().splitlines()[-1].startswith("igsearch: interrupted")
    assert "Traceback" not in stderr
    listed = json.loads(igsearch("list", "--json").stdout)["profiles"][0]
    assert 0 < listed["photos"] < 240
    rest = json.loads(igsearch("index", "many", "--from", folder, "--json", "-q").stdout)
    assert (rest["photos"]["described"], rest["photos"]["searchable"]) == (240 - listed["photos"], 240)
