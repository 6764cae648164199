"""`igsearch list`."""

from __future__ import annotations

import sys

import typer

from igsearch.cli.command import Command, program, remark
from igsearch.cli.options import AsJson, CacheDir
from igsearch.output import formats, terminal

app = program()


@app.command("list", cls=Command)
def list_profiles(context: typer.Context, *, as_json: AsJson = False, cache_dir: CacheDir = None) -> None:
    """Show what is indexed."""
    from igsearch import api

    summaries = api.profiles(cache_dir)
    if as_json:
        typer.echo(formats.profiles_json(summaries))
    elif summaries:
        terminal.profiles_table(terminal.console(sys.stdout), summaries)
    else:
        remark(context, "nothing is indexed yet: run igsearch index PROFILE")
