"""Options that several commands share, the choices they offer, and the one line on stderr."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from igsearch.output import formats

CacheDir = Annotated[Path | None, typer.Option("--cache-dir", metavar="DIR", help="Where captions and indexes are kept. [default: the user's cache]")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
BeamSize = Annotated[int | None, typer.Option(min=1, max=50, help="Hypotheses kept while a sentence is searched for. [default: the checkpoint's, 5]")]
CaptionerName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Another one of igsearch model list, a checkpoint's folder, or hf:MODEL. [default: the packaged one]")
]
Labeller = Annotated[
    str | None,
    typer.Option(metavar="NAME[=FILE]", help="Take labels from a classifier of torchvision's, such as alexnet; FILE: with weights of your own."),
]
Objects = Annotated[bool, typer.Option("--objects", help="Also look for things of the 80 kinds of COCO, and count them.")]
DetectorName = Annotated[
    str | None, typer.Option("--detector", metavar="NAME[=FILE]", help="The detector of torchvision's that looks. [default: ssdlite320_mobilenet_v3_large]")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class Thumbnails(StrEnum):
    """Whether the table shows pictures."""

    AUTO = "auto"
    NEVER = "never"


class Sort(StrEnum):
    """What the results are ordered by."""

    SCORE = "score"
    DATE = "date"
    LIKES = "likes"


class ExportFormat(StrEnum):
    """What `export` writes."""

    JSONL = "jsonl"
    CSV = "csv"
    PHOTOSEARCH_DB = "photosearch-db"
    CAPTIONS_DICT = "captions-dict"
    URL_LIST = "url-list"


def note(text: str) -> None:
    """One line on stderr."""
    typer.echo(f"igsearch: {formats.plain(text)}", err=True)
