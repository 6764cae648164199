"""`igsearch remove`."""

from __future__ import annotations

from typing import Annotated

import typer

from igsearch.cli.options import CacheDir, note


def remove(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A profile that was indexed.")],
    cache_dir: CacheDir = None,
) -> None:
    """Delete a profile's captions, index and thumbnails. Photos of your own are not touched."""
    from igsearch import api

    note(f"removed {api.remove(profile, cache_dir=cache_dir)}")
