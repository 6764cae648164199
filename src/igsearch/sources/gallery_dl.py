"""What gallery-dl writes about files of Instagram: one description a file or a post, beside the files, in a folder of their own, or all in one file.

The names of its keys are those of its extractor for Instagram, `gallery_dl/extractor/instagram.py`. One file of all holds JSON lines, an array, or the messages
of `--dump-json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from igsearch.records import Photo
from igsearch.sources.json_file import Entry, LeftOut, Unsound, stem_of
from igsearch.sources.json_values import exact_text_in, id_in, integer_in, text_in, texts_in, time_in
from igsearch.sources.post import SHORTCODE, hashtags_of
from igsearch.sources.told import NEXT, Told

GALLERY_DL = "gallery-dl"
FOLDER, FILE, ERROR = 2, 3, -1
"""The kinds of messages of `--dump-json`: where the next files belong, a file, and what went wrong."""

MAX_SLIDE = 1000
OF_STORIES = ("story", "highlight")
"""Types of posts whose shortcode leads nowhere."""


def told_by_gallery_dl(document: Entry) -> Told | None:
    """What a description tells of a picture, or of a post where it was written once a post; None if it is none of gallery-dl's, or of a sound."""
    if document.get("category") != "instagram" or document.get("audio_url"):
        return None
    media_id, shortcode = id_in(document.get("media_id")), _shortcode(document)
    if media_id is None:
        return None if shortcode is None else _whole(document, shortcode)
    photo = _photo(document, shortcode, media_id)
    return Told(GALLERY_DL, {photo.slide: photo}, dict.fromkeys(_names(document, photo, media_id), photo.slide), is_whole=False)


def is_description(value: object) -> bool:
    """Whether it is what gallery-dl writes about a file of Instagram."""
    return isinstance(value, dict) and value.get("category") == "instagram" and id_in(value.get("media_id")) is not None


def is_message(value: object) -> bool:
    """Whether it is a line, or an element, of what `gallery-dl --dump-json` prints."""
    return isinstance(value, list) and len(value) in (2, 3) and value[0] in (FOLDER, FILE, ERROR) and isinstance(value[-1], dict)


def entries_of(value: object) -> Iterator[object]:
    """A description or a message as an entry of a list of photos: none where it tells of no file; anything else as it is."""
    if is_description(value):
        yield _entry(value)  # type: ignore[arg-type]  # which was looked at
    elif not isinstance(value, list) or not is_message(value):
        yield value
    elif value[0] == FILE:
        yield _entry(value[2]) if is_description(value[2]) else {"url": value[1]}
    elif value[0] == ERROR:
        yield Unsound(f"gallery-dl says {str(value[-1].get('message') or value[-1].get('error'))[:200]!r}")


def _entry(node: Entry) -> Entry | LeftOut:
    """The picture, or a video's cover, by its address or under one of the names that gallery-dl may have given it."""
    media_id = id_in(node.get("media_id")) or ""
    photo = _photo(node, _shortcode(node), media_id)
    if node.get("audio_url"):
        return LeftOut("sounds")
    if photo.url is None and photo.is_video:
        return LeftOut("videos without a cover")
    return {
        "id": photo.id,
        "url": photo.url,
        "shortcode": photo.shortcode,
        "slide": photo.slide,
        "n_slides": photo.n_slides,
        "taken_at": photo.taken_at and photo.taken_at.isoformat(),
        "is_video": photo.is_video,
        "is_pinned": photo.is_pinned,
        "likes": photo.likes,
        "post_text": photo.post_text,
        "location": photo.location,
        "hashtags": list(photo.hashtags),
        "stems": (f"{id_in(node.get('sidecar_media_id'))}_{media_id}", media_id, exact_text_in(node.get("filename")) or media_id),
    }


def _photo(node: Entry, shortcode: str | None, media_id: str) -> Photo:
    text = text_in(node.get("description"))
    is_carousel = bool(node.get("sidecar_media_id"))
    slide = (is_carousel and integer_in(node.get("num"), 1, MAX_SLIDE)) or 1
    n_slides = max(slide, (is_carousel and integer_in(node.get("count"), 1, MAX_SLIDE)) or 1)
    base = shortcode or media_id
    return Photo(
        id=base if n_slides == 1 else f"{base}_{slide}",
        url=exact_text_in(node.get("display_url")),
        shortcode=shortcode,
        slide=slide,
        n_slides=n_slides,
        taken_at=time_in(node.get("post_date")) or time_in(node.get("date")),
        is_video=bool(node.get("video_url")),
        is_pinned=bool(node.get("pinned")),
        likes=integer_in(node.get("likes")),
        post_text=text,
        location=text_in(node.get("location_name")),
        hashtags=hashtags_of(" ".join((text or "", *texts_in(node.get("tags"))))),
    )


def _names(node: Entry, photo: Photo, media_id: str) -> list[str]:
    """How the file may be called: as the address ends, by its media id alone or behind the post's, by its own shortcode or the post's."""
    post_id, own = id_in(node.get("sidecar_media_id")), text_in(node.get("shortcode"))
    of_post = [photo.id] if photo.n_slides == 1 or not photo.shortcode else [f"{photo.shortcode}_{photo.slide}", f"{post_id}_{photo.slide}"]
    names = [stem_of(photo.url or ""), text_in(node.get("filename")), media_id, f"{media_id}p", f"{post_id}_{media_id}", f"{post_id}_{media_id}p", own]
    return [name for name in (*names, *of_post) if name]


def _whole(node: Entry, shortcode: str) -> Told:
    """All slides of a post, of which nothing is told by itself."""
    n_slides = integer_in(node.get("count"), 1, MAX_SLIDE) or 1
    first = replace(_photo(node, shortcode, shortcode), url=None, is_video=False)
    bases = [base for base in (shortcode, id_in(node.get("post_id"))) if base]
    photos = {n: replace(first, id=shortcode if n_slides == 1 else f"{shortcode}_{n}", slide=n, n_slides=n_slides) for n in range(1, n_slides + 1)}
    return Told(GALLERY_DL, photos, {f"{base}_{n}": n for base in bases for n in photos} | dict.fromkeys(bases, NEXT))


def _shortcode(node: Entry) -> str | None:
    """The post's; that of a slide is its own, and leads to the same post."""
    found = text_in(node.get("post_shortcode")) or text_in(node.get("sidecar_shortcode")) or text_in(node.get("shortcode"))
    return found if found and SHORTCODE.fullmatch(found) and node.get("type") not in OF_STORIES else None
