"""Why Instagram does not show something, and what a user can do about it: the whole list, one entry a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from urllib.parse import urljoin, urlsplit

import requests
from requests.exceptions import ChunkedEncodingError, InvalidSchema, InvalidURL

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

MAX_DETAIL_CHARS = 120
"""Of what Instagram says, as much as a line has room for."""

UPGRADE = "upgrade instaloader (`pip install --upgrade instaloader`), which follows Instagram's changes"
LOG_IN = "run `instaloader --login USER` once, then add --login USER here, or add --cookies-from-browser BROWSER"


class Why(Enum):
    """Why something is not shown."""

    OFFLINE = auto()
    SLOW = auto()
    SETTINGS = auto()
    WAIT = auto()
    BLOCKED = auto()
    CONFIRM = auto()
    SUSPENDED = auto()
    LOGIN = auto()
    AGENT = auto()
    NO_PROFILE = auto()
    NO_PROFILE_ON_PAGE = auto()
    HIDDEN_PROFILE = auto()
    PRIVATE = auto()
    NOT_FOLLOWED = auto()
    NO_POSTS = auto()
    BROKEN_OFF = auto()
    ELSEWHERE = auto()
    REFUSED = auto()
    GONE = auto()
    COUNTRY = auto()
    HIDDEN = auto()
    NO_PICTURE = auto()
    TROUBLE = auto()
    PAGE = auto()
    EMPTY = auto()
    STRANGE = auto()


OF_ONE_POST = frozenset({Why.REFUSED, Why.GONE, Why.COUNTRY, Why.HIDDEN, Why.NO_PICTURE, Why.TROUBLE, Why.PAGE, Why.EMPTY, Why.STRANGE})
"""What may concern the post that was asked for and no other."""

FOR_GOOD = frozenset({Why.GONE, Why.COUNTRY, Why.HIDDEN, Why.NO_PICTURE})
"""What stays as it is when a post is asked for again."""

AS_A_WHOLE: Mapping[Why, Why] = MappingProxyType({Why.GONE: Why.STRANGE, Why.NO_PICTURE: Why.STRANGE, Why.HIDDEN: Why.NO_POSTS})
"""What it means where it concerns not one post but all, or their list."""


@dataclass(frozen=True, slots=True)
class Login:
    """Whose session is used, as messages name it, and what renews it."""

    who: str
    renew: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What messages and reasons need of an HTTP answer."""

    status: int
    is_page: bool
    is_empty: bool


class NotShownError(Exception):
    """Instagram did not show what was asked for. Not one of instaloader's or requests' errors, which instaloader catches to ask again."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(why, detail)
        self.why, self.detail = why, detail


# Of each reason: the error it ends in, what is said to a visitor, and what to somebody logged in, where that differs.
TOLD: Mapping[Why, tuple[type[IgsearchError], str, str | None]] = MappingProxyType({
    Why.OFFLINE: (OfflineError, "no connection to Instagram for {it}: check the network, and the proxy if there is one, then run the same command again", None),
    Why.SLOW: (OfflineError, "Instagram's answer about {it} did not arrive whole within {detail}: check the network, then run the same command again", None),
    Why.SETTINGS: (UsageError, "Instagram cannot be asked for {it} ({detail}): check the environment variables HTTPS_PROXY and REQUESTS_CA_BUNDLE", None),
    Why.WAIT: (
        RateLimitedError,
        "Instagram says wait, while reading {it}: run the same command again in half an hour, or log in (--login USER): Instagram allows visitors less",
        "Instagram says wait, while reading {it}: run the same command again in half an hour",
    ),
    Why.BLOCKED: (RateLimitedError, "Instagram has blocked this for now, while reading {it}: run the same command again tomorrow, for fewer photos", None),
    Why.CONFIRM: (
        LoginRequiredError,
        "Instagram wants a confirmation before it shows {it} to a visitor: open {address} in a browser, confirm, and run the same command again; or {log_in}",
        "Instagram wants {who} to confirm something: open instagram.com in a browser, confirm, then {log_in}",
    ),
    Why.SUSPENDED: (
        LoginRequiredError,
        "Instagram wants a confirmation before it shows {it} to a visitor: open {address} in a browser, confirm, and run the same command again; or {log_in}",
        "Instagram has suspended {who}: open instagram.com in a browser to see why, or log in with another account",
    ),
    Why.LOGIN: (
        LoginRequiredError,
        "Instagram refuses to show {it} to a visitor: {log_in}; if that does not help, upgrade instaloader",
        "Instagram no longer accepts the saved session of {who}: {log_in}",
    ),
    Why.AGENT: (
        SourceError,
        "Instagram does not take this for a browser ({detail}): {upgrade}",
        "Instagram takes the session of {who} for another program's ({detail}): {log_in}; if that does not help, upgrade instaloader",
    ),
    Why.NO_PROFILE: (ProfileNotFoundError, "Instagram has no profile {it}: check the spelling; it may also have been renamed or deleted", None),
    Why.NO_PROFILE_ON_PAGE: (
        ProfileNotFoundError,
        "Instagram shows no profile {it}: check the spelling; if {address} shows it in a browser, log in (--login USER) or {upgrade}",
        "Instagram shows no profile {it}: check the spelling; if {address} shows it in a browser, {upgrade}",
    ),
    Why.HIDDEN_PROFILE: (
        AccessError,
        "Instagram does not show {it}: open {address} in a browser to see why",
        "Instagram shows {it} to visitors and not to {who}, who may be blocked there: run the same command without the login, or with another one",
    ),
    Why.PRIVATE: (PrivateProfileError, "profile {it} is private: {log_in}, for a USER who follows it", "profile {it} is private: {who} has to follow it"),
    Why.NOT_FOLLOWED: (PrivateProfileError, "profile {it} is private and {who} does not follow it: log in with an account that follows it", None),
    Why.NO_POSTS: (
        LoginRequiredError,
        "Instagram does not show the posts of {it} to a visitor, perhaps because of age or country: {log_in}; if that does not help, upgrade instaloader",
        "Instagram counts posts of {it} and lists none: open {address} in a browser; if they are there, {upgrade}",
    ),
    Why.BROKEN_OFF: (
        TryLaterError,
        "Instagram's list of the posts of {it} breaks off before its end: run the same command again later, or log in (--login USER)",
        "Instagram's list of the posts of {it} breaks off before its end: run the same command again later",
    ),
    Why.ELSEWHERE: (SourceError, "Instagram sends whoever asks for {it} to {detail!r}: open {address} in a browser to see what it wants, and {upgrade}", None),
    Why.REFUSED: (
        LoginRequiredError,
        "Instagram refuses to show {it} to a visitor (HTTP 403): {log_in}; if that does not help, upgrade instaloader",
        "Instagram refuses to show {it} to {who} (HTTP 403): open instagram.com in a browser to see whether it asks for something, then {log_in}",
    ),
    Why.GONE: (SourceError, "Instagram no longer has {it} (HTTP {status})", None),
    Why.COUNTRY: (AccessError, "Instagram does not show {it} in this country (HTTP 451): run the same command where it may be seen", None),
    Why.HIDDEN: (
        LoginRequiredError,
        "Instagram lists {it} and does not show it to a visitor: it was deleted a moment ago, or it is restricted by age or country, and then {log_in}",
        "Instagram lists {it} and does not show it: it was deleted a moment ago, or it is restricted by age or country",
    ),
    Why.NO_PICTURE: (SourceError, "Instagram gives no picture of {it}: open {address} in a browser; if there is one, {upgrade}", None),
    Why.TROUBLE: (TryLaterError, "Instagram has trouble of its own, while reading {it} (HTTP {status}): run the same command again later", None),
    Why.PAGE: (
        TryLaterError,
        "Instagram answers with a page instead of data about {it}: open {address} in a browser, do what it asks, or else {upgrade}, and run it again",
        None,
    ),
    Why.EMPTY: (TryLaterError, "Instagram's answer about {it} is empty: run the same command again later; if that does not help, upgrade instaloader", None),
    Why.STRANGE: (SourceError, "Instagram's answer about {it} could not be understood ({detail}): {upgrade}", None),
})  # fmt: skip

WORDS: Mapping[str, Why] = MappingProxyType({
    "wait a few minutes": Why.WAIT,
    "rate limit": Why.WAIT,
    "feedback_required": Why.BLOCKED,
    "checkpoint_required": Why.CONFIRM,
    "challenge_required": Why.CONFIRM,
    "consent_required": Why.CONFIRM,
    "useragent mismatch": Why.AGENT,
    "login_required": Why.LOGIN,
    "require_login": Why.LOGIN,
    "metadata failed": Why.HIDDEN,
    "did not contain its posts": Why.NO_POSTS,
    "seems to exist": Why.STRANGE,
})  # fmt: skip
"""What stands in Instagram's messages and in instaloader's; the first that is met counts."""

STATUSES: Mapping[int, Why] = MappingProxyType({
    401: Why.LOGIN, 403: Why.REFUSED, 404: Why.GONE, 410: Why.GONE, 429: Why.WAIT, 451: Why.COUNTRY,
})  # fmt: skip

PLACES: Mapping[str, Why] = MappingProxyType({
    "/accounts/login": Why.LOGIN,
    "/accounts/suspended": Why.SUSPENDED,
    "/accounts/disabled": Why.SUSPENDED,
    "/accounts/": Why.CONFIRM,
    "/challenge": Why.CONFIRM,
    "/checkpoint": Why.CONFIRM,
    "/auth_platform": Why.CONFIRM,
    "/consent": Why.CONFIRM,
    "/privacy": Why.CONFIRM,
    "/terms": Why.CONFIRM,
})  # fmt: skip
"""Where Instagram sends somebody of whom it wants something; the first that fits counts."""


def told(err: NotShownError, it: str, address: str, login: Login | None, last: Answer | None) -> IgsearchError:
    """The error for it, in one line. `it` is what was asked for and `address` where a browser shows it."""
    kind, to_visitor, to_user = TOLD[err.why]
    text = to_user if login and to_user else to_visitor
    return kind(
        text.format(
            it=it,
            address=address,
            who=repr(login.who) if login else "somebody logged in",
            log_in=login.renew if login else LOG_IN,
            detail=err.detail,
            status=last.status if last else "unknown",
            upgrade=UPGRADE,
        )
    )


def sent_to(asked: str, location: str) -> NotShownError:
    """What a redirection from one address to another means."""
    try:
        path = urlsplit(urljoin(asked, location)).path
    except ValueError:
        path = location
    why = next((why for place, why in PLACES.items() if path.startswith(place)), Why.ELSEWHERE)
    return NotShownError(why, in_short(path))


def network_reason(err: BaseException) -> NotShownError | None:
    """What an error of the network means; None if it is none."""
    causes = list(causes_of(err))
    if any(isinstance(cause, InvalidURL | InvalidSchema) or (isinstance(cause, OSError) and type(cause) is OSError) for cause in causes):
        return NotShownError(Why.SETTINGS, in_short(str(causes[-1])))
    if any(isinstance(cause, requests.ConnectionError | requests.Timeout | ChunkedEncodingError | ConnectionError | TimeoutError) for cause in causes):
        return NotShownError(Why.OFFLINE)
    return None


def answered_reason(err: Exception, last: Answer | None) -> NotShownError:
    """What an answer of which an error of instaloader's is left means; `last` is the answer itself, if there was one."""
    text = " ".join(str(err).split()).split(" when accessing ")[0]
    by_words = next((why for words, why in WORDS.items() if words in text.lower()), None)
    return NotShownError(by_words or _by_answer(last), in_short(text) or type(err).__name__)


def _by_answer(last: Answer | None) -> Why:
    if last is None:
        return Why.STRANGE
    if last.status >= 500:
        return Why.TROUBLE
    return STATUSES.get(last.status) or (Why.EMPTY if last.is_empty and last.status < 300 else Why.STRANGE)


def causes_of(err: BaseException | None) -> Iterator[BaseException]:
    """`err`, what caused it, what caused that, and so on."""
    while err is not None:
        yield err
        err = err.__cause__


def in_short(text: str) -> str:
    """What somebody else wrote, on one line, without what a terminal would obey, and no longer than a line has room for."""
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text[: 8 * MAX_DETAIL_CHARS])).strip()[:MAX_DETAIL_CHARS]
