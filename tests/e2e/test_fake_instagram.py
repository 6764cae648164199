"""The real instaloader, walking profiles of the fake Instagram through the ordinary proxy and certificate variables."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import instaloader
import pytest
from instaloader.instaloader import get_default_session_filename

from igsearch.errors import (
    IgsearchError,
    LoginRequiredError,
    OfflineError,
    PrivateProfileError,
    ProfileNotFoundError,
    RateLimitedError,
    SourceError,
    TryLaterError,
    UsageError,
)
from igsearch.fetch import Fetcher
from igsearch.records import Photo
from igsearch.sources.detect import detect
from igsearch.sources.instagram import MAX_FAILURES_IN_A_ROW, InstagramProfile
from tests.fake_instagram import Answer, FakeInstagram, FakePost, FakeProfile, FakeSlide, Fault, jpeg

PICTURE = FakeSlide(jpeg())
NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)
COOKIES = {"sessionid": "alice-is-here", "csrftoken": "token", "ds_user_id": "42"}

Serve = Callable[..., FakeInstagram]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a fake Instagram with some profiles and lead this process to it."""
    with ExitStack() as stack:

        def start(*profiles: FakeProfile, faults: tuple[Fault, ...] = ()) -> FakeInstagram:
            instagram = stack.enter_context(FakeInstagram(profiles, sessions={"alice": COOKIES["sessionid"]}, faults=faults))
            for name, value in instagram.env().items():
                monkeypatch.setenv(name, value)
            return instagram

        yield start


@pytest.fixture
def alice() -> Path:
    """The file in which instaloader saved the session of a user named alice."""
    with instaloader.Instaloader(quiet=True) as loader:
        loader.load_session("alice", COOKIES)
        loader.save_session_to_file()
    return Path(get_default_session_filename("alice"))


def posts(n: int) -> list[FakePost]:
    """Posts of one picture each, a day apart, the newest first."""
    return [FakePost(f"Post{i:02}", [PICTURE], taken_at=NOON - timedelta(days=i)) for i in range(n)]


def source(profile: str = "natgeo", *, login: str | None = None, waits: list[float] | None = None) -> InstagramProfile:
    """A profile that is read without the pauses that politeness asks for elsewhere."""
    return InstagramProfile(profile, login=login, on_wait=None if waits is None else waits.append, sleep=lambda _seconds: None)


def walk(profile: str = "natgeo", *, login: str | None = None) -> list[Photo]:
    """All photos of a profile."""
    return list(source(profile, login=login).photos())


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
    """The walk goes on after the twelve posts of the profile's page, from new to old, at one request a post and one a page."""
    instagram = serve(FakeProfile("natgeo", posts(26)))
    assert [photo.id for photo in walk()] == [post.shortcode for post in posts(26)]
    assert instagram.counts() == {"/natgeo/": 2, "/": 1, "/api/graphql": 26 + 2}


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


MISSING_POST = Fault("POST.*Post02", Answer.json({"data": {"xdt_api__v1__media__shortcode__web_info": {"items": []}}}))
STRANGE_POST = Fault("POST.*Post02", Answer.json({"data": {"xdt_api__v1__media__shortcode__web_info": {"items": [{"media_type": 99}]}}}))
BROKEN_POST = Fault("POST.*Post02", Answer(b"Oops", 500))


@pytest.mark.parametrize("fault", [MISSING_POST, STRANGE_POST, BROKEN_POST], ids=["deleted", "strange", "server-error"])
def test_one_failing_post_does_not_end_the_walk(serve: Serve, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged and counted, and the next one comes."""
    serve(FakeProfile("natgeo", posts(6)), faults=(fault,))
    profile = source()
    assert [photo.id for photo in profile.photos()] == ["Post00", "Post01", "Post03", "Post04", "Post05"]
    assert profile.n_failed_posts == 1
    assert [record.levelname for record in caplog.records if "passed over" in record.message] == ["WARNING"]


def test_many_failing_posts_here_and_there_do_not_end_the_walk(serve: Serve) -> None:
    """Only those without a good one between them count together."""
    serve(FakeProfile("natgeo", posts(12)), faults=(Fault("POST.*Post.[13579]", Answer.json({"data": {}})),))
    profile = source()
    assert len(list(profile.photos())) == 6
    assert profile.n_failed_posts == 6 > MAX_FAILURES_IN_A_ROW


def test_many_failing_posts_in_a_row_end_the_walk(serve: Serve) -> None:
    """Then it is not the posts: Instagram has changed, and a newer instaloader may know how."""
    instagram = serve(FakeProfile("natgeo", posts(12)), faults=(Fault("POST.*Post", Answer.json({"data": {}})),))
    with pytest.raises(SourceError, match="upgrade instaloader"):
        walk()
    assert instagram.count("/api/graphql") == MAX_FAILURES_IN_A_ROW


def test_a_page_of_the_list_that_fails_ends_the_walk_after_what_came_before(serve: Serve) -> None:
    """There is nothing behind it to go on with."""
    instagram = serve(FakeProfile("natgeo", posts(20)), faults=(Fault("28904005159232689", Answer.json({"data": None})),))
    photos = source().photos()
    assert [next(photos).id for _ in range(12)] == [post.shortcode for post in posts(12)]
    with pytest.raises(SourceError, match="could not be understood"):
        next(photos)
    assert instagram.count("/api/graphql") == 12 + 1


PROFILES = (
    FakeProfile("natgeo", posts(3)),
    FakeProfile("secret", posts(3), is_private=True),
    FakeProfile("members", posts(3), is_login_only=True),
)
API = "POST.*api/graphql"
FAIL = {"status": "fail"}


@pytest.mark.parametrize(
    ("profile", "login", "fault", "kind", "next_step"),
    [
        pytest.param("nobody", None, None, ProfileNotFoundError, "check the spelling", id="no-such-profile"),
        pytest.param("nobody", "alice", None, ProfileNotFoundError, "check the spelling", id="no-such-profile-logged-in"),
        pytest.param("secret", None, None, PrivateProfileError, "add --login USER", id="private"),
        pytest.param("secret", "alice", None, PrivateProfileError, "'alice' does not follow", id="private-not-followed"),
        pytest.param("members", None, None, LoginRequiredError, "instaloader --login USER", id="login-page"),
        pytest.param("natgeo", None, Fault(API, Answer.json(FAIL, 403)), LoginRequiredError, "add --login USER", id="forbidden"),
        pytest.param(
            "natgeo",
            "alice",
            Fault("GET.*com/ ", Answer.redirect("https://www.instagram.com/accounts/login/")),
            LoginRequiredError,
            "no longer accepts the saved session of 'alice': run `instaloader --login alice`",
            id="session-expired",
        ),
        pytest.param(
            "natgeo",
            "alice",
            Fault("GET.*com/ ", Answer.page("<html>Log in</html>")),
            LoginRequiredError,
            "instaloader --login alice",
            id="session-expired-without-redirect",
        ),
        pytest.param(
            "natgeo", "alice", Fault(API, Answer.json(FAIL | {"message": "checkpoint_required"}, 400)), LoginRequiredError, "in a browser", id="checkpoint"
        ),
        pytest.param("natgeo", "alice", Fault(API, Answer.json(FAIL | {"message": "feedback_required"}, 400)), RateLimitedError, "tomorrow", id="blocked"),
        pytest.param("natgeo", None, Fault(API, Answer.please_wait()), RateLimitedError, "half an hour, or log in", id="please-wait"),
        pytest.param("natgeo", "alice", Fault(API, Answer.please_wait()), RateLimitedError, "half an hour", id="please-wait-logged-in"),
        pytest.param("natgeo", None, Fault("GET.*natgeo", Answer.please_wait()), RateLimitedError, "half an hour", id="please-wait-page"),
        pytest.param("natgeo", None, Fault(API, Answer(status=429)), RateLimitedError, "half an hour", id="too-many-requests"),
        pytest.param("natgeo", None, Fault("GET.*natgeo", Answer(status=429)), RateLimitedError, "half an hour", id="too-many-requests-page"),
        pytest.param("natgeo", None, Fault("GET.*natgeo", Answer(status=502)), TryLaterError, "HTTP 502", id="server-trouble"),
        pytest.param("natgeo", None, Fault("GET.*natgeo", Answer(b"x" * 99, cut_after=9)), OfflineError, "check the network", id="cut"),
        pytest.param("natgeo", None, Fault("GET.*natgeo", Answer.page("<html>New design</html>")), ProfileNotFoundError, "spelling", id="page-without-profile"),
        pytest.param(
            "natgeo", None, Fault("GET.*natgeo", Answer.page("<html>New design</html>"), after=1), SourceError, "upgrade instaloader", id="page-without-posts"
        ),
        pytest.param("natgeo", "alice", Fault(API, Answer.json({"data": {"new": "design"}})), SourceError, "upgrade instaloader", id="other-json"),
        pytest.param("natgeo", "alice", Fault(API, Answer(b"<html>not JSON")), SourceError, "upgrade instaloader", id="no-json"),
        pytest.param("natgeo", "alice", Fault(API, Answer.json(FAIL, 400)), SourceError, "upgrade instaloader", id="bad-request"),
    ],
)
@pytest.mark.usefixtures("alice")
def test_each_refusal_has_its_own_error_and_next_step(
    serve: Serve, capfd: pytest.CaptureFixture[str], profile: str, login: str | None, fault: Fault | None, kind: type[IgsearchError], next_step: str
) -> None:
    """One line of text that says what to do; nothing else is written anywhere, by instaloader neither."""
    serve(*PROFILES, faults=(fault,) if fault else ())
    with pytest.raises(IgsearchError) as caught:
        walk(profile, login=login)
    assert type(caught.value) is kind
    assert next_step in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None
    assert capfd.readouterr() == ("", "")


def test_no_connection_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is not there stands for a network that is not there."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(OfflineError, match="check the network"):
            walk()


def test_please_wait_is_not_answered_by_asking_again(serve: Serve) -> None:
    """Instagram's 401 ends the walk at once."""
    instagram = serve(FakeProfile("natgeo", posts(3)), faults=(Fault(API, Answer.please_wait()),))
    with pytest.raises(RateLimitedError):
        walk()
    assert instagram.count("/api/graphql") == 1


def test_a_rate_limit_is_waited_for_and_told(serve: Serve) -> None:
    """After one 429 the walk waits the minutes that instaloader reckons, says so first, and goes on without a loss."""
    serve(FakeProfile("natgeo", posts(3)), faults=(Fault("POST.*Post01", Answer(status=429), times=1),))
    waits: list[float] = []
    assert [photo.id for photo in source(waits=waits).photos()] == ["Post00", "Post01", "Post02"]
    assert waits
    assert all(600 < seconds < 700 for seconds in waits)


def test_ctrl_c_ends_a_wait(serve: Serve) -> None:
    """Instaloader would take it for a wish to skip the request."""
    serve(FakeProfile("natgeo", posts(3)), faults=(Fault("POST.*Post01", Answer(status=429)),))

    def interrupted(seconds: float) -> None:
        if seconds > 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(InstagramProfile("natgeo", sleep=interrupted).photos())


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
        b"\x80\x04\x8e" + b"\xff" * 8,
    ],
    ids=["empty", "text", "list", "number", "anonymous", "claims-to-be-huge"],
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


@pytest.mark.parametrize("login", ["../alice", "a/b", ".."])
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
    assert (found.name, found.newest_first) == ("instaloader download folder", True)
    photos = list(found.photos())
    assert len(instagram.requests) == n_asked
    with Fetcher() as fetcher:
        assert [fetcher.fetch(photo) for photo in photos] == [jpeg("red"), jpeg("blue"), jpeg("green")]
    assert [replace(photo, path=None) for photo in photos] == [replace(photo, url=None) for photo in walk(login=login)]
