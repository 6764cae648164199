"""What travels between the stages, and the two borders: where photos come from (`Source`) and what describes them (`Describer`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Photo:
    """One picture of a profile, before anybody looked at it. Unknown is None; times are aware and in UTC.

    `id` is stable between runs and unique within the profile: `<shortcode>` for a post with one picture, `<shortcode>_<slide>` for one of a carousel, something
    derived from the path or address elsewhere. Exactly one of `url` and `path` says where the bytes are. `slide` counts from 1.
    """

    id: str
    url: str | None = None
    path: Path | None = None
    shortcode: str | None = None
    slide: int = 1
    n_slides: int = 1
    taken_at: datetime | None = None
    is_video: bool = False
    is_pinned: bool = False
    likes: int | None = None
    post_text: str | None = None
    alt_text: str | None = None
    location: str | None = None
    hashtags: tuple[str, ...] = ()

    @property
    def permalink(self) -> str | None:
        """The post's lasting address; addresses of the picture itself expire."""
        return f"https://www.instagram.com/p/{self.shortcode}/" if self.shortcode else None


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A sentence for a photo and its log-probability (natural logarithm, summed over words, `<end>` included)."""

    caption: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Label:
    """An ImageNet class name and its probability."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Description:
    """What a captioner says of one photo: the best sentence, the runners-up in falling order of score, the likeliest labels."""

    caption: str
    logprob: float
    alternatives: tuple[Hypothesis, ...] = ()
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedPhoto:
    """A photo with its description and its thumbnail (WebP bytes): what one row of the store holds."""

    photo: Photo
    description: Description
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class FailedPhoto:
    """A photo that could not be described, and why, in one line."""

    photo: Photo
    reason: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer to a query. `score` is the cosine similarity in (0, 1]; `matched` are the words of the caption that the query met."""

    rank: int
    score: float
    profile: str
    photo: Photo
    description: Description
    thumbnail: Path
    matched: tuple[str, ...] = ()


class Source(Protocol):
    """Where photos come from."""

    @property
    def name(self) -> str:
        """What was recognised, for the user, such as `Instagram profile` or `folder of pictures`."""
        ...

    @property
    def newest_first(self) -> bool:
        """Whether photos come newest first (pinned ones aside), so that a walk may stop at the first one already known."""
        ...

    @property
    def n_expected(self) -> int | None:
        """How many photos there are, where that is known without walking."""
        ...

    @property
    def n_failed_posts(self) -> int:
        """Posts that the last walk met and could not read: it was not complete."""
        ...

    def photos(self) -> Iterator[Photo]:
        """Walk the source once, lazily. Raises SourceError, ProfileNotFoundError, AccessError or TryLaterError."""
        ...


class Describer(Protocol):
    """What describes photos."""

    @property
    def name(self) -> str:
        """Identifies weights and settings: two runs under one name describe alike."""
        ...

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """An RGB picture as the array `describe` takes; safe to call from several threads."""
        ...

    def describe(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Description]:
        """Describe a batch of prepared pictures, in order."""
        ...
