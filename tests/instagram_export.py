"""Instagram's own export as Instagram writes it, in the layout of every year since 2018: as a ZIP, unpacked, or in parts."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

NOON = 1_714_564_800
"""2024-05-01 12:00 UTC, in seconds since 1970."""

LISTS = {"2021": "content", "2023": "your_instagram_activity/content", "2025": "your_instagram_activity/media"}
"""Where the lists lie, by the year from which on."""

ERAS = ("2018", *LISTS)


def mangled(text: str) -> str:
    """`text` as the export has it: each byte of its UTF-8 is a character."""
    return text.encode().decode("latin-1")


def medium(uri: str, *, at: int | None = NOON, title: str = "", **more: object) -> dict[str, object]:
    """One picture or video in a list since 2021; `more` are further keys."""
    time = {} if at is None else {"creation_timestamp": at}
    return {"uri": uri, **time, "media_metadata": {"camera_metadata": {"has_camera_metadata": False}}, "title": mangled(title), **more}


def post(*uris: str, at: int = NOON, title: str = "") -> dict[str, object]:
    """An entry of `posts_1.json`: text and time stand with the medium if it is the only one, else with the post."""
    if len(uris) == 1:
        return {"media": [medium(uris[0], at=at, title=title)]}
    return {"media": [medium(uri, at=at) for uri in uris], "title": mangled(title), "creation_timestamp": at}


def written(document: object) -> bytes:
    """JSON as Instagram writes it: indented, in ASCII."""
    return json.dumps(document, indent=2).encode()


def export(era: str, pictures: Mapping[str, bytes], *, title: str = "", time: int = NOON) -> dict[str, bytes]:
    """The files of an export: a post for each picture, an hour apart, the newest first; also what else lies there and is none of our business."""
    folder, listed = media_folder(era), list(pictures)
    files = {f"{folder}/{name}": data for name, data in pictures.items()}
    if era == "2018":
        moments = [f"2024-05-01T{12 - i:02}:00:00" for i in range(len(listed))]
        photos = [{"caption": mangled(title), "taken_at": moment, "path": f"{folder}/{name}"} for moment, name in zip(moments, listed, strict=True)]
        document = {"photos": photos, "direct": [{"taken_at": "2024-05-01T00:00:00", "path": "direct/202405/private.jpg"}]}
        return files | {"media.json": written(document), "direct/202405/private.jpg": b"private", "likes.json": b"{}"}
    posts = [post(f"{folder}/{name}", at=time - 3600 * i, title=title) for i, name in enumerate(listed)]
    others = {"ads_information/ads_and_topics/posts_viewed.json": b"{}", "past_instagram_insights/posts.json": b'{"organic_insights_posts": []}'}
    return files | {f"{LISTS[era]}/posts_1.json": written(posts)} | others


def media_folder(era: str) -> str:
    """Where the pictures of posts lie, as the lists name it."""
    return "photos/202405" if era == "2018" else "media/posts/202405"


def zipped(path: Path, files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """`files` in a ZIP."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def unpacked(folder: Path, files: Mapping[str, bytes]) -> Path:
    """`files` below a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def parts(files: Mapping[str, bytes], n: int) -> Sequence[dict[str, bytes]]:
    """`files` dealt out: what lies side by side in an export may be far apart in its parts."""
    return [dict(list(files.items())[i::n]) for i in range(n)]
