"""What there is on the fake Instagram."""

from __future__ import annotations

import io
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from PIL import Image

LONG_FROM_NOW = datetime(2100, 1, 1, tzinfo=UTC)


def jpeg(colour: str = "teal", size: tuple[int, int] = (32, 24)) -> bytes:
    """A small JPEG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


def media_id(shortcode: str) -> int:
    """The number that a shortcode of at most 11 letters stands for."""
    return int.from_bytes(urlsafe_b64decode(shortcode.rjust(12, "A")), "big")


@dataclass(frozen=True)
class FakeSlide:
    """One picture, or the cover of a video."""

    data: bytes
    is_video: bool = False
    alt_text: str | None = None
    expires: datetime = LONG_FROM_NOW


@dataclass(frozen=True)
class FakePost:
    """A post; with several slides a carousel. A shortcode is unique on the whole Instagram and has at most 11 letters."""

    shortcode: str
    slides: Sequence[FakeSlide]
    text: str | None = None
    taken_at: datetime = datetime(2024, 5, 1, 12, tzinfo=UTC)
    likes: int | None = 0
    location: str | None = None
    is_pinned: bool = False

    def file_name(self, number: int) -> str:
        """The name of the picture file of a slide, counted from 1."""
        return f"{media_id(self.shortcode)}_{number}_n.jpg"

    def url(self, number: int) -> str:
        """The signed address of a slide's picture, counted from 1, on the picture servers."""
        expires = int(self.slides[number - 1].expires.timestamp())
        cache_key = b64encode(str(media_id(self.shortcode) + number - 1).encode()).decode()
        return (
            f"https://scontent-fra3-1.cdninstagram.com/v/t51.2885-15/{self.file_name(number)}"
            f"?stp=dst-jpg_e35&_nc_ht=scontent-fra3-1.cdninstagram.com&oh=00_AfD&oe={expires:X}&ig_cache_key={cache_key.replace('=', '%3D')}.2"
        )


@dataclass(frozen=True)
class FakeProfile:
    """A profile and its posts in the order in which Instagram shows them: pinned ones first, then from new to old."""

    username: str
    posts: Sequence[FakePost] = ()
    is_private: bool = False
    is_login_only: bool = False
    """Whether visitors who are not logged in are sent to the login page."""
    followers: Sequence[str] = field(default=())

    @property
    def pk(self) -> str:
        """The profile's number."""
        return str(1_000_000 + sum(self.username.encode()))


NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)


def posts(n: int) -> list[FakePost]:
    """Posts of one picture each, a day apart, the newest first, from Post00 on."""
    return [FakePost(f"Post{i:02}", [FakeSlide(jpeg())], taken_at=NOON - timedelta(days=i)) for i in range(n)]
