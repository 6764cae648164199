"""What instaloader writes beside the pictures of a post: Instagram's description of it, or no more than a name that tells the time, and a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from igsearch.records import Photo
from igsearch.sources.json_file import stem_of
from igsearch.sources.post import Node, hashtags_of, slides_of
from igsearch.sources.told import NEXT, Told

if TYPE_CHECKING:
    from igsearch.sources.json_file import Entry

INSTALOADER = "instaloader"

TIMED = re.compile(r"((?:.*/)?(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)(_UTC)?)(?:_([1-9]\d{0,2}))?", re.DOTALL)
"""How instaloader names a post's pictures unless told otherwise, before the suffix; `_UTC` since its version 4."""

PROFILE_PICTURE = re.compile(r"(?:.*/)?\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_UTC_profile_pic\.\w+", re.DOTALL)

NOT_OPENED = re.compile(r"(?:.*/)?(?:.*_comments\.json|iterator_\w+\.json(?:\.xz)?)", re.DOTALL)
"""Files with a post's comments, which can be large, and those that tell where a download stopped."""

OF_A_NODE = ("display_url", "display_src", "image_versions2", "carousel_media", "iphone_struct", "edge_media_to_caption", "taken_at_timestamp", "is_video")
"""Keys of which any description of a post by Instagram has one, so that not all that has a `code` is taken for it."""


def told_by_instaloader(document: Entry) -> Told | None:
    """What a description tells of a post; of a story no more than its time. None if it is none of instaloader's, or a profile's and the like."""
    about, node = document.get("instaloader"), document.get("node")
    if about is None and ("category" in document or not any(key in document for key in OF_A_NODE)):
        return None
    node = document if about is None else node
    kind = "Post" if about is None else about.get("node_type") if isinstance(about, dict) else None
    if not isinstance(node, dict):
        return None
    if kind == "StoryItem":
        return _story(node)
    return _post(node) if kind == "Post" else None


def is_instaloaders(document: Entry) -> bool:
    """Whether instaloader wrote it, of whatever it tells."""
    return isinstance(document.get("instaloader"), dict)


def _post(node: Node) -> Told | None:
    slides = list(slides_of(node))
    if not slides:
        return None
    names: dict[str, int] = {}
    for photo, media_id in slides:
        own = (stem_of(photo.url or ""), media_id, f"{photo.shortcode}_{photo.slide}" if photo.n_slides > 1 else photo.shortcode)
        names |= dict.fromkeys((name for name in own if name), photo.slide)
    if len(slides) > 1:
        names |= {str(node.get(key)): NEXT for key in ("shortcode", "code", "id") if isinstance(node.get(key), str)}
    return Told(INSTALOADER, {photo.slide: photo for photo, _ in slides}, names)


def _story(node: Node) -> Told | None:
    story = next(slides_of({**node, "shortcode": "story"}), None)
    if story is None:
        return None
    photo = Photo(id="", taken_at=story[0].taken_at, is_video=story[0].is_video)
    return Told(INSTALOADER, {1: photo}, {stem_of(story[0].url or ""): 1} if story[0].url else {})


@dataclass(frozen=True, slots=True)
class Named:
    """What a picture's name tells, if it tells a time: where the post's other files begin, when it was posted, and which slide this is."""

    stem: str
    taken_at: datetime
    is_utc: bool
    slide: int

    @classmethod
    def of(cls, picture: str) -> Named | None:
        """Read the path of a picture. Before version 4 times were of nobody knows which zone, and count as UTC."""
        match = TIMED.fullmatch(picture.rpartition(".")[0])
        if match is None:
            return None
        try:
            time = datetime.strptime(match[2], "%Y-%m-%d_%H-%M-%S").replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(match[1], time, bool(match[3]), int(match[4] or 1))


Text = Callable[[str], str | None]
"""What stands in the text of that name, None where there is none."""


def by_name(pictures: Sequence[tuple[str, Named]], text_of: Text, videos: Container[str]) -> Iterator[tuple[str, Photo]]:
    """Pictures whose names tell their time, with the text beside them. Ids are paths, without suffix where only instaloader names files so."""
    n_slides: dict[str, int] = {}
    for _, named in pictures:
        n_slides[named.stem] = max(named.slide, n_slides.get(named.stem, 1))
    for picture, named in pictures:
        own = picture.rpartition(".")[0]
        text = text_of(f"{named.stem}.txt")
        yield (
            picture,
            Photo(
                id=own if named.is_utc else picture,
                slide=named.slide,
                n_slides=n_slides[named.stem],
                taken_at=named.taken_at,
                is_video=f"{own}.mp4" in videos,
                post_text=text,
                hashtags=hashtags_of(text),
            ),
        )
