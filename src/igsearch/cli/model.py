"""`igsearch model …`: the captioners there are. A program of its own, so that a search does not pay for these commands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from igsearch.output import formats, terminal

app = typer.Typer(
    name="model",
    help="List captioners, look at one, convert a checkpoint of the sgrvinod tutorial into one, remove one.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
CacheDir = Annotated[Path | None, typer.Option("--cache-dir", metavar="DIR", help="Where converted captioners are kept. [default: the user's cache]")]


@app.command("list")
def list_captioners(*, as_json: AsJson = False, cache_dir: CacheDir = None) -> None:
    """Show the captioners that --captioner can name."""
    from igsearch.captioner import catalogue

    summaries = catalogue.summaries(cache_dir)
    if as_json:
        typer.echo(formats.captioners_json(summaries))
        return
    terminal.captioners_table(terminal.console(sys.stdout), summaries)
    note("--captioner also takes a checkpoint's folder, and hf:MODEL for one of Hugging Face (pip install 'igsearch[hf]')")


@app.command()
def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A captioner of igsearch model list, or a checkpoint's folder.")],
    *,
    as_json: AsJson = False,
    cache_dir: CacheDir = None,
) -> None:
    """Check a captioner and show what is known of it."""
    from igsearch.captioner import catalogue

    summary = catalogue.summary(name, cache_dir)
    typer.echo(formats.captioner_json(summary) if as_json else "\n".join(formats.captioner_lines(summary)))


@app.command(
    epilog="Example:\n\n  igsearch model convert BEST_checkpoint_coco.pth.tar WORDMAP_coco.json -o coco\n\n  igsearch caption photo.jpg --captioner coco"
)
def convert(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="The tutorial's .pth.tar file, its state dicts saved again, or safetensors.")],
    word_map: Annotated[Path, typer.Argument(metavar="WORDMAP", help="The WORDMAP_….json file that belongs to it.")],
    *,
    name: Annotated[str, typer.Option("-o", "--output", metavar="NAME", help="What to call the captioner.")],
    half: Annotated[bool, typer.Option("--half", help="Round weights to 16 bits: half the size, and now and then another word.")] = False,
    cache_dir: CacheDir = None,
) -> None:
    """Convert a checkpoint of the sgrvinod tutorial. Nothing in the file is run."""
    from igsearch.captioner.conversion import convert as converted

    folder = converted(checkpoint, word_map, name=name, half=half, cache_dir=cache_dir)
    note(f"converted to {folder}; use it with --captioner {name}")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A captioner that was converted.")],
    cache_dir: CacheDir = None,
) -> None:
    """Delete a converted captioner. The files it was made from stay."""
    from igsearch.captioner import catalogue

    catalogue.remove(name, cache_dir)
    note(f"removed {name}")


def note(text: str) -> None:
    """One line on stderr."""
    typer.echo(f"igsearch: {formats.plain(text)}", err=True)
