"""`igsearch caption`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from igsearch.cli.options import AsJson, BeamSize, CacheDir, CaptionerName, DetectorName, Device, Labeller, Objects, note
from igsearch.errors import ExitCode, PhotoError, UsageError
from igsearch.output import formats, terminal

EXAMPLES = (
    "Examples:\n\n  igsearch caption photo.jpg\n\n  igsearch caption *.jpg --json | jq -r '.results[].caption'"
    "\n\n  igsearch caption photo.jpg --attention looks.png"
)


def caption(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures.")],
    *,
    device: Device = "auto",
    beam_size: BeamSize = None,
    labeller: Labeller = None,
    objects: Objects = False,
    detector: DetectorName = None,
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, max=1024, help="Pictures described at a time.")] = 16,
    captioner: CaptionerName = None,
    labels: Annotated[bool, typer.Option("--labels", help="Add the likeliest ImageNet labels.")] = False,
    attention: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw where the captioner looked for each word. Of one picture.")] = None,
    as_json: AsJson = False,
    cache_dir: CacheDir = None,
) -> None:
    """Describe pictures, without an index."""
    from igsearch import api

    if attention is not None:
        if len(files) > 1:
            raise UsageError(f"--attention draws one picture at a time, not {len(files)}: name one")
        with contextlib.suppress(PhotoError):  # which is told with the captions
            api.draw_attention(files[0], attention, captioner=captioner, device=device, beam_size=beam_size, cache_dir=cache_dir)
    described = api.describe_files(
        files, captioner=captioner, device=device, beam_size=beam_size, labeller=labeller, objects=detector or objects, batch_size=batch_size,
        cache_dir=cache_dir,
    )  # fmt: skip
    if as_json:
        results = list(described.results)
        typer.echo(formats.caption_json(described.captioner, results))
    else:
        results = []
        for path, outcome in described.results:
            results.append((path, outcome))
            terminal.captions(terminal.console(sys.stdout), [(path, outcome)], with_path=len(files) > 1, with_labels=labels or labeller is not None)
    errors = [(path, outcome) for path, outcome in results if isinstance(outcome, PhotoError)]
    for path, error in errors:
        note(str(error) if str(path) in str(error) else f"{path}: {error}")
    raise typer.Exit(ExitCode.SOME_FAILED if errors else ExitCode.OK)
