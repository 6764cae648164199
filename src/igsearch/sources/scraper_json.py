"""The metadata that instagram-scraper wrote, `USER/USER.json`, with the pictures it may have downloaded beside it.

A post is Instagram's own description of it at the time, in the three shapes of 2016 to 2023, and two keys that the tool added: `urls`, the files of the post
(of all slides, where it had asked for them), and `tags`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from igsearch.errors import SourceError
from igsearch.paths import PROFILE_NAME
from igsearch.sources import cdn
from igsearch.sources.json_file import Entry, path_of, pictures_beside, stem_of
from igsearch.sources.json_values import texts_in
from igsearch.sources.post import Node, photos_of

if TYPE_CHECKING:
    from igsearch.records import Photo

log = logging.getLogger(__name__)

POSTS = "GraphImages"
VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v")
MAX_SLIDES = 100
"""Instagram allows 20."""


class ScraperJson:
    """The posts in a file of instagram-scraper, in its order: a later run of the tool may have put new ones anywhere, and old ones twice."""

    name = "metadata of instagram-scraper"
    newest_first = False

    def __init__(self, path: Path, document: Entry) -> None:
        """`document` is what the file holds. Raises SourceError if there is no post in it."""
        posts = document.get(POSTS)
        self._posts: list[object] = posts if isinstance(posts, list) else []
        about = document.get("GraphProfileInfo")
        username = about.get("username") if isinstance(about, dict) else None
        is_folder = isinstance(username, str) and PROFILE_NAME.fullmatch(username) and username.strip(".")
        self._pictures = pictures_beside(path, *([str(username)] if is_folder else []))
        self.n_expected, self.n_failed_posts = None, 0
        if next(self.photos(), None) is None:
            raise SourceError(f"{str(path)!r} lists no post under {POSTS}: instagram-scraper found none, or the profile was private")

    def photos(self) -> Iterator[Photo]:
        """The pictures of every post, each once; what is no post is counted and passed over."""
        seen: set[str] = set()
        self.n_failed_posts = 0
        for post in self._posts:
            n_found = 0
            for photo in self._photos_of(post) if isinstance(post, dict) else ():
                n_found += 1
                if photo.id not in seen:
                    seen.add(photo.id)
                    yield photo
            self.n_failed_posts += not n_found
        if seen and self.n_failed_posts:
            log.warning("%d posts of %d are not as instagram-scraper writes them and are passed over", self.n_failed_posts, len(self._posts))

    def _photos_of(self, post: dict[str, object]) -> Iterator[Photo]:
        tags = sorted(tag.lower() for tag in texts_in(post.get("tags")))
        for photo in photos_of(node := _as_graphql(post), self._files(node)):
            yield replace(photo, hashtags=tuple(dict.fromkeys((*photo.hashtags, *tags))))

    def _files(self, node: Node) -> dict[int, Path]:
        """Pictures that were downloaded, by slide: instagram-scraper names them as the address does."""
        addresses = _slide_addresses(node) or [node.get("display_url")]
        stems = (stem_of(address) if isinstance(address, str) else "" for address in addresses)
        return {slide: self._pictures[stem] for slide, stem in enumerate(stems, start=1) if stem in self._pictures}


def _as_graphql(post: dict[str, object]) -> dict[str, object]:
    """The post with the names that `igsearch.sources.post` knows, where it has others."""
    named = dict(post)
    if not isinstance(post.get("shortcode") or post.get("code"), str):
        named["shortcode"] = cdn.shortcode_of_id(str(post.get("id")))
    named.setdefault("date", post.get("published_time"))
    named["is_video"] = post.get("is_video") is True or post.get("__typename") == "GraphVideo"
    if not post.get("display_url") and not post.get("display_src"):
        named["display_url"] = _old_address(post)
    if (slides := _slides(post)) and not post.get("edge_sidecar_to_children"):
        named["edge_sidecar_to_children"] = {"edges": [{"node": slide} for slide in slides]}
    return named


def _old_address(post: dict[str, object]) -> object:
    """Where files of up to 2018 have it: `images.standard_resolution.url`."""
    images = post.get("images")
    size = images.get("standard_resolution") if isinstance(images, dict) else None
    return size.get("url") if isinstance(size, dict) else None


def _slides(post: dict[str, object]) -> list[dict[str, object]]:
    """The slides of a carousel, from the list of its files. Of a video's cover nothing is said there, but the first slide's picture is the post's."""
    urls = post.get("urls")
    listed = [url for url in urls[:MAX_SLIDES] if isinstance(url, str)] if isinstance(urls, list) else []
    if len(listed) < 2:
        return []
    slides: list[dict[str, object]] = [{"display_url": None if _is_video(url) else url, "is_video": _is_video(url)} for url in listed]
    slides[0]["display_url"] = slides[0]["display_url"] or post.get("display_url")
    return slides


def _slide_addresses(node: Node) -> list[object]:
    children = node.get("edge_sidecar_to_children")
    edges = children.get("edges") if isinstance(children, dict) else None
    slides = [edge.get("node") if isinstance(edge, dict) else None for edge in edges] if isinstance(edges, list) else []
    return [slide.get("display_url") if isinstance(slide, dict) else None for slide in slides]


def _is_video(url: str) -> bool:
    return path_of(url).lower().endswith(VIDEO_SUFFIXES)
