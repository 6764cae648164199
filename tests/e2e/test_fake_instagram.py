"""The real instaloader, walking profiles of the fake Instagram through the ordinary proxy and certificate variables."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import instaloader
import pytest

from igsearch.errors import LoginRequiredError, UsageError
from igsearch.fetch import Fetcher
from igsearch.records import Photo
from igsearch.sources.detect import detect
from igsearch.sources.instagram import InstagramProfile
from tests.e2e.conftest import COOKIES, Serve
from tests.fake_instagram import NOON, Answer, FakePost, FakeProfile, FakeSlide, Fault, jpeg, posts

PICTURE = FakeSlide(jpeg())


def source(profile: str = "natgeo", *, login: str | None = None, limit: int | None = None) -> InstagramProfile:
    """A profile that is read without the pauses that politeness asks for elsewhere."""
    return InstagramProfile(profile, login=login, limit=limit, sleep=lambda _seconds: None)


def walk(profile: str = "natgeo", *, login: str | None = None, limit: int | None = None) -> list[Photo]:
    """All photos of a profile, of which nothing is unread."""
    found = list(source(profile, login=login, limit=limit).photos())
    photos = [one for one in found if isinstance(one, Photo)]
    assert photos == found
    return photos


def test_a_post_is_told_with_everything_instagram_says_of_it(serve: Serve) -> None:
    """Post text, hashtags, alt text, place, likes and time come along, and the picture can be fetched."""
    dog = FakeSlide(jpeg("brown"), alt_text="May be an image of a dog.")
    instagram = serve(FakeProfile("natgeo", [FakePost("CDog", [dog], "Walking my #Dog, my #dog", NOON, likes=7, location="Central Park")]))
    [photo] = walk()
    assert photo == Photo(
        id="CDog",
        url=instagram.profiles["natgeo"].posts[0].url(1),
        shortcode="CDog",
        taken_at=NOON,
        likes=7,
        post_text="Walking my #Dog, my #dog",
        alt_text="May be an image of a dog.",
        location="Central Park",
        hashtags=("dog",),
    )
    with Fetcher() as fetcher:
        assert fetcher.fetch(photo) == jpeg("brown")


@pytest.mark.parametrize("login", [None, "alice"], ids=["visitor", "logged-in"])
@pytest.mark.usefixtures("alice")
def test_every_slide_of_a_carousel_is_a_photo(serve: Serve, login: str | None) -> None:
    """A carousel gives one photo per slide with its own alt text; a video slide, like a video post, is represented by its cover."""
    slides = [FakeSlide(jpeg("red"), alt_text="a car"), FakeSlide(jpeg("blue"), is_video=True)]
    instagram = serve(FakeProfile("natgeo", [FakePost("CTwo", slides, taken_at=NOON), FakePost("CVid", [FakeSlide(jpeg("green"), is_video=True)])]))
    photos = walk(login=login)
    assert [(p.id, p.slide, p.n_slides, p.is_video, p.alt_text) for p in photos] == [
        ("CTwo_1", 1, 2, False, "a car"),
        ("CTwo_2", 2, 2, True, None),
        ("CVid", 1, 1, True, None),
    ]
    with Fetcher() as fetcher:
        assert [fetcher.fetch(photo) for photo in photos] == [jpeg("red"), jpeg("blue"), jpeg("green")]
    assert instagram.count(r"\.mp4") == 0


def test_a_visitor_is_shown_all_pages(serve: Serve) -> None:
    """The walk goes on after the twelve posts of the profile's page, from new to old, at one request a post and one a page, and none is made twice."""
    instagram = serve(FakeProfile("natgeo", posts(26)))
    assert [photo.id for photo in walk()] == [post.shortcode for post in posts(26)]
    assert instagram.counts() == {"/natgeo/": 1, "/": 1, "/api/graphql": 26 + 2}


@pytest.mark.usefixtures("alice")
def test_a_session_needs_one_request_for_twelve_posts(serve: Serve) -> None:
    """Logged in, the posts come complete with the list, and the saved cookies are what Instagram sees."""
    instagram = serve(FakeProfile("natgeo", posts(26)))
    assert [photo.id for photo in walk(login="alice")] == [post.shortcode for post in posts(26)]
    assert instagram.count("/api/graphql") == 3
    assert {request.cookies["sessionid"] for request in instagram.requests if "graphql" in request.url} == {COOKIES["sessionid"]}


def test_nothing_is_asked_before_the_walk_and_no_more_than_it_needs(serve: Serve) -> None:
    """A walk that stops early has asked only for the posts it took and the three that tell whether they are pinned."""
    instagram = serve(FakeProfile("natgeo", posts(12)))
    photos = source().photos()
    assert instagram.requests == []
    assert next(photos).id == "Post00"
    assert instagram.count("/api/graphql") == 4
    assert [next(photos).id for _ in range(4)][-1] == "Post04"
    assert instagram.count("/api/graphql") == 5


PINNED = [FakePost(f"Pin{i}", [PICTURE], taken_at=NOON - timedelta(days=100 * i), is_pinned=True) for i in (3, 1, 2)]
CAROUSEL = FakePost("CThree", [PICTURE, PICTURE, PICTURE], taken_at=NOON + timedelta(days=1))


@pytest.mark.parametrize(
    ("limit", "listed", "ids", "n_posts"),
    [
        pytest.param(1, posts(8), ["Post00"], 1, id="one"),
        pytest.param(3, posts(8), ["Post00", "Post01", "Post02"], 3, id="three"),
        pytest.param(4, posts(8), ["Post00", "Post01", "Post02", "Post03"], 4, id="as-many-as-are-held-back"),
        pytest.param(5, posts(8), ["Post00", "Post01", "Post02", "Post03", "Post04"], 5, id="five"),
        pytest.param(9, posts(8), [f"Post0{n}" for n in range(8)], 8, id="more-than-there-are"),
        pytest.param(1, [*PINNED, *posts(8)], ["Pin3"], 1, id="one-pinned"),
        pytest.param(5, [*PINNED, *posts(8)], ["Pin3", "Pin1", "Pin2", "Post00", "Post01"], 5, id="five-of-which-three-are-pinned"),
        pytest.param(3, [CAROUSEL, *posts(8)], ["CThree_1", "CThree_2", "CThree_3"], 1, id="a-carousel"),
        pytest.param(2, [CAROUSEL, *posts(8)], ["CThree_1", "CThree_2"], 1, id="a-part-of-a-carousel"),
        pytest.param(4, [*posts(2), CAROUSEL, *posts(8)[2:]], ["Post00", "Post01", "CThree_1", "CThree_2"], 3, id="two-and-a-part-of-a-carousel"),
        pytest.param(12, posts(14), [f"Post{n:02}" for n in range(12)], 12, id="a-whole-page"),
    ],
)
def test_n_photos_cost_no_more_posts_than_they_are_in(serve: Serve, limit: int, listed: list[FakePost], ids: list[str], n_posts: int) -> None:
    """A limit asks Instagram for those posts and for nothing behind them, so that a refusal of the next one cannot spoil the run."""
    instagram = serve(FakeProfile("natgeo", listed), faults=(Fault("POST.*api/graphql", Answer(status=429), after=n_posts),))
    assert [photo.id for photo in walk(limit=limit)] == ids
    assert instagram.counts() == {"/natgeo/": 1, "/": 1, "/api/graphql": n_posts}


@pytest.mark.usefixtures("alice")
def test_a_limit_asks_for_no_further_page(serve: Serve) -> None:
    """Logged in, twelve photos come with the first page."""
    instagram = serve(FakeProfile("natgeo", posts(14)))
    assert len(walk(login="alice", limit=12)) == 12
    assert instagram.count("/api/graphql") == 1


@pytest.mark.parametrize("login", [None, "alice"], ids=["visitor", "logged-in"])
@pytest.mark.usefixtures("alice")
def test_the_number_of_posts_is_told_at_no_cost(serve: Serve, login: str | None) -> None:
    """It comes with the profile's details: unknown before the walk, known with its first photo."""
    instagram = serve(FakeProfile("natgeo", posts(14)))
    profile = source(login=login, limit=1)
    assert (profile.kind, profile.root, profile.newest_first, profile.n_expected) == ("instagram", "natgeo", True, None)
    assert instagram.requests == []
    assert [found.id for found in profile.photos()] == ["Post00"]
    assert profile.n_expected == 14
    assert instagram.count("") == 3 + (login is not None)


@pytest.mark.parametrize("login", [None, "alice"], ids=["visitor", "logged-in"])
@pytest.mark.usefixtures("alice")
def test_pinned_posts_are_marked(serve: Serve, login: str | None) -> None:
    """Posts that stand before newer ones are pinned, which a visitor is not told in any other way."""
    pinned = [FakePost(f"Pin{i}", [PICTURE, PICTURE], taken_at=NOON - timedelta(days=100 * i), is_pinned=True) for i in (3, 1, 2)]
    serve(FakeProfile("natgeo", pinned + posts(3)))
    assert [(photo.shortcode, photo.is_pinned) for photo in walk(login=login) if photo.slide == 1] == [
        ("Pin3", True),
        ("Pin1", True),
        ("Pin2", True),
        ("Post00", False),
        ("Post01", False),
        ("Post02", False),
    ]


def test_a_profile_without_posts_is_no_error(serve: Serve) -> None:
    """It simply has no photos."""
    serve(FakeProfile("empty"))
    assert walk("empty") == []


def test_a_session_that_was_never_saved_is_asked_for(serve: Serve) -> None:
    """The message names the command that saves one; Instagram is not asked anything."""
    instagram = serve(FakeProfile("natgeo", posts(1)))
    with pytest.raises(LoginRequiredError, match="run `instaloader --login bob`"):
        walk(login="bob")
    assert instagram.requests == []


class Bomb:
    """Creates a file when it is unpickled by a careless reader."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        pickle.dumps(["a", "list"]),
        pickle.dumps({"sessionid": 7, "csrftoken": "x"}),
        pickle.dumps({"csrftoken": "x"}),
        pickle.dumps(COOKIES | {"mid": "x\r\nCookie: evil"}),
        b"\x80\x04\x8e" + b"\xff" * 8,
    ],
    ids=["empty", "text", "list", "number", "anonymous", "no-cookie", "claims-to-be-huge"],
)
def test_what_is_no_session_is_refused(alice: Path, content: bytes) -> None:
    """A damaged file is told by its name, with the command that makes a new one."""
    alice.write_bytes(content)
    with pytest.raises(LoginRequiredError, match="is not a session that instaloader saved") as caught:
        walk(login="alice")
    assert str(alice) in str(caught.value)


def test_a_session_file_runs_no_code(alice: Path, tmp_path: Path) -> None:
    """Sessions are pickles; nothing but cookies is built from them."""
    alice.write_bytes(pickle.dumps({**COOKIES, "trap": Bomb(tmp_path / "sprung")}))
    with pytest.raises(LoginRequiredError):
        walk(login="alice")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("login", ["../alice", "a/b", "..", ""])
def test_a_login_that_would_be_a_path_is_refused(login: str) -> None:
    """It would name a session file elsewhere."""
    with pytest.raises(UsageError):
        InstagramProfile("natgeo", login=login)


def test_every_exception_of_instaloader_has_an_error_of_ours() -> None:
    """A release of instaloader that adds one is noticed here: it would have to lie outside of what the border catches."""
    kinds = [kind for kind in vars(instaloader.exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    outside = {kind.__name__ for kind in kinds if not issubclass(kind, instaloader.exceptions.InstaloaderException)}
    assert outside == {"AbortDownloadException"}


def downloaded(profile: str, folder: Path, *, login: str | None, compress_json: bool) -> Path:
    """The folder that instaloader itself downloads a profile into, without its pauses."""
    with instaloader.Instaloader(sleep=False, quiet=True, dirname_pattern=str(folder), compress_json=compress_json) as loader:
        if login:
            loader.load_session_from_file(login)
        for post in instaloader.Profile.from_username(loader.context, profile).get_posts():
            loader.download_post(post, profile)
    return folder


@pytest.mark.parametrize("login", [None, "alice"], ids=["visitor", "logged-in"])
@pytest.mark.parametrize("compress_json", [True, False], ids=["xz", "json"])
@pytest.mark.usefixtures("alice")
def test_a_folder_that_instaloader_wrote_tells_the_same_as_the_profile(serve: Serve, tmp_path: Path, login: str | None, compress_json: bool) -> None:
    """Indexing from the folder gives the photos that indexing from Instagram gives, with the files for the addresses."""
    carousel = FakePost("CTwo", [FakeSlide(jpeg("red"), alt_text="a car"), FakeSlide(jpeg("blue"))], "Two #colours", NOON, likes=3, location="Rome")
    single = FakePost("COne", [FakeSlide(jpeg("green"))], taken_at=NOON - timedelta(days=1))
    instagram = serve(FakeProfile("natgeo", [carousel, single]))
    folder = downloaded("natgeo", tmp_path / "natgeo", login=login, compress_json=compress_json)
    n_asked = len(instagram.requests)
    found = detect(str(folder), "natgeo")
    assert (found.name, found.newest_first) == ("instaloader download folder", False)
    photos = [one for one in found.photos() if isinstance(one, Photo)]
    assert len(instagram.requests) == n_asked
    with Fetcher() as fetcher:
        assert [fetcher.fetch(photo) for photo in photos] == [jpeg("red"), jpeg("blue"), jpeg("green")]
    assert [replace(photo, path=None) for photo in photos] == [replace(photo, url=None) for photo in walk(login=login)]
