"""Instagram's own export: every layout since 2018, packed or not, and everything that is wrong with real ones or made to be."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igsearch.errors import SourceError, UsageError
from igsearch.records import Photo, Source, Unread
from igsearch.sources import export_files
from igsearch.sources.detect import detect
from igsearch.sources.export_post import found_in, repaired
from igsearch.sources.instagram_export import InstagramExport, included, open_export
from tests.instagram_export import ERAS, LISTS, NOON, export, mangled, media_folder, medium, parts, post, unpacked, written, zipped

POSTS = "your_instagram_activity/media/posts_1.json"
A, B, C = (f"media/posts/202405/{name}.jpg" for name in "abc")
PICTURES = {"a.jpg": b"A", "b.webp": b"B", "c.heic": b"C"}


def exported(given: Path, kinds: str = "") -> InstagramExport:
    """What is recognised as an export."""
    source = open_export(given, included(kinds))
    assert source is not None
    return source


def photos_in(source: Source) -> list[Photo]:
    """The photos that a source finds."""
    return [found for found in source.photos() if isinstance(found, Photo)]


def photos(given: Path, include: str = "") -> list[Photo]:
    """All photos of an export."""
    return photos_in(detect(str(given), "me", include=include))


def unread(given: Path, include: str = "") -> list[Unread]:
    """What cannot be read of an export."""
    return [found for found in detect(str(given), "me", include=include).photos() if isinstance(found, Unread)]


def ids(given: Path, include: str = "") -> list[str]:
    """The ids of all photos."""
    return [photo.id for photo in photos(given, include)]


def bytes_of(photo: Photo) -> bytes:
    """What lies where a photo says that it is."""
    assert photo.path is not None
    if photo.member is None:
        return photo.path.read_bytes()
    with zipfile.ZipFile(photo.path) as archive:
        return archive.read(photo.member)


def of_posts(root: Path, *posts: object, more: Mapping[str, bytes] = MappingProxyType({})) -> Path:
    """An unpacked export with these posts; the pictures a, b and c lie there, and `more`."""
    return unpacked(root, {A: b"A", B: b"B", C: b"C", POSTS: written(list(posts)), **more})


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
@pytest.mark.parametrize("inside", ["", "instagram-me-2026-01-02-abcdef12/"], ids=["bare", "in-a-folder"])
def test_every_layout_is_read_packed_and_unpacked(tmp_path: Path, era: str, packed: bool, inside: str) -> None:
    """The pictures of posts alone, newest first, with the time and the text as it was meant; ids do not tell how the export is stored."""
    files = {inside + name: data for name, data in export(era, PICTURES, title="Gr\xfc\xdfe aus K\xf6ln \N{ROCKET} #Dom").items()}
    source = detect(str(zipped(tmp_path / "export.zip", files) if packed else unpacked(tmp_path / "export", files)), "me")
    found = photos_in(source)
    assert (source.kind, source.name, source.newest_first, source.n_expected) == ("export", "Instagram's export", False, 3)
    of_messages = {"pictures in an export that are none of its posts": 1} if era == "2018" else {}
    assert (source.root, source.left_out, unread(Path(source.root))) == (str(tmp_path / ("export.zip" if packed else "export")), of_messages, [])
    assert [photo.id for photo in found] == [f"{media_folder(era)}/{name}" for name in PICTURES]
    assert [photo.taken_at for photo in found] == [datetime(2024, 5, 1, hour, tzinfo=UTC) for hour in (12, 11, 10)]
    assert {(photo.post_text, photo.hashtags) for photo in found} == {("Gr\xfc\xdfe aus K\xf6ln \N{ROCKET} #Dom", ("dom",))}
    assert [bytes_of(photo) for photo in found] == list(PICTURES.values())
    assert all((photo.member is not None) is packed for photo in found)


@settings(max_examples=15)
@given(era=st.sampled_from(ERAS), names=st.sets(st.from_regex(r"[a-z0-9_]{1,9}\.(jpg|webp|heic)", fullmatch=True), min_size=1, max_size=6), n=st.integers(1, 4))
def test_zip_folder_and_parts_hold_the_same_photos(tmp_path_factory: pytest.TempPathFactory, era: str, names: set[str], n: int) -> None:
    """However the files are dealt out over ZIPs and folders: the same photos with the same bytes; the part with the list need not have the pictures."""
    root = tmp_path_factory.mktemp("export")
    files = export(era, {name: name.encode() for name in sorted(names)})
    together = [zipped(root / "one.zip", files), unpacked(root / "folder", files), root / "zips", root / "folders", root / "mixed"]
    for folder in together[2:]:
        folder.mkdir()
    for number, part in enumerate(parts(files, n), start=1):
        name = f"instagram-me-2026-01-02-part{number}"
        zipped(root / "zips" / f"{name}.zip", part)
        unpacked(root / "folders" / name, part)
        zipped(root / "mixed" / f"{name}.zip", part) if number % 2 else unpacked(root / "mixed" / name, part)
    found = [{(photo.id, photo.taken_at, bytes_of(photo)) for photo in photos(given)} for given in together]
    assert len(found[0]) == len(names)
    assert all(other == found[0] for other in found)


def test_text_and_time_are_taken_from_where_they_stand(tmp_path: Path) -> None:
    """With a single medium from there, with several from the post; in a video from among the subtitles; a single object may stand for a list of one."""
    cover = {"video_metadata": {"subtitles": {"creation_timestamp": NOON - 3}}}
    of_posts(
        tmp_path,
        post(A, at=NOON, title="one"),
        {"media": medium(B, at=NOON - 1, title="object")},
        post(C, "media/posts/202405/d.jpg", at=NOON - 2, title="two #x"),
        {"media": [medium("media/posts/202405/e.mp4", at=None, media_metadata=cover)]},
        {"media": [medium("media/posts/202405/f.jpg", at=None)]},
        more={f"media/posts/202405/{name}": b"x" for name in ("d.jpg", "e.webp", "f.jpg")},
    )
    found = [(photo.id[-5:], photo.slide, photo.n_slides, photo.post_text, photo.taken_at and photo.taken_at.timestamp()) for photo in photos(tmp_path)]
    assert found == [
        ("a.jpg", 1, 1, "one", NOON),
        ("b.jpg", 1, 1, "object", NOON - 1),
        ("c.jpg", 1, 2, "two #x", NOON - 2),
        ("d.jpg", 2, 2, "two #x", NOON - 2),
        ("e.mp4", 1, 1, None, NOON - 3),
        ("f.jpg", 1, 1, None, None),
    ]


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
def test_pictures_that_are_not_asked_for_are_counted(tmp_path: Path, packed: bool) -> None:
    """Stories without --include, pictures of messages, and what no list names; of what is listed a copy elsewhere is none."""
    stories = written({"ig_stories": [medium("media/stories/202405/s.jpg")]})
    messages = dict.fromkeys([f"your_instagram_activity/messages/inbox/x/photos/{n}.JPG" for n in range(3)], b"M")
    more = {"media/stories/202405/s.jpg": b"S", "your_instagram_activity/media/stories.json": stories, "your_instagram_activity/a.html": b"", **messages}
    of_posts(tmp_path / "folder", post(A), post(B), post(C), more={**more, f"copy/{A}": b"A"})
    given = tmp_path / "folder"
    if packed:
        given = zipped(tmp_path / "x.zip", {path.relative_to(given).as_posix(): path.read_bytes() for path in given.rglob("*") if path.is_file()})
    for include, n_left_out in ((None, 4), ("stories", 3)):
        source = detect(str(given), "me", include=include)
        assert len(photos_in(source)) == 7 - n_left_out
        assert source.left_out == {"pictures in an export that are none of its posts": n_left_out}


def test_a_zip_may_lie_deep_in_a_folder(tmp_path: Path) -> None:
    """However deep, with pictures of one's own beside it or not."""
    (tmp_path / "2024" / "backup" / "instagram").mkdir(parents=True)
    zipped(tmp_path / "2024" / "backup" / "instagram" / "x.zip", {A: b"A", POSTS: written([post(A)])})
    assert [photo.id for photo in photos(tmp_path)] == [A]
    (tmp_path / "own.jpg").write_bytes(b"x")
    assert [photo.id for photo in photos_in(detect(str(tmp_path), "me"))] == [A, "own.jpg"]


def test_time_is_linear_also_where_all_files_have_one_name(tmp_path: Path) -> None:
    """Each is told from the others by the folders above."""
    n = 4_000
    places = [f"media/posts/202405/{i}/a.jpg" for i in range(n)]
    files = dict.fromkeys([*places, *(f"media/stories/202405/{i}/a.jpg" for i in range(n))], b"x")
    source = detect(str(zipped(tmp_path / "x.zip", {POSTS: written([post(place) for place in places]), **files})), "me")
    started = time.process_time()
    assert [(photo.id, photo.member) for photo in photos_in(source)] == list(zip(places, places, strict=True))
    assert source.left_out == {"pictures in an export that are none of its posts": n}
    assert time.process_time() - started < 3


@pytest.mark.parametrize("name", ["media.json", "posts_1.json", "stories.json", "content/posts_1.json"])
def test_a_list_without_its_export_is_told(tmp_path: Path, name: str) -> None:
    """It is known by its name and by what it holds, wherever it was copied to; another list of that name is read."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(written({"photos": [{"path": "photos/202405/a.jpg"}]} if name == "media.json" else [post(A)]))
    with pytest.raises(SourceError, match="is one list of Instagram's export"):
        detect(str(path), "me")
    path.write_bytes(b'[{"url": "https://example.org/a.jpg"}]')
    assert [photo.id for photo in photos_in(detect(str(path), "me"))] == ["example.org/a.jpg"]


def test_a_video_counts_with_a_cover_only(tmp_path: Path) -> None:
    """The export has no covers; one of the video's name beside it is used, the others are left out, counted, and are no failure."""
    of_posts(tmp_path, post("media/posts/202405/v.mp4"), post("media/posts/202405/w.mp4"), post(A), more={"media/posts/202405/v.jpg": b"V"})
    source = exported(tmp_path)
    covered, picture = photos_in(source)
    assert (covered.id, covered.is_video, bytes_of(covered)) == ("media/posts/202405/v.mp4", True, b"V")
    assert (picture.is_video, source.left_out["videos without a cover"], unread(tmp_path)) == (False, 1, [])


@pytest.mark.parametrize(
    ("exif", "location"),
    [
        pytest.param({"latitude": 48.858370, "longitude": 2.294481}, "48.85837, 2.29448", id="numbers"),
        pytest.param({"latitude": "-33.9", "longitude": "18.42"}, "-33.90000, 18.42000", id="text"),
        pytest.param({"latitude": 0.0, "longitude": 0}, None, id="nowhere"),
        pytest.param({"latitude": 91, "longitude": 2}, None, id="off-the-earth"),
        pytest.param({"latitude": float("nan"), "longitude": 2}, None, id="no-number"),
        pytest.param({"latitude": 10**400, "longitude": 2}, None, id="huge"),
        pytest.param({"latitude": 1}, None, id="half"),
    ],
)
def test_where_a_photo_was_taken(exif: dict[str, object], location: str | None) -> None:
    """The camera's coordinates, if they are some."""
    (photo,) = found_in({"media": [medium(A, media_metadata={"photo_metadata": {"exif_data": [{"device_id": "x"}, exif]}})]}, "it")
    assert isinstance(photo, Photo)
    assert photo.location == location


def test_the_old_list_knows_places_by_name() -> None:
    """And times with or without a zone."""
    (photo,) = found_in({"caption": "", "location": mangled("Z\xfcrich"), "path": "photos/201805/x.jpg", "taken_at": "2018-05-01T12:00:00+02:00"}, "it")
    assert isinstance(photo, Photo)
    assert (photo.location, photo.taken_at) == ("Z\xfcrich", datetime(2018, 5, 1, 10, tzinfo=UTC))


@given(st.text())
def test_mangled_text_is_repaired(text: str) -> None:
    """Whatever was written comes back; what was never mangled and could not have been stays as it is."""
    clean = text.encode("utf-8", "replace").decode()
    assert repaired(mangled(clean)) == clean
    repaired(text).encode("utf-8")
    assert repaired("caf\xe9 \N{SNOWMAN}") == "caf\xe9 \N{SNOWMAN}"


OTHERS = {
    "archived": ("archived_posts", "ig_archived_post_media"),
    "reels": ("reels", "ig_reels_media"),
    "igtv": ("igtv_videos", "ig_igtv_media"),
    "other": ("other_content", "ig_other_media"),
    "deleted": ("recently_deleted_content", "ig_recently_deleted_media"),
}


@pytest.fixture(params=sorted(LISTS))
def everything(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An export with lists of all kinds, a picture each, named for the kind; posts in three lists."""
    folder = LISTS[request.param]
    files = {f"{folder}/posts_{i}.json": written([post(f"media/posts/202405/posts{i}.jpg", at=NOON - i)]) for i in (1, 2, 10)}
    for i, (kind, (name, key)) in enumerate(OTHERS.items()):
        files[f"{folder}/{name}.json"] = written({key: [post(f"media/other/{kind}.jpg", at=NOON - 100 - i)]})
    files[f"{folder}/stories.json"] = written({"ig_stories": [medium("media/stories/202405/stories.jpg", at=NOON - 200)]})
    files[f"{folder}/profile_photos.json"] = written({"ig_profile_picture": [medium("media/profile/202405/profile.jpg", at=NOON - 300)]})
    files[f"{folder}/reposts.json"] = written({"ig_reposts": [post(B)]})
    pictures = [f"media/posts/202405/posts{i}.jpg" for i in (1, 2, 10)] + [f"media/other/{kind}.jpg" for kind in OTHERS]
    return unpacked(tmp_path, files | dict.fromkeys([*pictures, "media/stories/202405/stories.jpg", "media/profile/202405/profile.jpg", B], b"x"))


@pytest.mark.parametrize(
    ("include", "more"),
    [
        ("", []),
        ("posts", []),
        (" Stories , archived", ["archived", "stories"]),
        ("all", ["archived", "reels", "igtv", "other", "deleted", "stories", "profile"]),
    ],
    ids=["default", "posts", "two", "all"],
)
def test_posts_are_read_and_what_else_is_asked_for(everything: Path, include: str, more: list[str]) -> None:
    """Stories, archived and deleted posts were meant for few eyes, or none any more: they come in only by name."""
    names = [Path(identity).stem for identity in ids(everything, include)]
    assert names == ["posts1", "posts2", "posts10", *more]
    assert all(kind in exported(everything, include).name for kind in more)


def test_the_old_list_has_kinds_too(tmp_path: Path) -> None:
    """Pictures out of messages are never among them."""
    entry = {"caption": "", "taken_at": "2018-05-01T12:00:00"}
    document = {key: [entry | {"path": f"{key}/201805/x.jpg"}] for key in ("photos", "stories", "profile", "direct")}
    unpacked(tmp_path, {"media.json": written(document)} | {f"{key}/201805/x.jpg": b"x" for key in document})
    assert ids(tmp_path) == ["photos/201805/x.jpg"]
    assert ids(tmp_path, "all") == ["photos/201805/x.jpg", "stories/201805/x.jpg", "profile/201805/x.jpg"]


@pytest.mark.parametrize("include", ["likes", "posts,nothing", "all,posts,"], ids=repr)
def test_an_unknown_kind_is_named(include: str) -> None:
    """With those that there are."""
    with pytest.raises(UsageError, match="there are posts, archived, reels"):
        included(include)


@pytest.mark.parametrize("make", [lambda root: unpacked(root, {"a.jpg": b"x"}), lambda _: Path("-")], ids=["folder", "stdin"])
def test_include_is_for_exports(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """Elsewhere it would be passed over in silence."""
    with pytest.raises(UsageError, match="--include goes with Instagram's own export"):
        detect(str(make(tmp_path)), "me", include="stories")


@pytest.mark.parametrize("uri", [f"your_instagram_activity/{A}", f"./{A}", A], ids=["prefix", "dot", "plain"])
@pytest.mark.parametrize("prefix", ["your_instagram_activity/", ""], ids=["there", "not-there"])
def test_a_picture_is_found_whatever_stands_before_its_path(tmp_path: Path, uri: str, prefix: str) -> None:
    """Some exports name the upper folder and some do not, whether it is there or not; the id is the same."""
    unpacked(tmp_path, {POSTS: written([post(uri)]), prefix + A: b"A"})
    assert ids(tmp_path) == [A]


def test_a_picture_that_is_listed_twice_is_one_photo(tmp_path: Path) -> None:
    """In two lists, in two exports of different days, in a ZIP beside its own folder."""
    files = {A: b"A", POSTS: written([post(A), post(A)])}
    zipped(tmp_path / "instagram-me-2026-01-02-abcdef12.zip", files)
    unpacked(tmp_path / "instagram-me-2026-01-02-abcdef12", files)
    unpacked(tmp_path / "instagram-me-2025-01-02-abcdef12", files | {POSTS: written([post(A), post(B)]), B: b"B"})
    assert ids(tmp_path) == [A, B]


def test_exports_of_two_accounts_are_not_mixed(tmp_path: Path) -> None:
    """A folder of downloads may hold both."""
    for name in ("alice", "bob.b"):
        zipped(tmp_path / f"instagram-{name}-2026-01-02-abcdef12.zip", {A: b"A", POSTS: written([post(A)])})
    with pytest.raises(SourceError, match=r"several accounts \(alice, bob\.b\)"):
        photos(tmp_path)


@pytest.mark.parametrize("n_there", [1, 2, 5])
def test_every_missing_picture_is_unread_and_the_others_are_indexed(tmp_path: Path, n_there: int) -> None:
    """By the id that it will have when a part that is given later adds it."""
    names = [f"media/posts/202405/{name}.jpg" for name in "abcdef"]
    there = dict.fromkeys(names[:n_there], b"x")
    zipped(tmp_path / "part1.zip", there | {POSTS: written([post(name) for name in names])})
    assert ids(tmp_path) == names[:n_there]
    assert [(one.id, one.hides) for one in unread(tmp_path)] == [(name, False) for name in names[n_there:]]
    assert all(repr(one.id) in one.reason and "put all the parts" in one.reason for one in unread(tmp_path))
    zipped(tmp_path / "part2.zip", dict.fromkeys(names[n_there:], b"x"))
    assert (ids(tmp_path), unread(tmp_path)) == (names, [])


def test_an_address_is_taken_on_instagrams_servers_only(tmp_path: Path) -> None:
    """Anybody else's would be asked by whoever made the file."""
    ours = "https://scontent-fra3-1.cdninstagram.com/v/t51/123_456_n.jpg?oe=608CF1C0"
    others = [
        "http://scontent.cdninstagram.com/x.jpg",
        "https://evil.example/x.jpg",
        "https://cdninstagram.com.evil.example/x.jpg",
        "file:///etc/passwd",
        "//host/x",
    ]
    of_posts(tmp_path, *(post(uri) for uri in (ours, *others)))
    (photo,) = photos(tmp_path)
    assert photo == Photo(id="123_456_n.jpg", url=ours, taken_at=datetime.fromtimestamp(NOON, UTC))
    assert [one.id for one in unread(tmp_path)] == [f"entry {number} of {POSTS}" for number in range(2, 7)]


OUTSIDE = [
    "../secret.jpg",
    "media/../../secret.jpg",
    "/etc/secret.jpg",
    "C:/secret.jpg",
    "..\\secret.jpg",
    "media\\secret.jpg",
    "media//secret.jpg",
    "a\0.jpg",
    "",
    ".",
]


@pytest.mark.parametrize("uri", OUTSIDE, ids=repr)
def test_a_path_that_climbs_out_is_not_followed(tmp_path: Path, uri: str) -> None:
    """The other posts are read."""
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    export_folder = of_posts(tmp_path / "x" / "export", post(uri), post(A))
    assert ids(export_folder) == [A]
    assert [one.id for one in unread(export_folder)] == [f"entry 1 of {POSTS}"]


def test_a_slide_that_leads_nowhere_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    """A post of three pictures of which two are there must not look whole."""
    of_posts(tmp_path, {"media": [medium(A), {"title": "no uri"}, medium("../b.jpg"), medium(C)]})
    assert [(photo.id, photo.slide, photo.n_slides) for photo in photos(tmp_path)] == [(A, 1, 4), (C, 4, 4)]
    assert [one.id for one in unread(tmp_path)] == [f"entry 1 of {POSTS}, picture 2", f"entry 1 of {POSTS}, picture 3"]


@pytest.mark.parametrize("name", ["../media/posts/202405/b.jpg", "/media/posts/202405/b.jpg", "C:/media/posts/202405/b.jpg", "x/../media/posts/202405/b.jpg"])
def test_a_zip_entry_that_climbs_out_is_not_there(tmp_path: Path, name: str) -> None:
    """Nothing is unpacked, and nobody who takes such a name for a path is given one."""
    found = photos(zipped(tmp_path / "x.zip", {A: b"A", name: b"evil", POSTS: written([post(A), post(B)])}))
    assert [photo.member for photo in found] == [A]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="this system has no symbolic links")
def test_links_are_followed_inside_the_export_only(tmp_path: Path) -> None:
    """A link in an export somebody else made must not put pictures of one's own into the index."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "b.jpg").write_bytes(b"secret")
    root = of_posts(tmp_path / "export", post(A), post(B), post(C), post("media/reels/b.jpg"), post("media/posts/202405/same.jpg"))
    (root / B).unlink()
    (root / B).symlink_to(tmp_path / "private" / "b.jpg")
    (root / "media" / "reels").symlink_to(tmp_path / "private")
    (root / "media/posts/202405/same.jpg").symlink_to(root / A)
    assert ids(root) == [A, C, "media/posts/202405/same.jpg"]
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as file:
        link = zipfile.ZipInfo(B)
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
        file.writestr(A, b"A")
        file.writestr(POSTS, written([post(A), post(B)]))
    assert ids(archive) == [A]


def test_html_is_told_apart_with_where_to_click(tmp_path: Path) -> None:
    """The commonest mistake in asking Instagram for one's data."""
    path = zipped(tmp_path / "x.zip", {"your_instagram_activity/media/posts_1.html": b"<html>", A: b"A", "start_here.html": b"<html>"})
    with pytest.raises(SourceError, match=r"export in HTML.*choose JSON under Accounts Center > .* > Format"):
        detect(str(path), "me")


def test_a_part_with_pictures_only_asks_for_the_others(tmp_path: Path) -> None:
    """It is Instagram's, but says nothing of posts."""
    with pytest.raises(SourceError, match="without the list of posts: put all the parts"):
        detect(str(zipped(tmp_path / "x.zip", {A: b"A"})), "me")


def test_a_single_list_asks_for_the_rest(tmp_path: Path) -> None:
    """Whoever has opened the folder to look may well give the file."""
    with pytest.raises(SourceError, match="is one list of Instagram's export"):
        detect(str(of_posts(tmp_path, post(A)) / POSTS), "me")


def header_changed(files: dict[str, bytes], name: str, offset: int, value: bytes) -> bytes:
    """A ZIP of `files` in which the central directory says something else of one entry (APPNOTE 4.3.12)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in files.items():
            archive.writestr(each, data)
    packed = bytearray(out.getvalue())
    entry = packed.rindex(b"PK\1\2", 0, packed.rindex(name.encode()))
    packed[entry + offset : entry + offset + len(value)] = value
    return bytes(packed)


FLAGS, COMPRESSED_SIZE, SIZE = 8, 20, 24
SOUND = {A: b"A", POSTS: written([post(A)])}
BROKEN_ZIPS = {
    "cut": (header_changed(SOUND, POSTS, FLAGS, b"\0\0")[:-40], "damaged ZIP file, or was not downloaded"),
    "magic-alone": (b"PK\3\4broken", "damaged ZIP file, or was not downloaded"),
    "encrypted": (header_changed(SOUND, POSTS, FLAGS, b"\1\0"), "is encrypted"),
    "claims-4-gb": (header_changed(SOUND, POSTS, SIZE, struct.pack("<I", 0xFFFFFFF0)), "claims 4294967280 bytes"),
    "lies-about-size": (header_changed(SOUND, POSTS, SIZE, struct.pack("<I", 5)), "cannot be read"),
    "bomb": (None, "claims 30000000 bytes, packed into 29"),
    "wrong-checksum": (header_changed(SOUND, POSTS, 16, b"1234"), "cannot be read"),
    "unusual-packing": (header_changed(SOUND, POSTS, 10, struct.pack("<H", 14)), "packed in an unusual way"),
}


@pytest.mark.parametrize(("data", "says"), BROKEN_ZIPS.values(), ids=BROKEN_ZIPS)
def test_a_broken_zip_is_one_line(tmp_path: Path, data: bytes | None, says: str) -> None:
    """It is named, with what is wrong with it, and its promises take no memory."""
    path = tmp_path / "x.zip"
    path.write_bytes(data) if data is not None else zipped(path, {A: b"A", POSTS: b"[" + b" " * 29_999_998 + b"]"})
    tracemalloc.start()
    with pytest.raises(SourceError, match=says) as caught:
        photos(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert "x.zip" in str(caught.value)
    assert peak < 10_000_000


def test_a_broken_part_may_hide_photos(tmp_path: Path) -> None:
    """The others are read, and it is named once; a picture beside them is indexed all the same."""
    (tmp_path / "part2.zip").write_bytes(b"PK\3\4 and no more")
    (tmp_path / "x.jpg").write_bytes(b"x")
    assert open_export(tmp_path) is None
    zipped(tmp_path / "part1.zip", SOUND)
    assert ids(tmp_path) == [A, "x.jpg"]
    [damaged] = unread(tmp_path)
    assert (damaged.id, damaged.hides, "damaged ZIP file" in damaged.reason) == ("part2.zip", True, True)


@pytest.mark.parametrize("folder", ["", "Downloads/"])
def test_parts_lie_in_the_folder_or_one_folder_down(tmp_path: Path, folder: str) -> None:
    """As a browser, or whoever sorted the downloads, put them."""
    (tmp_path / folder).mkdir(exist_ok=True)
    for number, part in enumerate(parts(export("2025", PICTURES), 2), start=1):
        zipped(tmp_path / folder / f"instagram-me-2026-01-02-part{number}.zip", part)
    assert [Path(identity).name for identity in ids(tmp_path)] == list(PICTURES)


@pytest.mark.parametrize("name", [r"media\posts\202405\a.jpg", r"instagram-me-2026-01-02-x\media\posts/202405\a.jpg"])
def test_backslashes_in_a_zip_stand_for_slashes(tmp_path: Path, name: str) -> None:
    """As some Windows tools pack; the member keeps the name that the ZIP gives it."""
    [photo] = photos(zipped(tmp_path / "x.zip", {name: b"A", POSTS.replace("/", "\\"): written([post(A)])}))
    assert (photo.id, photo.member, bytes_of(photo)) == (A, name, b"A")


@pytest.mark.parametrize("name", ["..\\media\\posts\\202405\\b.jpg", "\\media\\posts\\202405\\b.jpg", "C:\\media\\posts\\202405\\b.jpg"])
def test_backslashes_lead_out_of_no_zip(tmp_path: Path, name: str) -> None:
    """Whichever way they lean."""
    assert ids(zipped(tmp_path / "x.zip", {A: b"A", name: b"evil", POSTS: written([post(A), post(B)])})) == [A]


BROKEN_LISTS = {
    "empty": b"",
    "cut": written([post(A)])[:-20],
    "deep": b"[" * 100_000,
    "deep-objects": b'{"a":' * 100_000,
    "no-text": b"\xff\xfe\xff[",
    "no-list": b'"posts"',
    "no-list-in-it": b'{"posts": {"media": 1}}',
}


@pytest.mark.parametrize("data", BROKEN_LISTS.values(), ids=BROKEN_LISTS)
def test_a_broken_list_costs_its_own_posts_only(tmp_path: Path, data: bytes) -> None:
    """It is named in one line, and may hide photos; alone it is an error."""
    name = "your_instagram_activity/media/posts_2.json"
    of_posts(tmp_path, post(A), more={name: data})
    assert ids(tmp_path) == [A]
    [damaged] = unread(tmp_path)
    assert (damaged.id, damaged.hides, "\n" in damaged.reason) == (name, True, False)
    (tmp_path / POSTS).unlink()
    with pytest.raises(SourceError, match=r"posts_2.json' is not a list that can be read"):
        photos(tmp_path)


ODD_VALUES = {
    "huge number": b"9" * 5000,
    "huge real": b"1e999",
    "nan": b"NaN",
    "infinity": b"-Infinity",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "half a character": rb'"\ud800"',
    "no UTF-8": b'"\xff\xfe"',
    "line separators": '"\u2028\x85"'.encode(),
    "control characters": b'"\x01\t"',
    "wrong type": b"[{}]",
    "twice": b'1, "creation_timestamp": 2',
}


@pytest.mark.parametrize("key", ["title", "creation_timestamp", "media_metadata", "unknown"])
@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES)
def test_an_odd_value_costs_no_more_than_itself(tmp_path: Path, key: str, value: bytes) -> None:
    """Its picture is there all the same, and so are the others."""
    entry = b'{"media": [{"uri": "%s", "%s": %s}]}' % (A.encode(), key.encode(), value)
    of_posts(tmp_path, more={POSTS: b"[%s, %s]" % (entry, json.dumps(post(B)).encode())})
    assert sorted(ids(tmp_path)) == [A, B]
    assert unread(tmp_path) == []
    for photo in photos(tmp_path):
        (photo.post_text or "").encode()


@pytest.mark.parametrize("value", [*list(ODD_VALUES.values())[:-1], b"null", b"true", b"1"], ids=[*list(ODD_VALUES)[:-1], "null", "true", "one"])
@pytest.mark.parametrize("entry", [b"%s", b'{"media": %s}', b'{"media": [%s]}', b'{"media": [{"uri": %s}]}'], ids=["entry", "media", "medium", "uri"])
def test_an_entry_that_is_odd_altogether_is_unread(tmp_path: Path, entry: bytes, value: bytes) -> None:
    """Once, and the others are read."""
    of_posts(tmp_path, more={POSTS: b"[%s, %s]" % (json.dumps(post(B)).encode(), entry % value)})
    assert ids(tmp_path) == [B]
    [one] = unread(tmp_path)
    one.reason.encode()


def test_a_list_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder nothing tells beforehand how much will come."""
    monkeypatch.setattr(export_files, "MAX_JSON_BYTES", 100)
    with pytest.raises(SourceError, match="larger than"):
        photos(of_posts(tmp_path, post(A), post(B)))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        pytest.param({POSTS: b"[]"}, "it lists no posts: choose posts", id="nothing"),
        pytest.param({POSTS: b"[]", "your_instagram_activity/media/stories.json": b"{}"}, "add --include stories", id="stories-alone"),
        pytest.param({POSTS: written([post(A)])}, "the pictures that it lists are not in it", id="no-pictures"),
        pytest.param({POSTS: written([post("media/posts/202405/v.mp4")])}, "nothing but videos", id="videos"),
        pytest.param({POSTS: b'[1, null, {"media": "uri"}]'}, "no entry in its lists of posts", id="nonsense"),
    ],
)
def test_an_export_without_pictures_says_why(tmp_path: Path, files: dict[str, bytes], says: str) -> None:
    """Each has another remedy."""
    with pytest.raises(SourceError, match=f"is Instagram's export, but .*{says}"):
        photos(unpacked(tmp_path, files))


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"content/posts.json": b'{"blog": 1}', "a.jpg": b"x"}, id="a-blog"),
        pytest.param({"media.json": b'["a", "b"]', "a.jpg": b"x"}, id="somebodys-media"),
        pytest.param({"posts_1.json": written([post(A)]), "a.jpg": b"x"}, id="no-folder"),
        pytest.param({"past_instagram_insights/posts.json": b'{"organic_insights_posts": []}', "a.jpg": b"x"}, id="insights"),
        pytest.param({"content/posts_1.json.bak": written([post(A)]), "a.jpg": b"x"}, id="copy"),
    ],
)
def test_other_folders_stay_folders(tmp_path: Path, files: dict[str, bytes]) -> None:
    """A common name alone makes no export."""
    assert open_export(unpacked(tmp_path, files)) is None


def test_lists_with_thousands_of_posts(tmp_path: Path) -> None:
    """Every picture is found at once among the others."""
    names = [f"media/posts/202405/{i}.jpg" for i in range(3000)]
    path = zipped(tmp_path / "x.zip", {POSTS: written([post(name, at=NOON - i) for i, name in enumerate(names)])} | dict.fromkeys(names, b""))
    assert ids(path) == names


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([A, B, "1", "2018-05-01T12:00:00", "9999-99-99", "0001-01-01T00:00:00+23:59"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "media",
                    "uri",
                    "path",
                    "title",
                    "caption",
                    "taken_at",
                    "creation_timestamp",
                    "media_metadata",
                    "photo_metadata",
                    "exif_data",
                    "latitude",
                    "longitude",
                    "location",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=200)
@given(JSON)
def test_no_json_is_more_than_an_entry_that_is_left_out(entry: object) -> None:
    """Wrong types at every level give photos that hold what a photo holds, or none."""
    for photo in found_in(entry, "it"):
        assert photo.id
        if isinstance(photo, Unread):
            continue
        assert 1 <= photo.slide <= photo.n_slides
        assert photo.taken_at is None or photo.taken_at.tzinfo is UTC
        json.dumps([photo.id, photo.post_text, photo.location]).encode()
        "".join(filter(None, (photo.id, photo.post_text, photo.location))).encode("utf-8")


@settings(max_examples=40)
@given(document=JSON, old=st.booleans())
def test_no_list_is_more_than_one_error(tmp_path_factory: pytest.TempPathFactory, document: object, old: bool) -> None:
    """Whatever a list holds as a whole: photos, or the one error with one line."""
    root = unpacked(tmp_path_factory.mktemp("x"), {A: b"A", "media.json" if old else POSTS: json.dumps({"photos": document} if old else document).encode()})
    try:
        found = {photo.id for photo in photos_in(InstagramExport(root))}
    except SourceError as err:
        found, said = set(), str(err)
    else:
        said = "photos"
    assert len(said.splitlines()) == 1
    assert found <= {A, B}


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
def test_photos_lead_to_their_files_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    """An export that is named from where one stands: what is kept of it is looked for by a server that stands elsewhere."""
    (zipped if packed else unpacked)(tmp_path / "given", export("2025", PICTURES))
    monkeypatch.chdir(tmp_path)
    found = photos_in(detect("given", "me"))
    monkeypatch.chdir(tmp_path.parent)
    assert [bytes_of(photo) for photo in found] == list(PICTURES.values())
