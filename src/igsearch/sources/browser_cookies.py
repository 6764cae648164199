"""The session of somebody who is logged in to Instagram in a browser on this machine. The only importer of yt-dlp, which knows where browsers keep cookies."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable
from http.cookiejar import Cookie

from igsearch.errors import LoginRequiredError, UsageError

SITE = "instagram.com"
NEEDED = ("sessionid", "csrftoken")

# What reading a browser's files lets escape besides yt-dlp's own errors: files that are missing, locked, damaged or of another version.
UNREADABLE = (OSError, sqlite3.Error, struct.error, ValueError, LookupError, TypeError, AttributeError, RuntimeError)


def browser_cookies(given: str) -> dict[str, str]:
    """Instagram's cookies in a browser: `firefox`, or `firefox:PROFILE` with the name or the folder of a profile, of which else the one used last is taken.

    Nobody else's cookies are kept. Raises UsageError for an unknown browser or where yt-dlp is not installed, LoginRequiredError where nobody is logged in.
    """
    try:
        from yt_dlp.cookies import SUPPORTED_BROWSERS, extract_cookies_from_browser
        from yt_dlp.utils import YoutubeDLError
    except ImportError as err:
        raise UsageError("--cookies-from-browser needs one more library: run pip install 'igsearch[cookies]'") from err
    name, _, profile = given.partition(":")
    browser = name.strip().lower()
    if browser not in SUPPORTED_BROWSERS:
        raise UsageError(f"--cookies-from-browser {given!r}: there are {', '.join(sorted(SUPPORTED_BROWSERS))}")
    try:
        jar = extract_cookies_from_browser(browser, profile or None)
    except (YoutubeDLError, *UNREADABLE) as err:
        reason = " ".join(str(err).split())[:200]
        raise LoginRequiredError(f"the cookies of {given!r} cannot be read ({reason}): log in to {SITE} there, close it, and try again") from err
    cookies = _instagrams(jar)
    if not all(cookies.get(key) for key in NEEDED):
        raise LoginRequiredError(f"nobody is logged in to Instagram in {given!r}: log in to {SITE} there, then run the same command again")
    return cookies


def _instagrams(jar: Iterable[Cookie]) -> dict[str, str]:
    """What Instagram set and what has not expired."""
    ours = (cookie for cookie in jar if f".{cookie.domain.lstrip('.')}".endswith(f".{SITE}") and not cookie.is_expired())
    return {cookie.name: cookie.value for cookie in ours if cookie.value and can_be_sent(cookie.name + cookie.value)}


def can_be_sent(text: str) -> bool:
    """Whether an HTTP header can hold it; what a damaged file holds may be anything."""
    return text.isascii() and text.isprintable()
