"""The session of a browser, from files as the browser itself writes them."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from igsearch.errors import LoginRequiredError, UsageError
from igsearch.sources.browser_cookies import browser_cookies
from tests.firefox import firefox_profile

SESSION = {"sessionid": "alice-is-here", "csrftoken": "token", "ds_user_id": "42"}


@pytest.mark.parametrize("place", [".mozilla/firefox", ".config/mozilla/firefox"], ids=["until-146", "since-147"])
@pytest.mark.parametrize("version", [15, 16], ids=["expiry-in-seconds", "in-milliseconds"])
def test_instagrams_cookies_are_taken_and_no_others(own_home: Path, monkeypatch: pytest.MonkeyPatch, place: str, version: int) -> None:
    """From wherever Firefox keeps them, by its age."""
    monkeypatch.delenv("XDG_CONFIG_HOME")
    others = [("bank.example", "sessionid", "secret"), ("instagram.com.evil.example", "sessionid", "evil"), ("notinstagram.com", "csrftoken", "evil")]
    firefox_profile(own_home / place / "x1y2.default-release", SESSION, others=others, version=version)
    assert browser_cookies("firefox") == SESSION
    assert browser_cookies("Firefox:x1y2.default-release") == SESSION


def test_a_profile_may_be_given_by_its_folder(tmp_path: Path) -> None:
    """Where several people, or a portable browser, share a machine."""
    firefox_profile(tmp_path / "mine", SESSION)
    assert browser_cookies(f"firefox:{tmp_path / 'mine'}") == SESSION


@pytest.mark.parametrize(
    ("cookies", "expires"),
    [({"csrftoken": "token"}, 3600), ({**SESSION, "sessionid": ""}, 3600), (SESSION, -3600)],
    ids=["never-logged-in", "logged-out", "expired"],
)
def test_nobody_logged_in_is_told_where_to_log_in(tmp_path: Path, cookies: Mapping[str, str], expires: int) -> None:
    """What is left over from a visit is no session."""
    firefox_profile(tmp_path, cookies, expires=time.time() + expires)
    with pytest.raises(LoginRequiredError, match=r"nobody is logged in to Instagram in 'firefox:.*log in to instagram.com there"):
        browser_cookies(f"firefox:{tmp_path}")


@pytest.mark.parametrize("given", ["netscape", "", "firefox2:x", "--help"], ids=repr)
def test_an_unknown_browser_is_named_with_those_that_are_known(given: str) -> None:
    """A typing error ends before anything is looked for."""
    with pytest.raises(UsageError, match="there are brave, chrome, chromium"):
        browser_cookies(given)


@pytest.mark.parametrize("given", ["firefox", "chromium", "firefox:nobody"])
def test_a_browser_that_is_not_here(given: str) -> None:
    """One line, and what to do."""
    with pytest.raises(LoginRequiredError, match=r"cannot be read \(could not find .*log in to instagram.com"):
        browser_cookies(given)


@pytest.mark.parametrize("damage", [b"", b"SQLite format 3\0 and no more", b"no database at all" * 100], ids=["empty", "cut", "other"])
def test_a_damaged_file_of_cookies_is_one_line(tmp_path: Path, damage: bytes) -> None:
    """Whatever the library trips over."""
    (tmp_path / "cookies.sqlite").write_bytes(damage)
    with pytest.raises(LoginRequiredError, match="cannot be read") as caught:
        browser_cookies(f"firefox:{tmp_path}")
    assert len(str(caught.value).splitlines()) == 1


def test_chromiums_cookies_are_read_too(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that it does not encrypt; how it encrypts others is the library's to know."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(own_home / "config"))
    folder = own_home / "config" / "chromium" / "Default"
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "Cookies") as database:
        database.execute("create table meta (key text, value text)")
        database.execute("insert into meta values ('version', '24')")
        columns = "host_key text, name text, value text, encrypted_value blob, path text, expires_utc integer, is_secure integer"
        database.execute(f"create table cookies ({columns})")
        database.executemany("insert into cookies values ('.instagram.com', ?, ?, x'', '/', 0, 1)", SESSION.items())
    database.close()
    if sys.platform == "linux":
        assert browser_cookies("chromium") == SESSION


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not installed with igsearch."""
    monkeypatch.setitem(sys.modules, "yt_dlp.cookies", None)
    with pytest.raises(UsageError, match=r"pip install 'igsearch\[cookies\]'"):
        browser_cookies("firefox")
