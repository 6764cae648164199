"""Posts as Instagram describes them, in a file: what instagram-scraper wrote, `USER/USER.json`, and single posts of instaloader.

A post is Instagram's own description of it at the time, in the shapes of 2016 to 2023. instagram-scraper added two keys: `urls`, the files of the post (of all
slides, where it had asked for them), and `tags`. Pictures that were downloaded beside the file are preferred to addresses.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from igsearch.errors import SourceError
from igsearch.paths import PROFILE_NAME
from igsearch.records import Found, Photo, Unread
from igsearch.sources import cdn
from igsearch.sources.json_file import Entry, Unsound, path_of, pictures_beside, stem_of
from igsearch.sources.json_values import texts_in
from igsearch.sources.post import SHORTCODE, VIDEO, Node, photos_of
from igsearch.sources.url_list import each_once

POSTS = "GraphImages"
STORIES = "GraphStories"
VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v")
MAX_SLIDES = 100
"""Instagram allows 20."""

OF_INSTAGRAM = ("__typename", "edge_media_to_caption", "iphone_struct", "display_url", "image_versions2", "carousel_media")
"""What Instagram's descriptions of posts have, one or the other, and lists of photos do not."""

COVERLESS = "videos without a cover"


def post_in(value: object) -> Node | None:
    """The post that a JSON file of instaloader holds; None for anything else."""
    if not isinstance(value, dict):
        return None
    about, node = value.get("instaloader"), value.get("node")
    if isinstance(about, dict):
        return node if about.get("node_type") == "Post" and isinstance(node, dict) else None
    shortcode = value.get("shortcode") or value.get("code")
    is_post = isinstance(shortcode, str) and SHORTCODE.fullmatch(shortcode) and "category" not in value and any(key in value for key in OF_INSTAGRAM)
    return value if is_post else None


@dataclass(slots=True)
class ScraperJson:
    """Posts in their order in a file: a later run of a tool may have put new ones anywhere, and old ones twice.

    `pictures` are those beside the file, by what stands before their suffix; `stem` is what those of a single post begin with.
    """

    name: str
    root: str
    posts: Sequence[object]
    pictures: Mapping[str, Path]
    stem: str | None = None
    passed_over: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    kind: str = "scraper"
    newest_first: bool = False
    n_expected: int | None = None

    @classmethod
    def of_file(cls, path: Path | None, document: Entry) -> Self:
        """The posts in a file of instagram-scraper. Raises SourceError if there is none."""
        posts, stories, about = (document.get(key) for key in (POSTS, STORIES, "GraphProfileInfo"))
        username = about.get("username") if isinstance(about, dict) else None
        is_folder = isinstance(username, str) and PROFILE_NAME.fullmatch(username) and username.strip(".")
        pictures = pictures_beside(path, *([str(username)] if is_folder else []))
        passed_over = {"stories": len(stories)} if isinstance(stories, list) and stories else {}
        source = cls("metadata of instagram-scraper", _root(path), posts if isinstance(posts, list) else [], pictures, passed_over=passed_over)
        if not any(isinstance(found, Photo) for found in source.photos()):
            raise SourceError(f"{_named(path)} lists no post under {POSTS}: instagram-scraper found none, or the profile was private")
        return source

    @classmethod
    def of_posts(cls, path: Path | None, posts: Sequence[object]) -> Self:
        """A post of instaloader, or several in one file. Raises SourceError if there is no picture in them."""
        stem = path.name.removesuffix(".json") if path is not None and len(posts) == 1 else None
        nodes = [post_in(post) or post for post in posts]
        source = cls("posts of instaloader" if len(posts) > 1 else "post of instaloader", _root(path), nodes, pictures_beside(path), stem)
        if not any(isinstance(found, Photo) for found in source.photos()):
            raise SourceError(f"{_named(path)} holds a post without a picture: give the folder that instaloader made")
        return source

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Found]:  # noqa: ARG002  # it is met anyway
        """The pictures of every post, each once, and what is no post or has no picture."""
        self.left_out = left_out = Counter(self.passed_over)
        yield from each_once(found for number, post in enumerate(self.posts, start=1) for found in self._found(post, f"post {number}", left_out))

    def _found(self, post: object, called: str, left_out: Counter[str]) -> Iterator[Found]:
        if not isinstance(post, dict):
            damage = post if isinstance(post, Unsound) else Unsound(f"{called} is no object, as a post is: get the file again", hides=False)
            yield Unread(called, damage.reason, hides=damage.hides)
            return
        node, tags = _as_graphql(post), sorted(tag.lower() for tag in texts_in(post.get("tags")))
        photos = list(photos_of(node, self._files(node)))
        yield from (replace(photo, hashtags=tuple(dict.fromkeys((*photo.hashtags, *tags)))) for photo in photos)
        n_slides = max((photo.n_slides for photo in photos), default=len(_slides_in(node)) or 1)
        without = [_slide_in(node, number) for number in set(range(1, n_slides + 1)).difference(photo.slide for photo in photos)]
        n_videos = sum(_is_of_video(slide) for slide in without)
        left_out.update({COVERLESS: n_videos} if n_videos else {})
        if len(without) > n_videos:
            yield _unread(node, called, f"{len(without) - n_videos} of {n_slides} pictures")

    def _files(self, node: Node) -> dict[int, Path]:
        """Pictures that were downloaded, by slide: instagram-scraper names them as the address does, instaloader as the file."""
        files: dict[int, Path] = {}
        for number, slide in enumerate(_slides_in(node) or [node], start=1):
            address = slide.get("display_url") if isinstance(slide, dict) else None
            stems = (stem_of(address) if isinstance(address, str) else "", f"{self.stem}_{number}", *([str(self.stem)] if number == 1 else []))
            if (file := next((self.pictures[stem] for stem in stems if stem in self.pictures), None)) is not None:
                files[number] = file
        return files


def _root(path: Path | None) -> str:
    return "" if path is None else os.path.abspath(path)  # noqa: PTH100  # unlike Path's, without .. in it


def _named(path: Path | None) -> str:
    return "standard input" if path is None else repr(str(path))


def _unread(node: Node, called: str, which: str) -> Unread:
    """A post of which something is missing."""
    shortcode = named if isinstance(named := node.get("shortcode") or node.get("code"), str) and SHORTCODE.fullmatch(named) else None
    permalink = f"https://www.instagram.com/p/{shortcode}/" if shortcode else None
    return (
        Unread(shortcode or called, f"post {shortcode!r} has no address for {which}: download it again", permalink)
        if shortcode
        else Unread(called, f"{called} is not as Instagram describes posts: download it again")
    )


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


def _slides_in(node: Node) -> list[object]:
    """The slides of a carousel; none where a post has one picture."""
    children = node.get("edge_sidecar_to_children")
    edges = children.get("edges") if isinstance(children, dict) else None
    return [edge.get("node") if isinstance(edge, dict) else None for edge in edges] if isinstance(edges, list) else []


def _slide_in(node: Node, number: int) -> object:
    slides = _slides_in(node)
    return slides[number - 1] if number <= len(slides) else node


def _is_of_video(slide: object) -> bool:
    return isinstance(slide, dict) and (slide.get("is_video") is True or slide.get("media_type") == VIDEO)


def _is_video(url: str) -> bool:
    return path_of(url).lower().endswith(VIDEO_SUFFIXES)
