"""A profile on Instagram, through instaloader: metadata only, anonymously or with a session of instaloader or a browser. The only importer of instaloader.

Whatever instaloader raises becomes a NotShownError here, and then an Unread or one of igsearch's errors. Read in its source (4.16), since it is not documented:
`AbortDownloadException` is no InstaloaderException; what the retries could not mend arrives as a plain ConnectionException; Ctrl-C during a retry arrives as a
ConnectionException too; messages reach stderr even when quiet. Of its iterator of posts only the pages are used: the iterator itself keeps to itself which
post it failed at, asks anew for posts already asked for, compares every date with the first post's, and ends without a word where a page comes back empty.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from instaloader import (
    AbortDownloadException,
    InstaloaderContext,
    InstaloaderException,
    LoginRequiredException,
    NodeIterator,
    Post,
    PrivateProfileNotFollowedException,
    Profile,
    ProfileNotExistsException,
    RateController,
    get_json_structure,
)
from instaloader.instaloader import get_default_session_filename

from igsearch.errors import IgsearchError
from igsearch.records import Found, Photo, Unread
from igsearch.sources.browser_cookies import browser_cookies
from igsearch.sources.instagram_connection import UNEXPECTED, Gate
from igsearch.sources.instagram_name import instagram_name
from igsearch.sources.instagram_refusals import AS_A_WHOLE, FOR_GOOD, OF_ONE_POST, Answer, Login, NotShownError, Why, answered_reason, network_reason, told
from igsearch.sources.instagram_session import saved_session
from igsearch.sources.post import SHORTCODE, photos_of

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

MAX_PINNED = 3
"""How many posts a profile can pin to its top, as of 2026."""

MAX_FAILURES_IN_A_ROW = 5
"""One post may be broken; this many one after the other mean that Instagram has changed."""

REQUEST_TIMEOUT = 60.0
"""Seconds between two pieces of an answer. instaloader's own 300 leave a user wondering for a quarter of an hour whether anything still moves."""

MEAN_PAUSE, LONGEST_PAUSE = 1 / 0.6, 15.0
"""Seconds between two requests, exponentially distributed: instaloader's own values."""

MAX_COUNT = 2**53
"""What JSON's and SQLite's numbers hold without loss; no count on Instagram comes near."""

FATAL = [401, 403, 404, 410, 451]
"""Statuses after which asking again at once, which instaloader would, is of no use; after 401, Instagram's "please wait", it makes things worse."""

NAMELESS = "a post without a shortcode"


class InstagramProfile:
    """The posts of a profile, newest first; pinned ones may come before and are marked. A post costs a request; logged in, twelve do."""

    kind = "instagram"
    name = "Instagram profile"
    newest_first = True

    def __init__(
        self,
        profile: str,
        *,
        login: str | None = None,
        browser: str | None = None,
        limit: int | None = None,
        on_wait: Callable[[float], None] | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Ask nothing yet. `login` names a user whose session `instaloader --login` saved; names that cannot be are a UsageError.

        `browser` names one in which somebody is logged in, and takes the place of `login`. After `limit` photos nothing more is asked for.

        `on_wait` is told the seconds before each wait for Instagram's rate limit. `sleep` does that wait and the short pauses between requests: `wait` of a
        threading.Event, for example, is cut short from another thread.
        """
        self.root = instagram_name(profile)
        self.n_expected: int | None = None
        """The number of posts, which is the least number of photos; known once the walk has begun."""
        self.left_out: Counter[str] = Counter()
        user = instagram_name(login) if login is not None else None
        self._browser = browser
        self._login = Login(user, f"run `instaloader --login {user}`") if user else None
        if browser is not None:
            self._login = Login(browser, f"log in to instagram.com in {browser}")
        self._limit = limit
        self._on_wait = on_wait
        self._sleep = sleep

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Found]:
        """Every picture of every post, covers of videos included, and an Unread for a post that Instagram lists and does not show. Raises as `Source.photos`.

        First come the posts of `retry`, by their shortcodes; they count towards no limit. One for which nothing comes is gone for good, and is left out.
        """
        self.left_out.clear()
        with closing(_Context(self._on_wait, self._sleep)) as context:
            if self._login:
                context.load_session(self._login.who, self._cookies(self._login))
            with self._errors(context):
                listed, again = self._listed(context), frozenset(filter(SHORTCODE.fullmatch, retry))
                yield from self._tried_again(context, again)
            posts = self._posts(context, listed, again)
            yield from pinned_marked(posts if self._limit is None else first_photos(posts, self._limit))

    def _cookies(self, login: Login) -> dict[str, str]:
        return saved_session(Path(get_default_session_filename(login.who)), login) if self._browser is None else browser_cookies(self._browser)

    def _listed(self, context: _Context) -> NodeIterator[Post]:
        """The list of posts, with its first page."""
        with _border(context, {Why.GONE: Why.NO_PROFILE}):
            profile = Profile.from_username(context, self.root)
        with _border(context, {Why.NO_PROFILE_ON_PAGE: Why.HIDDEN_PROFILE}):
            if self._browser is not None and context.user_id == str(profile.userid):
                context.username = profile.username  # one's own private profile is shown to nobody of another name
            posts: NodeIterator[Post] = profile.get_posts()
            self.n_expected = _n_posts(get_json_structure(profile)["node"])
        return posts

    def _tried_again(self, context: _Context, shortcodes: frozenset[str]) -> Iterator[Found]:
        """Posts that could not be read in an earlier walk, in any order: after several failures in a row the others wait, and each is to have its turn."""
        in_a_row, reason = 0, ""
        for shortcode in random.sample(sorted(shortcodes), len(shortcodes)):
            if in_a_row == MAX_FAILURES_IN_A_ROW:
                yield _unread(shortcode, reason)
                continue
            try:
                found = _read(context, shortcode)
            except NotShownError as err:
                if err.why in FOR_GOOD:
                    self.left_out["posts that Instagram no longer shows"] += 1
                    continue
                if _concerns_all(err, context):
                    raise
                in_a_row, reason = in_a_row + 1, self._reason(context, shortcode, err)
                yield _unread(shortcode, reason)
            else:
                in_a_row = 0
                yield from (one for one in found if isinstance(one, Photo))
                self.left_out.update("slides without a picture" for one in found if isinstance(one, Unread))

    def _posts(self, context: _Context, listed: NodeIterator[Post], tried: frozenset[str]) -> Iterator[list[Found]]:
        """What is found of one listed post after another, but for those that were `tried` before."""
        in_a_row, n_met, n_read = 0, 0, 0
        failure = NotShownError(Why.NO_POSTS)
        with self._errors(context):
            for shortcode, node in _nodes(context, listed):
                n_met += 1
                if shortcode in tried:
                    continue
                try:
                    found = _read(context, shortcode, node)
                    in_a_row, n_read = 0, n_read + 1
                except NotShownError as err:
                    in_a_row += 1
                    if _concerns_all(err, context) or in_a_row == MAX_FAILURES_IN_A_ROW:
                        raise
                    found, failure = [_unread(shortcode, self._reason(context, shortcode, err))], err
                yield found
            if (n_met == 0 and self.n_expected) or (n_read == 0 and failure.why is Why.REFUSED):
                raise failure

    @contextmanager
    def _errors(self, context: _Context) -> Iterator[None]:
        """Where what is not shown becomes one of igsearch's errors."""
        try:
            yield
        except NotShownError as err:
            as_a_whole = NotShownError(AS_A_WHOLE.get(err.why, err.why), err.detail)
            raise told(as_a_whole, repr(self.root), f"https://www.instagram.com/{self.root}/", self._login, context.gate.last) from err

    def _reason(self, context: _Context, shortcode: str, err: NotShownError) -> str:
        return str(told(err, "the post", _permalink(shortcode) or "the profile", self._login, context.gate.last))


class _Context(InstaloaderContext):
    """instaloader's connection, made silent (what it has to say goes to the log) and led through the gate."""

    def __init__(self, on_wait: Callable[[float], None] | None, sleep: Callable[[float], object]) -> None:
        self.gate = Gate()
        self._pages = dict[str, list[dict[str, Any]]]()
        super().__init__(
            quiet=True,
            request_timeout=REQUEST_TIMEOUT,
            rate_controller=lambda context: _RateController(context, on_wait, sleep),
            fatal_status_codes=FATAL,
        )
        self._pause = sleep

    def error(self, msg: str, repeat_at_end: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  # instaloader's signature
        log.info("instaloader: %s", msg)

    def do_sleep(self) -> None:
        self._pause(min(random.expovariate(1 / MEAN_PAUSE), LONGEST_PAUSE))

    def get_anonymous_session(self) -> requests.Session:
        return self._led(super().get_anonymous_session())

    def load_session(self, username: str, sessiondata: Mapping[str, str]) -> None:
        super().load_session(username, sessiondata)  # type: ignore[no-untyped-call]  # instaloader has no annotation there
        self._led(self._session)

    def get_json(
        self,
        path: str,
        params: dict[str, Any],
        host: str = "www.instagram.com",
        session: requests.Session | None = None,
        response_headers: dict[str, Any] | None = None,
        use_post: bool = False,  # noqa: FBT001, FBT002  # instaloader's signature
    ) -> dict[str, Any]:
        answer = super().get_json(path, params, host, self._led(session or self._session), response_headers, use_post)
        if "rate limit" in str(answer.get("errors"))[:1000].lower():
            raise NotShownError(Why.WAIT)
        return answer

    def get_page_data(self, path: str) -> list[dict[str, Any]]:
        """A profile's page, for which instaloader asks twice, for the profile and for its posts; Instagram is asked once."""
        if path in self._pages:
            return self._pages.pop(path)
        self._pages[path] = super().get_page_data(path)
        return self._pages[path]

    def close(self) -> None:
        super().close()  # type: ignore[no-untyped-call]  # instaloader has no annotation there
        self.gate.shut()

    def _led(self, session: requests.Session) -> requests.Session:
        session.mount("https://", self.gate)
        return session


class _RateController(RateController):
    """instaloader's bookkeeping of Instagram's limits, telling when it waits."""

    def __init__(self, context: InstaloaderContext, on_wait: Callable[[float], None] | None, sleep: Callable[[float], object]) -> None:
        super().__init__(context)
        self._on_wait = on_wait
        self._sleep = sleep

    def sleep(self, secs: float) -> None:
        if self._on_wait:
            self._on_wait(secs)
        self._sleep(secs)


@contextmanager
def _border(context: _Context, meaning: Mapping[Why, Why] = MappingProxyType({})) -> Iterator[None]:
    """Where instaloader's errors, and what its parsing trips over, become reasons why something is not shown; some have another meaning at some places."""
    try:
        yield
    except (InstaloaderException, AbortDownloadException, OSError, *UNEXPECTED) as err:
        if isinstance(err.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from err
        reason = _why(err, context)
        raise NotShownError(meaning.get(reason.why, reason.why), reason.detail) from err


def _why(err: Exception, context: _Context) -> NotShownError:
    if isinstance(err, PrivateProfileNotFollowedException):
        return NotShownError(Why.NOT_FOLLOWED)
    if isinstance(err, LoginRequiredException) and "private profile" in str(err):
        return NotShownError(Why.PRIVATE)
    if isinstance(err, ProfileNotExistsException) and "seems to exist" not in str(err):
        return NotShownError(_no_profile(context.gate.last))
    if context.is_logged_in and "did not contain the token" in str(err):
        return NotShownError(Why.LOGIN)
    return network_reason(err) or answered_reason(err, context.gate.last)


def _concerns_all(err: NotShownError, context: _Context) -> bool:
    """Whether something went wrong that would with any other post; a page is asked for on the way to a post, but never for one alone."""
    return err.why not in OF_ONE_POST or context.gate.method == "GET"


def _no_profile(last: Answer | None) -> Why:
    if last and last.is_empty and last.status == 200:
        return Why.EMPTY
    return Why.NO_PROFILE if last and last.status in (404, 410) else Why.NO_PROFILE_ON_PAGE


def _n_posts(node: Mapping[str, object]) -> int | None:
    """How many posts a profile has, as its details say; None where they do not."""
    count = node.get("all_media_count", node.get("media_count"))
    return count if isinstance(count, int) and 0 <= count < MAX_COUNT else None


def _nodes(context: _Context, posts: NodeIterator[Post]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """What the list tells of each post, behind its shortcode; each post once. Raises NotShownError where a page cannot be had or tells nothing new."""
    met = set[str]()
    page: object = posts.freeze().remaining_data
    while True:
        with _border(context):
            nodes, cursor = _page(page)
        fresh = {shortcode: node for shortcode, node in nodes.items() if shortcode not in met}
        yield from fresh.items()
        if cursor is None:
            return
        if not fresh:
            raise NotShownError(Why.BROKEN_OFF)
        met.update(fresh)
        with _border(context):
            page = posts._query(cursor)  # noqa: SLF001  # the query is instaloader's affair, and changes with its releases


def _page(page: Any) -> tuple[dict[str, Mapping[str, object]], str | None]:  # noqa: ANN401  # it is JSON that nobody has looked at
    """The posts of a page of the list by shortcode, and where the next page begins, if there is one. Raises LookupError, TypeError and the like."""
    nodes: dict[str, Mapping[str, object]] = {}
    for edge in page["edges"]:
        node = edge.get("node") if isinstance(edge, dict) else None
        node = node if isinstance(node, dict) else {}
        shortcode = node.get("code")
        nodes.setdefault(shortcode if isinstance(shortcode, str) and SHORTCODE.fullmatch(shortcode) else NAMELESS, node)
    more = page.get("page_info") or {}
    return nodes, str(more["end_cursor"]) if more.get("has_next_page") else None


def _read(context: _Context, shortcode: str, listed: Mapping[str, object] | None = None) -> list[Found]:
    """The photos of a post, at least one, and an Unread if there are slides without a picture. Somebody logged in has been told all of it with the list."""
    context.gate.method = None
    if not SHORTCODE.fullmatch(shortcode):
        raise NotShownError(Why.STRANGE, NAMELESS)
    with _border(context):
        node = listed if listed is not None and context.is_logged_in else get_json_structure(Post.from_shortcode(context, shortcode))["node"]
        photos = [_checked(photo) for photo in photos_of(node)]
    if not photos:
        raise NotShownError(Why.NO_PICTURE, "no picture")
    n_slides = photos[0].n_slides
    if n_missing := n_slides - len(photos):
        return [*photos, _unread(shortcode, f"Instagram gives no picture of {n_missing} of its {n_slides} slides")]
    return list(photos)


def _checked(photo: Photo) -> Photo:
    """The photo, if it can be kept. Raises ValueError for a number beyond counting."""
    if photo.likes is not None and photo.likes > MAX_COUNT:
        raise ValueError("a number beyond counting")
    return photo


def _unread(shortcode: str, reason: str) -> Unread:
    return Unread(shortcode, reason, _permalink(shortcode))


def _permalink(shortcode: str) -> str | None:
    return f"https://www.instagram.com/p/{shortcode}/" if SHORTCODE.fullmatch(shortcode) else None


def first_photos(posts: Iterator[list[Found]], limit: int) -> Iterator[list[Found]]:
    """The posts up to the one that brings the number of photos to `limit`; no later one is asked for."""
    n_left = limit
    while n_left > 0 and (found := next(posts, None)) is not None:
        yield found[:n_left]
        n_left -= sum(isinstance(one, Photo) for one in found)


def pinned_marked(posts: Iterator[list[Found]]) -> Iterator[Found]:
    """What is found of `posts`, those marked as pinned that are older than a post behind them.

    Instagram tells a logged-out visitor only the order. So the first posts are held back until the last one that could be pinned has a successor. If the walk
    fails before, they are given as pinned, for any of them may be, and then the error is raised.
    """
    head: list[list[Found]] = []
    failure: IgsearchError | None = None
    try:
        head.extend(islice(posts, MAX_PINNED + 1))
    except IgsearchError as err:
        failure = err
    for i, found in enumerate(head):
        may_be_older = failure is not None or any(_is_older(found[0], later[0]) for later in head[i + 1 :])
        yield from (replace(one, is_pinned=one.is_pinned or may_be_older) if isinstance(one, Photo) else one for one in found)
    if failure:
        raise failure
    for found in posts:
        yield from found


def _is_older(one: Found, other: Found) -> bool:
    dates = [found.taken_at for found in (one, other) if isinstance(found, Photo) and found.taken_at]
    return len(dates) == 2 and dates[0] < dates[1]
