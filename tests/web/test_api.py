"""The server's routes, each through the whole application: what they answer, in which words they refuse, and what they never give away."""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from igsearch import api, images
from igsearch.errors import UsageError
from igsearch.output import formats
from igsearch.records import Photo
from igsearch.web.app import create_app
from igsearch.web.settings import Settings
from tests.web import shelf

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

TOKEN = "correct-horse-battery"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is tested


def serving(cache: Path, **given: Any) -> FlaskClient:  # noqa: ANN401 - any setting
    """Asks a server of its own, which keeps no cookies between questions."""
    return create_app(Settings(cache, **given)).test_client(use_cookies=False)


def ids(answer: TestResponse) -> list[str]:
    """The photos in an answer, in order."""
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    return [hit["id"] for hit in answer.json["results"]]


def reason(answer: TestResponse, status: int) -> str:
    """The one line of an error."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    assert answer.json is not None
    assert list(answer.json) == ["error"]
    said: str = answer.json["error"]
    assert "\n" not in said
    assert "Traceback" not in said
    return said


# What is there


def test_profiles_are_those_of_the_command(client: FlaskClient, shelves: Path) -> None:
    """The document of `igsearch list --json`."""
    assert client.get("/api/v2/profiles").text == formats.profiles_json(api.profiles(shelves))


def test_only_the_profiles_asked_for_are_served(shelves: Path) -> None:
    """The others are not there, in any route, in the words for one that never was."""
    client = serving(shelves, profiles=("@Holiday",))
    assert client.get("/api/v2/profiles").json["profiles"][0]["profile"] == "holiday"  # type: ignore[index]
    assert ids(client.get("/api/v2/search?q=dog")) == []
    cat = client.get("/api/v2/search?q=cat").json["results"][0]  # type: ignore[index]
    assert client.get(cat["thumbnail"]).status_code == 200
    routes = ("search?q=dog&profiles=natgeo", "search?profiles=holiday,natgeo", "photos/natgeo/Cold", "thumbnails/natgeo/Cold", "pictures/natgeo/Cold")
    for route in routes:
        assert reason(client.get(f"/api/v2/{route}"), 404) == "nothing is indexed under 'natgeo': run igsearch index natgeo"
    assert reason(client.get("/?str=dog&name=natgeo"), 404) == "nothing is indexed under 'natgeo': run igsearch index natgeo"


def test_a_server_may_start_before_anything_is_indexed(tmp_path: Path) -> None:
    """It says how to begin, and serves what appears."""
    client = serving(tmp_path)
    assert client.get("/api/v2/profiles").json == {"schema_version": 1, "profiles": []}
    assert reason(client.get("/api/v2/search?q=dog"), 404) == "nothing is indexed yet: run igsearch index PROFILE"
    shelf.put(tmp_path, "late", [shelf.post("C1", "a dog")])
    assert ids(client.get("/api/v2/search?q=dog")) == ["C1"]


# Search


def test_a_search_answers_as_the_command_does(client: FlaskClient, shelves: Path) -> None:
    """One shape everywhere: the document of `igsearch search --json` but for the pictures' addresses."""
    answer = api.search("@all", "beach frisbee", n=2, cache_dir=shelves)
    expected = json.loads(formats.search_json(answer.hits, query="beach frisbee", profiles=answer.profiles, total=answer.total, remarks=answer.remarks))
    found = client.get("/api/v2/search?q=beach+frisbee&n=2").json
    assert found is not None
    for hit, same in zip(found["results"], expected["results"], strict=True):
        assert hit.pop("picture") is None
        thumbnail = hit["thumbnail"]
        assert client.get(thumbnail).data == Path(same["thumbnail"]).read_bytes()
        assert list(hit) == list(formats.HIT_FIELDS)
        same["thumbnail"] = thumbnail
    assert found == expected
    assert found["total"] == 2


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("q=dog&sort=date", ["Cfrisbee", "Clost", "Cold", "Cundated"]),
        ("q=dog&sort=likes", ["Cold", "Cfrisbee", "Cundated", "Clost"]),
        ("q=dog&sort=likes&n=1&offset=1", ["Cfrisbee"]),
        ("q=dog&since=2024-06-02&sort=date", ["Cfrisbee", "Clost"]),
        ("q=dog&until=2024-06-10&sort=date", ["Clost", "Cold"]),
        ("q=dog&since=2024-06&until=2024&sort=date", ["Cfrisbee", "Clost", "Cold"]),
        ("q=dog&min_score=1", []),
        ("q=frisbee&profiles=natgeo,holiday", ["Cfrisbee"]),
        ("q=frisbee&profiles=@NatGeo", ["Cfrisbee"]),
        ("q=frisbee&profiles=holiday", []),
        ("q=dog&offset=10000000", []),
        ("q=zyzzyva", []),
        ("", ["Cfrisbee", "Ccity", "Clost", "Cold", "2024/cat.jpg", "media/coffee.jpg", "Cundated"]),
        ("q=+%0a&min_score=0.5", ["Cfrisbee", "Ccity", "Clost", "Cold", "2024/cat.jpg", "media/coffee.jpg", "Cundated"]),
        ("sort=likes&n=2", ["Cold", "Ccity"]),
        ("since=2024-06-11", ["Cfrisbee", "Ccity"]),
        ("profiles=holiday", ["2024/cat.jpg", "media/coffee.jpg"]),
    ],
)
def test_filters_and_orders(client: FlaskClient, asked: str, expected: list[str]) -> None:
    """The command's, and every photo where nothing is asked for: newest first, the undated last, in the order they were indexed."""
    assert ids(client.get(f"/api/v2/search?{asked}")) == expected


@pytest.mark.parametrize("asked", ["q=dog", "q=dog&sort=date", "q=dog&since=2024", "sort=likes", ""])
def test_pages_make_up_the_whole(client: FlaskClient, asked: str) -> None:
    """Asked for one at a time, the hits are those of one long answer, ranks and totals included."""
    whole = client.get(f"/api/v2/search?{asked}").json
    assert whole is not None
    pages = [client.get(f"/api/v2/search?{asked}&n=1&offset={number}").json for number in range(whole["total"])]
    assert [page["results"][0] for page in pages if page] == whole["results"]
    assert {page["total"] for page in pages if page} == {whole["total"]}
    assert [hit["rank"] for hit in whole["results"]] == list(range(1, whole["total"] + 1))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("q=dog&limit=3", "there is no parameter 'limit': use q, profiles, n, offset, min_score, since, until, sort"),
        ("q=dog&q=cat", "q is given 2 times: give it once"),
        (f"q={'x' * 1001}", "the query is longer than 1,000 characters: a few words do"),
        (f"profiles={'x,' * 2001}", "profiles is longer than 4,000 characters: use @all"),
        ("profiles=../../etc", "'../../etc' is not a profile name: use letters, digits, hyphens, dots or underscores, for example natgeotravel"),
        ("profiles=", "'' is not a profile name: use letters, digits, hyphens, dots or underscores, for example natgeotravel"),
        ("n=0", "n '0' is not a whole number from 1 to 500"),
        ("n=501", "n '501' is not a whole number from 1 to 500"),
        ("n=-1", "n '-1' is not a whole number from 1 to 500"),
        ("n=%D9%A3", "n '٣' is not a whole number from 1 to 500"),
        (f"offset={'9' * 5000}", f"offset '{'9' * 40}' is not a whole number from 0 to 10,000,000"),
        ("min_score=1.1", "min_score '1.1' is not a number from 0 to 1"),
        ("min_score=nan", "min_score 'nan' is not a number from 0 to 1"),
        ("min_score=0_1", "min_score '0_1' is not a number from 0 to 1"),
        ("min_score=", "min_score '' is not a number from 0 to 1"),
        ("since=yesterday", "since 'yesterday' is not a date: write 2024-06-30, 2024-06 or 2024"),
        ("until=9999", "until '9999' is out of range: write a year from 0001 to 9998"),
        ("sort=rank", "sort 'rank' is not one of score, date, likes"),
    ],
    ids=lambda value: value[:30],
)
def test_a_bad_question_is_refused_in_one_line(client: FlaskClient, asked: str, said: str) -> None:
    """What, which, and what to do."""
    assert reason(client.get(f"/api/v2/search?{asked}"), 400) == said


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["q", "profiles", "n", "offset", "min_score", "since", "until", "sort", "str", "name"]), st.text(max_size=40)))
def test_whatever_is_asked_is_answered(client: FlaskClient, asked: dict[str, str]) -> None:
    """No parameter makes the server fail, on the new route or on the old."""
    for route in ("/api/v2/search", "/api/v1/search"):
        answer = client.get(route, query_string={name: value.encode("utf-8", "surrogatepass") for name, value in asked.items()})
        assert answer.status_code in {200, 400, 404}, answer.text


# What changes under a running server


def test_new_photos_appear_and_removed_profiles_go(tmp_path: Path) -> None:
    """Without a restart; also a profile that is indexed anew under the first generation's name."""
    client = serving(tmp_path)
    shelf.put(tmp_path, "natgeo", [shelf.post("C1", "a dog")])
    assert ids(client.get("/api/v2/search?q=dog")) == ["C1"]
    shelf.put(tmp_path, "natgeo", [shelf.post("C2", "a dog")])
    assert ids(client.get("/api/v2/search?q=dog")) == ["C1", "C2"]
    api.remove("natgeo", cache_dir=tmp_path)
    assert reason(client.get("/api/v2/search?q=dog&profiles=natgeo"), 404) == "nothing is indexed under 'natgeo': run igsearch index natgeo"
    assert reason(client.get("/api/v2/photos/natgeo/C1"), 404) == "nothing is indexed under 'natgeo': run igsearch index natgeo"
    assert client.get("/api/v2/thumbnails/natgeo/C1").status_code == 404
    shelf.put(tmp_path, "natgeo", [shelf.post("C3", "a cat")])
    assert ids(client.get("/api/v2/search?q=dog")) == []
    assert ids(client.get("/api/v2/search?q=cat")) == ["C3"]


def test_a_profile_that_is_indexed_for_the_first_time_hides_no_other(tmp_path: Path) -> None:
    """It has photos and no index yet: they are looked through already, and searched as soon as they can be."""
    client = serving(tmp_path)
    shelf.put(tmp_path, "new", [shelf.post("Cnew", "a dog", 2)], fitted=False)
    assert reason(client.get("/api/v2/search?q=dog"), 404) == "nothing of 'new' can be searched yet: run igsearch index new"
    shelf.put(tmp_path, "natgeo", [shelf.post("C1", "a dog", 1)])
    assert ids(client.get("/api/v2/search?q=dog")) == ["C1"]
    assert ids(client.get("/api/v2/search")) == ["Cnew", "C1"]


def test_a_damaged_index_is_told_and_costs_no_other_profile(tmp_path: Path) -> None:
    """With the words of the command: asked for alone with status 500, among others in a remark, in the list as its problem."""
    client = serving(tmp_path)
    shelf.put(tmp_path, "good", [shelf.post("C1", "a dog")])
    paths = shelf.put(tmp_path, "bad", [shelf.post("C1", "a dog")])
    paths.database.write_bytes(b"no database" * 1000)
    assert "the store of 'bad' is damaged" in reason(client.get("/api/v2/search?q=dog&profiles=bad"), 500)
    for asked in ("q=dog", "q=dog&profiles=bad,good", ""):
        answer = client.get(f"/api/v2/search?{asked}")
        assert ids(answer) == ["C1"]
        assert ["'bad' is damaged" in remark for remark in answer.json["remarks"]] == [True]  # type: ignore[index]
    listed = client.get("/api/v2/profiles").json["profiles"]  # type: ignore[index]
    assert [(one["profile"], one["photos"], one["problem"] is not None) for one in listed] == [("bad", 0, True), ("good", 1, False)]


# One photo


def test_a_photo_tells_all_that_is_known(client: FlaskClient) -> None:
    """A hit's record without the query's part, and the rest."""
    record = client.get("/api/v2/photos/natgeo/Cfrisbee").json
    assert record is not None
    assert set(formats.HIT_FIELDS) - set(record) == {"rank", "score", "matched"}
    assert record["objects"] == [{"name": "dog", "count": 2, "score": 0.9}, {"name": "frisbee", "count": None, "score": None}]
    assert record["alternatives"] == [{"caption": "perhaps a dog catches a frisbee", "logprob": -4.25}]
    assert (record["captioner"], record["taken_at"], record["logprob"]) == ("lite2-test", "2024-06-20T12:00:00Z", -3.5)
    assert reason(client.get("/api/v2/photos/natgeo/nope"), 404) == "'natgeo' has no photo 'nope', or no picture of it"


AWKWARD = (
    "a/b.jpg",
    "../x",
    "..",
    "/abs.jpg",
    "//h/x",
    "https://h/x?y=1&z=2#f",
    "%2F",
    "x/thumbnail",
    "日本 🐕.jpg",
    "a b+c;d",
    "\\..\\x",
    "\x00\n",
    "~",
    "a//b",
)


def test_any_id_has_addresses_that_lead_back_to_it(tmp_path: Path) -> None:
    """An id may be a path or an address with anything in it; its thumbnail and its record are its own. Only `..` would be lost on a browser's way."""
    pictures = {one: images.thumbnail(Image.new("RGB", (8, 8), (number * 9, 0, 0))) for number, one in enumerate(AWKWARD)}
    shelf.put(tmp_path, "odd", [shelf.described(Photo(one), "a dog", thumbnail=pictures[one]) for one in AWKWARD])
    client = serving(tmp_path)
    hits = client.get("/api/v2/search?q=dog").json["results"]  # type: ignore[index]
    assert [hit["id"] for hit in hits] == list(AWKWARD)
    for hit in hits:
        assert client.get(hit["thumbnail"]).data == pictures[hit["id"]]
        record = client.get(f"/api/v2/photos/odd/{quote(hit['id'], safe='')}").json
        assert record is not None
        assert record["id"] == hit["id"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2Fapp.py",
        "/static//etc/passwd",
        "/static/%2Fetc%2Fpasswd",
        "/static/..%5Capp.py",
        "/api/v2/thumbnails/natgeo/../../../store.sqlite3",
        "/api/v2/thumbnails/natgeo/%2e%2e%2fstore.sqlite3",
        "/api/v2/thumbnails/../natgeo",
        "/api/v2/thumbnails/%2e%2e/x",
        "/api/v2/pictures/holiday/%2Fetc%2Fpasswd",
        "/api/v2/pictures/holiday/https%3A%2F%2Fexample.com%2Fx.jpg",
        "/api/v2/photos/..%2F..%2Fholiday/x",
        "/store.sqlite3",
        "/api/v2/",
        "/static/",
    ],
)
def test_no_address_leads_out(client: FlaskClient, path: str) -> None:
    """A path names a photo that is indexed or a file of the page; all else is not there."""
    answer = client.get(path)
    reason(answer, 400 if "not a profile name" in answer.text else 404)


def test_a_thumbnail_may_be_kept(client: FlaskClient) -> None:
    """For good under its version's address, checked again under the bare one; known already, it is not sent."""
    address = client.get("/api/v2/photos/natgeo/Cold").json["thumbnail"]  # type: ignore[index]
    first = client.get(address)
    assert (first.mimetype, first.data, first.headers["Cache-Control"]) == ("image/webp", shelf.THUMBNAIL, "private, max-age=31536000, immutable")
    assert client.get(address.partition("?")[0]).headers["Cache-Control"] == "private, no-cache"
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    head = client.head(address)
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", str(len(shelf.THUMBNAIL)))


def test_a_new_thumbnail_has_a_new_address(tmp_path: Path) -> None:
    """So that a browser never shows the old one."""
    client = serving(tmp_path)
    shelf.put(tmp_path, "natgeo", [shelf.post("C1", "a dog")])
    before = client.get("/api/v2/photos/natgeo/C1").json["thumbnail"]  # type: ignore[index]
    other = images.thumbnail(Image.new("RGB", (40, 40), "red"))
    shelf.put(tmp_path, "natgeo", [replace(shelf.post("C1", "a dog"), thumbnail=other)])
    after = client.get("/api/v2/photos/natgeo/C1").json["thumbnail"]  # type: ignore[index]
    assert after != before
    assert client.get(after).data == other
    assert client.get(before).headers["Cache-Control"] == "private, no-cache"


def test_a_photo_without_a_picture_has_no_addresses(client: FlaskClient) -> None:
    """Null in the record, 404 behind it."""
    record = client.get("/api/v2/photos/natgeo/Clost").json
    assert record is not None
    assert (record["thumbnail"], record["picture"]) == (None, None)
    assert "no picture" in reason(client.get("/api/v2/thumbnails/natgeo/Clost"), 404)
    assert "is not in a file" in reason(client.get("/api/v2/pictures/natgeo/Clost"), 404)


@pytest.mark.parametrize("photo_id", ["2024/cat.jpg", "media/coffee.jpg"])
def test_a_picture_that_is_here_is_shown(client: FlaskClient, photo_id: str) -> None:
    """As WebP, whether it lies in a folder or in a ZIP file; once is enough for a browser."""
    address = client.get(f"/api/v2/photos/holiday/{quote(photo_id, safe='')}").json["picture"]  # type: ignore[index]
    shown = client.get(address)
    assert (shown.status_code, shown.mimetype) == (200, "image/webp")
    with Image.open(io.BytesIO(shown.data)) as picture, Image.open(shelf.SAMPLE / Path(photo_id).name) as original:
        assert picture.size == original.size
    assert client.get(address, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304


def test_a_picture_is_no_larger_than_a_screen_and_says_nothing_else(tmp_path: Path) -> None:
    """Whatever the camera wrote into the file stays there."""
    file = tmp_path / "large.jpg"
    exif = Image.Exif()
    exif[0x010F] = "SECRET CAMERA"
    Image.new("RGB", (4000, 1000), "teal").save(file, exif=exif)
    shelf.put(tmp_path / "cache", "mine", [shelf.described(Photo("large.jpg", path=file), "a wall")])
    shown = serving(tmp_path / "cache").get("/api/v2/pictures/mine/large.jpg").data
    with Image.open(io.BytesIO(shown)) as picture:
        assert picture.size == (1600, 400)
    assert b"SECRET" not in shown


def test_what_is_no_picture_any_more_stays_here(tmp_path: Path) -> None:
    """A file that was replaced, is gone, or is no file: an error that does not say where it lay."""
    file, gone, folder = tmp_path / "cat.jpg", tmp_path / "gone.jpg", tmp_path / "folder.jpg"
    file.write_text("the password is swordfish", encoding="utf-8")
    folder.mkdir()
    shelf.put(tmp_path / "cache", "mine", [shelf.described(Photo(path.name, path=path), "a cat") for path in (file, gone, folder)])
    client = serving(tmp_path / "cache")
    said = reason(client.get("/api/v2/pictures/mine/cat.jpg"), 415)
    assert "not a picture" in said
    for name in ("gone.jpg", "folder.jpg"):
        assert str(tmp_path) not in reason(client.get(f"/api/v2/pictures/mine/{name}"), 404)


def test_where_files_lie_is_told_on_this_machine_only(shelves: Path) -> None:
    """Behind a token, others may ask."""
    cat = "/api/v2/photos/holiday/2024%2Fcat.jpg"
    at_home = serving(shelves).get(cat).json
    abroad = serving(shelves, host=EVERYWHERE, token=TOKEN).get(cat, headers={"Authorization": f"Bearer {TOKEN}"}).json
    assert at_home is not None
    assert at_home["path"] == str(shelf.SAMPLE / "cat.jpg")
    assert abroad == at_home | {"path": None, "member": None}


# The seed's contract


@pytest.mark.parametrize("route", ["/", "/api/v1/search"])
def test_the_seeds_routes_answer_in_rows(client: FlaskClient, route: str) -> None:
    """`[score, url, text]`, descending, above 0; the text with the objects; the url is a picture, from wherever the page comes."""
    answer = client.get(route, query_string={"str": "dog frisbee", "name": "natgeo"})
    assert (answer.status_code, answer.mimetype, answer.headers["Access-Control-Allow-Origin"]) == (200, "application/json", "*")
    rows = answer.json
    assert rows is not None
    assert [len(row) for row in rows] == [3] * 4
    assert rows[0][2] == "a dog catches a frisbee dog frisbee"
    scores = [row[0] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > 0
    assert scores[0] <= 1
    for _, url, text in rows:
        if text == "a dog swims":
            assert url == "https://www.instagram.com/p/Clost/"
        else:
            assert url.startswith("http://localhost/api/v2/thumbnails/natgeo/C")
            shown = client.get(url)
            assert (shown.mimetype, shown.headers["Cross-Origin-Resource-Policy"]) == ("image/webp", "cross-origin")


def test_the_seed_gave_a_hundred_at_most(tmp_path: Path) -> None:
    """Ties in the order they were indexed."""
    shelf.put(tmp_path, "many", [shelf.post(f"C{number:03}", "a dog") for number in range(120)])
    rows = serving(tmp_path).get("/?str=dog&name=many").json
    assert rows is not None
    assert [row[1].rpartition("/")[2].partition("?")[0] for row in rows] == [f"C{number:03}" for number in range(100)]


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("/api/v1/search", 400, "a search takes two parameters: str, what to look for, and name, the profile"),
        ("/api/v1/search?str=dog&name=@all", 400, "name is one profile here, not '@all': /api/v2/search takes several"),
        ("/api/v1/search?str=dog&name=natgeo,nasa", 400, "name is one profile here, not 'natgeo,nasa': /api/v2/search takes several"),
        ("/api/v1/search?str=dog", 400, "a search takes two parameters: str, what to look for, and name, the profile"),
        ("/?str=dog", 400, "a search takes two parameters: str, what to look for, and name, the profile"),
        ("/?str=dog&name=nobody", 404, "nothing is indexed under 'nobody': run igsearch index nobody"),
        ("/?str=dog&name=..", 400, "'..' is not a profile name: begin with a letter, a digit or an underscore"),
    ],
)
def test_the_seeds_errors_are_errors(client: FlaskClient, asked: str, status: int, said: str) -> None:
    """They came with status 200 as text that no page could tell from an answer; a page from elsewhere can read these too."""
    answer = client.get(asked)
    assert reason(answer, status) == said
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("asked", ["/?str=&name=natgeo", "/?str=zyzzyva&name=natgeo", "/api/v1/search?str=a&name=natgeo&page=2"])
def test_nothing_found_is_an_empty_array(client: FlaskClient, asked: str) -> None:
    """As it was; what the seed did not know, it did not mind."""
    assert client.get(asked).json == []


# Who may ask


def test_other_origins_get_the_seeds_routes_alone(client: FlaskClient, shelves: Path) -> None:
    """And with --no-cors not even these; nor may their pages show our pictures then."""
    seed, thumbnail = "/?str=dog&name=natgeo", "/api/v2/thumbnails/natgeo/Cold"
    for path in ("/", "/api/v2/profiles", "/api/v2/search?q=dog", "/api/v2/photos/natgeo/Cold", thumbnail, "/healthz", "/nothing", "/static/app.js"):
        assert "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": "https://evil.example"}, buffered=True).headers, path
    closed = serving(shelves, cors=False)
    assert "Access-Control-Allow-Origin" not in closed.get(seed).headers
    assert closed.get(thumbnail).headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/api/v2/search", "/static/app.js", "/nothing"])
def test_nothing_but_reading_is_done(client: FlaskClient, method: str, path: str) -> None:
    """The whole server is GET and HEAD."""
    answer = client.open(path, method=method)
    assert reason(answer, 405) == f"'{method}' is not answered here, only GET and HEAD"
    assert answer.headers["Allow"] == "GET, HEAD"


LOOPBACK = ["localhost", "LOCALHOST:5000", "localhost.", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "[0:0::1]"]
FOREIGN = [
    "evil.example",
    "evil.example:5000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    EVERYWHERE,
    "192.168.1.5",
    "[fe80::1]",
    "",
    "a b",
    "u@localhost",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopbacks_names_are_answered(client: FlaskClient, host: str) -> None:
    """In any spelling, on any port: one may have been forwarded."""
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("path", ["/", "/?str=dog&name=natgeo", "/api/v2/search", "/healthz", "/static/app.js"])
def test_other_names_are_not_answered(client: FlaskClient, host: str, path: str) -> None:
    """Whose page made its own name resolve to this machine learns nothing."""
    assert "igsearch serve printed" in reason(client.get(path, headers={"Host": host}), 421)


@pytest.mark.parametrize(
    ("listening", "host", "is_known"),
    [
        ("photos.example", "photos.example", True),
        ("Photos.Example", "photos.example.:80", True),
        ("photos.example", "localhost", True),
        ("photos.example", "192.168.1.5", False),
        ("192.168.1.5", "192.168.1.5:5000", True),
        ("192.168.1.5", "192.168.1.6", False),
        (EVERYWHERE, "192.168.1.6:5000", True),
        (EVERYWHERE, "evil.example", False),
        ("::", "[fe80::1]:5000", True),
        ("[::]", "[fe80::1]:5000", True),
        ("fe80::1", "[FE80:0::1]", True),
        ("[fe80::1]", "[fe80::2]", False),
    ],
)
def test_a_server_knows_its_own_name(shelves: Path, listening: str, host: str, is_known: bool) -> None:
    """The one it listens on; listening everywhere, any address in figures, which no name server can forge."""
    client = serving(shelves, host=listening, token=TOKEN)
    assert client.get("/healthz", headers={"Host": host}).status_code == (200 if is_known else 421)


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.5", "photos.example", ""])
def test_others_need_a_token(tmp_path: Path, host: str) -> None:
    """The server does not start without one."""
    with pytest.raises(UsageError, match="could search your photos: protect them with --token TOKEN"):
        create_app(Settings(tmp_path, host=host))


@pytest.mark.parametrize("token", ["", "short", "x" * 257, "with a blank", "über-token", "semi;colon", "new\nline!"])
def test_a_token_fits_into_a_header(tmp_path: Path, token: str) -> None:
    """Letters, digits and a few signs, and not too few of them."""
    with pytest.raises(UsageError, match="a token is 8 to 256 letters"):
        create_app(Settings(tmp_path, token=token))


@pytest.mark.parametrize(
    "path", ["/", "/?str=dog&name=natgeo", "/api/v1/search?str=dog&name=natgeo", "/api/v2/profiles", "/static/app.js", "/nothing", "/openapi.json"]
)
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Authorization": "Bearer wrong-horse-battery"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic Og=="},
        {"Authorization": f"Token {TOKEN}"},
        {"Authorization": "Bearer \u00fc\u00fc"},
        {"Cookie": f"igsearch-80={TOKEN}"},
        {"Cookie": "igsearch-80="},
    ],
    ids=lambda headers: " ".join(headers.values())[:24] or "nothing",
)
def test_without_the_token_nothing_is_told(shelves: Path, path: str, given: dict[str, str]) -> None:
    """Not even what exists; health excepted, which tells nothing."""
    client = serving(shelves, token=TOKEN)
    answer = client.get(path, headers=given)
    assert "asks for its token" in reason(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/healthz", headers=given).status_code == 200


def test_a_program_brings_the_token_in_a_header(shelves: Path) -> None:
    """On every route."""
    client = serving(shelves, token=TOKEN)
    for path in ("/api/v2/search?q=dog", "/?str=dog&name=natgeo", "/api/v2/thumbnails/natgeo/Cold"):
        assert client.get(path, headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200


def test_a_browser_brings_the_token_once(shelves: Path) -> None:
    """It gets a cookie that scripts cannot read and other sites cannot send, and is led to the address without the token."""
    client = create_app(Settings(shelves, token=TOKEN)).test_client()
    wrong = client.get("/?token=wrong-horse-battery")
    assert (wrong.status_code, "Set-Cookie" in wrong.headers) == (401, False)
    admitted = client.get(f"/?token={TOKEN}&q=dog&photo=a%2F%2Fb")
    assert (admitted.status_code, admitted.headers["Location"]) == (303, "/?q=dog&photo=a%2F%2Fb")
    cookie = admitted.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    assert client.get("/api/v2/profiles").status_code == 200
    assert client.get(f"/%2Fevil.example/?token={TOKEN}").status_code == 404


def test_a_token_in_the_address_opens_the_page_only(shelves: Path) -> None:
    """Addresses are kept in histories and logs."""
    assert serving(shelves, token=TOKEN).get(f"/api/v2/profiles?token={TOKEN}").status_code == 401


# What holds for every answer


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?str=dog&name=natgeo",
        "/?str=dog",
        "/api/v2/search",
        "/api/v2/search?n=x",
        "/api/v2/thumbnails/natgeo/Cold",
        "/static/app.js",
        "/nothing",
        "/healthz",
    ],
)
def test_every_answer_keeps_a_browser_on_a_short_lead(client: FlaskClient, path: str) -> None:
    """No script or style but our own, no frame, no guessing of types, no referrer; what is not a picture or a file of the page is not kept."""
    headers = client.get(path, buffered=True).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "img-src", "connect-src", "form-action")} == {"'self'"}
    assert (policy["frame-ancestors"], policy["base-uri"]) == ("'none'", "'none'")
    assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"], headers["Referrer-Policy"]) == ("nosniff", "DENY", "no-referrer")
    is_kept = path in {"/", "/api/v2/thumbnails/natgeo/Cold", "/static/app.js"}
    assert headers["Cache-Control"] == ("private, no-cache" if is_kept else "no-store")


def test_hostile_captions_stay_data(tmp_path: Path) -> None:
    """They leave as JSON strings, whatever is in them, in a type that no browser shows as a page."""
    hostile = '</script><script>alert(1)</script>\u202e\x1b[31m" onerror="x'
    photo = replace(shelf.post("C1", f"dog {hostile}").photo, post_text=hostile, location=hostile, hashtags=(hostile,))
    shelf.put(tmp_path, "natgeo", [shelf.described(photo, f"dog {hostile}")])
    client = serving(tmp_path)
    for path in ("/api/v2/search?q=dog", "/api/v2/photos/natgeo/C1", "/?str=dog&name=natgeo"):
        answer = client.get(path)
        assert answer.mimetype == "application/json"
        assert "\x1b" not in answer.text
        assert hostile in json.dumps(answer.json, ensure_ascii=False).replace('\\"', '"').replace("\\u001b", "\x1b")


def test_a_fault_of_ours_is_one_line(shelves: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The asker learns its kind; whoever runs the server, what it said."""
    app = create_app(Settings(shelves))
    app.add_url_rule("/fault", view_func=lambda: dict[str, str]()["secret"])
    answer = app.test_client().get("/fault")
    assert reason(answer, 500) == "a fault in igsearch, please report it: KeyError"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "KeyError: 'secret'" in caplog.text


def test_what_the_disk_refuses_is_told(tmp_path: Path) -> None:
    """A thumbnail that is lost is not there; the rest goes on."""
    client = serving(tmp_path)
    paths = shelf.put(tmp_path, "natgeo", [shelf.post("C1", "a dog")])
    shutil.rmtree(paths.thumbnails)
    assert client.get("/api/v2/search?q=dog").json["results"][0]["thumbnail"] is None  # type: ignore[index]
    os.mkfifo(tmp_path / "pipe.jpg")
    shelf.put(tmp_path, "mine", [shelf.described(Photo("pipe", path=tmp_path / "pipe.jpg"), "a pipe")])
    assert "can be read here" in reason(client.get("/api/v2/pictures/mine/pipe"), 404)


def test_the_page_and_its_files_are_served(client: FlaskClient) -> None:
    """With their types, and an ETag to ask again by."""
    page = client.get("/", buffered=True)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    script = client.get("/static/app.js", buffered=True)
    assert (script.status_code, script.mimetype) == (200, "text/javascript")
    assert client.get("/static/app.js", headers={"If-None-Match": script.headers["ETag"]}, buffered=True).status_code == 304
