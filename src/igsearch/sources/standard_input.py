"""What another program writes into igsearch, through standard input or a pipe: a list of paths and addresses, or JSON as a file has it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, cast

from igsearch.errors import SourceError
from igsearch.sources import json_file
from igsearch.sources.foreign import kind_of_bytes
from igsearch.sources.json_source import source_of
from igsearch.sources.url_list import UrlList, chunks_of, listed, with_head

if TYPE_CHECKING:
    from igsearch.records import Found, Source

STDIN = "-"


class StandardInput:
    """The photos of `profile` that a stream tells of, recognised by what it begins with; it can be read once.

    Relative paths start from the current folder. A list is read as it comes; JSON to its end before the first photo.
    """

    kind, root = "stdin", ""
    newest_first = False
    n_expected = None

    def __init__(self, profile: str, pipe: Path | None = None) -> None:
        """Read nothing yet. `pipe` is what to read in place of standard input."""
        self._profile, self._pipe = profile, pipe
        self.name = UrlList.name if pipe is not None else f"{UrlList.name} on standard input"
        self.left_out: Mapping[str, int] = {}

    def photos(self, retry: Sequence[str] = ()) -> Iterator[Found]:
        """The photos. Raises SourceError, also when there is none."""
        called = "standard input" if self._pipe is None else repr(str(self._pipe))
        try:
            with nullcontext(cast("BufferedReader", sys.stdin.buffer)) if self._pipe is None else self._pipe.open("rb") as stream:
                head, chunks = with_head(chunks_of(stream))
                if (kind := kind_of_bytes(head)) is not None:
                    raise SourceError(
                        f"{called} is {kind}, which is not read from there: give a list with one path or address a line, or JSON of igsearch export"
                    )
                if not json_file.looks_like_json(head):
                    self.left_out = left_out = Counter[str]()
                    yield from listed(chunks, Path.cwd(), called, left_out)
                    return
                source = self._in_json(chunks, called)
        except OSError as err:
            raise SourceError(f"{called} cannot be read ({err.strerror or err}): check that it is open") from err
        self.name, self.left_out = f"{source.name} from {called}", source.left_out
        yield from source.photos(retry)
        self.left_out = source.left_out

    def _in_json(self, chunks: Iterator[bytes], called: str) -> Source:
        source = source_of(json_file.parsed(_whole(chunks), called), None, self._profile)
        if source is None:
            raise SourceError(f"{called} is JSON of another kind: give what igsearch export writes, or a list with one path or address a line")
        return source


def _whole(chunks: Iterator[bytes]) -> bytes:
    """All of a stream, or somewhat more than is parsed."""
    data = bytearray()
    while len(data) <= json_file.MAX_BYTES and (chunk := next(chunks, b"")):
        data += chunk
    return bytes(data)
