"""The JSON lists of the 2021 prototype, and everything that may be wrong with them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igsearch.errors import SourceError
from igsearch.records import Description, DetectedObject, Hypothesis, Label, Photo
from igsearch.sources import json_file
from igsearch.sources.json_source import json_source
from tests.fake_instagram import jpeg

CDN = "https://scontent-cdg2-1.cdninstagram.com/v/t51.2885-15/e35/p1080x1080/"
KEY = "&ig_cache_key=MjM3Nzc3MTkzNjM4Mzk0NTg3MQ%3D%3D.2"
ID, SHORTCODE = "2377771936383945871", "CD_ivppDsyP"
STREET = " <start> a group of people walking down a street <end> "


def address(name: str = "117_n.jpg", expires: str = "608CF1C0") -> str:
    """An address of May 2021."""
    return f"{CDN}{name}?tp=1&_nc_ht=scontent-cdg2-1.cdninstagram.com&oh=28&oe={expires}"


def written(folder: Path, document: object) -> Path:
    """A file with this document."""
    path = folder / "list.json"
    path.write_text(json.dumps(document))
    return path


def photos(path: Path, profile: str = "natgeotravel") -> list[Photo]:
    """All photos of a file."""
    source = json_source(path, profile)
    assert source is not None
    return list(source.photos())


def only(folder: Path, **entry: object) -> Photo:
    """The photo of a list with one entry."""
    [photo] = photos(written(folder, [entry]))
    return photo


def test_a_list_of_addresses(tmp_path: Path) -> None:
    """`url_list_natgeotravel.json`: the post is known by its number, and by the key in the address where there is none."""
    path = written(tmp_path, [{"id": ID, "url": address()}, {"id": 3, "url": address("1_n.jpg")}, "https://example.org/a.jpg"])
    source = json_source(path, "natgeotravel")
    assert source is not None
    assert (source.name, source.n_expected) == ("list of photo addresses in JSON", 3)
    first, second, third = source.photos()
    assert first == Photo(SHORTCODE, url=address(), shortcode=SHORTCODE)
    assert (second.id, second.shortcode) == ("3", None)
    assert (third.id, third.shortcode) == ("example.org/a.jpg", None)
    assert only(tmp_path, url=address() + KEY).permalink == f"https://www.instagram.com/p/{SHORTCODE}/"


def test_a_list_with_captions(tmp_path: Path) -> None:
    """`captions_dict_natgeotravel.json`: captions lose the captioner's markers and blanks, and are taken as they are."""
    path = written(tmp_path, [{"id": ID, "url": address(), "caption": STREET, "yolo_objects": ""}])
    source = json_source(path, "natgeotravel")
    assert source is not None
    assert source.name == "list of captioned photos"
    assert [photo.given for photo in source.photos()] == [Description("a group of people walking down a street", None, objects=())]


@pytest.mark.parametrize("name", ["natgeotravel", "NatGeoTravel", "@natgeotravel"])
def test_a_database_holds_several_profiles(tmp_path: Path, name: str) -> None:
    """`photosearch_db.json`: the profile asked for is taken, however its name is written there."""
    path = written(tmp_path, {"nasa": [{"url": address("1.jpg"), "caption": "a rocket", "yolo_objects": ""}], name: [{"url": address(), "caption": STREET}]})
    [photo] = photos(path)
    assert (photo.id, photo.given) == ("117_n.jpg", Description("a group of people walking down a street", None))


def test_a_database_without_the_profile_says_which_it_has(tmp_path: Path) -> None:
    """So that one of them can be asked for."""
    path = written(tmp_path, {name: [{"url": address(), "caption": STREET}] for name in ("nasa", "esa")})
    with pytest.raises(SourceError, match="holds no profile 'natgeotravel', but esa, nasa: run"):
        photos(path)


def test_a_dictionary_by_id_is_a_list(tmp_path: Path) -> None:
    """As the name `captions_dict` might have it."""
    assert [photo.id for photo in photos(written(tmp_path, {ID: {"url": address(), "caption": STREET}, "x1": {"caption": "a dog"}}))] == [SHORTCODE, "x1"]


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        (STREET, "a group of people walking down a street"),
        ("<start> a <unk> on a\n sofa <end><pad> <pad>", "a on a sofa"),
        (["<start>", "a", "dog", "<end>"], "a dog"),
        ("a dog", "a dog"),
        ("<start> <end>", None),
        ("", None),
        (7, None),
        ([7, None], None),
    ],
    ids=["prototype", "markers", "words", "plain", "only markers", "empty", "number", "numbers"],
)
def test_captions(tmp_path: Path, caption: object, words: str | None) -> None:
    """A photo without one is left to the captioner."""
    given = only(tmp_path, url=address(), caption=caption).given
    assert (given and given.caption) == words


PERSON, DOG = DetectedObject("person"), DetectedObject("dog")


@pytest.mark.parametrize(
    ("value", "objects"),
    [
        pytest.param("person dog", (PERSON, DOG), id="words"),
        pytest.param(" person, dog ,", (PERSON, DOG), id="commas"),
        pytest.param(["person", "dog"], (PERSON, DOG), id="list"),
        pytest.param("traffic light person", (DetectedObject("traffic light"), PERSON), id="two words"),
        pytest.param("person person dog", (DetectedObject("person", 2), DetectedObject("dog", 1)), id="repeated"),
        pytest.param("2 persons, 1 dog, ", (DetectedObject("person", 2), DetectedObject("dog", 1)), id="counted"),
        pytest.param(["dog: 87%", "person 0.5", "dog (0.9)"], (DetectedObject("dog", 2, 0.9), DetectedObject("person", 1, 0.5)), id="scored"),
        pytest.param("Motorbike,aeroplane,sofa,pottedplant,diningtable,tvmonitor", None, id="Darknet"),
        pytest.param(
            [{"name": "dog", "confidence": 0.5, "count": 2}, {"label": "person"}], (DetectedObject("dog", 2, 0.5), DetectedObject("person", 1)), id="records"
        ),
        pytest.param("", (), id="nothing found"),
        pytest.param([None, 7, "", {}, {"name": 7}], (), id="nonsense"),
        pytest.param("x" * 10**6 + " 0.5" * 10**5, None, id="endless"),
    ],
)
def test_objects(tmp_path: Path, value: object, objects: tuple[DetectedObject, ...] | None) -> None:
    """Text or list, with or without counts and scores; Darknet's names become COCO's."""
    started = time.monotonic()
    given = only(tmp_path, url=address(), caption="a dog", yolo_objects=value).given
    assert given is not None
    assert given.objects is not None
    if objects is None:
        names = [one.name for one in given.objects]
        assert names[0].startswith("x") or names == ["motorcycle", "airplane", "couch", "potted plant", "dining table", "tv"]
    else:
        assert given.objects == objects
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("value", [{}, {"yolo_objects": None}, {"yolo_objects": 7}, {"objects": None}], ids=["missing", "null", "number", "ours"])
def test_objects_that_nobody_looked_for_are_unknown(tmp_path: Path, value: dict[str, object]) -> None:
    """Which is not the same as none."""
    assert only(tmp_path, url=address(), caption="a dog", **value).given == Description("a dog", None)


def test_objects_alone_are_a_description(tmp_path: Path) -> None:
    """A photo can be found by them."""
    assert only(tmp_path, url=address(), caption="", yolo_objects="dog").given == Description("", None, objects=(DOG,))


def test_one_photo_under_two_signatures_is_one_and_two_under_one_id_are_slides(tmp_path: Path) -> None:
    """Nothing is lost, and nothing is there twice."""
    entries = [{"id": ID, "url": address(name, expires)} for name, expires in [("1_n.jpg", "608CF1C0"), ("1_n.jpg", "708CF1C0"), ("2_n.jpg", "608CF1C0")]]
    found = photos(written(tmp_path, [*entries, {"id": 7, "url": address("3_n.jpg")}, {"id": "7", "url": address("3_n.jpg", "708CF1C0")}]))
    assert [(photo.id, photo.slide, photo.n_slides) for photo in found] == [(f"{SHORTCODE}_1", 1, 2), (f"{SHORTCODE}_2", 2, 2), ("7", 1, 1)]


def test_pictures_that_lie_beside_the_list_are_preferred(tmp_path: Path) -> None:
    """Under the name in the address, whatever the suffix."""
    (tmp_path / "117_n.webp").write_bytes(jpeg())
    photo = only(tmp_path, id=ID, url=address())
    assert (photo.path, photo.url) == (tmp_path / "117_n.webp", None)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("file:///photos/my%20cat.jpg", ("/photos/my cat.jpg", None)),
        ("file://localhost/a.jpg", ("/a.jpg", None)),
        ("file:///a%FF.jpg", ("/a\udcff.jpg", None)),
        ("file:///export.zip#media/posts/a%20b.jpg", ("/export.zip", "media/posts/a b.jpg")),
    ],
)
def test_addresses_of_files_are_paths(tmp_path: Path, url: str, place: tuple[str, str | None]) -> None:
    """They are written for photos that never had another."""
    photo = only(tmp_path, url=url, caption="a cat")
    assert (str(photo.path), photo.member, photo.url) == (*place, None)


@pytest.mark.parametrize(
    "url", ["file://elsewhere/a.jpg", "file:a.jpg", "file://[", "ftp://example.org/a.jpg", "javascript:alert(1)", "x" * 10, "https://" + "x" * 9000]
)
def test_addresses_of_nothing_are_not_kept(tmp_path: Path, url: str) -> None:
    """With a caption and an id the photo is still one; without, it is none."""
    photo = only(tmp_path, id="a", url=url, caption="a cat")
    assert (photo.id, photo.url, photo.path) == ("a", None, None)
    with pytest.raises(SourceError, match="names no photo"):
        only(tmp_path, url=url, caption="a cat")


def test_the_address_of_a_post_is_no_picture(tmp_path: Path) -> None:
    """But tells which post, and which of its slides."""
    photo = only(tmp_path, url=f"https://www.instagram.com/p/{SHORTCODE}/?img_index=2", caption="a cat")
    assert (photo.id, photo.shortcode, photo.slide, photo.url) == (f"{SHORTCODE}_2", SHORTCODE, 2, None)


def test_an_entry_of_igsearch_is_read_in_full(tmp_path: Path) -> None:
    """Everything that a photo and its description can have."""
    entry = {
        "id": f"{SHORTCODE}_2", "url": None, "path": "/x.zip", "member": "a.jpg", "shortcode": SHORTCODE, "slide": 2, "n_slides": 3,
        "taken_at": "2024-05-01T12:30:00Z", "is_video": True, "is_pinned": True, "likes": 4, "hashtags": ["cat"], "post_text": "hi", "alt_text": "alt",
        "location": "Paris", "caption": "a cat", "logprob": -4.25, "alternatives": [{"caption": "cats", "logprob": -5.5}],
        "labels": [{"name": "tabby", "probability": 0.75}], "objects": [{"name": "Cat", "count": 2, "score": 0.5}],
    }  # fmt: skip
    described = Description("a cat", -4.25, (Hypothesis("cats", -5.5),), (Label("tabby", 0.75),), (DetectedObject("Cat", 2, 0.5),))
    assert only(tmp_path, **entry) == Photo(
        f"{SHORTCODE}_2", path=Path("/x.zip"), member="a.jpg", shortcode=SHORTCODE, slide=2, n_slides=3, taken_at=datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
        is_video=True, is_pinned=True, likes=4, hashtags=("cat",), post_text="hi", alt_text="alt", location="Paris", given=described,
    )  # fmt: skip


def test_a_document_a_line_is_a_list(tmp_path: Path) -> None:
    """With blank lines, of the one profile asked for where there are several."""
    path = tmp_path / "photos.jsonl"
    lines = [{"profile": name, "id": f"{name}.jpg", "caption": "a cat"} for name in ("natgeotravel", "nasa")]
    path.write_text("\n\n".join(map(json.dumps, lines)) + "\n")
    assert [photo.id for photo in photos(path)] == ["natgeotravel.jpg"]
    with pytest.raises(SourceError, match="holds no profile 'esa', but nasa, natgeotravel"):
        photos(path, "esa")
    path.write_text(json.dumps(lines[1]))
    assert [photo.id for photo in photos(path, "any.name")] == ["nasa.jpg"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"[" * 100_000 + b"]" * 100_000, "nested too deep", id="deep list"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deep", id="deep object"),
        pytest.param(b'[{"id": "1", "url": "https://e.org/1.jpg"}, {"id": "2", "ur', "no sound JSON", id="cut"),
        pytest.param(b'{"id": "1", "caption": "a"}\n{"id": "2", "capt', "no sound JSON", id="cut line"),
        pytest.param(b'[{"url": "\xff\xfe"}]', "no sound JSON", id="no UTF-8"),
        pytest.param(b'[{"id": ' + b"9" * 5000 + b"}]", "no sound JSON", id="endless number"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    """Nothing of it is taken."""
    path = tmp_path / "list.json"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=says) as caught:
        json_source(path, "natgeotravel")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_larger_than_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it holds."""
    monkeypatch.setattr(json_file, "MAX_BYTES", 100)
    with pytest.raises(SourceError, match="split it"):
        json_source(written(tmp_path, [{"url": address()}]), "natgeotravel")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings_of_unicode_are_read(tmp_path: Path, encoding: str) -> None:
    """As editors on Windows leave them."""
    path = tmp_path / "list.json"
    path.write_bytes(json.dumps([{"url": address(), "caption": "ein Café"}], ensure_ascii=False).encode(encoding))
    [photo] = photos(path)
    assert photo.given == Description("ein Café", None)


@pytest.mark.parametrize("document", [[], {}, [1, 2], "text", 7, None, [[]], {"a": 1}, {"node": {"shortcode": "CA"}}, [{"name": "x"}]], ids=str)
def test_other_documents_are_no_lists(tmp_path: Path, document: object) -> None:
    """What they are instead is said where a path is recognised."""
    assert json_source(written(tmp_path, document), "natgeotravel") is None


def test_many_entries_of_one_id_take_no_longer_than_others(tmp_path: Path) -> None:
    """A list made to be slow is not."""
    path = written(tmp_path, [{"id": "7", "url": f"https://example.org/{number}.jpg"} for number in range(20_000)])
    started = time.monotonic()
    assert len(photos(path)) == 20_000
    assert time.monotonic() - started < 10


KEYS = (
    "id", "url", "path", "member", "caption", "yolo_objects", "objects", "alternatives", "labels", "logprob", "shortcode", "slide", "n_slides", "taken_at",
    "likes", "hashtags", "post_text", "profile", "permalink", "name", "count", "score",
)  # fmt: skip
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from([address(), ID, SHORTCODE, "file:///a.jpg", "9999-12-31T23:59:59-23:59"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=150)
@given(st.lists(JSON, max_size=4), st.booleans())
def test_values_of_wrong_types_cost_a_detail_or_an_entry(tmp_path_factory: pytest.TempPathFactory, wrong: list[Any], in_database: bool) -> None:
    """Whatever stands where, a good entry among it is read, every photo is well formed, and the count of the rest is right."""
    entries = [*wrong, {"id": "good", "caption": "a good dog"}]
    path = written(tmp_path_factory.mktemp("x"), {"natgeotravel": entries} if in_database else entries)
    try:
        source = json_source(path, "natgeotravel")
    except SourceError as err:
        assert "holds no profile" in str(err)  # noqa: PT017 - entries that name profiles are of those profiles
        return
    assert source is not None
    found = list(source.photos())
    assert any(photo.id == "good" for photo in found) or any(isinstance(entry, dict) and "profile" in entry for entry in wrong)
    assert len({photo.id for photo in found}) == len(found)
    assert len(found) + source.n_failed_posts <= len(entries)
    for photo in found:
        assert photo.url is None or photo.path is None
        assert 1 <= photo.slide <= photo.n_slides
        assert photo.taken_at is None or photo.taken_at.utcoffset() == UTC.utcoffset(None)
        assert photo.given is None or photo.given.caption or photo.given.objects
