"""Options that several commands share, and the choices they offer."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from igsearch.paths import path_given

MANY = 1_000_000_000
"""More than anybody has photos: the upper end of what is counted."""


def folder_given(text: str) -> Path:
    """A folder, which is never a stream."""
    if text == "-":
        raise typer.BadParameter("'-' is no folder; name one")
    return path_given(text)


def seekable_file_given(text: str) -> Path:
    """A file that cannot be read as a stream, from its begin to its end."""
    if text == "-":
        raise typer.BadParameter("stdin cannot be read here; save it as a file, and name that")
    return path_given(text)


def named_or_path(text: str) -> str:
    """A name as it stands; a path as `path_given` takes it, behind `NAME=` too."""
    name, separator, path = text.rpartition("=")
    return f"{name}{separator}{path_given(path)}" if path[:1] in ("~", '"', "'") else text


CacheDir = Annotated[
    Path | None,
    typer.Option("--cache-dir", metavar="DIR", parser=folder_given, help="Where captions, indexes and captioners are kept. [default: the user's cache]"),
]
BeamSize = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=50, help="Beam width: candidate captions kept while decoding. [default: the checkpoint's, 5]"),
]
BatchSize = Annotated[int, typer.Option(metavar="N", min=1, max=1024, help="Photos described at a time.")]
CaptionerName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", parser=named_or_path, help="A captioner from `igsearch model list`, a checkpoint's folder, or hf:MODEL. [default: the packaged one]"
    ),
]
Labeller = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[=FILE]", parser=named_or_path, help="Take labels from a torchvision classifier, such as alexnet; FILE: with weights of your own."
    ),
]
Objects = Annotated[bool, typer.Option("--objects", help="Detect and count COCO's 80 object classes.")]
DetectorName = Annotated[
    str | None,
    typer.Option("--detector", metavar="NAME[=FILE]", parser=named_or_path, help="The torchvision detector to use. [default: ssdlite320_mobilenet_v3_large]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class Device(StrEnum):
    """Where networks run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Engine(StrEnum):
    """What runs the captioner."""

    AUTO = "auto"
    ONNX = "onnx"
    TORCH = "torch"


DeviceName = Annotated[Device, typer.Option("--device", help="Where the networks run.")]
EngineName = Annotated[Engine, typer.Option("--engine", help="What runs the captioner: ONNX Runtime on a CPU, torch elsewhere, unless you choose.")]


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
