"""`igsearch search`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igsearch.cli.command import Command, note, program, remark
from igsearch.cli.options import MANY, AsJson, CacheDir, Sort, Thumbnails
from igsearch.dates import period
from igsearch.errors import UsageError
from igsearch.output import formats
from igsearch.paths import path_given

if TYPE_CHECKING:
    from igsearch.searching import Answer

EXAMPLES = (
    "Examples:\n\n  igsearch search natgeotravel people walking on street"
    "\n\n  igsearch search @all dog --since 2024 --json | jq -r '.results[0].permalink'"
    "\n\n  igsearch search holiday beach --paths -0 | xargs -0 open"
    "\n\n  igsearch search holiday beach -n 100 --html beach.html --open"
)
STDOUT = Path("-")
app = program()


@app.command(cls=Command, epilog=EXAMPLES)
def search(
    context: typer.Context,
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A profile that was indexed, several separated by commas, or @all.")],
    query: Annotated[list[str], typer.Argument(metavar="QUERY...", help="What the photo shows. Quotes are not needed; -- goes before a word such as -5.")],
    *,
    n: Annotated[int, typer.Option("-n", "--number", "--limit", metavar="N", min=1, max=MANY, help="Show at most N photos.")] = 20,
    offset: Annotated[int, typer.Option(metavar="N", min=0, max=MANY, help="Skip the first N results.")] = 0,
    min_score: Annotated[float, typer.Option(metavar="N", min=0.0, max=1.0, help="Only photos with a score of at least N.")] = 0.0,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Only photos from this day, month or year on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Only photos before the end of this day, month or year.")] = None,
    sort: Annotated[Sort, typer.Option(help="Best, newest or most liked first.")] = Sort.SCORE,
    as_json: AsJson = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="A table for a spreadsheet.")] = False,
    urls: Annotated[bool, typer.Option("--urls", help="Links only, one a line.")] = False,
    paths: Annotated[bool, typer.Option("--paths", help="Files only, one a line.")] = False,
    null: Annotated[bool, typer.Option("--null", "-0", help="End links and files with a NUL character, for xargs -0.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", parser=path_given, help="One page for a browser, the pictures in it; - is stdout.")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="With --html: show the page.")] = False,
    thumbnails: Annotated[Thumbnails, typer.Option(help="Pictures in the table, on a terminal with colours.")] = Thumbnails.AUTO,
    cache_dir: CacheDir = None,
) -> None:
    """Find photos by what they show."""
    from igsearch import api

    if sum((as_json, jsonl, csv, urls, paths, html is not None)) > 1:
        raise UsageError("--json, --jsonl, --csv, --urls, --paths and --html cannot be combined: choose one")
    if null and not (urls or paths):
        raise UsageError("-0 goes with --urls or --paths")
    if open_page and html in (None, STDOUT):
        raise UsageError("--open goes with --html FILE")
    words = " ".join(query)
    begin, end = period(since, until)
    answer = api.search(profile, words, n=n, offset=offset, min_score=min_score, since=begin, until=end, sort=sort.value, cache_dir=cache_dir)
    if as_json:
        typer.echo(formats.search_json(answer.hits, query=words, profiles=answer.profiles, total=answer.total, remarks=answer.remarks))
    elif urls or paths:
        items = formats.search_urls(answer.hits) if urls else formats.search_paths(answer.hits)
        sys.stdout.buffer.write(formats.delimited(items, zero=null, terminal=sys.stdout.isatty()))
    elif html is not None:
        write_page(context, answer, html, words, shown=open_page)
    elif sys.stdout.isatty() and not (jsonl or csv):
        from igsearch.output import terminal

        terminal.search_table(terminal.console(sys.stdout), answer.hits, words, thumbnails=thumbnails is Thumbnails.AUTO, total=answer.total)
    else:
        lines = formats.search_jsonl if jsonl else formats.search_csv if csv else formats.search_lines
        typer.echo("".join(f"{line}\n" for line in lines(answer.hits)), nl=False)
    for one in answer.remarks:
        remark(context, one)


def write_page(context: typer.Context, answer: Answer, file: Path, words: str, *, shown: bool) -> None:
    """The hits as a page of their own, on stdout or in a file, and if wanted in the browser."""
    from igsearch.output import html

    html.write(answer, sys.stdout.buffer if file == STDOUT else file, query=words)
    remark(context, f"wrote {'the page' if file == STDOUT else file}: {len(answer.hits):,} of {answer.total:,} photos that match")
    if shown:
        import webbrowser

        if not webbrowser.open(file.absolute().as_uri()):
            note(f"no browser was found: open {file} in one")
