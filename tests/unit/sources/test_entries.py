"""The JSON lists of the 2021 prototype, and everything that may be wrong with them."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igsearch.errors import SourceError
from igsearch.records import Description, DetectedObject, Hypothesis, Label, Photo, Source, Unread
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


def opened(path: Path, profile: str = "natgeotravel") -> Source:
    """What is recognised as a list of photos."""
    source = json_source(path, profile)
    assert source is not None
    return source


def photos(path: Path, profile: str = "natgeotravel") -> list[Photo]:
    """All photos of a file."""
    return [found for found in opened(path, profile).photos() if isinstance(found, Photo)]


def unread(path: Path, profile: str = "natgeotravel") -> list[Unread]:
    """What cannot be read of a file."""
    return [found for found in opened(path, profile).photos() if isinstance(found, Unread)]


def only(folder: Path, **entry: object) -> Photo:
    """The photo of a list with one entry."""
    [photo] = photos(written(folder, [entry]))
    return photo


def test_a_list_of_addresses(tmp_path: Path) -> None:
    """`url_list_natgeotravel.json`: the post is known by its number, and by the key in the address where there is none."""
    path = written(tmp_path, [{"id": ID, "url": address()}, {"id": 3, "url": address("1_n.jpg")}, "https://example.org/a.jpg"])
    source = opened(path)
    assert (source.kind, source.root, source.name, source.n_expected) == ("entries", str(path), "list of photo addresses in JSON", 3)
    first, second, third = photos(path)
    assert first == Photo(SHORTCODE, url=address(), shortcode=SHORTCODE)
    assert (second.id, second.shortcode) == ("3", None)
    assert (third.id, third.shortcode) == ("example.org/a.jpg", None)
    assert only(tmp_path, url=address() + KEY).permalink == f"https://www.instagram.com/p/{SHORTCODE}/"


def test_a_list_with_captions(tmp_path: Path) -> None:
    """`captions_dict_natgeotravel.json`: captions lose the captioner's markers and blanks, and are taken as they are."""
    path = written(tmp_path, [{"id": ID, "url": address(), "caption": STREET, "yolo_objects": ""}])
    assert opened(path).name == "list of captioned photos"
    assert [photo.description for photo in photos(path)] == [Description("a group of people walking down a street", None, objects=())]


@pytest.mark.parametrize("name", ["natgeotravel", "NatGeoTravel", "@natgeotravel"])
def test_a_database_holds_several_profiles(tmp_path: Path, name: str) -> None:
    """`photosearch_db.json`: the profile asked for is taken, however its name is written there."""
    path = written(tmp_path, {"nasa": [{"url": address("1.jpg"), "caption": "a rocket", "yolo_objects": ""}], name: [{"url": address(), "caption": STREET}]})
    [photo] = photos(path)
    assert (photo.id, photo.description) == ("117_n.jpg", Description("a group of people walking down a street", None))


@pytest.mark.parametrize("odd", [[], None, 5, "text", {}, [{"url": address("1.jpg")}]], ids=repr)
def test_a_value_of_another_kind_makes_no_database_of_photos_by_their_ids(tmp_path: Path, odd: object) -> None:
    """It is one entry that cannot be read."""
    path = written(tmp_path, {"1": {"url": address()}, "2": odd, "3": {"url": address("3.jpg")}})
    assert len(photos(path)) == 2
    assert len(unread(path)) == 1


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
    given = only(tmp_path, url=address(), caption=caption).description
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
    started = time.process_time()
    given = only(tmp_path, url=address(), caption="a dog", yolo_objects=value).description
    assert given is not None
    assert given.objects is not None
    if objects is None:
        names = [one.name for one in given.objects]
        assert names[0].startswith("x") or names == ["motorcycle", "airplane", "couch", "potted plant", "dining table", "tv"]
    else:
        assert given.objects == objects
    assert time.process_time() - started < 20


@pytest.mark.parametrize("value", [{}, {"yolo_objects": None}, {"yolo_objects": 7}, {"objects": None}], ids=["missing", "null", "number", "ours"])
def test_objects_that_nobody_looked_for_are_unknown(tmp_path: Path, value: dict[str, object]) -> None:
    """Which is not the same as none."""
    assert only(tmp_path, url=address(), caption="a dog", **value).description == Description("a dog", None)


def test_objects_alone_are_a_description(tmp_path: Path) -> None:
    """A photo can be found by them."""
    assert only(tmp_path, url=address(), caption="", yolo_objects="dog").description == Description("", None, objects=(DOG,))


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
    with pytest.raises(SourceError, match="contains no photos"):
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
        is_video=True, is_pinned=True, likes=4, hashtags=("cat",), post_text="hi", alt_text="alt", location="Paris", description=described,
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
        pytest.param(b'[{"id": "1", "url": "https://e.org/1.jpg"}, {"id": "2", "ur', "not valid JSON", id="cut"),
        pytest.param(b'[\n{"id": "1", "url": "https://e.org/1.jpg"},\n{"id": "2", "ur', "not valid JSON", id="cut, an entry a line"),
        pytest.param(b'[\n{"id": "1", "url": "https://e.org/1.jpg"}\n', "not valid JSON", id="cut before the end"),
        pytest.param(b"[" * 100_000, "not valid JSON", id="endless list"),
        pytest.param(b'{"a":' * 100_000, "not valid JSON", id="endless object"),
        pytest.param(b'["' + b'\\"' * 100_000, "not valid JSON", id="endless text"),
        pytest.param(b"[" * 100_000 + b'"' + b'\\"' * 100_000, "not valid JSON", id="endless text in an endless list"),
        pytest.param(b'[{"url": "\xff\xfe"}]', "contains no photos: entry 1", id="no UTF-8"),
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


ODD_VALUES = {
    "huge number": b"9" * 5000,
    "nan": b"NaN",
    "infinity": b"Infinity",
    "huge real": b"1e999",
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep with brackets in texts": b'["]", ' * 5_000 + b"1" + b"]" * 5_000,
    "half a character": rb'"\ud800 \udfff"',
    "no UTF-8": b'"\xff\xfe"',
    "line separators": '"\u2028 \u2029 \x85 \x0b \x0c \x1c"'.encode(),
    "wrong type": b'[{"a": [null]}, 7]',
    "true": b"true",
}
ODD_KEYS = (
    "id", "url", "path", "member", "caption", "yolo_objects", "objects", "alternatives", "labels", "logprob", "shortcode", "slide", "n_slides", "taken_at",
    "likes", "hashtags", "post_text", "permalink", "location", "x",
)  # fmt: skip


@pytest.mark.parametrize("form", [b"[%s,\n%s]", b"%s\n%s\n", b'{"natgeotravel": [%s, %s]}'], ids=["list", "lines", "database"])
@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_value_costs_a_detail_or_its_entry(tmp_path: Path, form: bytes, key: str) -> None:
    """Whatever stands where, the entry is read or told, the others are read, and everything can be written to a file and a database."""
    for name, value in ODD_VALUES.items():
        entry = b'{"url": "https://e.org/1.jpg", "id": "a", "caption": "a cat", "%s": %s}' % (key.encode(), value)
        path = tmp_path / "list.json"
        path.write_bytes(form % (entry, b'{"id": "good", "caption": "a dog"}'))
        found = list(opened(path).photos())
        assert (len(found), found[-1].id) == (2, "good"), name
        assert name != "half a character" or key != "path" or "no system can have" in unread(path)[0].reason
        repr(found[0]).encode()
        for photo in photos(path):
            "".join((photo.id, photo.url or "", photo.post_text or "", photo.description.caption if photo.description else "")).encode()
            assert photo.path is None or b"\0" not in os.fsencode(photo.path)


@pytest.mark.parametrize("path", ["/a\ud800.jpg", "a\udfff", "/a\0.jpg", "\0"], ids=["half", "half alone", "nul", "nul alone"])
def test_a_path_that_no_file_has_is_unread(tmp_path: Path, path: str) -> None:
    """Under its entry's id, in one line; asking the system for it would end in an error."""
    listed = written(tmp_path, [{"id": "a", "path": path, "caption": "a cat"}, {"path": path}, {"path": "/b.jpg"}])
    assert [photo.path for photo in photos(listed)] == [Path("/b.jpg")]
    assert [one.id for one in unread(listed)] == ["a", "entry 2"]
    assert all("no system can have" in one.reason and "\n" not in one.reason and "\0" not in one.reason for one in unread(listed))


def test_what_is_no_photo_is_unread_by_its_number(tmp_path: Path) -> None:
    """In one line each, and stays so in the next run."""
    listed = written(tmp_path, [None, 7, "text", [], {}, {"id": "x"}, {"caption": "a cat"}, {"url": "ftp://e.org/1.jpg"}, {"url": address()}])
    assert [one.id for one in unread(listed)] == ["entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "x", "entry 7", "entry 8"]
    assert unread(listed) == unread(listed)
    assert all("\n" not in one.reason for one in unread(listed))


def test_a_line_that_is_no_json_costs_itself(tmp_path: Path) -> None:
    """Its photo may be one that is known: nothing can be called gone. A line ends at a line feed and nowhere else."""
    path = tmp_path / "photos.jsonl"
    lines = [json.dumps({"id": name, "caption": "a\u2028b\x85c\x0bd"}, ensure_ascii=False) for name in "abcd"]
    path.write_text("\r\n".join([lines[0], lines[1][:-5], "", lines[2], lines[3][:9]]), encoding="utf-8", newline="")
    assert [photo.id for photo in photos(path)] == ["a", "c"]
    assert [(one.id, one.hides) for one in unread(path)] == [("entry 2", True), ("entry 4", True)]
    assert "line 5 is not valid JSON" in unread(path)[1].reason
    path.write_text("\n".join([lines[0][:-5], lines[1]]), encoding="utf-8")
    assert ([photo.id for photo in photos(path)], len(unread(path))) == (["b"], 1)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("between", ["", "\n", "\n\n  "])
def test_documents_one_after_the_other_are_a_list(tmp_path: Path, indent: int | None, between: str) -> None:
    """Objects, or lists, that several runs added to one file, in any layout."""
    path = tmp_path / "all.json"
    objects = [{"id": name, "caption": "a cat"} for name in "abc"]
    for documents in (objects, [objects[:2], objects[2:]]):
        path.write_text(between.join(json.dumps(document, indent=indent) for document in documents))
        assert [photo.id for photo in photos(path)] == ["a", "b", "c"]


def test_a_key_that_stands_twice_loses_nothing(tmp_path: Path) -> None:
    """Lists under it are joined; one of two different values is nobody's guess."""
    path = tmp_path / "list.json"
    path.write_text(
        '{"natgeotravel": [{"id": "a", "caption": "x"}], "NatGeoTravel": [{"id": "b", "caption": "x"}], "natgeotravel": [{"id": "c", "caption": "x"}]}'
    )
    assert [photo.id for photo in photos(path)] == ["a", "c", "b"]
    path.write_text(
        '[{"url": "https://e.org/1.jpg", "url": "https://e.org/2.jpg"}, {"url": "https://e.org/3.jpg", "likes": 1, "likes": 2, "id": "a", "id": "a"}]'
    )
    assert [(photo.id, photo.likes) for photo in photos(path)] == [("a", None)]
    assert [one.id for one in unread(path)] == ["entry 1"]


def test_entries_of_other_profiles_are_left_out_and_counted(tmp_path: Path) -> None:
    """Those that name none are told; a line that is no JSON may be of any."""
    path = tmp_path / "list.jsonl"
    entries = [{"profile": name, "id": name, "caption": "a cat"} for name in ("natgeotravel", "nasa", "nasa ", None)]
    path.write_text("\n".join([*map(json.dumps, entries), '{"profile'.strip()]))
    source = opened(path)
    found = list(source.photos())
    assert [(type(one), one.id) for one in found] == [(Photo, "natgeotravel"), (Unread, "entry 4"), (Unread, "entry 5")]
    assert source.left_out == {"photos of other profiles": 2}


def test_the_answer_to_a_search_is_a_list(tmp_path: Path) -> None:
    """What `search --json` and `--jsonl` print can be fed back."""
    hit = {"rank": 1, "score": 0.5, "profile": "nasa", "id": "a.jpg", "caption": "a cat", "matched": ["cat"], "path": "/photos/a.jpg", "labels": []}
    answer = {"schema_version": 1, "query": "cat", "profiles": ["nasa"], "total": 1, "remarks": [], "results": [hit]}
    for document in (answer, hit):
        assert [(photo.id, photo.path) for photo in photos(written(tmp_path, document))] == [("a.jpg", Path("/photos/a.jpg"))]


@pytest.mark.parametrize(
    ("url", "identity", "permalink"),
    [
        (f"https://www.instagram.com/p/{SHORTCODE}/", SHORTCODE, True),
        (f"https://instagram.com/natgeo/reel/{SHORTCODE}?img_index=2", f"{SHORTCODE}_2", True),
        ("https://www.instagram.com/natgeo/", "entry 1", False),
        ("https://www.instagram.com/stories/natgeo/1/", "entry 1", False),
    ],
    ids=["post", "slide", "profile", "story"],
)
def test_a_page_of_instagram_is_not_asked_for_as_a_picture(tmp_path: Path, url: str, identity: str, permalink: bool) -> None:
    """It is told what to do; with a caption the post is one that can be found."""
    listed = written(tmp_path, [{"url": url}, {"url": address()}])
    [one] = unread(listed)
    assert (one.id, one.permalink is not None, "igsearch index" in one.reason) == (identity, permalink, True)
    assert [photo.url for photo in photos(listed)] == [address()]
    if permalink:
        assert only(tmp_path, url=url, caption="a cat").id == identity


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_are_composed_or_not_in_the_name_of_a_file(tmp_path: Path, form: Literal["NFC", "NFD"]) -> None:
    """A list that was written on a Mac, or for one, in folders of both kinds."""
    there = tmp_path / normalize("NFC", "Été") / normalize("NFD", "plage à midi.jpg")
    there.parent.mkdir()
    there.write_bytes(b"x")
    assert only(tmp_path, path=normalize(form, "Été/plage à midi.jpg")).path == there
    assert only(tmp_path, url=f"file://{quote(normalize(form, str(there)))}").path == there


def test_only_files_beside_a_list_are_preferred_to_addresses(tmp_path: Path) -> None:
    """A folder, a pipe or a broken link of that name is no picture; a pipe would be waited for."""
    (tmp_path / "1.jpg").mkdir()
    (tmp_path / "2.jpg").symlink_to("nowhere")
    os.mkfifo(tmp_path / "3.jpg")
    assert [photo.path for photo in photos(written(tmp_path, [{"url": f"https://e.org/{n}.jpg"} for n in (1, 2, 3)]))] == [None, None, None]


def test_a_pipe_is_no_json_file(tmp_path: Path) -> None:
    """It is never waited for."""
    os.mkfifo(tmp_path / "list.json")
    with pytest.raises(SourceError, match="is not a regular file"):
        json_source(tmp_path / "list.json", "natgeotravel")


def test_a_list_of_strings_names_files_and_addresses(tmp_path: Path) -> None:
    """As other tools write it."""
    found = photos(written(tmp_path, ["https://example.org/a.jpg", "file:///b%20c.jpg", "d/e.JPG"]))
    assert [(photo.url, photo.path) for photo in found] == [("https://example.org/a.jpg", None), (None, Path("/b c.jpg")), (None, tmp_path / "d/e.JPG")]


@pytest.mark.parametrize(
    "objects",
    [
        "1.1" * 200_000,
        "(" * 600_000,
        "9 " * 300_000,
        "a:" * 300_000,
        ["x (((" + "(" * 1900 + "b"] * 1000,
        ["1" + " " * 1999 + "2"] * 1000,
        [" :" * 300_000] * 3,
    ],
    ids=["points", "brackets", "counts", "colons", "bracket items", "blank items", "long items"],
)
def test_what_a_detector_wrote_takes_time_in_proportion_to_its_length(tmp_path: Path, objects: object) -> None:
    """600 KB of it, made to be slow."""
    path = written(tmp_path, [{"id": "a", "caption": "a cat", "yolo_objects": objects}])
    started = time.process_time()
    assert len(photos(path)) == 1
    assert time.process_time() - started < 20


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
    assert photo.description == Description("ein Café", None)


@pytest.mark.parametrize("document", [[], {}, [1, 2], "text", 7, None, [[]], {"a": 1}, {"node": {"shortcode": "CA"}}, [{"name": "x"}]], ids=str)
def test_other_documents_are_no_lists(tmp_path: Path, document: object) -> None:
    """What they are instead is said where a path is recognised."""
    assert json_source(written(tmp_path, document), "natgeotravel") is None


def test_many_entries_of_one_id_take_no_longer_than_others(tmp_path: Path) -> None:
    """A list made to be slow is not."""
    path = written(tmp_path, [{"id": "7", "url": f"https://example.org/{number}.jpg"} for number in range(20_000)])
    started = time.process_time()
    assert len(photos(path)) == 20_000
    assert time.process_time() - started < 20


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
    everything = list(source.photos())
    found = [one for one in everything if isinstance(one, Photo)]
    assert any(photo.id == "good" for photo in found) or any(isinstance(entry, dict) and "profile" in entry for entry in wrong)
    assert len({photo.id for photo in found}) == len(found)
    assert len(everything) + sum(source.left_out.values()) <= sum(len(entry) if isinstance(entry, list) and entry else 1 for entry in entries)
    for photo in found:
        assert photo.url is None or photo.path is None
        assert 1 <= photo.slide <= photo.n_slides
        assert photo.taken_at is None or photo.taken_at.utcoffset() == UTC.utcoffset(None)
        assert photo.description is None or photo.description.caption or photo.description.objects
