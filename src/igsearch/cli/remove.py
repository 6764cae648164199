"""`igsearch remove`."""

from __future__ import annotations

from typing import Annotated

import typer

from igsearch.cli.command import Command, program, remark
from igsearch.cli.options import CacheDir

app = program()


@app.command(cls=Command)
def remove(
    context: typer.Context,
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A profile that was indexed.")],
    *,
    cache_dir: CacheDir = None,
) -> None:
    """Delete a profile's captions, index and thumbnails. Photos of your own are not touched."""
    from igsearch import api

    remark(context, f"removed {api.remove(profile, cache_dir=cache_dir)}")
