"""What programs read: the JSON contract, CSV without formulas, addresses and paths that survive a pipe."""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igsearch.errors import ImageError
from igsearch.output import formats
from igsearch.records import Description, DetectedObject, FailedPhoto, Hit, Hypothesis, Label, Photo, Unread
from igsearch.store.rows import SourceState, Summary

POST = Photo(
    "CxYz_2",
    url="https://cdn.example/2.jpg?oe=66AA",
    shortcode="CxYz",
    slide=2,
    n_slides=5,
    taken_at=datetime(2024, 5, 1, 14, 30, tzinfo=timezone(timedelta(hours=2))),
    likes=42,
    post_text="Søndag 🌞\nline two",
    alt_text="Photo by somebody",
    hashtags=("cat", "caturday"),
)
DESCRIPTION = Description("a cat on a sofa", -4.25, (Hypothesis("a cat", -5.5),), (Label("tabby", 0.75), Label("Egyptian cat", 0.125)))


def hit(photo: Photo = POST, caption: str = DESCRIPTION.caption, **fields: object) -> Hit:
    """A hit; `fields` replace its defaults."""
    given = {"rank": 1, "score": 0.5, "profile": "natgeo", "thumbnail": Path("/cache/t.webp"), "matched": ("cat",)} | fields
    return Hit(photo=photo, description=Description(caption, DESCRIPTION.logprob, DESCRIPTION.alternatives, DESCRIPTION.labels), **given)  # type: ignore[arg-type]


def test_the_search_document_is_the_documented_contract() -> None:
    """Names, order, types and units of every key, for a photo of which everything is known."""
    document = json.loads(formats.search_json([hit()], query="cat", profiles=["natgeo"], total=7, remarks=["a remark"]))

    assert document == {
        "schema_version": 1,
        "query": "cat",
        "profiles": ["natgeo"],
        "total": 7,
        "remarks": ["a remark"],
        "results": [
            {
                "rank": 1,
                "score": 0.5,
                "profile": "natgeo",
                "id": "CxYz_2",
                "caption": "a cat on a sofa",
                "matched": ["cat"],
                "permalink": "https://www.instagram.com/p/CxYz/",
                "url": "https://cdn.example/2.jpg?oe=66AA",
                "path": None,
                "member": None,
                "thumbnail": "/cache/t.webp",
                "shortcode": "CxYz",
                "slide": 2,
                "n_slides": 5,
                "taken_at": "2024-05-01T12:30:00Z",
                "is_video": False,
                "likes": 42,
                "hashtags": ["cat", "caturday"],
                "post_text": "Søndag 🌞\nline two",
                "alt_text": "Photo by somebody",
                "labels": [{"name": "tabby", "probability": 0.75}, {"name": "Egyptian cat", "probability": 0.125}],
                "objects": None,
                "is_gone": False,
            }
        ],
    }


def test_what_is_unknown_is_null_and_never_left_out() -> None:
    """A picture of a plain folder has the same keys as a post."""
    record = formats.hit_record(hit(Photo("a.jpg", path=Path("/pictures/a.jpg"))))

    assert list(record) == list(formats.HIT_FIELDS)
    assert [key for key in record if record[key] is None] == [
        "permalink",
        "url",
        "member",
        "shortcode",
        "taken_at",
        "likes",
        "post_text",
        "alt_text",
        "objects",
    ]


def test_objects_and_what_a_description_came_without(tmp_path: Path) -> None:
    """Objects as they were found, in one cell of a table; a photo of which there is no picture here has neither thumbnail nor path."""
    objects = (DetectedObject("dog", 2, 0.91), DetectedObject("car"))
    imported = Hit(1, 0.5, "natgeo", POST, Description("a dog", None, objects=objects), None)
    record = formats.hit_record(imported)
    [row] = csv.DictReader(io.StringIO("\n".join(formats.search_csv([imported]))))

    assert record["objects"] == [{"name": "dog", "count": 2, "score": 0.91}, {"name": "car", "count": None, "score": None}]
    assert (record["thumbnail"], row["objects"], row["thumbnail"]) == (None, "2 dog 0.910; car", "")
    assert list(formats.search_paths([imported])) == []
    packed = hit(Photo("a", path=tmp_path / "x.zip", member="a b.jpg"))
    assert list(formats.search_paths([packed])) == ["/cache/t.webp"]
    assert list(formats.search_urls([packed])) == [f"{(tmp_path / 'x.zip').as_uri()}#a%20b.jpg"]


def test_jsonl_is_one_hit_a_line() -> None:
    """Line breaks inside a post's text do not break the line."""
    lines = list(formats.search_jsonl([hit(), hit(rank=2)]))

    assert [json.loads(line)["rank"] for line in lines] == [1, 2]
    assert not any("\n" in line for line in lines)


def is_harmless(text: str, allowed: str = "") -> bool:
    """Whether a terminal shows `text` and does nothing else: no controls, no surrogates, no change of direction."""
    overrides = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return all(ch in allowed or (unicodedata.category(ch) not in {"Cc", "Cs", "Zl", "Zp"} and unicodedata.bidirectional(ch) not in overrides) for ch in text)


@given(st.text(st.characters(exclude_categories=())))
def test_json_is_harmless_on_a_terminal_and_loses_nothing(text: str) -> None:
    """Escapes in the document stand for exactly what was there, and the raw bytes can be printed anywhere."""
    document = formats.search_json([hit(caption=text)], query=text, profiles=[], total=1, remarks=[text])

    assert json.loads(document)["query"] == json.loads(document)["results"][0]["caption"] == text
    assert is_harmless(document, "\n")
    document.encode("utf-8")


@given(st.text(st.characters(exclude_categories=())))
def test_plain_text_is_one_harmless_line(text: str) -> None:
    """Whatever a stranger wrote, a terminal shows it and obeys none of it."""
    shown = formats.plain(text)

    assert is_harmless(shown)
    assert shown.split(" ") == shown.split() or not shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a  cat\n\ton a sofa ", "a cat on a sofa", id="white space"),
        pytest.param("\x1b]0;owned\x07", "�]0;owned�", id="escape sequence"),
        pytest.param("\x9b31m", "�31m", id="C1 control"),
        pytest.param("photo\u202egpj.exe", "photo�gpj.exe", id="direction override"),
        pytest.param("👩\u200d🍳 नमस्\u200cते", "👩\u200d🍳 नमस्\u200cते", id="joiners stay"),
        pytest.param("\udcff", "�", id="undecodable byte of a file name"),
    ],
)
def test_plain_replaces_what_a_terminal_would_obey(text: str, shown: str) -> None:
    """Nothing vanishes silently: a replacement character stands where something was."""
    assert formats.plain(text) == shown


FORMULAS = ["=1+1", "+49", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_csv_cell_is_a_formula(text: str) -> None:
    """A post's text that a spreadsheet would run is shown as text."""
    header, row = csv.reader(io.StringIO("\n".join(formats.search_csv([hit(Photo("x", post_text=text), caption=text)]))))
    cells = dict(zip(header, row, strict=True))

    assert cells["post_text"].startswith("'")
    assert cells["caption"].startswith("'")


def test_csv_has_the_columns_of_json() -> None:
    """A header even without hits; lists in one cell; nothing for null."""
    header, row = csv.reader(io.StringIO("\n".join(formats.search_csv([hit()]))))
    cells = dict(zip(header, row, strict=True))

    assert header == list(formats.HIT_FIELDS)
    assert list(formats.search_csv([])) == [",".join(formats.HIT_FIELDS)]
    assert (cells["hashtags"], cells["labels"], cells["path"]) == ("cat caturday", "tabby 0.750; Egyptian cat 0.125", "")
    assert cells["post_text"] == "Søndag 🌞\nline two"


@given(st.text(st.characters(exclude_categories=())))
def test_csv_survives_any_text(text: str) -> None:
    """One header and one row, whatever a post says, and nothing in it that a terminal obeys."""
    lines = "\n".join(formats.search_csv([hit(caption=text)]))

    assert len(list(csv.reader(io.StringIO(lines, newline="")))) == 2
    assert is_harmless(lines, "\n\t")


@pytest.mark.parametrize(
    ("photo", "address"),
    [
        pytest.param(POST, "https://www.instagram.com/p/CxYz/", id="post"),
        pytest.param(Photo("x", url="https://cdn.example/a.jpg?oe=1&s=%20"), "https://cdn.example/a.jpg?oe=1&s=%20", id="bare address"),
        pytest.param(Photo("x", url="https://e.org/\x1b]8;; é"), "https://e.org/%1B]8;;%20%C3%A9", id="hostile address"),
        pytest.param(Photo("x", path=Path("/pictures/my cat.jpg")), "file:///pictures/my%20cat.jpg", id="file"),
    ],
)
def test_urls_are_lasting_addresses_in_ascii(photo: Photo, address: str) -> None:
    """A post's permalink outlives the picture's own address; anything unusual is percent-encoded."""
    assert list(formats.search_urls([hit(photo), hit(Photo("nowhere"))])) == [address]


def test_paths_are_local_files() -> None:
    """The picture where it is on this machine, its thumbnail where it is not."""
    assert list(formats.search_paths([hit(), hit(Photo("a", path=Path("/p/a.jpg")))])) == ["/cache/t.webp", "/p/a.jpg"]


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
@pytest.mark.parametrize(
    ("zero", "terminal", "expected"),
    [
        pytest.param(False, False, b"a\xff\n\x1bb\n", id="pipe"),
        pytest.param(True, False, b"a\xff\0\x1bb\0", id="null-terminated"),
        pytest.param(False, True, "a�\n�b\n".encode(), id="terminal"),
    ],
)
def test_paths_reach_a_pipe_byte_for_byte(zero: bool, terminal: bool, expected: bytes) -> None:
    """`igsearch … --paths -0 | xargs -0` works for every file name; a terminal gets a harmless rendering."""
    assert formats.delimited([os.fsdecode(b"a\xff"), "\x1bb"], zero=zero, terminal=terminal) == expected


def test_the_caption_document_is_the_documented_contract() -> None:
    """Descriptions and errors stand side by side, in the order of the pictures."""
    document = formats.caption_json("igsearch-lite2", [(Path("a.jpg"), DESCRIPTION), (Path("b.txt"), ImageError("not a picture"))])

    assert json.loads(document) == {
        "schema_version": 1,
        "captioner": "igsearch-lite2",
        "results": [
            {
                "path": "a.jpg",
                "caption": "a cat on a sofa",
                "logprob": -4.25,
                "alternatives": [{"caption": "a cat", "logprob": -5.5}],
                "labels": [{"name": "tabby", "probability": 0.75}, {"name": "Egyptian cat", "probability": 0.125}],
                "objects": None,
            },
            {"path": "b.txt", "error": "not a picture"},
        ],
    }


def test_the_report_of_a_run_is_the_documented_contract() -> None:
    """Counts, and for each photo that failed which and why."""
    from igsearch.indexing import IndexReport
    from igsearch.planning import Action, Step

    planned = Counter({Action.NEW: 7, Action.CHANGED: 2, Action.AGAIN: 1, Action.KNOWN: 1, Action.MOVED: 1})
    report = IndexReport("natgeo", "Instagram profile", planned=planned, n_described=9, n_gone=1, n_photos=10, seconds=2.0, left_out={"videos": 3})
    report.count([], [FailedPhoto(POST, "HTTP 403")])
    report.plan(Step(Action.UNREAD, unread=Unread("entry 7", "no address", None)))

    assert json.loads(formats.report_json(report)) == {
        "schema_version": 1,
        "profile": "natgeo",
        "source": "Instagram profile",
        "dry_run": False,
        "seconds": 2.0,
        "photos": {
            "described": 9,
            "given": 0,
            "failed": 2,
            "searchable": 10,
            "new": 7,
            "changed": 2,
            "again": 1,
            "known": 1,
            "moved": 1,
            "gone": 1,
            "pruned": 0,
        },
        "left_out": {"videos": 3},
        "failures": [
            {"id": "CxYz_2", "permalink": "https://www.instagram.com/p/CxYz/", "url": "https://cdn.example/2.jpg?oe=66AA", "error": "HTTP 403"},
            {"id": "entry 7", "permalink": None, "url": None, "error": "no address"},
        ],
    }


def test_the_list_of_profiles_is_the_documented_contract() -> None:
    """A record for each profile, null where nothing is known."""
    walked = (SourceState(1, "folder", "/photos", "folder of pictures", is_complete=False, walked_at=None),)
    summary = Summary("mine", 3, 1, 2, ("lite2",), None, None, datetime(2024, 5, 1, tzinfo=UTC), walked)

    assert json.loads(formats.profiles_json([summary])) == {
        "schema_version": 1,
        "profiles": [
            {
                "profile": "mine",
                "source": "folder of pictures",
                "photos": 3,
                "failed": 1,
                "gone": 2,
                "captioners": ["lite2"],
                "oldest": None,
                "newest": None,
                "last_indexed": "2024-05-01T00:00:00Z",
                "problem": None,
            }
        ],
    }


@pytest.mark.parametrize("moment", [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))])
def test_times_are_utc_with_a_z(moment: datetime) -> None:
    """Whatever zone a source spoke in."""
    assert formats.hit_record(hit(Photo("x", taken_at=moment)))["taken_at"] == "2024-01-01T00:00:00Z"
