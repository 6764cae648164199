"""What a downloader's description tells of a post, or of one of its pictures, before it is known where the pictures lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from igsearch.records import Photo

NEXT = 0
"""In place of a slide's number: the name says which post a picture belongs to, and not which slide it is."""


@dataclass(frozen=True, slots=True)
class Told:
    """One description. `photos` are without files, by slide; a photo of no post, such as a story, has no id."""

    tool: str
    photos: Mapping[int, Photo]
    names: Mapping[str, int]
    """How a picture may be called wherever it lies, without suffix: the slide that it is then."""
    is_whole: bool = True
    """Whether this is all of a post, so that pictures named after it with a number are its slides."""

    def with_slides(self, numbers: Mapping[int, object]) -> Iterator[Photo]:
        """The photos, in order, with those that are not listed but there, by `numbers`."""
        pattern = next(iter(self.photos.values()))
        n_slides = max(pattern.n_slides, *numbers, *self.photos) if self.is_whole else pattern.n_slides
        for number in sorted({*self.photos, *numbers}):
            photo = self.photos.get(number) or replace(pattern, id="", slide=number, url=None, alt_text=None, is_video=False)
            if photo.shortcode and (photo.n_slides != n_slides or not photo.id):
                photo = replace(photo, n_slides=n_slides, id=photo.shortcode if n_slides == 1 else f"{photo.shortcode}_{number}")
            yield photo
