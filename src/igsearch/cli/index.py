"""`igsearch index`."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from igsearch.cli.options import AsJson, BeamSize, CacheDir, CaptionerName, DetectorName, Device, Labeller, Objects, Quiet
from igsearch.dates import day
from igsearch.errors import ExitCode
from igsearch.output import formats, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from igsearch.indexing import OnEvent

EXAMPLES = (
    "Examples:\n\n  igsearch index natgeotravel --limit 200\n\n  igsearch index holiday --from ~/Pictures/2025"
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
    from igsearch.indexing import Walk

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
        terminal.index_summary(terminal.console(sys.stderr), report)
    raise typer.Exit(ExitCode.SOME_FAILED if report.n_failed else ExitCode.OK)


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[OnEvent]:
    """Show an indexing run as it goes."""
    if quiet:
        yield lambda _: None
        return
    with terminal.Progress(terminal.console(sys.stderr)) as shown:
        yield shown.show
