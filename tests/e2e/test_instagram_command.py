"""The installed command on a fake Instagram: from a profile to a link, little asked, and every refusal one line with the next step.

The command is a process of its own; only the ordinary variables for a proxy and a certificate authority lead it here.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from igsearch.paths import ProfilePaths
from igsearch.ranking.words import searched_text
from igsearch.store.reader import Store
from igsearch.text import stemmed_terms
from tests.conftest import REPOSITORY, Igsearch, Outcome
from tests.e2e.conftest import COOKIES
from tests.fake_instagram import NOON, Answer, FakeInstagram, FakePost, FakeProfile, FakeSlide, Fault
from tests.firefox import firefox_profile

API = "POST.*api/graphql"
POSTS_QUERY = "29104886249145907"
"""The `doc_id` with which instaloader asks for a page of posts when it is logged in."""


def slide(name: str, *, is_video: bool = False, alt_text: str | None = None) -> FakeSlide:
    """A photo that ships with the project."""
    return FakeSlide((REPOSITORY / "assets" / "sample" / f"{name}.jpg").read_bytes(), is_video=is_video, alt_text=alt_text)


def natgeotravel() -> FakeProfile:
    """Three posts: a carousel of a photo and a video, a photo, a video."""
    carousel = [slide("cat", alt_text="May be an image of a cat."), slide("boats", is_video=True)]
    return FakeProfile(
        "natgeotravel",
        [
            FakePost("CTwo", carousel, "My #Cat at the #sea, my #cat", NOON, likes=1234, location="Corfu"),
            FakePost("COne", [slide("coffee")], None, NOON - timedelta(days=1), likes=None),
            FakePost("CVid", [slide("rocket", is_video=True)], "Lift-off \N{ROCKET}", NOON - timedelta(days=2), likes=0),
        ],
    )


def posts(n: int) -> list[FakePost]:
    """Posts of one picture each, a day apart, the newest first."""
    return [FakePost(f"Post{i:02}", [slide("cat")], taken_at=NOON - timedelta(days=i)) for i in range(n)]


def index(igsearch: Igsearch, instagram: FakeInstagram, *arguments: str | Path) -> Outcome:
    """`igsearch index` with the environment that leads to `instagram`."""
    environment: dict[str, Any] = {**instagram.env()}  # Any, since mypy takes each for a possible `stdin` or `timeout`.
    return igsearch("index", *arguments, **environment)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache directory in which `igsearch index natgeotravel` kept what the fake Instagram shows a visitor."""
    cache = tmp_path_factory.mktemp("indexed")
    with FakeInstagram([natgeotravel()]) as instagram:
        done = index(Igsearch(cache), instagram, "natgeotravel", "--cache-dir", cache)
        assert (done.code, done.stdout) == (0, "")
        assert "4 photos described" in done.stderr
        assert instagram.count(r"\.mp4") == 0
    return cache


def rare_word(cache: Path) -> tuple[str, str]:
    """A word of a caption whose stem is in what is searched of that photo alone, and the photo's shortcode."""
    with Store.open(ProfilePaths.of(cache, "natgeotravel")) as store:
        photos = [(described, photo) for _, described, photo in store.documents()]
    uses = Counter(stem for described, photo in photos for stem in set(stemmed_terms(searched_text(described, photo))))
    words = ((word, str(photo.shortcode)) for described, photo in photos for word in described.caption.split() if len(word) > 3)
    return next((word, shortcode) for word, shortcode in words if uses[stemmed_terms(word)[0]] == 1)


def check_refused(done: Outcome, code: int, says: str) -> None:
    """One line on stderr, nothing on stdout, no traceback."""
    assert (done.code, done.stdout) == (code, ""), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("igsearch: ")
    assert says in done.stderr


def counts(done: Outcome) -> dict[str, int]:
    """The numbers in an indexing run's report."""
    photos: dict[str, int] = json.loads(done.stdout)["photos"]
    return {name: photos[name] for name in ("described", "given", "known", "failed", "searchable")}


def test_a_word_of_a_caption_finds_the_post(igsearch: Igsearch, indexed: Path) -> None:
    """What stands in the caption of one photo finds that photo first, with the lasting address of its post."""
    word, shortcode = rare_word(indexed)
    done = igsearch("search", "natgeotravel", word, "--json", "--cache-dir", indexed)
    first = json.loads(done.stdout)["results"][0]
    assert (done.code, done.stderr) == (0, "")
    assert first["permalink"] == f"https://www.instagram.com/p/{shortcode}/"
    assert word in first["caption"]
    assert Path(first["thumbnail"]).is_file()


def test_a_link_comes_out_of_a_pipe(indexed: Path) -> None:
    """`igsearch search … --json | jq -r '.results[0].permalink'` prints the address of the post and nothing else."""
    word, shortcode = rare_word(indexed)
    reader = ["jq", "-r", ".results[0].permalink"]
    if shutil.which("jq") is None:
        reader = [sys.executable, "-c", "import json, sys; print(json.load(sys.stdin)['results'][0]['permalink'])"]
    search = [sys.executable, "-m", "igsearch", "search", "natgeotravel", word, "--json", "--cache-dir", str(indexed)]
    line = f"{shlex.join(search)} | {shlex.join(reader)}"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False, env=os.environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"https://www.instagram.com/p/{shortcode}/\n", "")


def test_what_instagram_says_of_a_photo_arrives_in_the_json(igsearch: Igsearch, indexed: Path) -> None:
    """Time, likes, hashtags, slides, videos, alt text and post text of every photo; null where Instagram does not say."""
    with Store.open(ProfilePaths.of(indexed, "natgeotravel")) as store:
        words = " ".join(described.caption for _, described, _ in store.documents())
    done = igsearch("search", "natgeotravel", words, "--json", "--cache-dir", indexed)
    hits = {hit["id"]: hit for hit in json.loads(done.stdout)["results"]}
    assert sorted(hits) == ["COne", "CTwo_1", "CTwo_2", "CVid"]
    told = ("shortcode", "slide", "n_slides", "is_video", "alt_text", "taken_at", "likes", "hashtags", "post_text", "path")
    carousel = ("2024-05-31T12:00:00Z", 1234, ["cat", "sea"], "My #Cat at the #sea, my #cat", None)
    assert {id_: tuple(hit[name] for name in told) for id_, hit in hits.items()} == {
        "CTwo_1": ("CTwo", 1, 2, False, "May be an image of a cat.", *carousel),
        "CTwo_2": ("CTwo", 2, 2, True, None, *carousel),
        "COne": ("COne", 1, 1, False, None, "2024-05-30T12:00:00Z", None, [], None, None),
        "CVid": ("CVid", 1, 1, True, None, "2024-05-29T12:00:00Z", 0, [], "Lift-off \N{ROCKET}", None),
    }
    assert all(hit["url"].startswith("https://scontent-fra3-1.cdninstagram.com/") and hit["profile"] == "natgeotravel" for hit in hits.values())
    assert hits["CTwo_1"]["labels"][0]["name"] in {"Egyptian cat", "tabby", "tiger cat"}


def test_a_second_run_asks_for_little(igsearch: Igsearch) -> None:
    """Nothing new: no picture is fetched again, and of the posts only those that tell which ones are pinned are asked for."""
    with FakeInstagram([FakeProfile("natgeo", posts(5))]) as instagram:
        first = index(igsearch, instagram, "natgeo", "--json", "-q")
        assert counts(first) == {"described": 5, "given": 0, "known": 0, "failed": 0, "searchable": 5}
        assert instagram.counts()["/api/graphql"] == 5
        assert (instagram.counts()["/natgeo/"], instagram.count("cdninstagram")) == (1, 5)
        instagram.requests.clear()
        second = index(igsearch, instagram, "natgeo", "--json", "-q")
        assert (second.code, counts(second)) == (0, {"described": 0, "given": 0, "known": 1, "failed": 0, "searchable": 5})
        assert instagram.count("/api/graphql") == 4
        assert instagram.count("cdninstagram") == 0


@pytest.mark.usefixtures("alice")
def test_a_session_that_instaloader_saved_is_used(igsearch: Igsearch) -> None:
    """With --login the saved cookies open a private profile to a follower, two pages of posts cost two requests, and the next run looks at the first page."""
    followed = FakeProfile("friend", posts(13), is_private=True, followers=["alice"])
    with FakeInstagram([followed], sessions={"alice": COOKIES["sessionid"]}) as instagram:
        first = index(igsearch, instagram, "friend", "--login", "alice", "--json", "-q")
        assert (first.code, first.stderr, counts(first)["described"]) == (0, "", 13)
        asked = [request for request in instagram.requests if "graphql" in request.url]
        assert {request.cookies.get("sessionid") for request in asked} == {COOKIES["sessionid"]}
        assert not any(request.cookies for request in instagram.requests if "cdninstagram" in request.host)
        pages = [request for request in asked if request.variable("username") == "friend"]
        assert len(pages) == 2
        instagram.requests.clear()
        second = index(igsearch, instagram, "friend", "--login", "alice", "--json", "-q")
        assert (second.code, counts(second)["described"]) == (0, 0)
        assert sum(request.variable("username") == "friend" for request in instagram.requests) == 1


def test_a_session_of_a_browser_is_used(igsearch: Igsearch, own_home: Path) -> None:
    """With --cookies-from-browser, for whom one follows; one's own private profile, which nobody can follow, is one's own by the number in the cookies."""
    friend = FakeProfile("friend", posts(1), is_private=True, followers=["alice"])
    alices = FakeProfile("alice", [FakePost("Mine", [slide("boats")])], is_private=True)
    firefox_profile(own_home / ".mozilla" / "firefox" / "x1y2.default", COOKIES | {"ds_user_id": alices.pk}, others=[("bank.example", "sessionid", "secret")])
    with FakeInstagram([friend, alices], sessions={"alice": COOKIES["sessionid"]}) as instagram:
        for name in ("friend", "alice"):
            done = index(igsearch, instagram, name, "--cookies-from-browser", "firefox", "--json", "-q")
            assert (done.code, done.stderr, counts(done)["described"]) == (0, "", 1)
        asked = {value for request in instagram.requests for value in request.cookies.values()}
        assert COOKIES["sessionid"] in asked
        assert "secret" not in asked


PROFILES = (
    FakeProfile("natgeo", [FakePost("COne", [FakeSlide(b"")])]),
    FakeProfile("secret", is_private=True),
    FakeProfile("members", is_login_only=True),
)


@pytest.mark.parametrize(
    ("arguments", "fault", "code", "says"),
    [
        pytest.param(["nobody"], None, 2, "check the spelling", id="no-such-profile"),
        pytest.param(["secret"], None, 3, "'secret' is private", id="private"),
        pytest.param(["secret", "--login", "alice"], None, 3, "'alice' does not follow", id="private-not-followed"),
        pytest.param(["members"], None, 3, "add --login USER", id="login-needed"),
        pytest.param(["natgeo", "--login", "bob"], None, 3, "run `instaloader --login bob`", id="no-saved-session"),
        pytest.param(["natgeo"], Fault("GET.*natgeo", Answer.please_wait()), 4, "half an hour", id="please-wait"),
        pytest.param(["natgeo"], Fault(API, Answer.please_wait()), 4, "half an hour", id="please-wait-post"),
        pytest.param(["natgeo"], Fault("GET.*natgeo", Answer.redirect("/challenge/?next=x")), 3, "in a browser, confirm", id="challenge"),
        pytest.param(["natgeo"], Fault("GET.*natgeo", Answer(status=418, reason="\x1b[31mtea")), 2, "418", id="escapes"),
    ],
)
@pytest.mark.usefixtures("alice")
def test_a_refusal_is_one_line_with_the_next_step(igsearch: Igsearch, arguments: list[str], fault: Fault | None, code: int, says: str) -> None:
    """Whatever Instagram refuses: one line on stderr that says what to do, nothing on stdout, the documented exit code; and nothing is asked twice."""
    with FakeInstagram(PROFILES, sessions={"alice": COOKIES["sessionid"]}, faults=[fault] if fault else []) as instagram:
        check_refused(index(igsearch, instagram, *arguments), code, says)
        assert fault is None or fault.n_matched == 1


@pytest.mark.usefixtures("alice")
def test_an_expired_session_is_a_refusal(igsearch: Igsearch) -> None:
    """Cookies that Instagram no longer accepts end with exit code 3 and the command that renews them."""
    with FakeInstagram(PROFILES, sessions={"alice": "another-session-by-now"}) as instagram:
        check_refused(index(igsearch, instagram, "natgeo", "--login", "alice"), 3, "run `instaloader --login alice`")


def test_an_expired_session_of_a_browser_is_a_refusal(igsearch: Igsearch, own_home: Path) -> None:
    """Renewed where it came from; no session there, no browser there and two sessions at once are told apart before Instagram is asked."""
    ask = ("natgeo", "--cookies-from-browser", "firefox")
    with FakeInstagram(PROFILES, sessions={"alice": "another-session-by-now"}) as instagram:
        check_refused(index(igsearch, instagram, *ask), 3, "could not find firefox cookies")
        firefox_profile(own_home / ".mozilla" / "firefox" / "old", {"csrftoken": "token"})
        check_refused(index(igsearch, instagram, *ask), 3, "nobody is logged in to Instagram in 'firefox'")
        check_refused(index(igsearch, instagram, *ask, "--login", "alice"), 2, "--login and --cookies-from-browser")
        check_refused(index(igsearch, instagram, "natgeo", "--cookies-from-browser", "netscape"), 2, "there are brave, chrome")
        assert not instagram.requests
        firefox_profile(own_home / ".config" / "new", COOKIES)
        check_refused(
            index(igsearch, instagram, "natgeo", "--cookies-from-browser", f"firefox:{own_home / '.config' / 'new'}"), 3, "log in to instagram.com in firefox"
        )


def test_without_a_connection_there_is_one_line(igsearch: Igsearch) -> None:
    """Offline, indexing ends with exit code 4 and the advice to look at the network."""
    check_refused(igsearch("index", "natgeo"), 4, "check the network")


@pytest.mark.usefixtures("alice")
def test_being_told_to_wait_in_the_middle_keeps_what_was_done(igsearch: Igsearch) -> None:
    """The photos before the refusal are described and searchable, the exit code is 4, and the next run does the rest."""
    second_page = Fault(f"POST.*{POSTS_QUERY}", Answer.please_wait(), after=1, times=1)
    with FakeInstagram([FakeProfile("natgeo", posts(13))], sessions={"alice": COOKIES["sessionid"]}, faults=[second_page]) as instagram:
        check_refused(index(igsearch, instagram, "natgeo", "--login", "alice"), 4, "half an hour")
        listed = json.loads(igsearch("list", "--json").stdout)["profiles"]
        assert [(one["profile"], one["photos"]) for one in listed] == [("natgeo", 12)]
        rest = index(igsearch, instagram, "natgeo", "--login", "alice", "--json", "-q")
        assert (rest.code, counts(rest)) == (0, {"described": 1, "given": 0, "known": 12, "failed": 0, "searchable": 13})


def test_a_photo_that_is_not_served_is_described_once_it_is(igsearch: Igsearch) -> None:
    """A 404 for one photo costs nothing but that photo and exit code 1; served again, the same command describes it."""
    profile = natgeotravel()
    with FakeInstagram([profile], faults=[Fault(profile.posts[1].file_name(1), Answer(status=404))]) as instagram:
        done = index(igsearch, instagram, "natgeotravel", "--json")
        assert (done.code, counts(done)) == (1, {"described": 3, "given": 0, "known": 0, "failed": 1, "searchable": 3})
        [failure] = json.loads(done.stdout)["failures"]
        assert failure["permalink"] == "https://www.instagram.com/p/COne/"
        assert "404" in failure["error"]
        assert "1 failed" in done.stderr
        assert "Traceback" not in done.stderr
        instagram.faults.clear()
        instagram.requests.clear()
        again = index(igsearch, instagram, "natgeotravel", "--json", "-q")
        assert (again.code, counts(again)["described"], counts(again)["searchable"]) == (0, 1, 4)
        assert instagram.count("cdninstagram") == 1


NOT_SHOWN = Answer.json({"data": {"xdt_api__v1__media__shortcode__web_info": {"items": []}}})


def test_a_post_that_is_not_shown_fails_and_is_tried_again(igsearch: Igsearch) -> None:
    """It counts as failed, with its address and a reason; the next run asks for it first, below what is known, and describes it."""
    with FakeInstagram([FakeProfile("natgeo", posts(4))], faults=[Fault("POST.*Post01", Answer(status=500))]) as instagram:
        first = index(igsearch, instagram, "natgeo", "--json")
        assert (first.code, counts(first)["described"], counts(first)["failed"]) == (1, 3, 1)
        [failure] = json.loads(first.stdout)["failures"]
        assert failure["permalink"] == "https://www.instagram.com/p/Post01/"
        assert "trouble of its own, while reading the post (HTTP 500): run the same command again later" in failure["error"]
        instagram.faults.clear()
        instagram.requests.clear()
        second = index(igsearch, instagram, "natgeo", "--json", "-q")
        assert (second.code, counts(second)["described"], counts(second)["failed"], counts(second)["searchable"]) == (0, 1, 0, 4)
        assert instagram.count("cdninstagram") == 1
        third = index(igsearch, instagram, "natgeo", "--json", "-q")
        assert (third.code, counts(third)["described"]) == (0, 0)


def test_a_post_that_is_gone_is_let_go(igsearch: Igsearch) -> None:
    """It fails once, for the list has it; tried again in vain it is left out, and then it is not asked for any more."""
    with FakeInstagram([FakeProfile("natgeo", posts(6))], faults=[Fault("POST.*Post05", NOT_SHOWN)]) as instagram:
        assert index(igsearch, instagram, "natgeo", "-q").code == 1
        second = index(igsearch, instagram, "natgeo")
        assert second.code == 0
        assert "that Instagram no longer shows" in second.stderr
        instagram.requests.clear()
        assert index(igsearch, instagram, "natgeo", "-q").code == 0
        assert not any("Post05" in request.form.get("variables", "") for request in instagram.requests)


@pytest.mark.parametrize("limit", [1, 4])
def test_a_limit_is_no_reason_to_ask_for_more(igsearch: Igsearch, limit: int) -> None:
    """The refusal of a post behind the last that was wanted does not spoil the run."""
    with FakeInstagram([FakeProfile("natgeo", posts(8))], faults=[Fault(API, Answer.please_wait(), after=limit)]) as instagram:
        done = index(igsearch, instagram, "natgeo", "--limit", str(limit), "--json", "-q")
        assert (done.code, done.stderr, counts(done)["described"]) == (0, "", limit)
        assert instagram.counts()["/api/graphql"] == limit


@pytest.mark.parametrize("given", ["https://www.instagram.com/natgeo/", " @NatGeo "])
def test_a_profile_may_be_given_by_its_address(igsearch: Igsearch, given: str) -> None:
    """And is kept under its name."""
    with FakeInstagram([FakeProfile("natgeo", posts(1))]) as instagram:
        done = index(igsearch, instagram, given, "--json", "-q")
        assert (done.code, json.loads(done.stdout)["profile"]) == (0, "natgeo"), done.stderr


def test_a_dry_run_asks_instagram_the_same(igsearch: Igsearch) -> None:
    """For the same posts, as often, and for no picture."""
    with FakeInstagram([FakeProfile("natgeo", posts(3))], faults=[Fault("POST.*Post01", NOT_SHOWN)]) as instagram:
        index(igsearch, instagram, "natgeo", "--dry-run")
        dry = [(request.method, request.path) for request in instagram.requests]
        instagram.requests.clear()
        index(igsearch, instagram, "natgeo", "-q")
        assert dry == [(request.method, request.path) for request in instagram.requests if "cdninstagram" not in request.host]


@pytest.mark.parametrize(
    "fault",
    [Fault("POST.*Post01", Answer(status=429)), Fault("POST.*Post01", Answer(delay=30)), Fault("GET.*natgeo", Answer(trickle=1))],
    ids=["rate-limit", "slow-answer", "trickling-answer"],
)
def test_control_c_ends_every_wait_at_once(tmp_path: Path, fault: Fault) -> None:
    """For Instagram's rate limit, for an answer that does not come and for one that does not end: exit code 130 and one line, within seconds."""
    with FakeInstagram([FakeProfile("natgeo", posts(3))], faults=[fault]) as instagram:
        command = [sys.executable, "-m", "igsearch", "index", "natgeo", "-q"]
        listened = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore Ctrl-C, and so would the command
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=os.environ | instagram.env())
        signal.signal(signal.SIGINT, listened)
        deadline = time.monotonic() + 120
        while fault.n_matched == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        interrupted = time.monotonic()
        _, stderr = process.communicate(timeout=120)
        assert (process.returncode, time.monotonic() - interrupted < 3) == (130, True)
        assert "Traceback" not in stderr


@pytest.mark.parametrize(
    "arguments",
    [["../natgeo"], ["natgeo/../secret"], ["natgeo/tagged"], ["natgeo?x=1"], ["."], ["natgeo", "--login", "../alice"]],
    ids=" ".join,
)
def test_a_name_with_a_path_never_reaches_the_network(igsearch: Igsearch, arguments: list[str]) -> None:
    """What cannot be the name of a profile is refused before anybody is asked or anything is written."""
    with FakeInstagram(PROFILES) as instagram:
        check_refused(index(igsearch, instagram, *arguments), 2, "not a profile name")
        assert instagram.requests == []
    assert not Path(os.environ["IGSEARCH_CACHE_DIR"]).exists()
