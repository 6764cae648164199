"""What travels between the stages, and the two borders: where photos come from (`Source`) and what describes them (`Describer`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    `slide` counts from 1. `description` is one that came with the photo and is taken as it is.
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
    description: Description | None = None

    @property
    def permalink(self) -> str | None:
        """The post's lasting address; addresses of the picture itself expire."""
        return f"https://www.instagram.com/p/{self.shortcode}/" if self.shortcode else None


@dataclass(frozen=True, slots=True)
class DescribedPhoto:
    """A photo with its description and its thumbnail (WebP bytes; None where the picture itself was not to be had): what one row of the store holds.

    `digest` tells one file's contents from another's (BLAKE2b, 16 bytes).
    """

    photo: Photo
    description: Description
    thumbnail: bytes | None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class FailedPhoto:
    """A photo that could not be described, and why, in one line."""

    photo: Photo
    reason: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer to a query. `score` is the cosine similarity in (0, 1]; `matched` are the words of the caption that the query met.

    `is_gone` tells that its source no longer has it.
    """

    rank: int
    score: float
    profile: str
    photo: Photo
    description: Description
    thumbnail: Path | None
    matched: tuple[str, ...] = ()
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that a source lists and that cannot be read as a photo, such as a post, an entry of a list, or a folder; and why, in one line.

    `id` is the same in every run: a photo's id where it is known, else what names the thing within its source. It counts as failed, is remembered, and is
    tried again. `hides` tells that it may hold photos (a folder, a ZIP file, a list), so that nothing that is not met in this walk can be called gone.
    """

    id: str
    reason: str
    permalink: str | None = None
    hides: bool = False


Found: TypeAlias = Photo | Unread


class Source(Protocol):
    """Where photos come from. What it is and where it lies identify it: `kind` and `root` are kept, and are the same in every run."""

    @property
    def kind(self) -> str:
        """One word for the kind, such as `instagram`, `folder`, `export`, `list`, `entries`, `scraper` or `stdin`."""
        ...

    @property
    def root(self) -> str:
        """Where: the name of a profile, or the absolute path of a folder or file; empty for standard input."""
        ...

    @property
    def name(self) -> str:
        """What was recognised, for the user, such as `Instagram profile` or `folder of pictures`."""
        ...

    @property
    def newest_first(self) -> bool:
        """Whether photos come newest first (pinned ones aside) at a cost, so that a walk is to stop at the first one already known: true of Instagram alone."""
        ...

    @property
    def n_expected(self) -> int | None:
        """How many photos there are, where that is known without reading more than `photos` will."""
        ...

    @property
    def left_out(self) -> Mapping[str, int]:
        """What the last walk passed over on purpose: how many, by what they are in words for the user, such as `videos without a cover`."""
        ...

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Found]:
        """Walk the source once, lazily. Raises SourceError, ProfileNotFoundError, AccessError or TryLaterError.

        `retry` are ids of what could not be read in an earlier walk. A source that is walked from new to old tries those first, since the walk may not reach
        them; any other meets them anyway.
        """
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
