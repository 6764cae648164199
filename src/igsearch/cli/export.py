"""`igsearch export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from igsearch.cli.command import Command, program
from igsearch.cli.options import CacheDir, ExportFormat
from igsearch.paths import path_given

EXAMPLES = (
    "Examples:\n\n  igsearch export natgeotravel > photos.jsonl\n\n  igsearch export natgeo nasa --format photosearch-db -o photosearch_db.json"
    "\n\n  igsearch index natgeo --from photosearch_db.json"
)
app = program()


@app.command(cls=Command, epilog=EXAMPLES)
def export(
    profiles: Annotated[list[str], typer.Argument(metavar="PROFILE...", help="Profiles that were indexed, or @all.")],
    *,
    form: Annotated[
        ExportFormat, typer.Option("--format", help="jsonl and csv say everything; the others are what the 2021 prototype reads.")
    ] = ExportFormat.JSONL,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", parser=path_given, help="Where to write; - is stdout. [default: stdout]")
    ] = None,
    cache_dir: CacheDir = None,
) -> None:
    """Write what is known of profiles as a file for other programs; igsearch index --from reads all of them but csv."""
    from igsearch import api

    api.export(profiles, sys.stdout.buffer if output in (None, Path("-")) else output, form=form.value, cache_dir=cache_dir)
