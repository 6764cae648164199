"""What travels between the stages, and the two borders: where photos come from (`Source`) and what describes them (`Describer`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from PIL import Image

Prepared: TypeAlias = Any
"""A picture as a describer takes it, which is that describer's own affair: an array of pixels, or several for several networks."""


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
class DetectedObject:
    """A kind of thing that a detector found in a photo, how many of it, and the surest one's score; None where whoever found it did not say."""

    name: str
    count: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """What a captioner says of one photo: the best sentence, the runners-up in falling order of score, the likeliest labels.

    `logprob` is None for a sentence that came from elsewhere with the photo; `objects` is None where nobody looked for any.
    """

    caption: str
    logprob: float | None
    alternatives: tuple[Hypothesis, ...] = ()
    labels: tuple[Label, ...] = ()
    objects: tuple[DetectedObject, ...] | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """One picture of a profile, before anybody looked at it. Unknown is None; times are aware and in UTC.

    `id` is stable between runs and unique within the profile: `<shortcode>` for a post with one picture, `<shortcode>_<slide>` for one of a carousel, something
    derived from the path or address elsewhere. At most one of `url` and `path` says where the bytes are; `member` names the one inside the ZIP at `path`.
    `slide` counts from 1. `given` is a description that came with the photo and is taken as it is.
    """

    id: str
    url: str | None = None
    path: Path | None = None
    member: str | None = None
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
    given: Description | None = None

    @property
    def permalink(self) -> str | None:
        """The post's lasting address; addresses of the picture itself expire."""
        return f"https://www.instagram.com/p/{self.shortcode}/" if self.shortcode else None


@dataclass(frozen=True, slots=True)
class DescribedPhoto:
    """A photo with its description and its thumbnail (WebP bytes; None where the picture itself was not to be had): what one row of the store holds."""

    photo: Photo
    description: Description
    thumbnail: bytes | None


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
    thumbnail: Path | None
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

    @property
    def min_side(self) -> int | None:
        """A larger JPEG may be decoded scaled down to this many pixels a side, which is quicker and hardly shows; None: whatever its size, all of it counts."""
        ...

    def prepare(self, image: Image.Image) -> Prepared:
        """An RGB picture as `describe` takes it, bounded in size whatever the picture's is; safe to call from several threads."""
        ...

    def describe(self, pixels: Sequence[Prepared]) -> list[Description]:
        """Describe a batch of prepared pictures, in order."""
        ...
