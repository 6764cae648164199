"""What Instagram does not show: a post that is remembered and tried again, or a walk that ends in one line with the next step."""

from __future__ import annotations

import re
import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from igsearch.errors import (
    AccessError,
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
from igsearch.records import Photo, Unread
from igsearch.sources.instagram import MAX_FAILURES_IN_A_ROW, InstagramProfile
from tests.fake_instagram import NOON, Answer, FakePost, FakeProfile, FakeSlide, Fault, answers, jpeg, posts

if TYPE_CHECKING:
    from igsearch.records import Found
    from tests.e2e.conftest import Serve

API = "POST.*api/graphql"
PAGE = "GET.*com/natgeo/"
FAIL = {"status": "fail"}
NO_ITEMS = Answer.json({"data": {"xdt_api__v1__media__shortcode__web_info": {"items": []}}})
LISTED_TO_VISITOR, LISTED_TO_USER = "28904005159232689", "29104886249145907"
"""The `doc_id` with which instaloader asks for a page of posts."""

ODD_REASON = "Te\x1b[31mapot\x9b"


def source(profile: str = "natgeo", *, login: str | None = None) -> InstagramProfile:
    """A profile that is read without the pauses that politeness asks for elsewhere."""
    return InstagramProfile(profile, login=login, sleep=lambda _seconds: None)


def told(profile: InstagramProfile, *retry: str) -> list[str]:
    """The ids of what is found, with a question mark behind what is unread."""
    return [found.id + "?" * isinstance(found, Unread) for found in profile.photos(retry)]


def post_with(number: int, **odd: object) -> Answer:
    """What Instagram says of a post of `posts`, with other values in some places."""
    post = posts(number + 1)[-1]
    document = answers.media(post, FakeProfile("natgeo")) | odd
    return Answer.json({"data": {"xdt_api__v1__media__shortcode__web_info": {"items": [document]}}})


@pytest.mark.parametrize(
    ("answer", "reason", "n_asked"),
    [
        pytest.param(NO_ITEMS, "restricted by age or country, and then run `instaloader --login USER`", 1, id="not-shown"),
        pytest.param(Answer.json({"data": {"xdt_api__v1__media__shortcode__web_info": None}, "errors": [{"message": "x"}]}), "restricted", 1, id="null"),
        pytest.param(Answer.json({"data": None}), "restricted", 1, id="no-data"),
        pytest.param(post_with(2, media_type=99), "could not be understood (Unknown media_type in metadata: 99.): upgrade instaloader", 1, id="strange"),
        pytest.param(Answer.json([1, 2]), "could not be understood", 1, id="a-list"),
        pytest.param(Answer.json(7), "could not be understood", 1, id="a-number"),
        pytest.param(post_with(2, taken_at=10**400, like_count=10**400), "could not be understood", 1, id="huge-numbers"),
        pytest.param(post_with(2, user="natgeo"), "could not be understood", 1, id="a-text-for-an-object"),
        pytest.param(post_with(2, carousel_media={"a": 1}), "could not be understood", 1, id="an-object-for-a-list"),
        pytest.param(post_with(2, image_versions2=None), "no picture of the post", 1, id="no-picture"),
        pytest.param(post_with(2, code="PostXX"), "could not be understood (PostChangedException)", 1, id="another-post"),
        pytest.param(Answer.json("[" * 100_000), "could not be understood", 1, id="deep"),
        pytest.param(Answer.json('{"data": ' + "9" * 10_000 + "}"), "could not be understood", 1, id="a-number-of-ten-thousand-digits"),
        pytest.param(Answer(b"", 404), "no longer has the post (HTTP 404)", 1, id="404"),
        pytest.param(Answer(b"", 410, reason=ODD_REASON), "no longer has the post (HTTP 410)", 1, id="410"),
        pytest.param(Answer(b"", 403), "refuses to show the post to a visitor (HTTP 403)", 1, id="403"),
        pytest.param(Answer(b"", 451), "not show the post in this country", 1, id="451"),
        pytest.param(Answer.json(FAIL | {"message": "no " + "\x1b" * 500 + "x" * 500}, 400), "400 Bad Request", 1, id="400"),
        pytest.param(Answer(b"Oops", 500), "trouble of its own, while reading the post (HTTP 500)", 3, id="500"),
        pytest.param(Answer(b"", 560, reason=ODD_REASON), "(HTTP 560)", 3, id="560"),
        pytest.param(Answer(b"", 418, reason=ODD_REASON), "(JSON Query to api/graphql: 418 Te [31mapot)", 3, id="418"),
        pytest.param(Answer.page("<html>Sorry</html>"), "a page instead of data", 1, id="page"),
        pytest.param(Answer(b"for (;;);{}"), "could not be understood", 3, id="no-json"),
        pytest.param(Answer(b" \n"), "about the post is empty", 3, id="empty"),
        pytest.param(Answer(b"", 204), "about the post is empty", 3, id="204"),
        pytest.param(Answer(b"no gzip", headers={"Content-Encoding": "gzip"}), "could not be understood", 3, id="no-gzip"),
    ],
)  # fmt: skip
def test_a_post_that_cannot_be_read_is_told_and_the_others_come(serve: Serve, answer: Answer, reason: str, n_asked: int) -> None:
    """It comes as Unread, in its place in the list, with a reason of one plain line; where asking again at once is of no use, it is not done."""
    instagram = serve(FakeProfile("natgeo", posts(6)), faults=(Fault("POST.*Post02", answer),))
    found = list(source().photos())
    assert [one.id for one in found] == [f"Post0{n}" for n in range(6)]
    [unread] = [one for one in found if isinstance(one, Unread)]
    assert (unread.id, unread.permalink, unread.hides) == ("Post02", "https://www.instagram.com/p/Post02/", False)
    assert reason in unread.reason
    assert unread.reason.isprintable()
    assert len(unread.reason) < 400
    assert sum("Post02" in request.form.get("variables", "") for request in instagram.requests) == n_asked


@pytest.mark.usefixtures("alice")
def test_what_is_told_with_the_list_needs_no_more_than_a_picture(serve: Serve) -> None:
    """Somebody logged in is told all of a post with the list: an odd one is Unread, and one without the things that nobody asks for is read."""
    profile = FakeProfile("natgeo", posts(4))
    nodes = [answers.media_when_logged_in(post, profile) for post in profile.posts]
    del nodes[0]["has_liked"], nodes[0]["user"]
    nodes[1]["image_versions2"] = {"candidates": [{"url": 7}]}
    nodes[2]["taken_at"] = 10**30
    page = {"data": {"xdt_api__v1__feed__user_timeline_graphql_connection": answers.connection(nodes, after=None)}}
    serve(profile, faults=(Fault(f"POST.*{LISTED_TO_USER}", Answer.json(page)),))
    assert told(source(login="alice")) == ["Post00", "Post01?", "Post02", "Post03"]


def test_one_odd_date_does_not_spoil_the_others(serve: Serve) -> None:
    """Instaloader compares every post's date with the first post's."""
    serve(FakeProfile("natgeo", posts(4)), faults=(Fault("POST.*Post00", post_with(0, taken_at=10**18)),))
    assert told(source()) == ["Post00", "Post01", "Post02", "Post03"]


def test_a_slide_without_a_picture_is_told(serve: Serve) -> None:
    """The other slides come as photos, with the numbers they have."""
    carousel = FakePost("CTwo", [FakeSlide(jpeg()), FakeSlide(jpeg())], taken_at=NOON)
    document = answers.media(carousel, FakeProfile("natgeo"))
    document["carousel_media"][0]["image_versions2"] = None
    answer = Answer.json({"data": {"xdt_api__v1__media__shortcode__web_info": {"items": [document]}}})
    serve(FakeProfile("natgeo", [carousel]), faults=(Fault("POST.*CTwo", answer),))
    profile = source()
    photo, unread = profile.photos()
    assert isinstance(photo, Photo)
    assert (photo.id, photo.slide, photo.n_slides) == ("CTwo_2", 2, 2)
    assert unread == Unread("CTwo", "Instagram gives no picture of 1 of its 2 slides", "https://www.instagram.com/p/CTwo/")
    assert [found.id for found in profile.photos(["CTwo"])] == ["CTwo_2"]
    assert profile.left_out == {"slides without a picture": 1}


def test_a_post_without_a_shortcode_is_told(serve: Serve) -> None:
    """And so is anything else in the list that is none; a name that would be a path is none either."""
    listed = answers.connection([answers.listed(post) for post in posts(2)], after=None)
    listed["edges"] += [{"node": {"code": "../x\x1b"}}, {"node": None}, {}, None, 7, {"node": {"code": 7}}]
    user = answers.user_of(FakeProfile("natgeo")) | {"id": "graph:natgeo", "polaris_ordered_timeline_connection": listed}
    page = Answer.page(answers.embedded({"xig_user_by_username": user}))
    serve(FakeProfile("natgeo", posts(2)), faults=(Fault(PAGE, page),))
    found = list(source().photos())
    assert [one.id for one in found] == ["Post00", "Post01", "a post without a shortcode"]
    assert found[-1].permalink is None
    assert told(source(), "a post without a shortcode", "../x")[-1] == "a post without a shortcode?"


def test_many_failing_posts_here_and_there_do_not_end_the_walk(serve: Serve) -> None:
    """Only those without a good one between them count together."""
    serve(FakeProfile("natgeo", posts(12)), faults=(Fault("POST.*Post.[13579]", NO_ITEMS),))
    assert sum(id_.endswith("?") for id_ in told(source())) == 6 > MAX_FAILURES_IN_A_ROW


@pytest.mark.parametrize(
    ("answer", "kind", "next_step"),
    [
        (Answer.json({"data": {"xdt_api__v1__media__shortcode__web_info": {"items": [7]}}}), SourceError, "upgrade instaloader"),
        (Answer(b"", 404), SourceError, "404 Not Found"),
        (NO_ITEMS, LoginRequiredError, "does not show the posts of 'natgeo' to a visitor, perhaps because of age or country: run `instaloader --login USER`"),
        (Answer(b"", 403), LoginRequiredError, "refuses to show 'natgeo' to a visitor"),
        (Answer(b"", 451), AccessError, "in this country"),
    ],
    ids=["strange", "gone", "not-shown", "forbidden", "country"],
)
def test_many_failing_posts_in_a_row_end_the_walk(serve: Serve, answer: Answer, kind: type[IgsearchError], next_step: str) -> None:
    """Then it is not the posts: Instagram has changed, or it does not show the profile to whoever asks."""
    instagram = serve(FakeProfile("natgeo", posts(12)), faults=(Fault("POST.*Post", answer),))
    found: list[Found] = []
    with pytest.raises(IgsearchError, match=re.escape(next_step)) as caught:
        found += source().photos()
    assert type(caught.value) is kind
    assert instagram.count("/api/graphql") == MAX_FAILURES_IN_A_ROW


def test_a_page_of_the_list_that_fails_ends_the_walk_after_what_came_before(serve: Serve) -> None:
    """There is nothing behind it to go on with."""
    instagram = serve(FakeProfile("natgeo", posts(20)), faults=(Fault(LISTED_TO_VISITOR, Answer.json({"data": None})),))
    photos = source().photos()
    assert [next(photos).id for _ in range(12)] == [post.shortcode for post in posts(12)]
    with pytest.raises(SourceError, match="could not be understood"):
        next(photos)
    assert instagram.count("/api/graphql") == 12 + 1


@pytest.mark.parametrize(
    "second",
    [
        {"edges": [], "page_info": {"has_next_page": True, "end_cursor": "x"}},
        answers.connection([answers.listed(post) for post in posts(13)], after=None),
    ],
    ids=["empty", "the-first-page-again"],
)
def test_a_list_that_breaks_off_is_told(serve: Serve, second: answers.Json) -> None:
    """A page that promises more and holds nothing new is not the end of the list, and asking on would have none."""
    answer = Answer.json({"data": {"node": {"polaris_ordered_timeline_connection": second}}})
    instagram = serve(FakeProfile("natgeo", posts(20)), faults=(Fault(LISTED_TO_VISITOR, answer),))
    photos = source().photos()
    assert len([next(photos) for _ in range(12)]) == 12
    with pytest.raises(TryLaterError, match="breaks off before its end"):
        next(photos)
    assert instagram.count("/api/graphql") == 12 + 1


def test_a_list_without_the_posts_that_are_counted_is_told(serve: Serve) -> None:
    """As of a profile that is restricted; a profile that has no posts simply has none."""
    empty = answers.user_of(FakeProfile("natgeo", posts(3))) | {"id": "x", "polaris_ordered_timeline_connection": answers.connection([], after=None)}
    serve(FakeProfile("natgeo", posts(3)), faults=(Fault(PAGE, Answer.page(answers.embedded({"xig_user_by_username": empty}))),))
    with pytest.raises(LoginRequiredError, match="age or country"):
        told(source())


# --- posts that are tried again


def test_unread_posts_are_tried_first(serve: Serve) -> None:
    """Before the list, for the walk may not come so far down; what was tried is neither asked for nor told again where the list has it."""
    instagram = serve(FakeProfile("natgeo", posts(6)))
    profile = source()
    found = told(profile, "Post01", "Post04")
    assert sorted(found[:2]) == ["Post01", "Post04"]
    assert found[2:] == ["Post00", "Post02", "Post03", "Post05"]
    assert instagram.counts() == {"/natgeo/": 1, "/": 1, "/api/graphql": 6}
    assert not profile.left_out


@pytest.mark.usefixtures("alice")
def test_an_unread_post_costs_one_request_when_logged_in(serve: Serve) -> None:
    """It is the same photo as the list tells of."""
    instagram = serve(FakeProfile("natgeo", posts(3)))
    again = next(source(login="alice").photos(["Post01"]))
    assert instagram.count("/graphql/query") == 1 + 1
    assert again == next(found for found in source(login="alice").photos() if found.id == "Post01")


@pytest.mark.parametrize(
    "answer", [NO_ITEMS, Answer(b"", 404), Answer(b"", 410), post_with(1, image_versions2=None)], ids=["deleted", "404", "410", "no-picture"]
)
def test_a_post_that_is_gone_is_not_tried_for_ever(serve: Serve, answer: Answer) -> None:
    """Nothing comes for it, so that it is forgotten, and it is counted among what is left out."""
    serve(FakeProfile("natgeo", posts(3)), faults=(Fault("POST.*Post01", answer),))
    profile = source()
    assert told(profile, "Post01") == ["Post00", "Post02"]
    assert profile.left_out == {"posts that Instagram no longer shows": 1}
    assert told(profile) == ["Post00", "Post01?", "Post02"]
    assert not profile.left_out


def test_a_post_that_fails_again_stays_unread(serve: Serve) -> None:
    """Until it can be read; and it keeps nobody from the new ones."""
    serve(FakeProfile("natgeo", posts(3)), faults=(Fault("POST.*Post01", Answer(b"", 500)),))
    assert told(source(), "Post01") == ["Post01?", "Post00", "Post02"]


def test_many_posts_that_fail_again_wait_for_the_next_run(serve: Serve) -> None:
    """They stay unread without being asked for, and the walk goes on."""
    instagram = serve(FakeProfile("natgeo", posts(3)), faults=(Fault("POST.*Gone", Answer(b"", 403)),))
    lost = [f"Gone{n}" for n in range(9)]
    found = told(source(), *lost)
    assert sorted(found[:9]) == [f"{id_}?" for id_ in lost]
    assert found[9:] == ["Post00", "Post01", "Post02"]
    assert instagram.count("/api/graphql") == MAX_FAILURES_IN_A_ROW + 3


def test_a_refusal_while_trying_again_ends_the_walk(serve: Serve) -> None:
    """Being told to wait concerns everything."""
    instagram = serve(FakeProfile("natgeo", posts(3)), faults=(Fault(API, Answer.please_wait()),))
    with pytest.raises(RateLimitedError):
        told(source(), "Post01", "Post02")
    assert instagram.count("/api/graphql") == 1


# --- refusals

PROFILES = (
    FakeProfile("natgeo", posts(3)),
    FakeProfile("secret", posts(3), is_private=True),
    FakeProfile("members", posts(3), is_login_only=True),
)
HOST = "https://www.instagram.com"
CONFIRM_USER = "Instagram wants 'alice' to confirm something: open instagram.com in a browser, confirm, then run `instaloader --login alice`"
CONFIRM_VISITOR = "open https://www.instagram.com/natgeo/ in a browser, confirm"


def to(place: str) -> Answer:
    """A redirection."""
    return Answer.redirect(place)


@pytest.mark.parametrize(
    ("profile", "login", "fault", "kind", "next_step"),
    [
        pytest.param("nobody", None, None, ProfileNotFoundError, "check the spelling", id="no-such-profile"),
        pytest.param("nobody", "alice", None, ProfileNotFoundError, "check the spelling", id="no-such-profile-logged-in"),
        pytest.param("natgeo", None, Fault(PAGE, Answer(b"", 410)), ProfileNotFoundError, "renamed or deleted", id="profile-gone"),
        pytest.param("natgeo", "alice", Fault("27937681195819736", Answer.json({"data": {"user": None}, "status": "ok"})),
                     AccessError, "to visitors and not to 'alice', who may be blocked", id="blocked-by-the-profile"),
        pytest.param("secret", None, None, PrivateProfileError, "add --login USER", id="private"),
        pytest.param("secret", "alice", None, PrivateProfileError, "'alice' does not follow it: log in with an account that follows it", id="not-followed"),
        pytest.param("members", None, None, LoginRequiredError, "instaloader --login USER", id="login-page"),
        pytest.param("natgeo", None, Fault(PAGE, to("/accounts/login/?next=/natgeo/")), LoginRequiredError, "--login USER", id="login-page-without-host"),
        pytest.param("natgeo", None, Fault(API, to(f"{HOST}/accounts/login/")), LoginRequiredError, "--login USER", id="login-page-for-a-post"),
        pytest.param("natgeo", None, Fault(API, Answer.json(FAIL, 403)), LoginRequiredError, "add --login USER", id="forbidden"),
        pytest.param("natgeo", None, Fault(API, Answer.json(FAIL | {"message": "login_required"}, 403)), LoginRequiredError, "--login", id="login-required"),
        pytest.param("natgeo", "alice", Fault(API, Answer.json(FAIL, 403)), LoginRequiredError, "whether it asks for something", id="forbidden-logged-in"),
        pytest.param("natgeo", "alice", Fault("GET.*com/ ", to(f"{HOST}/accounts/login/")), LoginRequiredError,
                     "no longer accepts the saved session of 'alice': run `instaloader --login alice`", id="session-expired"),
        pytest.param("natgeo", "alice", Fault("GET.*com/ ", Answer.page("<html>Log in</html>")), LoginRequiredError, "instaloader --login alice",
                     id="session-expired-without-redirect"),
        *(pytest.param("natgeo", login, Fault(asked, to(place)), LoginRequiredError, CONFIRM_USER if login else CONFIRM_VISITOR, id=f"{login}-{asked}-{place}")
          for asked, login in ((PAGE, None), (API, None), (API, "alice"), ("GET.*com/ ", "alice"))
          for place in ("/challenge/", f"{HOST}/challenge/action/AXF/?next=x", "https://i.instagram.com/challenge/", "/checkpoint/dismiss", "/consent/?flow=x",
                        "/auth_platform/codeentry/", "/terms/unblock/", "/accounts/onetap/")),
        pytest.param("natgeo", "alice", Fault(API, to("/accounts/suspended/")), LoginRequiredError, "has suspended 'alice'", id="suspended"),
        pytest.param("natgeo", "alice", Fault(API, to("/accounts/disabled/")), LoginRequiredError, "another account", id="disabled"),
        pytest.param("natgeo", None, Fault(PAGE, to("/natgeo/elsewhere/\x1b[1m")), SourceError, "in a browser to see what it wants", id="elsewhere"),
        pytest.param("natgeo", None, Fault(PAGE, to(f"{HOST}/natgeo/")), SourceError, "in a browser", id="round-and-round-page"),
        pytest.param("natgeo", None, Fault("api/graphql", to(f"{HOST}/api/graphql/")), SourceError, "in a browser", id="round-and-round"),
        pytest.param("natgeo", None, Fault(PAGE, to("https://[::1")), SourceError, "in a browser", id="no-address"),
        *(pytest.param("natgeo", "alice", Fault(API, Answer.json(FAIL | {"message": words}, 400)), LoginRequiredError, CONFIRM_USER, id=words)
          for words in ("checkpoint_required", "challenge_required", "consent_required")),
        pytest.param("natgeo", "alice", Fault(API, Answer.json(FAIL | {"message": "feedback_required"}, 400)), RateLimitedError, "tomorrow", id="blocked"),
        pytest.param("natgeo", None, Fault(API, Answer.json(FAIL | {"message": "feedback_required"}, 400)), RateLimitedError, "tomorrow", id="blocked-visitor"),
        pytest.param("natgeo", "alice", Fault(API, Answer.json(FAIL | {"message": "useragent mismatch"}, 400)), SourceError, "instaloader --login alice",
                     id="useragent-mismatch"),
        pytest.param("natgeo", None, Fault(API, Answer.please_wait()), RateLimitedError, "half an hour, or log in", id="please-wait"),
        pytest.param("natgeo", "alice", Fault(API, Answer.please_wait()), RateLimitedError, "half an hour", id="please-wait-logged-in"),
        pytest.param("natgeo", None, Fault(PAGE, Answer.please_wait()), RateLimitedError, "half an hour", id="please-wait-page"),
        pytest.param("natgeo", None, Fault(API, Answer.json(FAIL | {"message": "Please wait a few minutes before you try again."})), RateLimitedError,
                     "half an hour", id="please-wait-in-a-good-answer"),
        pytest.param("natgeo", None, Fault(API, Answer.json({"errors": [{"message": "Rate limit exceeded", "code": 1675004}], "data": None})), RateLimitedError,
                     "half an hour", id="rate-limit-in-a-good-answer"),
        pytest.param("natgeo", None, Fault(API, Answer(status=429)), RateLimitedError, "half an hour", id="too-many-requests"),
        pytest.param("natgeo", None, Fault(PAGE, Answer(status=429)), RateLimitedError, "half an hour", id="too-many-requests-page"),
        pytest.param("natgeo", None, Fault(PAGE, Answer(status=502)), TryLaterError, "HTTP 502", id="server-trouble"),
        pytest.param("natgeo", None, Fault(PAGE, Answer(status=560, reason=ODD_REASON)), TryLaterError, "HTTP 560", id="560"),
        pytest.param("natgeo", None, Fault(PAGE, Answer(status=451)), AccessError, "in this country", id="country"),
        pytest.param("natgeo", None, Fault(PAGE, Answer(status=418, reason='" 429 ' + ODD_REASON)), SourceError, "upgrade instaloader", id="odd-reason"),
        pytest.param("natgeo", None, Fault(PAGE, Answer(b"x" * 99, cut_after=9)), OfflineError, "check the network", id="cut"),
        pytest.param("natgeo", None, Fault(PAGE, Answer(b"")), TryLaterError, "is empty: run the same command again later", id="empty-page"),
        pytest.param("natgeo", None, Fault(PAGE, Answer.page("<html>New design</html>")), ProfileNotFoundError, "spelling", id="page-without-profile"),
        pytest.param("natgeo", None, Fault(PAGE, Answer.page(answers.embedded({"xig_user_by_username": answers.user_of(FakeProfile("natgeo", posts(3)))}))),
                     LoginRequiredError, "perhaps because of age or country: run `instaloader --login USER`", id="page-without-posts"),
        pytest.param("natgeo", None, Fault(PAGE, Answer.page(f'<script type="application/json">{"[" * 200_000}</script>')), SourceError, "recursion depth",
                     id="deep-page"),
        pytest.param("natgeo", None, Fault(PAGE, Answer.page(answers.embedded({"xig_user_by_username": 7}))), SourceError, "upgrade", id="odd-profile"),
        pytest.param("natgeo", None, Fault(PAGE, Answer.page(answers.embedded({"xig_user_by_username": {"pk": [1], "username": {}}}))), SourceError, "upgrade",
                     id="odd-names"),
        pytest.param("natgeo", None, Fault("GET.*com/ ", Answer.page("<html>New design</html>")), SourceError, "the token lsd", id="page-without-tokens"),
        pytest.param("natgeo", None, Fault("GET.*com/ ", Answer(status=503)), TryLaterError, "HTTP 503", id="trouble-on-the-way-to-a-post"),
        pytest.param("natgeo", "alice", Fault(API, Answer.json({"data": {"new": "design"}})), SourceError, "upgrade instaloader", id="other-json"),
        pytest.param("natgeo", "alice", Fault(API, Answer.page("<html>Not JSON</html>")), TryLaterError, "a page instead of data", id="a-page-for-json"),
        pytest.param("natgeo", "alice", Fault(API, Answer(b"<html>not JSON")), SourceError, "upgrade instaloader", id="no-json"),
        pytest.param("natgeo", "alice", Fault(API, Answer.json(FAIL, 400)), SourceError, "upgrade instaloader", id="bad-request"),
        pytest.param("natgeo", "alice", Fault(API, Answer.json(FAIL, 404)), SourceError, "upgrade instaloader", id="no-such-question"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("alice")
def test_each_refusal_has_its_own_error_and_next_step(
    serve: Serve, capfd: pytest.CaptureFixture[str], profile: str, login: str | None, fault: Fault | None, kind: type[IgsearchError], next_step: str
) -> None:
    """One line of plain text that says what to do; nothing else is written anywhere, by instaloader neither."""
    instagram = serve(*PROFILES, faults=(fault,) if fault else ())
    with pytest.raises(IgsearchError) as caught:
        told(source(profile, login=login))
    text = str(caught.value)
    assert type(caught.value) is kind, text
    assert next_step in text
    assert text.isprintable()
    assert len(text) < 400
    assert caught.value.__cause__ is not None
    assert capfd.readouterr() == ("", "")
    assert len(instagram.requests) <= 6
    if fault and fault.answer.status == 302:
        assert fault.n_matched == 1


def test_a_profile_whose_name_is_a_refusal_is_none(serve: Serve) -> None:
    """What Instagram says counts, not the address that it was asked for."""
    serve(faults=(Fault("GET.*checkpoint_required", Answer(status=502)),))
    with pytest.raises(TryLaterError, match="HTTP 502"):
        told(source("checkpoint_required"))


def test_an_answer_that_is_too_large_is_not_read(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end would not come before the memory's."""
    monkeypatch.setattr("igsearch.sources.instagram_connection.MAX_ANSWER_BYTES", 2**20)
    serve(FakeProfile("natgeo", posts(1)), faults=(Fault(PAGE, Answer(b"x" * 2**21)),))
    with pytest.raises(SourceError, match="more than 1 MiB"):
        told(source())


@pytest.mark.parametrize("body", [b"x" * 500, b""], ids=["body", "header"])
def test_an_answer_that_trickles_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """Every byte comes in time, and the whole does not."""
    monkeypatch.setattr("igsearch.sources.instagram_connection.DEADLINE", 0.5)
    serve(FakeProfile("natgeo", posts(1)), faults=(Fault(PAGE, Answer(body, trickle=0.05 if not body else 0.01)),))
    started = time.monotonic()
    with pytest.raises(OfflineError, match="did not arrive whole within"):
        told(source())
    assert time.monotonic() - started < 2


def test_no_connection_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is not there stands for a network that is not there."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(OfflineError, match="check the network"):
            told(source())


@pytest.mark.parametrize(
    ("name", "value"),
    [("https_proxy", "no-such-scheme://127.0.0.1:9"), ("https_proxy", "http://:0:0"), ("REQUESTS_CA_BUNDLE", "/no/such/file")],
    ids=["scheme", "address", "certificates"],
)
def test_settings_that_cannot_be_used_are_told(serve: Serve, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """By the variables in which they stand."""
    serve(FakeProfile("natgeo", posts(1)))
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="check the environment variables HTTPS_PROXY and REQUESTS_CA_BUNDLE"):
        told(source())


def test_please_wait_is_not_answered_by_asking_again(serve: Serve) -> None:
    """Instagram's 401 ends the walk at once."""
    instagram = serve(FakeProfile("natgeo", posts(3)), faults=(Fault(API, Answer.please_wait()),))
    with pytest.raises(RateLimitedError):
        told(source())
    assert instagram.count("/api/graphql") == 1


def test_a_rate_limit_is_waited_for_and_told(serve: Serve) -> None:
    """After one 429 the walk waits the minutes that instaloader reckons, says so first, and goes on without a loss."""
    serve(FakeProfile("natgeo", posts(3)), faults=(Fault("POST.*Post01", Answer(status=429), times=1),))
    waits: list[float] = []
    assert told(InstagramProfile("natgeo", on_wait=waits.append, sleep=lambda _seconds: None)) == ["Post00", "Post01", "Post02"]
    assert waits
    assert all(600 < seconds < 700 for seconds in waits)


@pytest.mark.parametrize("retry", [(), ("Post01",)], ids=["walk", "trying-again"])
def test_ctrl_c_ends_a_wait(serve: Serve, retry: tuple[str, ...]) -> None:
    """Instaloader would take it for a wish to skip the request."""
    serve(FakeProfile("natgeo", posts(3)), faults=(Fault("POST.*Post01", Answer(status=429)),))

    def interrupted(seconds: float) -> None:
        if seconds > 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(InstagramProfile("natgeo", sleep=interrupted).photos(retry))


def test_posts_before_an_early_refusal_are_given(serve: Serve) -> None:
    """As pinned, for any of them may be; and what was unread stays so."""
    faults = (Fault("POST.*Post01", NO_ITEMS), Fault("POST.*Post02", Answer.please_wait()))
    serve(FakeProfile("natgeo", posts(5)), faults=faults)
    walk = source().photos()
    first, second = next(walk), next(walk)
    assert isinstance(first, Photo)
    assert first.is_pinned
    assert second == Unread("Post01", second.reason if isinstance(second, Unread) else "", "https://www.instagram.com/p/Post01/")
    with pytest.raises(RateLimitedError):
        next(walk)


def test_an_unread_post_at_the_top_hides_no_pinned_one(serve: Serve) -> None:
    """The photos around it are marked by the dates they have."""
    old = FakePost("PinOld", [FakeSlide(jpeg())], taken_at=NOON - timedelta(days=99))
    serve(FakeProfile("natgeo", [FakePost("PinBad", [FakeSlide(jpeg())]), old, *posts(4)]), faults=(Fault("POST.*PinBad", NO_ITEMS),))
    found = list(source().photos())
    assert [one.id for one in found if isinstance(one, Photo) and one.is_pinned] == ["PinOld"]
    assert found[0].id == "PinBad"
