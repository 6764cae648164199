"""Files that are not read as photos, by how they begin; and what to give instead."""

from __future__ import annotations

import codecs

from igsearch.sources.tree import begins_a_picture

KINDS_OF_BYTES = {
    b"RIFF": "a single picture",
    b"\xfd7zXZ": "a single packed file",
    b"\x1f\x8b": "a packed file",
    b"SQLite": "a database",
    b"profile,id,caption,": "a table for spreadsheets",
    b"rank,score,profile,": "a table for spreadsheets",
    b"PK\3\4": "a ZIP file of something else than Instagram's export",
    b"PK\5\6": "an empty ZIP file",
}

WANTED = "a folder of pictures or of a downloader, Instagram's own export, a JSON file of igsearch export, or a list with one path or address a line"


def kind_of_bytes(head: bytes) -> str | None:
    """What a file that begins with `head` is, if that tells that it is no list of photos."""
    head = head.removeprefix(codecs.BOM_UTF8)
    return "a single picture" if begins_a_picture(head) else next((kind for magic, kind in KINDS_OF_BYTES.items() if head.startswith(magic)), None)
