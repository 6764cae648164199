"""A profile on Instagram, through instaloader: metadata only, anonymously or with a session of instaloader or a browser. The only importer of instaloader.

Whatever instaloader raises is turned into igsearch's errors here. Read in its source (4.16), since it is not documented: `AbortDownloadException` is no
InstaloaderException; what the retries could not mend arrives as a plain ConnectionException with the last failure as its cause, and only the text tells
the HTTP status; Ctrl-C during a retry arrives as a ConnectionException too; messages reach stderr even when quiet.
"""

from __future__ import annotations

import io
import logging
import pickle
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import requests
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
    TooManyRequestsException,
    get_json_structure,
)
from instaloader.instaloader import get_default_session_filename
from requests.exceptions import ChunkedEncodingError

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
)
from igsearch.paths import profile_name
from igsearch.sources.browser_cookies import browser_cookies
from igsearch.sources.post import photos_of

if TYPE_CHECKING:
    from igsearch.records import Photo

log = logging.getLogger(__name__)

MAX_PINNED = 3
"""How many posts a profile can pin to its top, as of 2026."""

MAX_FAILURES_IN_A_ROW = 5
"""One post may be broken; this many one after the other mean that Instagram has changed."""

REQUEST_TIMEOUT = 60.0
"""Seconds. instaloader's own 300 leave a user wondering for a quarter of an hour whether anything still moves."""

MEAN_PAUSE, LONGEST_PAUSE = 1 / 0.6, 15.0
"""Seconds between two requests, exponentially distributed: instaloader's own values."""

MAX_SESSION_BYTES = 2**20
"""A saved session is a dozen cookies, about 1 KB."""

STATUS = re.compile(r"""(?:^|[:"]\s?)([45]\d\d)\s""")
"""An HTTP status as instaloader writes it into its messages: first, or after a colon or a quotation mark."""

UNEXPECTED = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What instaloader's parsing trips over when an answer has another shape than it was written for."""

UPGRADE = "upgrade instaloader first (`pip install --upgrade instaloader`), which follows Instagram's changes"


@dataclass(frozen=True, slots=True)
class _Login:
    """Whose session is used, as messages name it, and what renews it."""

    who: str
    renew: str


class InstagramProfile:
    """The posts of a profile, newest first; pinned ones may come before and are marked. A post costs a request; logged in, twelve do."""

    name = "Instagram profile"
    newest_first = True
    n_expected = None

    def __init__(
        self,
        profile: str,
        *,
        login: str | None = None,
        browser: str | None = None,
        on_wait: Callable[[float], None] | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Ask nothing yet. `login` names a user whose session `instaloader --login` saved; names that cannot be are a UsageError.

        `browser` names one in which somebody is logged in, and takes the place of `login`.

        `on_wait` is told the seconds before each wait for Instagram's rate limit. `sleep` does that wait and the short pauses between requests: `wait` of a
        threading.Event, for example, is cut short from another thread.
        """
        self._profile = profile_name(profile)
        self._user = profile_name(login) if login else None
        self._browser = browser
        self._login = _Login(browser, f"log in to instagram.com in {browser}") if browser else _login_of(self._user) if self._user else None
        self._on_wait = on_wait
        self._sleep = sleep
        self.n_failed_posts = 0
        """Posts that Instagram listed and then did not show, in the last walk."""

    def photos(self) -> Iterator[Photo]:
        """Every picture of every post, covers of videos included. Raises the errors of `Source.photos`; a single post that fails is logged and passed over."""
        self.n_failed_posts = 0
        with closing(_Context(self._on_wait, self._sleep)) as context:
            if self._login:
                cookies = browser_cookies(self._browser) if self._browser else saved_session(self._login.who)
                context.load_session(self._login.who, cookies)  # type: ignore[no-untyped-call]  # instaloader has no annotation there
            yield from pinned_marked(self._posts(context))

    def _posts(self, context: InstaloaderContext) -> Iterator[list[Photo]]:
        """The photos of one post after another."""
        with self._border():
            profile = Profile.from_username(context, self._profile)
            if self._browser and context.user_id == str(profile.userid):
                context.username = profile.username  # one's own private profile is shown to nobody of another name
            posts = profile.get_posts()
        failures = 0
        while True:
            n_before = posts.total_index
            try:
                photos = self._next(posts)
            except (SourceError, TryLaterError) as err:
                failures += 1
                concerns_the_walk = posts.total_index == n_before or isinstance(err, RateLimitedError | OfflineError)
                if concerns_the_walk or failures == MAX_FAILURES_IN_A_ROW:
                    raise
                self.n_failed_posts += 1
                log.warning("a post of %s is passed over: %s", self._profile, err)
            else:
                if photos is None:
                    return
                failures = 0
                yield photos

    def _next(self, posts: NodeIterator[Post]) -> list[Photo] | None:
        """The photos of the next post, at least one; None after the last post."""
        with self._border():
            post = next(posts, None)
            if post is None:
                return None
            if photos := list(photos_of(get_json_structure(post)["node"])):
                return photos
            raise ValueError("no picture")

    @contextmanager
    def _border(self) -> Iterator[None]:
        """Where instaloader's errors become igsearch's."""
        try:
            yield
        except (InstaloaderException, AbortDownloadException, requests.RequestException) as err:
            if isinstance(err.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from err
            raise translated(err, self._profile, self._login) from err
        except UNEXPECTED as err:
            raise SourceError(f"Instagram's answer about {self._profile!r} could not be understood ({type(err).__name__}): {UPGRADE}") from err


class _Context(InstaloaderContext):
    """instaloader's connection, made silent: what it has to say goes to the log."""

    def __init__(self, on_wait: Callable[[float], None] | None, sleep: Callable[[float], object]) -> None:
        # 401 is Instagram's "please wait": asking again at once, which instaloader would, makes it worse.
        super().__init__(
            quiet=True,
            request_timeout=REQUEST_TIMEOUT,
            rate_controller=lambda context: _RateController(context, on_wait, sleep),
            fatal_status_codes=[401],
        )
        self._pause = sleep

    def error(self, msg: str, repeat_at_end: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  # instaloader's signature
        log.info("instaloader: %s", msg)

    def do_sleep(self) -> None:
        self._pause(min(random.expovariate(1 / MEAN_PAUSE), LONGEST_PAUSE))


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


def pinned_marked(posts: Iterator[list[Photo]]) -> Iterator[Photo]:
    """The photos of `posts`, those marked as pinned that are older than a post behind them.

    Instagram tells a logged-out visitor only the order. So the first posts are held back until the last one that could be pinned has a successor. If the walk
    fails before, they are given as pinned, for any of them may be, and then the error is raised.
    """
    head: list[list[Photo]] = []
    failure: IgsearchError | None = None
    try:
        head.extend(islice(posts, MAX_PINNED + 1))
    except IgsearchError as err:
        failure = err
    for i, photos in enumerate(head):
        may_be_older = failure is not None or any(_is_older(photos[0], later[0]) for later in head[i + 1 :])
        yield from (replace(photo, is_pinned=photo.is_pinned or may_be_older) for photo in photos)
    if failure:
        raise failure
    for photos in posts:
        yield from photos


def _is_older(photo: Photo, other: Photo) -> bool:
    return photo.taken_at is not None and other.taken_at is not None and photo.taken_at < other.taken_at


def translated(err: Exception, profile: str, login: _Login | None) -> IgsearchError:
    """The error of ours for one of instaloader's or requests', with what the user can do about it."""
    if isinstance(err, PrivateProfileNotFollowedException):
        return PrivateProfileError(f"profile {profile!r} is private and {_who(login)} does not follow it: log in as somebody who does")
    if isinstance(err, ProfileNotExistsException) and "seems to exist" not in str(err):
        return ProfileNotFoundError(f"Instagram has no profile {profile!r}: check the spelling; if it is right, {UPGRADE}")
    if isinstance(err, LoginRequiredException) and "private profile" in str(err):
        return PrivateProfileError(f"profile {profile!r} is private: {_log_in(None)}, for a USER who follows it")
    if _is_offline(err):
        return OfflineError(f"no connection to Instagram for {profile!r}: check the network, and the proxy if there is one, then run the same command again")
    return _told_by_text(err, profile, login)


def _told_by_text(err: Exception, profile: str, login: _Login | None) -> IgsearchError:
    """The error for an answer of which instaloader keeps nothing but the words."""
    text = " ".join(str(err).split())
    match = STATUS.search(text)
    status = int(match[1]) if match else None
    if status == 429 or "wait a few minutes" in text or any(isinstance(cause, TooManyRequestsException) for cause in _causes(err)):
        advice = "" if login else ", or log in (--login USER): Instagram allows visitors less"
        return RateLimitedError(f"Instagram says wait, while reading {profile!r}: run the same command again in half an hour{advice}")
    if "feedback_required" in text:
        return RateLimitedError(f"Instagram has blocked this for now, while reading {profile!r}: run the same command again tomorrow, for fewer photos")
    if "checkpoint_required" in text or "challenge_required" in text:
        return LoginRequiredError(f"Instagram wants {_who(login)} to confirm something: open instagram.com in a browser, confirm, then {_log_in(login)}")
    if isinstance(err, LoginRequiredException | AbortDownloadException) or status in (401, 403) or (login and "did not contain the token" in text):
        return _login_needed(profile, login)
    if status is not None and status >= 500:
        return TryLaterError(f"Instagram has trouble of its own, while reading {profile!r} (HTTP {status}): run the same command again later")
    return SourceError(f"Instagram's answer about {profile!r} could not be understood ({text[:120]}): {UPGRADE}")


def _login_needed(profile: str, login: _Login | None) -> AccessError:
    if login:
        return LoginRequiredError(f"Instagram no longer accepts the saved session of {_who(login)}: {_log_in(login)}")
    return LoginRequiredError(f"Instagram refuses to show {profile!r} to a visitor: {_log_in(None)}; if that does not help, upgrade instaloader")


def _login_of(user: str) -> _Login:
    return _Login(user, f"run `instaloader --login {user}`")


def _who(login: _Login | None) -> str:
    return repr(login.who) if login else "somebody logged in"


def _log_in(login: _Login | None) -> str:
    return login.renew if login else "run `instaloader --login USER` once, then add --login USER here, or add --cookies-from-browser BROWSER"


def _causes(err: BaseException | None) -> Iterator[BaseException]:
    """`err`, what caused it, what caused that, and so on."""
    while err is not None:
        yield err
        err = err.__cause__


def _is_offline(err: Exception) -> bool:
    return any(isinstance(cause, requests.ConnectionError | requests.Timeout | ChunkedEncodingError) for cause in _causes(err))


class _CookiesOnly(pickle.Unpickler):
    """Builds dictionaries, texts and the like; looks up no class and no function, and so runs nothing."""

    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"{module}.{name} is not a cookie")


def saved_session(login: str) -> dict[str, str]:
    """The cookies of the session that `instaloader --login` saved. Raises LoginRequiredError if there is none, or if the file holds anything else."""
    path = Path(get_default_session_filename(login))
    try:
        with path.open("rb") as file:
            return _cookies(file)
    except FileNotFoundError as err:
        raise LoginRequiredError(f"no session of {login!r} is saved on this machine: {_login_of(login).renew}") from err
    except OSError as err:
        raise LoginRequiredError(f"the saved session {str(path)!r} cannot be read ({err.strerror}): {_login_of(login).renew}") from err
    except (pickle.UnpicklingError, EOFError, MemoryError, *UNEXPECTED) as err:
        raise LoginRequiredError(f"{str(path)!r} is not a session that instaloader saved: delete it, then {_login_of(login).renew}") from err


def _cookies(file: BinaryIO) -> dict[str, str]:
    cookies = _CookiesOnly(io.BytesIO(file.read(MAX_SESSION_BYTES))).load()
    if not isinstance(cookies, Mapping) or not all(isinstance(text, str) for item in cookies.items() for text in item):
        raise ValueError("not cookies")
    if not cookies.get("sessionid") or "csrftoken" not in cookies:
        raise ValueError("not the cookies of somebody logged in")
    return dict(cookies)
