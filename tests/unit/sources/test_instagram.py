"""Which posts count as pinned for a visitor, who is told their order alone; how many are asked for; and what may be given for a profile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from igsearch.errors import RateLimitedError, UsageError
from igsearch.records import Found, Photo, Unread
from igsearch.sources.instagram import InstagramProfile, first_photos, pinned_marked
from igsearch.sources.instagram_name import instagram_name

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2025, 6, 30, 12, tzinfo=UTC)


def post(age: int) -> list[Found]:
    """A post of one picture, `age` days old."""
    return [Photo(f"p{age}", taken_at=NOON - timedelta(days=age))]


def marked(posts: Iterator[list[Found]]) -> list[tuple[str, bool]]:
    """The photos, and which count as pinned."""
    return [(photo.id, photo.is_pinned) for photo in pinned_marked(posts) if isinstance(photo, Photo)]


def test_posts_before_newer_ones_are_pinned() -> None:
    """Old posts at the top are marked, those in order are not."""
    assert marked(iter(map(post, (90, 30, 1, 2, 3, 4)))) == [("p90", True), ("p30", True), ("p1", False), ("p2", False), ("p3", False), ("p4", False)]


def test_a_post_that_is_unread_is_no_newer_one() -> None:
    """Nobody knows its date; it stays where it is."""
    posts: list[list[Found]] = [post(90), [Unread("u", "why")], post(1), post(2)]
    assert [found.id for found in pinned_marked(iter(posts))] == ["p90", "u", "p1", "p2"]
    assert marked(iter(posts)) == [("p90", True), ("p1", False), ("p2", False)]
    assert marked(iter([post(1), [Unread("u", "why")]])) == [("p1", False)]


def test_a_walk_that_fails_early_gives_what_it_had() -> None:
    """Posts read before an early refusal are given, as pinned, since any of them may be; then the refusal is raised."""

    def refused() -> Iterator[list[Found]]:
        yield post(1)
        yield post(2)
        raise RateLimitedError("wait a while")

    walk = pinned_marked(refused())
    found = [next(walk), next(walk)]
    assert all(isinstance(one, Photo) and one.is_pinned for one in found)
    with pytest.raises(RateLimitedError):
        next(walk)


@pytest.mark.parametrize(("limit", "n_asked", "ids"), [(1, 2, ["u", "a"]), (2, 2, ["u", "a", "b"]), (3, 3, ["u", "a", "b", "p1"]), (9, 5, None)])
def test_a_limit_counts_photos_and_asks_for_no_post_behind_them(limit: int, n_asked: int, ids: list[str] | None) -> None:
    """A post that is unread is none of them; a carousel is cut."""
    asked: list[str] = []

    def posts() -> Iterator[list[Found]]:
        listed: list[list[Found]] = [[Unread("u", "why")], [Photo("a"), Photo("b")], post(1), post(2), post(3)]
        for found in listed:
            asked.append(found[0].id)
            yield found

    found = [one.id for one in pinned_marked(first_photos(posts(), limit))]
    assert len(asked) == n_asked
    assert ids in (found, None)


@pytest.mark.parametrize(
    "given",
    [
        "natgeo", "@natgeo", "NatGeo", " natgeo\n", "\u200enatgeo\ufeff", "\xa0@natgeo ", "https://www.instagram.com/natgeo/", "http://instagram.com/natgeo",
        "HTTPS://WWW.INSTAGRAM.COM/NatGeo", "//www.instagram.com/natgeo/", "instagram.com/natgeo", "www.instagram.com/natgeo/", "m.instagram.com/natgeo",
        "https://www.instagram.com/natgeo/?igsh=MWQ1&hl=en#top", "https://www.instagram.com/natgeo/reels/", "https://www.instagram.com/natgeo/tagged",
        "https://www.instagram.com//natgeo", "https://instagram.com/@natgeo", "https://www.instagram.com/stories/natgeo/31/", "instagram.com/_u/natgeo",
    ],
)  # fmt: skip
def test_a_profile_is_given_by_its_name_or_its_address(given: str) -> None:
    """As it stands in a browser, in a message or in somebody's notes."""
    assert instagram_name(given) == "natgeo"
    assert InstagramProfile(given).root == "natgeo"


@pytest.mark.parametrize("name", ["a", "7", "_", "__x__", "a.b.c", "x" * 30, "instagram.com", "www.x", "p", "reel"])
def test_instagrams_rule_for_names(name: str) -> None:
    """Letters, digits, underscores, and single dots inside."""
    assert instagram_name(name) == name


@pytest.mark.parametrize(
    "given",
    [
        "", " ", "@", "@@natgeo", ".", "..", ".natgeo", "natgeo.", "nat..geo", "x" * 31, "my-holiday", "nat geo", "natgeo/tagged", "../natgeo", "natgeo?x=1",
        "nátgeo", "natgeo\x00", "nat\u200bgeo", "\uff4eatgeo", "nat\ngeo", "~/Pictures", "C:\\Pictures", "७",
    ],
)  # fmt: skip
def test_what_cannot_be_a_name_is_told_with_the_rule(given: str) -> None:
    """And with the way to photos that lie elsewhere."""
    with pytest.raises(UsageError, match=r"is not a profile name on Instagram: 1 to 30 letters.*--from PATH") as caught:
        instagram_name(given)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("https://www.instagram.com/p/CxYz/", "the address of a post"),
        ("https://www.instagram.com/natgeo/p/CxYz/", "the address of a post"),
        ("instagram.com/reel/CxYz", "the address of a post"),
        ("https://www.instagram.com/natgeo/reel/CxYz/", "the address of a post"),
        ("https://www.instagram.com/", "names no profile"),
        ("https://www.instagram.com/explore/tags/cats/", "names no profile"),
        ("https://www.instagram.com/accounts/login/?next=/natgeo/", "names no profile"),
        ("https://www.instagram.com@evil.example/natgeo", "not an address on Instagram"),
        ("https://instagram.com.evil.example/natgeo", "not an address on Instagram"),
        ("https://evil.example/natgeo", "not an address on Instagram"),
        ("https://[::1/natgeo", "not an address"),
        ("https://www.instagram.com/../natgeo", "not a profile name"),
        ("https://www.instagram.com/nat%67eo/", "not a profile name"),
        ("https://www.instagram.com/" + "x" * 10_000, "not a profile name"),
    ],
)  # fmt: skip
def test_other_addresses_are_told_apart(given: str, says: str) -> None:
    """A post is no profile, and neither is a place elsewhere."""
    with pytest.raises(UsageError, match=says) as caught:
        instagram_name(given)
    assert len(str(caught.value)) < 300
