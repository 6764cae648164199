"""What is known of profiles, as files for other programs: three that the scripts of the 2021 prototype read, and two that say everything.

Nothing of a file appears before all of it could be written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from shutil import copyfileobj
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO

from igsearch.errors import NotIndexedError, UsageError
from igsearch.output.formats import address, photo_record, photos_csv, to_json
from igsearch.searching import named_profiles
from igsearch.sources import cdn
from igsearch.store.reader import Store

if TYPE_CHECKING:
    from igsearch.paths import ProfilePaths
    from igsearch.records import Description, Photo

Described = tuple[str, "Photo", "Description"]


def described(profiles: Sequence[ProfilePaths]) -> Iterator[Described]:
    """The photos of profiles, each with its profile's name and its description, in the order they were indexed. Raises NotIndexedError and StoreError."""
    for paths in profiles:
        with Store.open(paths) as store:
            for _, description, photo in store.documents():
                yield paths.root.name, photo, description


def export(cache: Path, profiles: Sequence[str], form: str, target: Path | BinaryIO) -> None:
    """Write profiles (names, several separated by commas, or `@all`) to a file or a stream in one of `FORMATS`.

    Raises UsageError for a name that cannot be one or a file that cannot be written, NotIndexedError for a profile that is not there.
    """
    named = dict.fromkeys(paths for given in profiles for paths in named_profiles(cache, given))
    if not named:
        raise NotIndexedError("nothing is indexed yet: run igsearch index PROFILE")
    save(FORMATS[form](list(named)), target)


def photosearch_db(profiles: Sequence[ProfilePaths]) -> Iterator[str]:
    """The prototype's database: an object, for each profile the list of its `captions_dict` entries."""
    yield "{"
    for number, paths in enumerate(profiles):
        yield f"{',' if number else ''}\n{to_json(paths.root.name)}: "
        yield from _array(_captioned(*one) for one in described([paths]))
    yield "\n}\n"


def captions_dict(profiles: Sequence[ProfilePaths]) -> Iterator[str]:
    """What the prototype's captioner wrote: a list of `id`, `url`, `caption`, `yolo_objects`, and here of everything else that is known."""
    yield from _array(_captioned(*one) for one in described(profiles))
    yield "\n"


def url_list(profiles: Sequence[ProfilePaths]) -> Iterator[str]:
    """What the prototype's captioner read: a list of `id` and `url`."""
    yield from _array({"id": _media_id(photo), "url": _picture_address(photo)} for _, photo, _ in described(profiles))
    yield "\n"


def jsonl(profiles: Sequence[ProfilePaths]) -> Iterator[str]:
    """All that is known of a photo on a line."""
    return (f"{to_json(photo_record(*one))}\n" for one in described(profiles))


def csv(profiles: Sequence[ProfilePaths]) -> Iterator[str]:
    """The same as a table for a spreadsheet."""
    return (f"{line}\n" for line in photos_csv(described(profiles)))


FORMATS: Mapping[str, Callable[[Sequence[ProfilePaths]], Iterator[str]]] = MappingProxyType(
    {"jsonl": jsonl, "csv": csv, "photosearch-db": photosearch_db, "captions-dict": captions_dict, "url-list": url_list}
)
"""The formats by name."""


def save(text: Iterable[str], target: Path | BinaryIO, *, option: str = "-o") -> None:
    """Write a text in UTF-8 to a file or a stream, whole or not at all; `option` is what named the file.

    Raises UsageError if it cannot be written, and whatever `text` raises.
    """
    if not isinstance(target, Path):
        _copy(text, target)
        return
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as device:  # which must not be replaced
                _copy(text, device)
        else:
            _replace(text, target)
    except OSError as err:
        raise UsageError(f"{str(target)!r} cannot be written ({err.strerror}): make room, or choose another file with {option}") from err


def _copy(text: Iterable[str], stream: BinaryIO) -> None:
    with tempfile.TemporaryFile() as whole:
        whole.writelines(piece.encode() for piece in text)
        whole.seek(0)
        copyfileobj(whole, stream)


def _replace(text: Iterable[str], target: Path) -> None:
    unfinished = target.with_name(f".{target.name}.unfinished-{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            file.writelines(piece.encode() for piece in text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _array(items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield "["
    for number, item in enumerate(items):
        yield f"{',' if number else ''}\n{to_json(item)}"
    yield "\n]"


def _captioned(profile: str, photo: Photo, description: Description) -> dict[str, Any]:
    """An entry as the prototype has it, and behind that what it does not know.

    Its program shows the caption and the objects as they are, one directly after the other, and searches the caption: `<start>` and `<end>`, which its own
    captioner leaves there, would be words to it, and the objects begin with a blank. It needs a text and an address in every entry.
    """
    names = ", ".join(one.name for one in description.objects or ())
    known = photo_record(profile, photo, description)
    del known["profile"]
    ours = {"id": _media_id(photo), "url": _picture_address(photo), "caption": description.caption, "yolo_objects": f" {names}" if names else ""}
    return ours | {key: value for key, value in known.items() if key not in ours}


def _media_id(photo: Photo) -> str:
    """A post's number, as the prototype has it; for a slide and for what is no post, the id here."""
    return (cdn.id_of_shortcode(photo.id) if photo.id == photo.shortcode else None) or photo.id


def _picture_address(photo: Photo) -> str:
    """The picture's own address where it is known, else the post's (of the slide, where there are several), else the file's."""
    if photo.url is not None:
        return photo.url
    return address(photo) + (f"?img_index={photo.slide}" if photo.permalink and photo.n_slides > 1 else "")
