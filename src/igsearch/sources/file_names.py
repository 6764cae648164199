"""Which file a name in a list means: as it is written, in quotes, from the home folder, with its accents put together another way, or as a `file:` address."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote, unquote_to_bytes

FILE_SCHEME = "file:"
THIS_MACHINE = ("", "localhost")
QUOTED = re.compile(r"""(["']).+\1|<.+>|\u201c.+\u201d""", re.DOTALL)
DOLLAR_QUOTED = re.compile(r"\$'((?:[^'\\]|\\.)*+)'", re.DOTALL)
"""How bash and GNU's tools write a name with control characters: `$'tab\\t.jpg'`."""

ESCAPED = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|[uU]([0-9A-Fa-f]{4,8})|(.))", re.DOTALL)
LETTERS = bytes.maketrans(b"abtnvfreE", b"\a\b\t\n\v\f\r\x1b\x1b")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file, or the `member` of the ZIP file at `path`."""

    path: Path
    member: str | None = None

    def id(self, folder: Path) -> str:
        """An id that is text whatever bytes the name has: the path below `folder` if it lies there, else all of it."""
        plain = os.path.normpath(folder / self.path)
        below = os.path.join(folder, "")  # noqa: PTH118  # called for every line of a list
        name = (plain.removeprefix(below) or ".") if plain.startswith(below) else plain
        name = name.replace(os.sep, "/") if os.sep != "/" else name
        return os.fsencode(name if self.member is None else f"{name}#{self.member}").decode("utf-8", "backslashreplace")


def is_possible(name: str) -> bool:
    """Whether a file can have this name: none has a NUL character in it, or half a surrogate pair that stands for no byte."""
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False


def named_file(written: str, folder: Path) -> NamedFile:
    """The file that is meant, looked for from `folder` on; where none is there, the likeliest one."""
    readings = list(dict.fromkeys(_readings(written)))
    found = next((path for reading in readings if (path := spelt(folder / reading)) is not None), None)
    return NamedFile(found or folder / os.path.expanduser(unquoted(written.strip())))  # noqa: PTH111  # unlike Path's, it leaves a user who is unknown


def is_there(name: str, folder: Path) -> bool:
    """Whether there is a file, or a link, of exactly this name."""
    return os.path.lexists(os.path.join(folder, name))  # noqa: PTH118  # called for every line of a list


def file_at(url: str) -> NamedFile | None:
    """The file that a `file:` address names (RFC 8089), with the member of a ZIP file as its fragment; None for one on another machine."""
    path = url[len(FILE_SCHEME) :]
    if path.startswith("//"):
        host, slash, path = path[2:].partition("/")
        if host.lower() not in THIS_MACHINE or not slash:
            return None
        path = f"/{path}"
    if not path.startswith("/"):
        return None
    whole, (name, _, member) = _local(path), path.partition("#")
    if not is_possible(str(whole)):
        return None
    if not member or os.path.lexists(whole):
        return NamedFile(spelt(whole) or whole)
    return NamedFile(spelt(_local(name)) or _local(name), unquote(member))


def spelt(path: Path) -> Path | None:
    """The file that is there under this name, or under it with the accents of each part composed (NFC) or apart (NFD), as a Mac has them."""
    if os.path.lexists(path):
        return path
    if str(path).isascii():
        return None
    found = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        forms = (part, normalize("NFC", part), normalize("NFD", part))
        there = next((form for form in forms if os.path.lexists(found / form)), None)
        if there is None:
            return None
        found /= there
    return found


def unquoted(written: str) -> str:
    """What stands between a pair of quotes, or all."""
    return written[1:-1] if QUOTED.fullmatch(written) else written


def _readings(written: str) -> Iterator[str]:
    """What may be meant, the most literal first."""
    plain = written.strip()
    yield written
    yield plain
    yield unquoted(plain)
    if any(sign in plain for sign in "'\"\\"):
        yield from _as_a_shell(written)
        yield _unescaped(unquoted(plain))
        yield plain.replace("\\", "/")
    yield from (os.path.expanduser(one) for one in (plain, unquoted(plain)) if one.startswith("~"))  # noqa: PTH111  # unlike Path's, it leaves who is unknown


def _as_a_shell(written: str) -> Iterator[str]:
    r"""The one word that a shell makes of it, if it is one: `my\ cat.jpg`, `'it'\''s.jpg'`."""
    try:
        words = shlex.split(DOLLAR_QUOTED.sub(lambda found: shlex.quote(_unescaped(found[1])), written))
    except ValueError:
        return
    if len(words) == 1:
        yield os.path.expanduser(words[0]) if written.startswith("~") else words[0]  # noqa: PTH111  # as above


def _unescaped(written: str) -> str:
    r"""What C makes of it, and whoever writes names like C: `ls -b`, `ls -Q` and git, as `caf\303\251.jpg`, and JSON."""

    def meant(found: re.Match[bytes]) -> bytes:
        octal, hexadecimal, code, other = found.groups()
        if code:
            number = int(code, 16)
            return chr(number).encode("utf-8", "replace") if number <= sys.maxunicode else found[0]
        return other.translate(LETTERS) if other else bytes([int(octal, 8) % 256 if octal else int(hexadecimal, 16)])

    return os.fsdecode(ESCAPED.sub(meant, os.fsencode(written)))


def _local(path: str) -> Path:
    if os.name == "nt":
        from urllib.request import url2pathname

        return Path(url2pathname(path))
    return Path(os.fsdecode(unquote_to_bytes(path)))
