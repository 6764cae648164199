"""`igsearch search --html`: one file that tells what was found. How it looks and behaves in a browser is tested in tests/web/test_browser.py."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igsearch.errors import UsageError
from igsearch.output import html
from igsearch.paths import ProfilePaths
from igsearch.ranking.words import fit
from igsearch.records import DescribedPhoto, Description, DetectedObject, Hit, Hypothesis, Label, Photo
from igsearch.searching import Answer
from igsearch.store.writer import StoreWriter

if TYPE_CHECKING:
    from tests.conftest import Igsearch

KNOWN_TAGS = {
    *("html", "head", "meta", "title", "link", "style", "body", "svg", "symbol", "path", "rect", "circle", "use", "header", "h1", "h2", "p", "main", "section"),
    *("ol", "ul", "li", "a", "img", "div", "span", "mark", "time", "small"),
}


class Outline(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]


def outline(*hits: Hit, query: str = "dog", total: int | None = None) -> Outline:
    """The page of an answer, read."""
    answer = Answer(hits, len(hits) if total is None else total, sorted({hit.profile for hit in hits}) or ["natgeo"], [])
    return Outline("".join(html.page(answer, query=query)))


def hit(caption: str = "a dog runs", *, rank: int = 1, profile: str = "natgeo", thumbnail: Path | None = None, photo: Photo | None = None) -> Hit:
    """An answer with a caption."""
    return Hit(rank, 0.5, profile, photo or Photo(f"p{rank}"), Description(caption, -3.0), thumbnail)


def test_a_photo_is_shown_with_what_is_known(tmp_path: Path) -> None:
    """The picture itself, the caption with its words marked, day, likes, the runner-up, labels, objects, the post's words and link; but not where files lie."""
    (tmp_path / "t.webp").write_bytes(b"RIFFwebp")
    taken_at = datetime(2024, 6, 3, 23, tzinfo=UTC)
    path = Path("/home/somebody/secret/dog.jpg")
    photo = Photo("C1", path=path, shortcode="C1", taken_at=taken_at, likes=12345, post_text="Good\nboy", alt_text="A pet")
    others, labels, objects = (Hypothesis("a dog walks", -4.0),), (Label("tabby", 0.256),), (DetectedObject("dog", 2, 0.9), DetectedObject("cat"))
    description = Description("two dogs run", -3.0, others, labels, objects)
    page = outline(Hit(1, 0.512, "natgeo", photo, description, tmp_path / "t.webp"), total=30)
    assert page.all("img")[0]["src"] == f"data:image/webp;base64,{base64.b64encode(b'RIFFwebp').decode()}"
    assert page.all("img")[0]["alt"] == "two dogs run"
    for said in ("1 of 30 photos of natgeo", "3 June 2024", "12,345", "a dog walks", "tabby26%", "2 × dogcat", "Good\nboy", "A pet", "Match: 51%"):
        assert said in page.text
    [link] = [one for one in page.all("a") if not (one["href"] or "").startswith("#")]
    assert (link["href"], link["rel"]) == ("https://www.instagram.com/p/C1/", "noopener noreferrer")
    assert "somebody" not in repr(page.tags) + page.text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "file:///etc/passwd", "//evil.example/", "http://[::1", "https:x"]
)
def test_an_address_that_is_no_web_address_is_no_link(url: str) -> None:
    """What a browser would run, or read from the disk, cannot be pressed."""
    page = outline(hit(photo=Photo("x", url=url)))
    assert all((one["href"] or "").startswith("#") for one in page.all("a"))


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_stays_text(text: str, query: str) -> None:
    """Whatever a caption, a post, a label or the query holds, the page has its own tags and no other, and can be written as UTF-8."""
    description = Description(text, None, (Hypothesis(text[::-1], -1.0),), (Label(text, 0.5),), (DetectedObject(text),))
    evil = Hit(1, 0.5, "natgeo", Photo(text, shortcode=text, post_text=text, alt_text=text, url=text, hashtags=(text,)), description, None)
    page = outline(evil, query=query)
    assert {tag for tag, _ in page.tags} <= KNOWN_TAGS
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    page.text.encode()


@given(st.text(max_size=60), st.text(max_size=20))
def test_pieces_are_the_caption(caption: str, query: str) -> None:
    """Nothing of a caption is lost or doubled by marking words in it."""
    assert "".join(piece for piece, _ in html.pieces(caption, query)) == caption


def test_the_policy_names_the_style_that_is_there() -> None:
    """A browser takes the style by its hash, and no script at all."""
    whole = "".join(html.page(Answer([hit()], 1, ["natgeo"], []), query="dog"))
    style = re.search("<style>(.*?)</style>", whole, re.DOTALL)
    policy = re.search('Content-Security-Policy" content="([^"]*)"', whole)
    assert style
    assert policy
    assert f"style-src 'sha256-{base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()}'" in policy[1].replace("&#39;", "'")
    assert "default-src 'none'" in policy[1]
    assert "script-src" not in policy[1]
    assert whole.startswith("<!doctype html>")


def test_photos_without_a_picture_and_answers_without_a_photo(tmp_path: Path) -> None:
    """A thumbnail that is not there leaves a place; no match says what to try; of several profiles each photo says whose it is."""
    assert outline(hit(), hit(thumbnail=tmp_path / "gone.webp", rank=2)).all("img") == []
    assert "Nothing matches" in outline().text
    both = outline(hit(profile="nasa"), hit(rank=2, profile="natgeo"))
    assert "nasa, natgeo" in both.text
    assert [one["class"] for one in both.all("span") if one.get("class") == "owner"] == ["owner", "owner"]


@pytest.fixture
def indexed(tmp_path: Path) -> Path:
    """A cache directory with one photo of a dog in it."""
    paths = ProfilePaths.of(tmp_path / "cache", "natgeo")
    with StoreWriter.create(paths, "natgeo") as store:
        store.commit([DescribedPhoto(Photo("C1", shortcode="C1"), Description("a dog runs", -1.0), None)], [], captioner="test")
        fit(store, paths)
    return tmp_path / "cache"


def test_the_command_writes_the_file_and_says_so(igsearch: Igsearch, indexed: Path) -> None:
    """Nothing on stdout, a line on stderr unless it is to be quiet; an older file is replaced."""
    (igsearch.cwd / "dog.html").write_text("old")
    done = igsearch("search", "natgeo", "dog", "--html", "dog.html", "--cache-dir", indexed)
    assert (done.code, done.stdout, done.stderr) == (0, "", "igsearch: wrote dog.html: 1 of 1 photos that match\n")
    assert "a <mark>dog</mark> runs" in (igsearch.cwd / "dog.html").read_text(encoding="utf-8")
    assert [path.name for path in igsearch.cwd.iterdir() if path.is_file()] == ["dog.html"]
    assert igsearch("search", "natgeo", "dog", "--html", "dog.html", "-q", "--cache-dir", indexed).stderr == ""


def test_the_command_shows_the_page(igsearch: Igsearch, indexed: Path) -> None:
    """--open hands the file's address to the browser of the user's choice."""
    browser = igsearch.cwd / "browser"
    browser.write_text('#!/bin/sh\nprintf %s "$1" > shown.txt\n')
    browser.chmod(0o755)
    done = igsearch("search", "natgeo", "dog", "--html", "a b.html", "--open", "--cache-dir", indexed, BROWSER=f"{browser} %s")
    assert done.code == 0
    assert (igsearch.cwd / "shown.txt").read_text() == (igsearch.cwd / "a b.html").as_uri()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--html", "nowhere/out.html"], "--html"),
        (["--html", "."], "'.' cannot be written"),
        (["--html", "out.html", "--json"], "--html"),
        (["--html", "out.html", "--urls"], "--html"),
        (["--html", "out.html", "-0"], "-0"),
        (["--open"], "--open"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_options_write_nothing(igsearch: Igsearch, indexed: Path, arguments: list[str], says: str) -> None:
    """One line that says what to do instead, and no file."""
    done = igsearch("search", "natgeo", "dog", *arguments, "--cache-dir", indexed)
    assert (done.code, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr
    assert [path for path in igsearch.cwd.iterdir() if path.is_file()] == []


def test_what_fails_half_way_leaves_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is one line, and the page that was there still is."""
    file = tmp_path / "dog.html"
    file.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        html.write(Answer([hit()], 1, ["natgeo"], []), file, query="dog")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("dog.html", "old")]
