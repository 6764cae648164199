"""`igsearch search`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igsearch.cli.options import AsJson, CacheDir, Quiet, Sort, Thumbnails, note
from igsearch.dates import day
from igsearch.errors import UsageError
from igsearch.output import formats, terminal

if TYPE_CHECKING:
    from igsearch.searching import Answer

EXAMPLES = (
    "Examples:\n\n  igsearch search natgeotravel people walking on street"
    "\n\n  igsearch search @all dog --since 2024 --json | jq -r '.results[0].permalink'"
    "\n\n  igsearch search holiday beach --paths -0 | xargs -0 open"
    "\n\n  igsearch search holiday beach -n 100 --html beach.html --open"
)


def search(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A profile that was indexed, several separated by commas, or @all.")],
    query: Annotated[list[str], typer.Argument(metavar="QUERY...", help="What the photo shows. Quotes are not needed.")],
    *,
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="At most so many photos.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="Pass over the first N.")] = 0,
    min_score: Annotated[float, typer.Option(min=0.0, max=1.0, help="Only photos that match at least so well.")] = 0.0,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Only photos from this day, month or year on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Only photos before the end of this day, month or year.")] = None,
    sort: Annotated[Sort, typer.Option(help="Best, newest or most liked first.")] = Sort.SCORE,
    as_json: AsJson = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="A table for a spreadsheet.")] = False,
    urls: Annotated[bool, typer.Option("--urls", help="Links only, one a line.")] = False,
    paths: Annotated[bool, typer.Option("--paths", help="Files only, one a line.")] = False,
    null: Annotated[bool, typer.Option("--null", "-0", help="End links and files with a NUL character, for xargs -0.")] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="One page for a browser, the pictures in it.")] = None,
    open_page: Annotated[bool, typer.Option("--open", help="With --html: show the page.")] = False,
    thumbnails: Annotated[Thumbnails, typer.Option(help="Pictures in the table, on a terminal with colours.")] = Thumbnails.AUTO,
    quiet: Quiet = False,
    cache_dir: CacheDir = None,
) -> None:
    """Find photos by what they show."""
    from igsearch import api

    if sum((as_json, jsonl, csv, urls, paths, html is not None)) > 1:
        raise UsageError("only one of --json, --jsonl, --csv, --urls, --paths and --html can be had at a time")
    if null and not (urls or paths):
        raise UsageError("-0 goes with --urls or --paths")
    if open_page and html is None:
        raise UsageError("--open goes with --html FILE")
    words = " ".join(query)
    begin, end = day(since, "--since"), day(until, "--until", end=True)
    answer = api.search(profile, words, n=n, offset=offset, min_score=min_score, since=begin, until=end, sort=sort.value, cache_dir=cache_dir)
    if as_json:
        typer.echo(formats.search_json(answer.hits, query=words, profiles=answer.profiles, total=answer.total, remarks=answer.remarks))
    elif urls or paths:
        items = formats.search_urls(answer.hits) if urls else formats.search_paths(answer.hits)
        sys.stdout.buffer.write(formats.delimited(items, zero=null, terminal=sys.stdout.isatty()))
    elif html is not None:
        write_page(answer, html, words, shown=open_page, quiet=quiet)
    elif sys.stdout.isatty() and not (jsonl or csv):
        terminal.search_table(terminal.console(sys.stdout), answer.hits, words, thumbnails=thumbnails is Thumbnails.AUTO, total=answer.total)
    else:
        lines = formats.search_jsonl if jsonl else formats.search_csv if csv else formats.search_lines
        typer.echo("".join(f"{line}\n" for line in lines(answer.hits)), nl=False)
    if not quiet:
        for remark in answer.remarks:
            note(remark)


def write_page(answer: Answer, file: Path, words: str, *, shown: bool, quiet: bool) -> None:
    """The hits as a page of their own, and if wanted in the browser."""
    from igsearch.output import html

    html.write(answer, file, query=words)
    if not quiet:
        note(f"wrote {file}: {len(answer.hits):,} of {answer.total:,} photos that match")
    if shown:
        import webbrowser

        if not webbrowser.open(file.absolute().as_uri()):
            note(f"no browser was found: open {file} in one")
