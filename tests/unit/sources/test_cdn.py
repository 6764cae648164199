"""Addresses of Instagram's picture servers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igsearch.sources import cdn

BLOG = "https://scontent-cdg2-1.cdninstagram.com/v/t51.2885-15/e35/178_n.jpg?tp=1&oe=608CF1C0&ig_cache_key=MjU0MjkyMTU4NzY5MTMxMTk5NA%3D%3D.2"


@pytest.mark.parametrize(
    ("url", "shortcode"),
    [
        pytest.param(BLOG, "CNKRbYGA1N6", id="media-id"),
        pytest.param("https://x.fbcdn.net/a.jpg?ig_cache_key=MjM3Nzc3MTkzNjM4Mzk0NTg3MQ", "CD_ivppDsyP", id="without-padding"),
        pytest.param("https://x.fbcdn.net/a.jpg?ig_cache_key=MjM3Nzc3MTkzNjM4Mzk0NTg3MV83ODcxMzI=", "CD_ivppDsyP", id="with-owner"),
        pytest.param("https://x.fbcdn.net/a.jpg?ig_cache_key=OTk5OTk5OTk5OTk5OTk5OTk5OTk=", None, id="number-too-large"),
        pytest.param("https://x.fbcdn.net/a.jpg?ig_cache_key=%FF%FE", None, id="no-base64"),
        pytest.param("https://x.fbcdn.net/a.jpg?ig_cache_key=aGVsbG8=", None, id="no-number"),
        pytest.param("https://x.fbcdn.net/a.jpg", None, id="no-key"),
        pytest.param("https://example.org/a.jpg?ig_cache_key=MjM3Nzc3MTkzNjM4Mzk0NTg3MQ==", None, id="elsewhere"),
        pytest.param("https://evilcdninstagram.com/a.jpg?ig_cache_key=MjM3Nzc3MTkzNjM4Mzk0NTg3MQ==", None, id="look-alike"),
    ],
)
def test_the_post_is_told_by_the_cache_key(url: str, shortcode: str | None) -> None:
    """Even when the address itself has expired."""
    assert cdn.shortcode_of(url) == shortcode


@pytest.mark.parametrize(
    ("url", "expiry"),
    [
        pytest.param(BLOG, datetime(2021, 5, 1, 6, 14, 24, tzinfo=UTC), id="hexadecimal"),
        pytest.param("https://x.fbcdn.net/a.jpg?oe=xyz", None, id="no-number"),
        pytest.param("https://x.fbcdn.net/a.jpg?oe=FFFFFFFFFFFFFFFF", None, id="absurd"),
        pytest.param("https://x.fbcdn.net/a.jpg", None, id="not-said"),
        pytest.param("https://example.org/a.jpg?oe=608CF1C0", None, id="elsewhere"),
        pytest.param("https://[broken/a.jpg?oe=608CF1C0", None, id="no-address"),
    ],
)
def test_the_expiry_is_told_by_oe(url: str, expiry: datetime | None) -> None:
    """Only on Instagram's servers does the parameter mean that."""
    assert cdn.expires_at(url) == expiry


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        pytest.param(BLOG, "178_n.jpg", id="instagram"),
        pytest.param(BLOG.replace("scontent-cdg2-1", "instagram.ftxl3-1").replace("608CF1C0", "708CF1C0"), "178_n.jpg", id="signed-anew-elsewhere"),
        pytest.param("https://Example.org/a/b.jpg", "example.org/a/b.jpg", id="other-host"),
        pytest.param("http://example.org/image?id=7", "example.org/image?id=7", id="query-that-names-the-picture"),
        pytest.param("https://x.fbcdn.net/", "x.fbcdn.net", id="no-file"),
        pytest.param("https://[broken", "https://[broken", id="no-address"),
    ],
)
def test_what_stays_when_an_address_is_signed_anew(url: str, rest: str) -> None:
    """The file's name on Instagram's servers; anywhere else host, path and query, which may all matter."""
    assert cdn.without_signature(url) == rest


@given(st.integers(10**4, 2**64 - 1).map(str))
def test_a_posts_number_and_shortcode_lead_to_each_other(media_id: str) -> None:
    """Base 64 either way; the owner's number behind it says nothing of the post."""
    shortcode = cdn.shortcode_of_id(media_id)
    assert shortcode is not None
    assert cdn.id_of_shortcode(shortcode) == media_id
    assert cdn.shortcode_of_id(f"{media_id}_787132") == shortcode


@pytest.mark.parametrize("text", ["", "1234", "1" * 21, str(2**64), "12345x", "\u0661\u0662\u0663\u0664\u0665x", "12345_"])
def test_what_is_no_number_of_a_post_has_no_shortcode(text: str) -> None:
    """Too short, too long, or no number."""
    assert cdn.shortcode_of_id(text) is None


@given(st.text() | st.text("CDABab019-_", max_size=50))
def test_what_is_no_shortcode_has_no_number(text: str) -> None:
    """Nothing is taken for one that is not written exactly so."""
    media_id = cdn.id_of_shortcode(text)
    assert media_id is None or cdn.shortcode_of_id(media_id) == text


@pytest.mark.parametrize(
    ("url", "post"),
    [
        ("https://www.instagram.com/p/CD_ivppDsyP/", ("CD_ivppDsyP", 1)),
        ("http://instagram.com/reel/CD_ivppDsyP", ("CD_ivppDsyP", 1)),
        ("https://www.instagram.com/natgeo/p/CD_ivppDsyP/?img_index=3&igsh=x", ("CD_ivppDsyP", 3)),
        ("https://www.instagram.com/p/CD_ivppDsyP/?img_index=-3", ("CD_ivppDsyP", 1)),
        ("https://www.instagram.com/natgeo/", None),
        ("https://www.instagram.com.example.org/p/CD_ivppDsyP/", None),
        ("https://[broken/p/CD_ivppDsyP/", None),
        (BLOG, None),
    ],
)
def test_the_address_of_a_post_names_it_and_the_slide(url: str, post: tuple[str, int] | None) -> None:
    """As Instagram's own buttons copy it."""
    assert cdn.post_at(url) == post
