"""Exports: what the prototype's scripts read, what igsearch reads back, and files that are whole or absent."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from igsearch.errors import FetchError, NotIndexedError, StoreError, UsageError
from igsearch.indexing import index_profile
from igsearch.output import files, formats
from igsearch.paths import ProfilePaths
from igsearch.records import DescribedPhoto, Description, DetectedObject, Hypothesis, Label, Photo, Unread
from igsearch.searching import Query, search
from igsearch.sources.json_source import json_source
from igsearch.store.writer import StoreWriter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

READ_BACK = ("jsonl", "photosearch-db", "captions-dict")
SLIDE = Photo(
    "CxYz_2", url="https://x.fbcdn.net/v/2_n.jpg?oe=608CF1C0", shortcode="CxYz", slide=2, n_slides=5, taken_at=datetime(2024, 5, 1, 14, 30, tzinfo=UTC)
)
POST = Photo("CD_ivppDsyP", path=Path("/photos/a.jpg"), shortcode="CD_ivppDsyP", likes=42, post_text="Søndag\n=1+1", hashtags=("cat",), is_pinned=True)
FILE = Photo("été/my cat.jpg", path=Path("/photos/été/my cat.jpg"))
PACKED = Photo("media/posts/1.jpg", path=Path("/export.zip"), member="media/posts/1.jpg", location="Paris", alt_text="a photo", is_video=True)
STREET = Description("a group of people walking down a street", -4.25, (Hypothesis("people walking", -5.5),), (Label("street sign", 0.75),))
CAT = Description("a cat on a sofa", None, objects=(DetectedObject("cat", 2, 0.9), DetectedObject("dining table")))
DOG = Description("a dog", -1.0, objects=())
CONTENTS = ((SLIDE, STREET), (POST, CAT), (FILE, DOG), (PACKED, replace(DOG, caption="two people on a street", objects=None)))


def stored(cache: Path, contents: Sequence[tuple[Photo, Description]] = CONTENTS, profile: str = "natgeo") -> Path:
    """A cache in which a profile has these photos."""
    with StoreWriter.create(ProfilePaths.of(cache, profile), profile) as store:
        store.commit([DescribedPhoto(photo, description, None) for photo, description in contents], [], captioner="lite2")
    return cache


def exported(cache: Path, form: str, *profiles: str) -> bytes:
    """The text of an export."""
    out = io.BytesIO()
    files.export(cache, profiles or ["natgeo"], form, out)
    return out.getvalue()


def read_back(content: bytes, folder: Path, profile: str = "natgeo") -> list[Photo]:
    """What a file of these bytes gives as a source."""
    path = folder / "exported"
    path.write_bytes(content)
    source = json_source(path, profile)
    assert source is not None
    assert source.n_expected is not None
    found = list(source.photos())
    assert source.left_out == {}
    photos = [one for one in found if isinstance(one, Photo)]
    assert photos == found
    return photos


@pytest.mark.parametrize("form", READ_BACK)
def test_everything_comes_back(tmp_path: Path, form: str) -> None:
    """Photos with their descriptions, equal in every field."""
    assert read_back(exported(stored(tmp_path), form), tmp_path) == [replace(photo, description=description) for photo, description in CONTENTS]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda text: normalize("NFC", text)).filter(str.strip)
PLACES = st.one_of(
    st.fixed_dictionaries({"url": st.integers(0, 99).map("https://example.org/{}.jpg".format)}),
    st.fixed_dictionaries(
        {"path": st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).map(lambda name: Path("/p") / name)}
    ),
    st.just({"path": Path("/a\udcff.jpg")}),
)
DESCRIPTIONS = st.builds(
    Description,
    caption=TEXTS.map(lambda text: " ".join(re.sub("<.*>", "", text).split())).filter(bool),
    logprob=st.none() | st.floats(-99, 0),
    alternatives=st.lists(st.builds(Hypothesis, st.just("a b"), st.floats(-99, 0)), max_size=2).map(tuple),
    labels=st.lists(st.builds(Label, TEXTS, st.floats(0, 1)), max_size=2).map(tuple),
    objects=st.none() | st.lists(st.builds(DetectedObject, TEXTS, st.none() | st.integers(1, 99), st.none() | st.floats(0, 1)), max_size=2).map(tuple),
)
PHOTOS = PLACES.flatmap(
    lambda place: st.builds(
        Photo,
        **{name: st.just(value) for name, value in place.items()},
        id=TEXTS,
        slide=st.integers(1, 9),
        n_slides=st.integers(9, 10),
        taken_at=st.none() | st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(microsecond=0)),
        is_video=st.booleans(),
        is_pinned=st.booleans(),
        likes=st.none() | st.integers(0, 2**63 - 1),
        post_text=st.none() | TEXTS,
        alt_text=st.none() | TEXTS,
        location=st.none() | TEXTS,
        hashtags=st.lists(TEXTS, max_size=2).map(tuple),
    )
)


@pytest.mark.parametrize("form", READ_BACK)
@settings(max_examples=15)
@given(contents=st.lists(st.tuples(PHOTOS, DESCRIPTIONS), min_size=1, max_size=3, unique_by=lambda pair: pair[0].id))
def test_anything_comes_back(form: str, contents: list[tuple[Photo, Description]]) -> None:
    """Whatever texts, times and numbers there are."""
    with tempfile.TemporaryDirectory() as folder:
        photos = read_back(exported(stored(Path(folder), contents), form), Path(folder))
    assert photos == [replace(photo, description=description) for photo, description in contents]


class Silent:
    """A captioner that is not to be asked."""

    name, min_side = "silent", 1

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Never called."""
        raise AssertionError(image)

    def describe(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Description]:
        """Never called with a picture."""
        assert not pixels
        return []


@pytest.mark.parametrize("form", READ_BACK)
def test_an_export_is_found_as_its_original_is(tmp_path: Path, form: str) -> None:
    """Index, export, index that: the same answers to every query, scores and all."""
    cache = stored(tmp_path / "one")
    original, path = json_source_of(cache, "jsonl", tmp_path), tmp_path / "again"
    path.write_bytes(exported(cache, form))
    copy = json_source(path, "natgeo")
    assert copy is not None

    def gone(photo: Photo) -> bytes:
        raise FetchError(photo.id)

    answers = []
    for folder, source in (("two", original), ("three", copy)):
        index_profile(tmp_path / folder, "natgeo", source, Silent(), gone)
        found = [search(tmp_path / folder, "natgeo", Query(query)) for query in ("people on a street", "cats", "dining table", "sign", "dog")]
        answers.append([(answer.total, [(hit.photo, hit.score, hit.description) for hit in answer.hits]) for answer in found])
    assert answers[0] == answers[1]
    assert [total for total, _ in answers[0]] == [3, 1, 1, 1, 1]


def json_source_of(cache: Path, form: str, folder: Path) -> Any:  # noqa: ANN401 - a Source or None
    """An export as a source."""
    path = folder / form
    path.write_bytes(exported(cache, form))
    return json_source(path, "natgeo")


def prototype(database: Path, text: str, name: str) -> list[list[Any]]:
    """The answer of the 2021 prototype's program: TF-IDF over the captions, at most 100, each with the caption and the objects as they are."""
    images = json.loads(database.read_text(encoding="utf-8"))[name]
    vectorizer = TfidfVectorizer()
    matrix = vectorizer.fit_transform([image["caption"] for image in images])
    scores = (matrix @ vectorizer.transform([text]).T).toarray().ravel()
    ranked = sorted(((score, image["url"], image["caption"] + image["yolo_objects"]) for score, image in zip(scores, images, strict=True)), reverse=True)
    return [list(row) for row in ranked if row[0] > 0][:100]


def test_the_prototypes_program_reads_the_database(tmp_path: Path) -> None:
    """All it asks of an entry is there, and no word of a captioner's markers among those it searches."""
    stored(tmp_path, CONTENTS[:1], "nasa")
    path = tmp_path / "photosearch_db.json"
    path.write_bytes(exported(stored(tmp_path), "photosearch-db", "natgeo", "nasa"))
    assert sorted(row[1:] for row in prototype(path, "people walking, street", "natgeo")) == [
        ["file:///export.zip#media/posts/1.jpg", "two people on a street"],
        ["https://x.fbcdn.net/v/2_n.jpg?oe=608CF1C0", "a group of people walking down a street"],
    ]
    assert prototype(path, "cat", "natgeo")[0][1:] == ["https://www.instagram.com/p/CD_ivppDsyP/", "a cat on a sofa cat, dining table"]
    assert prototype(path, "end start", "natgeo") == []
    assert len(prototype(path, "street", "nasa")) == 1


def test_the_prototypes_captioner_reads_the_list(tmp_path: Path) -> None:
    """A number and an address for each picture; igsearch knows the same photos by them, though a post's address is no picture's."""
    content = exported(stored(tmp_path), "url-list")
    assert [(image["id"], image["url"]) for image in json.loads(content)] == [
        ("CxYz_2", "https://x.fbcdn.net/v/2_n.jpg?oe=608CF1C0"),
        ("2377771936383945871", "https://www.instagram.com/p/CD_ivppDsyP/"),
        ("été/my cat.jpg", "file:///photos/%C3%A9t%C3%A9/my%20cat.jpg"),
        ("media/posts/1.jpg", "file:///export.zip#media/posts/1.jpg"),
    ]
    (tmp_path / "list.json").write_bytes(content)
    source = json_source(tmp_path / "list.json", "natgeo")
    assert source is not None
    found = list(source.photos())
    assert [one.id for one in found] == [photo.id for photo, _ in CONTENTS]
    assert [one.permalink for one in found if isinstance(one, Unread)] == ["https://www.instagram.com/p/CD_ivppDsyP/"]


def test_csv_has_the_same_keys_and_no_formulas(tmp_path: Path) -> None:
    """A table that a spreadsheet can open."""
    rows = list(csv.DictReader(io.StringIO(exported(stored(tmp_path), "csv").decode())))
    assert list(rows[0]) == list(formats.PHOTO_FIELDS) == list(json.loads(exported(tmp_path, "jsonl").splitlines()[0]))
    assert (rows[0]["labels"], rows[0]["alternatives"], rows[1]["objects"]) == ("street sign 0.750", "people walking", "2 cat 0.900; dining table")
    stored(tmp_path, [(Photo("x", url="u", post_text="=1+1"), Description("-2", None))], "evil")
    [evil] = csv.DictReader(io.StringIO(exported(tmp_path, "csv", "evil").decode()))
    assert (evil["post_text"], evil["caption"]) == ("'=1+1", "'-2")


@pytest.mark.parametrize("form", files.FORMATS)
def test_profiles_are_chosen_as_for_a_search(tmp_path: Path, form: str) -> None:
    """Several, separated by commas or not, or all; each once."""
    stored(stored(tmp_path), CONTENTS[:1], "nasa")
    everything = exported(tmp_path, form, "nasa", "natgeo")
    assert exported(tmp_path, form, "nasa,@NatGeo", "nasa") == everything
    assert exported(tmp_path, form, "@all") == exported(tmp_path, form, "nasa", "natgeo")
    assert exported(tmp_path, form, "natgeo") != everything


@pytest.mark.parametrize(("profiles", "says"), [(["nobody"], "igsearch index nobody"), (["a/b"], "not a profile name"), (["natgeo", "nobody"], "nobody")])
@pytest.mark.parametrize("form", files.FORMATS)
def test_a_profile_that_is_not_there_leaves_an_older_file(tmp_path: Path, form: str, profiles: list[str], says: str) -> None:
    """Also where another one could have been written."""
    stored(tmp_path)
    target, out = tmp_path / "old", io.BytesIO()
    target.write_text("old")
    for where in (target, out):
        with pytest.raises((NotIndexedError, UsageError), match=says):
            files.export(tmp_path, profiles, form, where)
    assert (target.read_text(), out.getvalue(), sorted(path.name for path in tmp_path.iterdir())) == ("old", b"", ["locks", "old", "profiles"])


def test_nothing_indexed_is_told(tmp_path: Path) -> None:
    """As a search does."""
    with pytest.raises(NotIndexedError, match="run igsearch index PROFILE"):
        exported(tmp_path, "jsonl", "@all")


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, a damaged store, a folder that is missing or in the way: one line, and what was there stays."""

    def broken() -> Iterator[str]:
        yield "half"
        raise StoreError("damaged")

    target = tmp_path / "out"
    for old in (False, True):
        if old:
            target.write_text("old")
        with pytest.raises(StoreError):
            files.save(broken(), target)
        assert [path.read_text() for path in tmp_path.iterdir()] == ["old"] * old
    for place, reason in ((tmp_path / "missing" / "out", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UsageError, match=f"cannot be written \\({reason}.*choose another file with -o"):
            files.save(["x"], place)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(UsageError, match="No space left"):
        files.save(["new"], target)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no devices among its files")
def test_a_device_is_written_to_and_stays_one() -> None:
    """`-o /dev/null` must not put a file in its place."""
    files.save(["x"], Path(os.devnull))
    assert not Path(os.devnull).is_file()
