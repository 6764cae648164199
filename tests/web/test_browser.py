"""The page and the exported gallery in a real browser, before the real server. Whatever a test does, the console stays clean and nobody else is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error

from tests.web import album, shelf
from tests.web.chromium import HOW_TO_GET, chromium, find_chromium, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Response, Route

    from tests.conftest import Igsearch

pytestmark = pytest.mark.skipif(find_chromium() is None, reason=HOW_TO_GET)

N_CROWD = 5_000
CARDS = ".card:not(.skeleton)"
SIZES = {"phone": (360, 740), "tablet": (800, 1000), "desktop": (1280, 860), "wide": (2200, 1200)}
PATIENCE = 10_000  # ms


class Visit:
    """Pages of the server, and all that went wrong on them."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser, self.address = browser, address
        self._contexts: list[BrowserContext] = []
        self.asked: list[str] = []
        self.faults: list[str] = []

    def __call__(self, path: str = "/", *, size: str = "desktop", ready: str = CARDS, **settings: Any) -> Page:  # noqa: ANN401 - Playwright's own
        """Open a page and wait for what is `ready`; `settings` are a browser context's."""
        width, height = SIZES[size]
        context = self._browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", **settings)
        context.set_default_timeout(PATIENCE)
        self._contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.faults.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        page.on("dialog", self._dismiss)
        page.on("response", self._check)
        page.goto(path if "://" in path else self.address + path)
        page.wait_for_selector(ready)
        return page

    def _dismiss(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _check(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status} {response.url}")

    def end(self) -> None:
        """Close everything."""
        for context in self._contexts:
            context.close()

    def searches(self) -> list[str]:
        """The searches that were asked for."""
        return [url for url in self.asked if "/api/v2/search" in url]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser, started once."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The profiles `album` (the first one) and `evil`."""
    folder = tmp_path_factory.mktemp("cache")
    shelf.put(folder, "album", album.posts())
    shelf.put(folder, "evil", album.attacks())
    return folder


@pytest.fixture(scope="module")
def address(cache: Path) -> Iterator[str]:
    """Where `igsearch serve` answers."""
    with served(cache) as started:
        yield started


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """`visit("/?q=cat")` opens a page. When the test is over, its console must be empty and its requests have gone to the server alone."""
    visiting = Visit(browser, address)
    yield visiting
    visiting.end()
    assert visiting.faults == []
    assert [url for url in visiting.asked if not url.startswith((f"{address}/", "data:", "file://"))] == []


def captions(page: Page) -> list[str]:
    """What stands under the photos."""
    return page.locator(f"{CARDS} .caption").all_text_contents()


def wait_for_captions(page: Page, *expected: str) -> None:
    """Until exactly these stand under the photos."""
    page.wait_for_function(
        "wanted => JSON.stringify([...document.querySelectorAll('.card .caption')].map(one => one.textContent)) === JSON.stringify(wanted)", arg=list(expected)
    )


def wait_for_search(page: Page, **expected: str) -> None:
    """Until the address asks for exactly this, the profile aside."""
    page.wait_for_function(
        "wanted => { const got = Object.fromEntries(new URLSearchParams(location.search)); delete got.profile;"
        " return JSON.stringify(Object.entries(got).sort()) === JSON.stringify(Object.entries(wanted).sort()) }",
        arg=expected,
    )


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong."""
    return [f"{fault['id']}: {node['html']}" for fault in Axe().run(page).response["violations"] for node in fault["nodes"]]


SCROLL_TO_THE_END = """n => new Promise((done, failed) => {
    const began = Date.now();
    const down = () => {
        scrollTo(0, document.body.scrollHeight);
        const shown = document.querySelectorAll('.card').length;
        if (shown >= n) done();
        else if (Date.now() - began > 60000) failed(new Error(`${shown} photos after a minute`));
        else setTimeout(down, 30);
    };
    down();
})"""

FOCUSED = """() => {
    const card = document.activeElement.closest('.card');
    return card ? [...document.querySelectorAll('.card')].indexOf(card) : document.activeElement.id;
}"""

SUM_SHIFTS = """() => {
    window.shifts = 0;
    new PerformanceObserver(list => list.getEntries().forEach(entry => { shifts += entry.value })).observe({type: 'layout-shift'});
}"""

ELEMENTS = """[...document.querySelectorAll('script, iframe, base, meta, link, style, object, embed, form, [onerror], [onload], [onfocus], [onmouseover]')]
    .map(one => one.tagName + (one.src || one.href || one.content || one.id)).sort()"""

BOATS, BRIDGE, ROCKET = (album.CAPTIONS[name] for name in ("boats.jpg", "bridge.jpg", "rocket.jpg"))


def test_the_page_begins_with_the_first_profile_newest_first(visit: Visit) -> None:
    """Nothing has to be typed to see photos; ideas for a query stand above them, and are queries when pressed."""
    page = visit()
    wait_for_captions(page, *album.CAPTIONS.values())
    assert page.locator("#profile option").all_inner_texts() == ["album", "evil", "all profiles"]
    assert page.locator("#status").inner_text() == "12 photos"
    idea = page.locator("#suggestions button").first
    words = idea.inner_text()
    assert any(words in caption for caption in album.CAPTIONS.values())
    idea.click()
    wait_for_search(page, q=words)
    page.wait_for_function("n => document.querySelectorAll('.card').length < n", arg=12)


def test_results_come_while_one_types_and_matched_words_are_marked(visit: Visit) -> None:
    """A pause sends the question, not every letter; words are marked where they stand, also inflected."""
    page = visit()
    before = len(visit.searches())
    page.locator("#query").press_sequentially("boat rocket", delay=20)
    page.wait_for_function("() => document.querySelector('#status').textContent === '2 photos match'")
    assert sorted(captions(page)) == [BOATS, ROCKET]
    assert sorted(page.locator("mark").all_text_contents()) == ["boats", "rocket"]
    assert len(visit.searches()) - before < len("boat rocket")
    assert page.title() == "boat rocket · album · igsearch"


def test_a_late_answer_to_an_older_question_is_dropped(visit: Visit) -> None:
    """What was typed first is given up as soon as something else is typed; its answer, should it still come, changes nothing."""
    page = visit()
    held: list[Route] = []
    given_up: list[str] = []
    page.on("requestfailed", lambda request: given_up.append(request.url))
    page.route(re.compile(r"q=cat(&|$)"), lambda route: held.append(route))  # noqa: PLW0108 - Playwright writes on the function
    page.fill("#query", "cat")
    page.wait_for_url("**/?q=cat&*")
    page.fill("#query", "boats")
    wait_for_captions(page, BOATS)
    assert [re.search("q=([^&]*)", url)[1] for url in given_up] == ["cat"]  # type: ignore[index]
    with suppress(Error):
        held[0].fulfill(json={"total": 1, "remarks": [], "results": []})
    page.wait_for_timeout(100)
    assert captions(page) == [BOATS]


def test_filters_and_order_are_in_the_address(visit: Visit) -> None:
    """Each changes the answer and the address, and a page opened at that address shows the same."""
    page = visit("/?q=water boats")
    wait_for_captions(page, BOATS, BRIDGE, ROCKET)
    page.select_option("#sort", "likes")
    wait_for_captions(page, ROCKET, BRIDGE, BOATS)
    page.click("#filters-button")
    page.fill("#until", "2024-12-01")
    wait_for_captions(page, ROCKET, BRIDGE)
    page.fill("#since", "2024-11-01")
    wait_for_captions(page, BRIDGE)
    wait_for_search(page, q="water boats", since="2024-11-01", until="2024-12-01", sort="likes")
    assert page.locator("#filters-count").text_content() == "2"

    again = visit(page.url.removeprefix(visit.address))
    wait_for_captions(again, BRIDGE)
    assert [again.input_value(f"#{name}") for name in ("query", "since", "until", "sort")] == ["water boats", "2024-11-01", "2024-12-01", "likes"]
    again.click("#filters-clear")
    again.select_option("#sort", "score")
    wait_for_captions(again, BOATS, BRIDGE, ROCKET)
    again.locator("#min").fill("0.4")
    wait_for_captions(again, BOATS)
    wait_for_search(again, q="water boats", min="0.4")


def test_an_address_with_nonsense_in_it_shows_photos(visit: Visit) -> None:
    """What cannot be read counts as absent."""
    page = visit("/?profile=album&since=tomorrow&until=%00&min=NaN&sort=evil&photo=&unknown=1")
    wait_for_captions(page, *album.CAPTIONS.values())


def test_a_photo_opens_large_with_all_that_is_known(visit: Visit) -> None:
    """Caption with its marks, runners-up, labels, objects, the post's words, day, likes, score, and a link that tells the post nothing of us."""
    page = visit("/?q=boats")
    page.click(f"{CARDS} .frame")
    panel = page.locator("#viewer .panel")
    panel.locator(".others").wait_for()
    shown = panel.inner_text()
    for said in (
        f"{BOATS} again",
        "30 Dec 2024",
        "Post number 0.\nSecond line.",
        "May be an image of outdoors",
        "3 × boat",
        "gondola",
        "50%",
        "1 of 2",
        "boats.jpg",
    ):
        assert said.casefold() in shown.casefold()
    assert panel.locator("h2 mark").text_content() == "boats"
    assert re.search(r"Match\s+\d+%", shown)
    link = panel.locator("a.outside")
    assert [link.get_attribute(name) for name in ("href", "rel", "target")] == ["https://www.instagram.com/p/Cx00/", "noopener noreferrer", "_blank"]
    page.wait_for_selector(".stage img.large")
    assert page.evaluate("document.querySelector('.stage img').naturalWidth") > 320


def test_the_browsers_buttons_work(visit: Visit) -> None:
    """Back closes the photo, then leads to the search before, and forward again; a whole word typed is one step."""
    page = visit()
    page.locator("#query").press_sequentially("cat", delay=250)
    wait_for_captions(page, album.CAPTIONS["cat.jpg"])
    page.click(f"{CARDS} .frame")
    wait_for_search(page, q="cat", photo="album/cat.jpg")
    page.go_back()
    page.wait_for_selector("#viewer", state="hidden")
    assert page.input_value("#query") == "cat"
    page.go_back()
    wait_for_captions(page, *album.CAPTIONS.values())
    assert page.input_value("#query") == ""
    page.go_forward()
    wait_for_captions(page, album.CAPTIONS["cat.jpg"])
    page.go_forward()
    page.wait_for_selector("#viewer[open]")


def test_a_link_to_a_photo_opens_it(visit: Visit) -> None:
    """Also where the photo is not among the results; closing it leaves the search, and leads nowhere else."""
    page = visit("/?q=cat&photo=album/coffee.jpg", ready="#viewer[open]")
    page.wait_for_selector(".panel .others")
    assert "a cup of coffee" in page.locator("#viewer-caption").inner_text().lower()
    page.keyboard.press("Escape")
    page.wait_for_selector("#viewer", state="hidden")
    wait_for_search(page, q="cat")
    wait_for_captions(page, album.CAPTIONS["cat.jpg"])


def test_everything_can_be_done_with_the_keyboard(visit: Visit) -> None:
    """`/` to the query, down to the photos, arrows by the grid's columns, Enter, arrows from photo to photo, Escape back to where one is."""
    page = visit()
    columns = page.evaluate("getComputedStyle(document.querySelector('#grid')).gridTemplateColumns.split(' ').length")
    assert columns > 2
    page.keyboard.press("/")
    assert page.evaluate(FOCUSED) == "query"
    for key, place in (
        ("ArrowDown", 0), ("ArrowRight", 1), ("ArrowDown", 1 + columns), ("ArrowLeft", columns), ("ArrowUp", 0), ("End", 11), ("ArrowRight", 11), ("Home", 0),
        ("ArrowUp", "query"), ("ArrowDown", 0), ("ArrowRight", 1),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert page.evaluate(FOCUSED) == place, key
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector("#viewer[open]")
    for key, photo in (("ArrowRight", "mountains.jpg"), ("ArrowRight", "cat.jpg"), ("ArrowLeft", "mountains.jpg")):
        page.keyboard.press(key)
        wait_for_search(page, photo=f"album/{photo}")
    page.keyboard.press("Escape")
    page.wait_for_selector("#viewer", state="hidden")
    assert page.evaluate(FOCUSED) == 2
    wait_for_search(page)
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(FOCUSED) != 1  # the grid is one stop


def test_no_match_says_what_to_try(visit: Visit) -> None:
    """Words from the captions that are there, and the other profiles; each can be pressed."""
    page = visit("/?q=xyzzy", ready="#notice .suggestions button")
    assert page.locator("#notice h2").inner_text() == "Nothing matches “xyzzy”"
    assert page.locator("#status").inner_text() == "No photo found"
    page.get_by_role("button", name="See all photos").click()
    wait_for_captions(page, *album.CAPTIONS.values())
    page.wait_for_selector("#notice", state="hidden")


def test_remarks_on_the_answer_are_shown(browser: Browser, tmp_path: Path) -> None:
    """What the command says on stderr: above the photos, or where there are none below the reason; and they go with the answer."""
    shelf.put(tmp_path, "album", album.posts())
    shelf.put(tmp_path, "album", [shelf.post("Clate", "a zebra crossing a river")], fitted=False)
    shelf.put(tmp_path, "begun", [shelf.post("Cnone", "a boat")], fitted=False)
    remark = "some photos of album are not searchable yet"
    with served(tmp_path) as address:
        visiting = Visit(browser, address)
        page = visiting("/?q=boats&profile=@all")
        wait_for_captions(page, BOATS)
        shown = page.locator("#remarks li").all_inner_texts()
        assert violations(page) == []
        page.fill("#query", "zebra")
        page.wait_for_selector("#notice .suggestions button")
        below, above = page.locator("#notice p").all_inner_texts(), page.locator("#remarks li").count()
        page.fill("#query", "")
        wait_for_captions(page, *album.CAPTIONS.values(), "a zebra crossing a river", "a boat")
        browsing = page.locator("#remarks li").count()
        visiting.end()
    assert [one.partition(":")[0] for one in shown] == ["nothing of 'begun' can be searched yet", remark]
    assert above == browsing == 0
    assert any(text.startswith(remark) for text in below)
    assert visiting.faults == []


def test_an_error_is_the_servers_words_and_a_second_try(visit: Visit) -> None:
    """An unknown profile says so; a server that is gone is named as that, and once it is back the photos come."""
    page = visit("/?profile=nobody&q=cat", ready="#notice .said")
    assert page.locator("#notice .said").inner_text() == "nothing is indexed under 'nobody': run igsearch index nobody"
    page.select_option("#profile", "album")
    wait_for_captions(page, album.CAPTIONS["cat.jpg"])
    page.route(re.compile("/api/"), lambda route: route.abort())
    page.fill("#query", "boats")
    page.wait_for_selector("#notice .said")
    assert "igsearch serve" in page.locator("#notice .said").inner_text()
    page.unroute(re.compile("/api/"))
    page.get_by_role("button", name="Try again").click()
    wait_for_captions(page, BOATS)
    assert all("404" in fault or "ERR_FAILED" in fault for fault in visit.faults)
    visit.faults.clear()


def test_where_nothing_is_indexed_the_page_says_how(browser: Browser, tmp_path: Path) -> None:
    """Two commands to copy; once a profile is there, another look shows it."""
    with served(tmp_path) as address:
        visiting = Visit(browser, address)
        page = visiting(ready="#notice pre")
        assert "igsearch index natgeotravel" in page.locator("#notice pre").inner_text()
        shelf.put(tmp_path, "later", album.posts()[:1])
        page.get_by_role("button", name="Look again").click()
        wait_for_captions(page, BOATS)
        visiting.end()
    assert visiting.faults == []


def test_text_from_outside_stays_text(visit: Visit) -> None:
    """Captions, posts, labels, objects, ids and addresses that attack: nothing runs, nothing is added to the page, nothing is asked for."""
    clean = visit().evaluate(ELEMENTS)
    page = visit("/?profile=evil&q=attack")
    page.wait_for_function("n => document.querySelectorAll('.card img').length === n", arg=len(album.EVIL))
    assert {re.sub(r"[\x00-\x1f]", "", text) for text in captions(page)} == {re.sub(r"[\x00-\x1f]", "", f"attack {evil}") for evil in album.EVIL}
    page.click(f"{CARDS} .frame")
    for _ in album.EVIL[1:]:
        page.wait_for_selector(".panel .others")
        for link in page.locator("#viewer a").all():
            assert re.match("https://(www.instagram.com|evil.example)/", link.get_attribute("href") or "")
        before = page.url
        page.keyboard.press("ArrowRight")
        page.wait_for_function("before => location.href !== before", arg=before)
    assert page.evaluate(ELEMENTS) == clean


def test_a_query_stays_text(visit: Visit) -> None:
    """What is typed, or stands in a link that somebody sends, is shown and nothing else; in every part of the address."""
    page = visit("/?profile=album&q=" + quote(album.EVIL[0]), ready="#notice h2")
    clean = page.evaluate(ELEMENTS)
    for evil in album.EVIL[1:]:
        page.fill("#query", evil)
        page.wait_for_function("query => document.title.startsWith(query)", arg=" ".join(re.sub(r"[\x00-\x1f]", "", evil).split()))
    page.goto(f"{visit.address}/?" + urlencode(dict.fromkeys(("q", "profile", "photo", "since", "sort", "min"), f"evil/{album.EVIL[0]}")))
    page.wait_for_selector("#notice .said")
    assert page.locator("#viewer img").count() == 0
    assert page.evaluate(ELEMENTS) == clean
    assert {fault[:4] for fault in visit.faults} == {"400 ", "cons"}
    assert not [fault for fault in visit.faults if fault.startswith("cons") and "Failed to load resource" not in fault]
    visit.faults.clear()


@pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("tablet", "dark"), ("desktop", "dark"), ("wide", "light")])
def test_every_width_and_scheme_can_be_used_by_everybody(visit: Visit, size: str, scheme: str) -> None:
    """Nothing sticks out sideways, and axe-core finds no fault (names, roles, contrasts), neither on the page nor in an open photo."""
    page = visit("/?q=water+boats+table", size=size, color_scheme=scheme, reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.querySelector('#grid')).gridTemplateColumns.split(' ').length") >= 2
    darkness = page.evaluate("getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).reduce((sum, part) => sum + +part, 0)")
    assert darkness < 150 if scheme == "dark" else darkness > 600
    page.click("#filters-button")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    page.click(f"{CARDS} .frame")
    page.wait_for_selector(".panel .others")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []


def test_motion_is_left_out_where_it_is_not_wanted(visit: Visit) -> None:
    """Whoever asked the system for less motion gets none."""
    moves = "getComputedStyle(document.querySelector('.frame img')).transitionDuration"
    assert visit(reduced_motion="no-preference").evaluate(moves) != "0s"
    assert visit(reduced_motion="reduce").evaluate(moves) == "0s"


def test_five_thousand_photos_scroll(browser: Browser, tmp_path: Path) -> None:
    """Pages come as one scrolls, each photo once; nothing that is seen jumps, and the last one is reached in bounded time."""
    shelf.put(tmp_path, "crowd", album.crowd(N_CROWD))
    with served(tmp_path) as address:
        visiting = Visit(browser, address)
        page = visiting()
        assert len(captions(page)) < 500
        page.evaluate(SUM_SHIFTS)
        page.evaluate(SCROLL_TO_THE_END, N_CROWD)
        keys = page.locator(f"{CARDS} a").evaluate_all("all => all.map(one => one.href)")
        assert len(set(keys)) == len(keys) == N_CROWD
        assert captions(page)[-1] == f"dog number {N_CROWD - 1} on grass"
        assert page.evaluate("shifts") < 0.05
        page.fill("#query", "dog 4321")
        page.wait_for_function("() => document.querySelector('.card .caption')?.textContent === 'dog number 4321 on grass'")
        visiting.end()
    assert visiting.faults == []


def test_the_exported_gallery_stands_alone(visit: Visit, igsearch: Igsearch, cache: Path, tmp_path: Path) -> None:
    """Pictures, style and details are in the file; a photo opens large without a script, the back button closes it, and nothing is asked of anybody."""
    file = tmp_path / "out" / "water.html"
    file.parent.mkdir()
    done = igsearch("search", "album", "water", "boats", "--html", file, "--cache-dir", cache)
    assert (done.code, done.stdout) == (0, "")
    page = visit(file.as_uri(), color_scheme="dark", ready=".card")
    assert [text.lower() for text in captions(page)] == [BOATS, BRIDGE, ROCKET]
    assert page.locator("mark").all_inner_texts() == ["boats", "water", "water"]
    assert page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 100)")
    assert violations(page) == []
    page.locator(".frame").nth(1).click()
    card = page.locator(".card:target")
    assert BRIDGE in card.inner_text().lower()
    assert "Post number 1." in card.inner_text()
    assert card.evaluate("one => one.getBoundingClientRect().width") == SIZES["desktop"][0]
    assert card.locator("a.outside").get_attribute("rel") == "noopener noreferrer"
    assert violations(page) == []
    card.get_by_label("Next photo").click()
    assert ROCKET in page.locator(".card:target").inner_text().lower()
    page.go_back()
    page.go_back()
    assert page.locator(".card:target").count() == 0
    assert {url.partition("#")[0] for url in visit.asked if not url.startswith("data:")} == {file.as_uri()}


def test_the_exported_gallery_keeps_text_as_text(visit: Visit, igsearch: Igsearch, cache: Path, tmp_path: Path) -> None:
    """The same attacks against the file, the query among them; without a policy nothing would run either, for nothing is added."""
    file = tmp_path / "evil.html"
    igsearch("search", "evil", f"attack {album.EVIL[1]}", "--html", file, "--cache-dir", cache)
    page = visit(file.as_uri(), ready=".card")
    assert page.locator(".card").count() == len(album.EVIL)
    assert page.evaluate("document.querySelectorAll('script, iframe, base, object, embed, [onerror], [onload], [onfocus], [onmouseover]').length") == 0
    assert page.evaluate("[document.querySelectorAll('style').length, document.querySelectorAll('link').length]") == [1, 1]
    links = page.locator("a:not([href^='#'])").evaluate_all("all => all.map(one => one.protocol)")
    assert set(links) == {"https:"}
    assert "attack" in page.title()
