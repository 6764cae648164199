"""What lies below a folder, in one pass: which files are pictures, told by their names or else by how they begin, and what is passed over.

Only regular files are ever opened: a pipe or a device of a picture's name would be waited for without end.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from igsearch.errors import SourceError
from igsearch.records import Unread

PICTURE_SUFFIXES = frozenset(
    f".{name}"
    for name in "jpg jpeg jpe jfif jfi jif pjpeg pjp png apng webp gif bmp dib tif tiff heic heif hif avif".split()  # noqa: SIM905  # easier to read
)
VIDEO_SUFFIXES = frozenset((".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".3gp", ".mts", ".mpg", ".mpeg", ".wmv"))
DESCRIPTION_SUFFIXES = (".json", ".json.xz", ".jsonl", ".ndjson")

UNREADABLE_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "iiq", "kdc", "mef", "mos", "mrw", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl"),
        *("sr2", "srf", "srw", "x3f", "ai", "eps", "psb", "psd", "svg", "xcf", "jp2", "jxl"),
    )
)
"""Pictures as cameras' sensors and as drawing programs write them. Many raw ones begin as TIFF does, with nothing but a thumbnail that TIFF's readers find."""

SYSTEM_FILES = frozenset(("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r", "zbthumbnail.info", "thumbnails-digikam.db"))

TRASH = frozenset(
    name.casefold()
    for name in (
        *("@eaDir", "#recycle", "#snapshot", "@tmp", "@sharebin"),  # Synology
        *("@Recycle", "@Recently-Snapshot", "@Transcode", ".@__thumb"),  # QNAP
        *("$RECYCLE.BIN", "RECYCLER", "RECYCLED", "System Volume Information"),  # Windows
        *("__MACOSX", ".Trashes", ".Trash", ".AppleDouble", ".TemporaryItems", "Network Trash Folder", "Temporary Items"),  # macOS
        *("lost+found", ".thumbnails", ".thumbs", ".thumb", ".cache"),  # Linux, Android
        *(".dtrash", ".picasaoriginals", ".comments", "[Originals]"),  # digiKam, Picasa, gThumb, ACDSee
        *("files_trashbin", "files_versions", ".stversions", ".dropbox.cache"),  # Nextcloud, Syncthing, Dropbox
        *("node_modules", "__pycache__", ".git", ".svn", ".hg"),
    )
)
"""Folders in which known programs keep what was deleted, or smaller and older copies of the pictures."""

TRASH_PATTERN = re.compile(r"\.trash-\d+|.*\.lrdata|.*\.lrcat-data|appdata_oc\w+")
"""The same with a number or a catalogue's name in theirs: Linux, Lightroom, Nextcloud."""

TRASH_WITHIN = (
    (
        re.compile(r".*\.(?:photoslibrary|photolibrary|migratedphotolibrary|aplibrary)"),
        frozenset(("resources", "thumbnails", "previews", "database", "private")),
    ),
    (re.compile(r"google (?:photos|fotos)"), frozenset(("trash", "bin", "papierkorb", "corbeille", "cestino", "papelera"))),
    (re.compile(r"captureone|storage"), frozenset(("cache",))),
)
"""Names that mean it only in a folder of a certain name: Apple's libraries, Google's archives, Capture One and PhotoPrism."""

HEAD_BYTES = 32
BRANDS = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"))
"""The kinds of ISO/IEC 14496-12 containers that hold pictures; videos are of others."""

DIB_HEADERS = frozenset((12, 40, 52, 56, 64, 108, 124))
"""Lengths in bytes of the header behind a BMP's first 14 bytes."""

TRASH_FOLDERS, HIDDEN_FOLDERS, HIDDEN_PICTURES = "folders of trash or thumbnails", "hidden folders", "hidden pictures"
NO_FILES, RAW, OTHERS, LOCKED = "links to nothing, pipes and devices", "raw and vector pictures", "files that are no pictures", "files that may not be read"


@dataclass(slots=True)
class Tree:
    """The files below a folder by kind: paths below `root` with `/` between the parts, in the order of names, those in a folder before its subfolders'."""

    root: Path
    pictures: list[str] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    n_files: int = 0
    unread: list[Unread] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def below(cls, root: Path) -> Tree:
        """List a folder. Raises SourceError if it cannot be read; of a subfolder that cannot, `unread` tells."""
        tree = cls(root.absolute())
        for prefix, names in folders(root, tree.unread, tree.left_out):
            tree.n_files += len(names)
            for name in names:
                tree._add(prefix, name)
        return tree

    def keep(self, is_kept: Callable[[str], bool]) -> None:
        """Drop the files of the other names."""
        for files in (self.pictures, self.descriptions, self.texts, self.videos, self.archives):
            files[:] = filter(is_kept, files)

    def _add(self, prefix: str, name: str) -> None:
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122  # a third of the time that a Path takes
        if suffix in PICTURE_SUFFIXES:
            self.pictures.append(prefix + name)
        elif name.lower().endswith(DESCRIPTION_SUFFIXES):
            is_picture = begins_a_picture(head_of(self.root / prefix / name) or b"")
            (self.pictures if is_picture else self.descriptions).append(prefix + name)
        elif name.lower() not in SYSTEM_FILES:
            self._add_by_contents(prefix + name, suffix)

    def _add_by_contents(self, name: str, suffix: str) -> None:
        head = b"" if suffix in UNREADABLE_SUFFIXES else head_of(self.root / name)
        if head is None:
            self.left_out[LOCKED] += 1
        elif begins_a_picture(head):
            self.pictures.append(name)
        elif suffix in VIDEO_SUFFIXES:
            self.videos.append(name)
        elif suffix == ".txt":
            self.texts.append(name)
        elif head.startswith((b"PK\3\4", b"PK\5\6")) or suffix == ".zip":
            self.archives.append(name)
        else:
            self.left_out[RAW if suffix in UNREADABLE_SUFFIXES else OTHERS] += 1
            self.pages += [name] if suffix == ".html" else []


def folders(root: Path, unread: list[Unread], left_out: Counter[str]) -> Iterator[tuple[str, list[str]]]:
    """Each folder at and below `root`, as what its files' paths begin with, and the names of its regular files, sorted; hidden ones are left out.

    Links are followed, each folder once, so that a loop of links ends. Raises SourceError if `root` cannot be read; a subfolder that cannot is `unread`.
    """
    pending, seen = [""], set[tuple[int, int]]()
    top = root.absolute()
    while pending:
        prefix = pending.pop()
        try:
            identity = (top / prefix).stat()
            if (identity.st_dev, identity.st_ino) in seen:
                continue
            with os.scandir(top / prefix) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as err:
            if not prefix:
                raise SourceError(f"folder {str(root)!r} cannot be read ({err.strerror}): check that it exists and that you may read it") from err
            name = plain(prefix[:-1])
            unread.append(Unread(name, f"folder {name!r} cannot be read ({err.strerror}): check that you may read it", hides=True))
            continue
        seen.add((identity.st_dev, identity.st_ino))
        files, subfolders = _sorted_out(entries, (top / prefix).name, left_out)
        yield prefix, files
        pending += [f"{prefix}{name}/" for name in reversed(subfolders)]


def walk(root: Path, unread: list[Unread] | None = None) -> Iterator[Path]:
    """The absolute paths of all regular files that `folders` finds below `root`. Raises SourceError; what cannot be read is added to `unread`."""
    for prefix, names in folders(root, [] if unread is None else unread, Counter()):
        folder = root.absolute() / prefix
        yield from (folder / name for name in names)


def plain(name: str) -> str:
    """A name as text, whatever bytes the file system allows in it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def head_of(path: Path, n_bytes: int = HEAD_BYTES) -> bytes | None:
    """How a file begins; None if it may not be read."""
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(n_bytes)
    except OSError:
        return None


def begins_a_picture(head: bytes) -> bool:
    """Whether a file that begins so is a picture of a kind that is read."""
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")):
        return True
    if head[:2] == b"BM":
        return int.from_bytes(head[14:18], "little") in DIB_HEADERS
    return (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or (head[4:8] == b"ftyp" and head[8:12] in BRANDS)


def _sorted_out(entries: list[os.DirEntry[str]], folder: str, left_out: Counter[str]) -> tuple[list[str], list[str]]:
    """The names of files and of subfolders; what is left out is counted."""
    files, subfolders = list[str](), list[str]()
    for entry in entries:
        name = entry.name
        if _is(entry.is_file):
            if not name.startswith("."):
                files.append(name)
            elif name.lower().endswith(tuple(PICTURE_SUFFIXES)) and not name.startswith("._"):  # `._`: what macOS notes of a file on foreign disks
                left_out[HIDDEN_PICTURES] += 1
        elif not _is(entry.is_dir):
            left_out.update([] if name.startswith(".") else [NO_FILES])
        elif _is_trash(name.casefold(), folder.casefold()):
            left_out[TRASH_FOLDERS] += 1
        elif name.startswith("."):
            left_out[HIDDEN_FOLDERS] += 1
        else:
            subfolders.append(name)
    return files, subfolders


def _is(question: Callable[[], bool]) -> bool:
    """What the system says of an entry; False where it cannot, as of a link that leads to itself."""
    try:
        return question()
    except OSError:
        return False


def _is_trash(name: str, folder: str) -> bool:
    return name in TRASH or TRASH_PATTERN.fullmatch(name) is not None or any(name in names and kind.fullmatch(folder) for kind, names in TRASH_WITHIN)
