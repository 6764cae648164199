"""`igsearch model …`: the captioners there are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from igsearch.cli.command import Command, Group, program, remark
from igsearch.cli.options import AsJson, CacheDir, named_or_path, seekable_file_given
from igsearch.output import formats, terminal

EXAMPLE = "Example:\n\n  igsearch model convert BEST_checkpoint_coco.pth.tar WORDMAP_coco.json -o coco\n\n  igsearch caption photo.jpg --captioner coco"
app = program(name="model", group=Group, task="List captioners, look at one, convert a checkpoint of the sgrvinod tutorial into one, remove one.")


@app.command("list", cls=Command)
def list_captioners(context: typer.Context, *, as_json: AsJson = False, cache_dir: CacheDir = None) -> None:
    """Show the captioners that --captioner can name."""
    from igsearch.captioner import catalogue

    summaries = catalogue.summaries(cache_dir)
    if as_json:
        typer.echo(formats.captioners_json(summaries))
        return
    terminal.captioners_table(terminal.console(sys.stdout), summaries)
    remark(context, "--captioner also takes a checkpoint's folder, and hf:MODEL for one of Hugging Face (pip install 'igsearch[hf]')")


@app.command(cls=Command)
def info(
    name: Annotated[str, typer.Argument(metavar="NAME", parser=named_or_path, help="A captioner from `igsearch model list`, or a checkpoint's folder.")],
    *,
    as_json: AsJson = False,
    cache_dir: CacheDir = None,
) -> None:
    """Check a captioner and show what is known of it."""
    from igsearch.captioner import catalogue

    summary = catalogue.summary(name, cache_dir)
    typer.echo(formats.captioner_json(summary) if as_json else "\n".join(formats.captioner_lines(summary)))


@app.command(cls=Command, epilog=EXAMPLE)
def convert(
    context: typer.Context,
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", parser=seekable_file_given, help="The tutorial's .pth.tar file, its re-saved state dicts, or safetensors."),
    ],
    word_map: Annotated[Path, typer.Argument(metavar="WORDMAP", parser=seekable_file_given, help="The WORDMAP_….json file that belongs to it.")],
    *,
    name: Annotated[str, typer.Option("-o", "--output", metavar="NAME", help="What to call the captioner.")],
    half: Annotated[bool, typer.Option("--half", help="Round weights to 16 bits: half the size; captions may differ slightly.")] = False,
    cache_dir: CacheDir = None,
) -> None:
    """Convert a checkpoint of the sgrvinod tutorial. Nothing in the file is run."""
    from igsearch.captioner.conversion import convert as converted

    folder = converted(checkpoint, word_map, name=name, half=half, cache_dir=cache_dir)
    remark(context, f"converted to {folder}; use it with --captioner {name}")


@app.command(cls=Command)
def remove(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A captioner that was converted.")],
    *,
    cache_dir: CacheDir = None,
) -> None:
    """Delete a converted captioner. The files it was made from stay."""
    from igsearch.captioner import catalogue

    catalogue.remove(name, cache_dir)
    remark(context, f"removed {name}")
