"""The command: parse, call one use case, render, choose the exit code. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from igsearch import __version__, formats, render
from igsearch.dates import day
from igsearch.errors import ExitCode, IgsearchError, PhotoError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from igsearch.searching import Answer
    from igsearch.service import OnEvent

app = typer.Typer(
    name="igsearch",
    help="Find a photo on an Instagram profile from a description. Photos and captions never leave this machine.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 done but some photos failed, 2 usage, 3 login needed or private, 4 try again later, 5 nothing indexed under that name, "
    "6 damaged file, 70 a fault in igsearch, 130 interrupted.",
)

CacheDir = Annotated[Path | None, typer.Option("--cache-dir", metavar="DIR", help="Where captions and indexes are kept. [default: the user's cache]")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
BeamSize = Annotated[int | None, typer.Option(min=1, max=50, help="Hypotheses kept while a sentence is searched for. [default: the checkpoint's, 5]")]
CaptionerName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Another one of igsearch model list, a checkpoint's folder, or hf:MODEL. [default: the packaged one]")
]
Labeller = Annotated[
    str | None,
    typer.Option(metavar="NAME[=FILE]", help="Take labels from a classifier of torchvision's, such as alexnet; FILE: with weights of your own."),
]
Objects = Annotated[bool, typer.Option("--objects", help="Also look for things of the 80 kinds of COCO, and count them.")]
DetectorName = Annotated[
    str | None, typer.Option("--detector", metavar="NAME[=FILE]", help="The detector of torchvision's that looks. [default: ssdlite320_mobilenet_v3_large]")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class Thumbnails(StrEnum):
    """Whether the table shows pictures."""

    AUTO = "auto"
    NEVER = "never"


class Sort(StrEnum):
    """What the results are ordered by."""

    SCORE = "score"
    DATE = "date"
    LIKES = "likes"


class ExportFormat(StrEnum):
    """What `export` writes."""

    JSONL = "jsonl"
    CSV = "csv"
    PHOTOSEARCH_DB = "photosearch-db"
    CAPTIONS_DICT = "captions-dict"
    URL_LIST = "url-list"


def print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    """Print the version and end."""
    if wanted:
        typer.echo(f"igsearch {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")] = False,  # noqa: ARG001 - the callback's
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,  # noqa: ARG001 - `main` looks for it
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
) -> None:
    """Find a photo on an Instagram profile from a description. Photos and captions never leave this machine."""
    if context.invoked_subcommand != "search":  # which logs nothing, and is to answer at once
        import logging

        logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="igsearch: %(message)s", stream=sys.stderr)


@app.command(
    epilog="Examples:\n\n  igsearch index natgeotravel --limit 200\n\n  igsearch index holiday --from ~/Pictures/2025"
    "\n\n  cat addresses.txt | igsearch index found --from -"
)
def index(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="The Instagram profile, or with --from any name you choose.")],
    *,
    source: Annotated[
        str | None, typer.Option("--from", metavar="PATH", help="Photos here: a folder, a downloader's, Instagram's export, JSON, a list of paths or URLs, -.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Look at the first N photos only.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Only photos from this day on: 2024-06-30, 2024-06 or 2024.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Only photos before the end of this day, month or year.")] = None,
    login: Annotated[str | None, typer.Option(metavar="USER", help="Use the session that `instaloader --login USER` saved.")] = None,
    browser: Annotated[
        str | None, typer.Option("--cookies-from-browser", metavar="BROWSER", help="Use the session of firefox, chrome, …, where you are logged in.")
    ] = None,
    include: Annotated[
        str | None, typer.Option(metavar="KINDS", help="Of Instagram's export, beside posts: archived,reels,stories,igtv,profile,other,deleted or all.")
    ] = None,
    captioner: CaptionerName = None,
    device: Device = "auto",
    beam_size: BeamSize = None,
    labeller: Labeller = None,
    objects: Objects = False,
    detector: DetectorName = None,
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, max=1024, help="Photos described and stored at a time.")] = 16,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Walk everything again, to get at what failed.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Describe everything anew.")] = False,
    recaption: Annotated[bool, typer.Option("--recaption", help="Describe also what comes with a caption.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing: photos that are not on this machine keep the captions they come with.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be described; fetch and write nothing.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    cache_dir: CacheDir = None,
) -> None:
    """Describe a profile's photos and make them searchable. Run it again to add what is new, or to go on after an interruption."""
    from igsearch import api
    from igsearch.service import Walk

    if quiet:
        import logging

        logging.getLogger().setLevel(logging.ERROR)
    walk = Walk(limit, day(since, "--since"), day(until, "--until", end=True))
    if dry_run:
        photos = api.preview(
            profile, source, walk=walk, login=login, browser=browser, include=include, captioner=captioner, beam_size=beam_size,
            labeller=labeller, objects=detector or objects, recaption=recaption, cache_dir=cache_dir,
        )  # fmt: skip
        for photo in photos:
            typer.echo(formats.plain(formats.whereabouts(photo)))
        return
    with progress(quiet=quiet) as show:
        report = api.index(
            profile, source, walk=walk, login=login, browser=browser, include=include, captioner=captioner, device=device, beam_size=beam_size,
            labeller=labeller, objects=detector or objects, batch_size=batch_size,
            rebuild=rebuild, retry_failed=retry_failed, recaption=recaption, offline=offline, cache_dir=cache_dir, on_event=show,
        )  # fmt: skip
    if as_json:
        typer.echo(formats.report_json(report))
    if not quiet:
        render.index_summary(render.console(sys.stderr), report)
    raise typer.Exit(ExitCode.SOME_FAILED if report.n_failed else ExitCode.OK)


@app.command(
    epilog="Examples:\n\n  igsearch search natgeotravel people walking on street"
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
        render.search_table(render.console(sys.stdout), answer.hits, words, thumbnails=thumbnails is Thumbnails.AUTO, total=answer.total)
    else:
        lines = formats.search_jsonl if jsonl else formats.search_csv if csv else formats.search_lines
        typer.echo("".join(f"{line}\n" for line in lines(answer.hits)), nl=False)
    if not quiet:
        for remark in answer.remarks:
            note(remark)


def write_page(answer: Answer, file: Path, words: str, *, shown: bool, quiet: bool) -> None:
    """The hits as a page of their own, and if wanted in the browser."""
    from igsearch import gallery

    gallery.write(answer, file, query=words)
    if not quiet:
        note(f"wrote {file}: {len(answer.hits):,} of {answer.total:,} photos that match")
    if shown:
        import webbrowser

        if not webbrowser.open(file.absolute().as_uri()):
            note(f"no browser was found: open {file} in one")


@app.command(
    epilog="Examples:\n\n  igsearch caption photo.jpg\n\n  igsearch caption *.jpg --json | jq -r '.results[].caption'"
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
            render.captions(render.console(sys.stdout), [(path, outcome)], with_path=len(files) > 1, with_labels=labels or labeller is not None)
    errors = [(path, outcome) for path, outcome in results if isinstance(outcome, PhotoError)]
    for path, error in errors:
        note(str(error) if str(path) in str(error) else f"{path}: {error}")
    raise typer.Exit(ExitCode.SOME_FAILED if errors else ExitCode.OK)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def model(context: typer.Context) -> None:
    """List captioners, look at one, convert a checkpoint of the sgrvinod tutorial into one, remove one."""
    from igsearch import model_cli

    raise typer.Exit(model_cli.app(args=context.args or ["--help"], prog_name="igsearch model", standalone_mode=False) or ExitCode.OK)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def serve(context: typer.Context) -> None:
    """Search in the browser: a page, and an API for programs. Profiles may be indexed meanwhile."""
    from igsearch import serve_cli

    raise typer.Exit(serve_cli.app(args=context.args, prog_name="igsearch serve", standalone_mode=False) or ExitCode.OK)


@app.command("list")
def list_profiles(*, as_json: AsJson = False, cache_dir: CacheDir = None) -> None:
    """Show what is indexed."""
    from igsearch import api

    summaries = api.profiles(cache_dir)
    if as_json:
        typer.echo(formats.profiles_json(summaries))
    elif summaries:
        render.profiles_table(render.console(sys.stdout), summaries)
    else:
        note("nothing is indexed yet: run igsearch index PROFILE")


@app.command(
    epilog="Examples:\n\n  igsearch export natgeotravel > photos.jsonl\n\n  igsearch export natgeo nasa --format photosearch-db -o photosearch_db.json"
    "\n\n  igsearch index natgeo --from photosearch_db.json"
)
def export(
    profiles: Annotated[list[str], typer.Argument(metavar="PROFILE...", help="Profiles that were indexed, or @all.")],
    *,
    form: Annotated[
        ExportFormat, typer.Option("--format", help="jsonl and csv say everything; the others are what the 2021 prototype reads.")
    ] = ExportFormat.JSONL,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write. [default: stdout]")] = None,
    cache_dir: CacheDir = None,
) -> None:
    """Write what is known of profiles as a file for other programs; igsearch index --from reads all of them but csv."""
    from igsearch import api

    api.export(profiles, sys.stdout.buffer if output in (None, Path("-")) else output, form=form.value, cache_dir=cache_dir)


@app.command()
def remove(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A profile that was indexed.")],
    cache_dir: CacheDir = None,
) -> None:
    """Delete a profile's captions, index and thumbnails. Photos of your own are not touched."""
    from igsearch import api

    note(f"removed {api.remove(profile, cache_dir=cache_dir)}")


def note(text: str) -> None:
    """One line on stderr."""
    typer.echo(f"igsearch: {formats.plain(text)}", err=True)


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[OnEvent]:
    """Show an indexing run as it goes."""
    if quiet:
        yield lambda _: None
        return
    with render.Progress(render.console(sys.stderr)) as shown:
        yield shown.show


def run() -> int:
    """Run the command and give its exit code. Raises IgsearchError and typer's errors."""
    try:
        code = app(args=sys.argv[1:] or ["--help"], prog_name="igsearch", standalone_mode=False) or ExitCode.OK
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as err:
        # Typer ends with SystemExit(1) when the reader of a pipe has gone; to have read enough is no failure.
        if not isinstance(err.__context__ or err, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    if code == ExitCode.INTERRUPTED:
        note("interrupted; what was done is kept, and the same command goes on from there")
    return int(code)


def main() -> NoReturn:
    """Run the command; every error becomes one line on stderr and an exit code, with a traceback above it only where --debug asks for one."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        code = run()
        sys.stderr.flush()
        # Files are closed and output is flushed. What the interpreter would still do, tear down its modules and wait for downloads nobody wants any more, takes
        # about a sixth of a search's time.
        os._exit(code)
    except Exception as err:  # noqa: BLE001 - the outermost border: a fault of ours must not end in a traceback either
        if "--debug" in sys.argv:
            traceback.print_exc()
        if isinstance(err, IgsearchError):
            note(str(err))
            sys.exit(err.exit_code)
        if isinstance(err, typer.TyperException):
            note(f"{err.format_message().rstrip('.') or 'nothing to do'}: see igsearch --help")
            sys.exit(ExitCode.USAGE)
        note(f"a fault in igsearch, please report it: {type(err).__name__}: {err}; igsearch --debug … shows where")
        sys.exit(ExitCode.FAULT)
