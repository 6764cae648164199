"""In which words Instagram answers: pages and JSON as instaloader 4.16 reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.fake_instagram.scenario import FakePost, FakeProfile, FakeSlide, media_id

Json = dict[str, Any]

PAGE_LENGTH = 12
LSD_TOKEN = "AVqbxe3J_YA"
DTSG_TOKEN = "NAcOG4ZxE:17843676607167008:1714566000"
PICTURE, VIDEO, CAROUSEL = 1, 2, 8


def start_page(*, user_pk: str | None) -> str:
    """The page at `/`, with the tokens that the web app sends along; `user_pk` is who is logged in."""
    dtsg = f'["DTSGInitialData",[],{{"token":"{DTSG_TOKEN}"}},258],' if user_pk else ""
    eimu = user_pk or "0"
    rest = f'["LSD",[],{{"token":"{LSD_TOKEN}"}},323],["CurrentUserInitialData",[],{{"IG_USER_EIMU":"{eimu}"}},1]'
    return f"<html><script>requireLazy([{dtsg}{rest}])</script></html>"


def profile_page(profile: FakeProfile) -> str:
    """A profile's page as everybody sees it: one query's result for the details, another's for the first posts, within the page's JSON."""
    posts = {"id": f"graph:{profile.username}", "is_private": profile.is_private}
    if not profile.is_private:
        posts["polaris_ordered_timeline_connection"] = connection([listed(post) for post in profile.posts], after=None)
    scripts = "".join(embedded({"xig_user_by_username": user}) for user in (user_of(profile), posts))
    return f"<!DOCTYPE html><html><body>{scripts}</body></html>"


def embedded(data: Json) -> str:
    """The result of a query within a page."""
    document = {"require": [["ScheduledServerJS", "handle", None, [{"__bbox": {"complete": True, "result": {"data": data}}}]]]}
    text = json.dumps(document).replace("<", r"\u003c")
    return f'<script type="application/json" data-content-len="{len(text)}" data-sjs>{text}</script>'


def user_of(profile: FakeProfile) -> Json:
    """A profile's details."""
    return {
        "pk": profile.pk,
        "username": profile.username,
        "full_name": profile.username.title(),
        "is_private": profile.is_private,
        "profile_pic_url": "https://scontent-fra3-1.cdninstagram.com/nobody.jpg",
        "all_media_count": len(profile.posts),
    }


def connection(nodes: Sequence[Json], *, after: str | None) -> Json:
    """A page of a list: what comes behind the cursor `after`."""
    start = int(after) if after else 0
    end = start + PAGE_LENGTH
    return {
        "edges": [{"node": node} for node in nodes[start:end]],
        "page_info": {"has_next_page": end < len(nodes), "end_cursor": str(end)},
    }


def listed(post: FakePost) -> Json:
    """What the list of posts tells a visitor of one: next to nothing."""
    return {"code": post.shortcode, "pk": str(media_id(post.shortcode))}


def media(post: FakePost, profile: FakeProfile) -> Json:
    """A post as the app and the web page get it."""
    first = post.slides[0]
    node = {
        "code": post.shortcode,
        "pk": str(media_id(post.shortcode)),
        "media_type": CAROUSEL if len(post.slides) > 1 else _type_of(first),
        "taken_at": int(post.taken_at.timestamp()),
        "user": user_of(profile),
        "caption": {"text": post.text} if post.text is not None else None,
        "like_count": post.likes,
        "comment_count": 0,
        "has_liked": False,
        "location": {"pk": "1", "name": post.location} if post.location else None,
        **_picture(post, 1),
    }
    if len(post.slides) > 1:
        node["carousel_media"] = [{"media_type": _type_of(slide), **_picture(post, number)} for number, slide in enumerate(post.slides, start=1)]
    return node


def media_when_logged_in(post: FakePost, profile: FakeProfile) -> Json:
    """A post as somebody logged in gets it."""
    return media(post, profile) | {"timeline_pinned_user_ids": [int(profile.pk)] if post.is_pinned else []}


def _type_of(slide: FakeSlide) -> int:
    return VIDEO if slide.is_video else PICTURE


def _picture(post: FakePost, number: int) -> Json:
    slide = post.slides[number - 1]
    url = post.url(number)
    return {
        "image_versions2": {"candidates": [{"url": url, "width": 1080, "height": 810}, {"url": url + "&small", "width": 240, "height": 180}]},
        "video_versions": [{"url": url.replace(".jpg", ".mp4")}] if slide.is_video else None,
        "accessibility_caption": slide.alt_text,
    }
