"""`igsearch index`."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from igsearch.cli.command import Command, is_quiet, program
from igsearch.cli.options import (
    MANY,
    AsJson,
    BatchSize,
    BeamSize,
    CacheDir,
    CaptionerName,
    DetectorName,
    Device,
    DeviceName,
    Engine,
    EngineName,
    Labeller,
    Objects,
)
from igsearch.dates import period
from igsearch.errors import ExitCode, UsageError
from igsearch.output import formats, terminal
from igsearch.paths import ProfilePaths, address_path, cache_root, is_profile_name, one_spelling, path_given

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from igsearch.indexing import OnEvent

EXAMPLES = (
    "Examples:\n\n  igsearch index natgeotravel --limit 200\n\n  igsearch index holiday --from ~/Pictures/2025"
    "\n\n  cat addresses.txt | igsearch index found --from -"
)
FILE_SUFFIX = re.compile(r".+\.(7z|avif|bmp|csv|gif|gz|hei[cf]|jfif|jpe?g?|json|jsonl|ndjson|png|rar|tar|tgz|tiff?|txt|webp|xz|zip)", re.IGNORECASE | re.DOTALL)
"""With one of these a word is meant as a file, though Instagram would allow it as a name."""

app = program()


def source_given(text: str) -> str:
    """A path as `path_given` takes it, or an address as it stands."""
    return text if "://" in text and not text.lower().startswith("file:") else str(path_given(text))


@app.command(cls=Command, epilog=EXAMPLES, context_settings={"allow_extra_args": True})
def index(
    context: typer.Context,
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="The Instagram profile, or with --from any name you choose.")],
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="PATH", parser=source_given, help="Read photos from PATH (folder, download, Instagram export, JSON or list; - for stdin)."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("-n", "--limit", metavar="N", min=1, max=MANY, help="Look at the first N photos only.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Only photos from this day on: 2024-06-30, 2024-06 or 2024.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Only photos before the end of this day, month or year.")] = None,
    login: Annotated[str | None, typer.Option(metavar="USER", help="Use the session that `instaloader --login USER` saved.")] = None,
    browser: Annotated[
        str | None, typer.Option("--cookies-from-browser", metavar="BROWSER", help="Use the session of firefox, chrome, …, where you are logged in.")
    ] = None,
    include: Annotated[
        str | None,
        typer.Option(metavar="KINDS", help="Parts of an Instagram export to include besides posts: archived,reels,stories,igtv,profile,other,deleted or all."),
    ] = None,
    captioner: CaptionerName = None,
    device: DeviceName = Device.AUTO,
    engine: EngineName = Engine.AUTO,
    beam_size: BeamSize = None,
    labeller: Labeller = None,
    objects: Objects = False,
    detector: DetectorName = None,
    batch_size: BatchSize = 16,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Retry the photos that failed.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Describe all photos again.")] = False,
    recaption: Annotated[bool, typer.Option("--recaption", help="Replace captions that came with the photos.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Drop photos that their source no longer has.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing: photos that are not on this machine keep the captions they come with.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be described; fetch and write nothing.")] = False,
    as_json: AsJson = False,
    cache_dir: CacheDir = None,
) -> None:
    """Describe a profile's photos and make them searchable. Run it again to add what is new, or to go on after an interruption."""
    from igsearch import api
    from igsearch.planning import Walk

    check_places(profile, source, context.args, cache_dir)
    quiet = is_quiet(context)
    with told(as_list=not as_json) if dry_run else progress(quiet=quiet) as show:
        report = api.index(
            profile,
            api.SourceOptions(source, login, browser, include, offline),
            walk=Walk(limit, *period(since, until)),
            captioner=api.CaptionerOptions(captioner, device.value, beam_size, labeller, detector or objects, batch_size, engine.value),
            rebuild=rebuild, retry_failed=retry_failed, recaption=recaption, prune=prune, dry_run=dry_run, cache_dir=cache_dir, on_event=show,
        )  # fmt: skip
    if as_json:
        typer.echo(formats.report_json(report))
    if not quiet:
        terminal.index_summary(terminal.console(sys.stderr), report)
    raise typer.Exit(ExitCode.SOME_FAILED if report.n_failed else ExitCode.OK)


@contextlib.contextmanager
def told(*, as_list: bool) -> Iterator[OnEvent]:
    """Name the photos that a dry run comes to, one a line."""
    from igsearch.indexing import Event, Planned

    def show(event: Event) -> None:
        if as_list and isinstance(event, Planned):
            typer.echo(formats.plain(formats.whereabouts(event.photo)))

    yield show


def check_places(profile: str, source: str | None, extra: Sequence[str], cache_dir: Path | None) -> None:
    """Raises UsageError where a path stands without its --from, or more than one profile or path is given."""
    if extra:
        raise UsageError(one_too_many(profile, source, extra))
    if source is None and (is_path(profile) or is_entry_here(profile, cache_dir)):
        or_profile = f"; for the Instagram profile, @{profile}" if is_profile_name(one_spelling(profile)) else ""
        raise UsageError(f"{profile!r} is a path, not a profile name: write igsearch index NAME --from {quote(profile)}{or_profile}")


def one_too_many(profile: str, source: str | None, extra: Sequence[str]) -> str:
    """What to tell somebody who gives more than a profile."""
    if source is not None:
        return f"{extra[0]!r} is one too many: --from reads one path, in quotes where it has blanks"
    if not (is_path(extra[0]) or Path(extra[0]).exists()):
        return f"{extra[0]!r} is one too many: index one profile at a time"
    if len(extra) > 1:
        return f"--from reads one path, not {len(extra)}: name their folder, or list them: ls … | igsearch index NAME --from -"
    return f"{extra[0]!r} is a path: write igsearch index {quote(profile)} --from {quote(extra[0])}"


def is_path(given: str) -> bool:
    """Whether an argument can only be meant as a path."""
    if given.lower().startswith("file://"):
        return True
    if given.startswith("@") or "://" in given or address_path(given) is not None:
        return False
    return bool({"/", "\\"} & set(given)) or given in {"-", ".", ".."} or given.startswith("~") or FILE_SUFFIX.fullmatch(given) is not None


def is_entry_here(given: str, cache_dir: Path | None) -> bool:
    """Whether a file or folder of this name lies here, and no profile was ever indexed under it."""
    if given.startswith("@") or "/" in given or not Path(given).exists():
        return False
    return not (is_profile_name(one_spelling(given)) and ProfilePaths.of(cache_root(cache_dir), given).database.exists())


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[OnEvent]:
    """Show an indexing run as it goes."""
    if quiet:
        yield lambda _: None
        return
    with terminal.Progress(terminal.console(sys.stderr)) as shown:
        yield shown.show
