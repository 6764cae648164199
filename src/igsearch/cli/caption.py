"""`igsearch caption`."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from igsearch.cli.command import Command, note, program
from igsearch.cli.options import AsJson, BatchSize, BeamSize, CacheDir, CaptionerName, DetectorName, Device, DeviceName, Engine, EngineName, Labeller, Objects
from igsearch.errors import ExitCode, PhotoError, UsageError
from igsearch.output import formats, terminal
from igsearch.paths import path_given

if TYPE_CHECKING:
    from igsearch.records import Description

EXAMPLES = (
    "Examples:\n\n  igsearch caption photo.jpg\n\n  igsearch caption *.jpg --json | jq -r '.results[].caption'"
    "\n\n  curl -sL ADDRESS | igsearch caption -\n\n  igsearch caption photo.jpg --attention looks.png"
)
STREAM = Path("-")
app = program()


def picture_given(text: str) -> Path:
    """A picture's file, or - for stdin."""
    if text.lower().startswith(("http://", "https://")):
        raise UsageError(f"{text!r} is an address: fetch it first, with curl -sL {quote(text)} | igsearch caption -")
    return path_given(text)


@app.command(cls=Command, epilog=EXAMPLES)
def caption(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", parser=picture_given, help="Pictures; - reads one from stdin.")],
    *,
    device: DeviceName = Device.AUTO,
    engine: EngineName = Engine.AUTO,
    beam_size: BeamSize = None,
    labeller: Labeller = None,
    objects: Objects = False,
    detector: DetectorName = None,
    batch_size: BatchSize = 16,
    captioner: CaptionerName = None,
    labels: Annotated[bool, typer.Option("--labels", help="Add the likeliest ImageNet labels.")] = False,
    attention: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", parser=path_given, help="Draw where the captioner looked for each word of one picture; - writes the PNG to stdout."),
    ] = None,
    as_json: AsJson = False,
    cache_dir: CacheDir = None,
) -> None:
    """Describe pictures, without an index."""
    from igsearch import api

    if files.count(STREAM) > 1:
        raise UsageError("stdin holds one picture: give - once")
    if attention is not None and len(files) > 1:
        raise UsageError(f"--attention draws one picture at a time, not {len(files)}: name one")
    if attention == STREAM and as_json:
        raise UsageError("--attention - and --json cannot be combined, for both write to stdout: name a file that ends in .png")
    chosen = api.CaptionerOptions(captioner, device.value, beam_size, labeller, detector or objects, batch_size, engine.value)
    with local_files(files) as local:
        if attention is not None:
            drawing = partial(api.draw_attention, captioner=chosen, cache_dir=cache_dir)
            draw(drawing, files[0], local[0], attention)
        if attention == STREAM:
            return
        described = api.describe_files(local, chosen, cache_dir=cache_dir)
        results = []
        for path, outcome in as_given(files, described.results):
            results.append((path, outcome))
            if not as_json:
                terminal.captions(terminal.console(sys.stdout), [(path, outcome)], with_path=len(files) > 1, with_labels=labels or labeller is not None)
    if as_json:
        typer.echo(formats.caption_json(described.captioner, results))
    errors = [(path, outcome) for path, outcome in results if isinstance(outcome, PhotoError)]
    for path, error in errors:
        note(str(error) if path == STREAM or str(path) in str(error) else f"{path}: {error}")
    raise typer.Exit(ExitCode.SOME_FAILED if errors else ExitCode.OK)


@contextlib.contextmanager
def local_files(given: Sequence[Path]) -> Iterator[list[Path]]:
    """The pictures as files, for as long as they are looked at: what comes on stdin is kept in one."""
    if STREAM not in given:
        yield list(given)
        return
    from igsearch.fetch import MAX_BYTES

    with tempfile.TemporaryDirectory(prefix="igsearch-") as folder:
        kept = Path(folder) / "stdin"
        kept.write_bytes(sys.stdin.buffer.read(MAX_BYTES + 1))
        yield [kept if file == STREAM else file for file in given]


def as_given(files: Sequence[Path], results: Iterable[tuple[Path, Description | PhotoError]]) -> Iterator[tuple[Path, Description | PhotoError]]:
    """Each result under the name that the user gave; of stdin nobody is told where it was kept."""
    for given, (path, outcome) in zip(files, results, strict=True):
        yield given, from_stdin(outcome, path) if given == STREAM and isinstance(outcome, PhotoError) else outcome


def from_stdin(error: PhotoError, kept: Path) -> PhotoError:
    """The same error, of standard input."""
    text = str(error).replace(repr(str(kept)), "standard input")
    return type(error)(text if "standard input" in text else f"standard input: {text}")


def draw(drawing: Callable[[Path, Path], None], given: Path, picture: Path, figure: Path) -> None:
    """Draw where the captioner looked, into a file or to stdout. A picture that cannot be read is told with the captions, where there are any."""
    if figure != STREAM:
        with contextlib.suppress(PhotoError):
            drawing(picture, figure)
        return
    with tempfile.TemporaryDirectory(prefix="igsearch-") as folder:
        drawn = Path(folder) / "attention.png"
        try:
            drawing(picture, drawn)
        except PhotoError as err:
            raise (from_stdin(err, picture) if given == STREAM else err) from err
        sys.stdout.buffer.write(drawn.read_bytes())
