"""Answers as people read them: a table with pictures and links on a terminal, plain lines in a pipe; and what indexing looks like while it runs.

Text from outside is data: control characters, escape sequences and bidirectional overrides never reach the terminal, markup is not interpreted. Rich and
Pillow are imported by the functions that need them, so that a command which prints JSON waits for neither.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import UTC
from typing import TYPE_CHECKING, Any, Self, TextIO

from igsearch.errors import ImageError, PhotoError
from igsearch.output.formats import address, plain, search_lines, whereabouts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.table import Table
    from rich.text import Text

    from igsearch.captioner.catalogue import CaptionerSummary
    from igsearch.indexing import Event, IndexReport, Missed
    from igsearch.records import Description, Hit, Photo
    from igsearch.store.rows import Summary

N_REASONS_SHOWN = 5
N_PHOTOS_SHOWN = 3
N_FOR_A_RATE = 5
"""Of fewer photos, the rate would say more of how long the captioner takes to load."""
NARROW_TERMINAL, WIDE_TERMINAL = 80, 100
"""In columns."""
THUMBNAIL_CELLS = {False: (20, 7), True: (26, 9)}
"""Width and height of a thumbnail on an ordinary and on a wide terminal, in character cells; a cell is two pixels high."""


def console(stream: TextIO) -> Console:
    """Rich's console on a stream; it looks for colours, width and NO_COLOR by itself."""
    from rich.console import Console

    return Console(file=stream, highlight=False, emoji=False, markup=False)


def search_table(console: Console, hits: Sequence[Hit], query: str, *, thumbnails: bool = True, total: int | None = None) -> None:
    """Show the hits: a table with pictures and links on a terminal; elsewhere one line a hit, separated by tabs and never shortened.

    A line has rank, score, caption, date, and address or path. `thumbnails` are shown where the terminal has colours for them; `total` counts all matches.
    """
    if not console.is_terminal or console.is_dumb_terminal:
        for line in search_lines(hits):
            console.file.write(f"{line}\n")
        return
    from rich.text import Text

    if not hits:
        console.print(Text(f"Nothing matches “{plain(query)}”.", style="dim"))
        return
    console.print(_table(hits, _thumbnail_cells(console) if thumbnails else None))
    if total is not None and total > len(hits):
        console.print(Text(f"\n{hits[0].rank}–{hits[-1].rank} of {total:,} photos that match “{plain(query)}”", style="dim"))


def captions(console: Console, results: Iterable[tuple[Path, Description | PhotoError]], *, with_path: bool, with_labels: bool = False) -> None:
    """One line a picture: its path where there are several, the caption, the likeliest labels if wanted, the objects where somebody looked for them.

    Pictures that failed are left to stderr.
    """
    for path, outcome in results:
        if isinstance(outcome, PhotoError):
            continue
        labels = ", ".join(f"{label.name} {label.probability:.0%}" for label in outcome.labels)
        objects = ", ".join(f"{one.count} {one.name} {one.score:.0%}" for one in outcome.objects or ())
        fields = [*([str(path)] if with_path else []), outcome.caption, *([labels] if with_labels else []), *([objects] if outcome.objects is not None else [])]
        console.file.write("\t".join(map(plain, fields)) + "\n")


def profiles_table(console: Console, summaries: Sequence[Summary]) -> None:
    """What is indexed, a line a profile: its name, photos, the days the oldest and newest were taken, when it was last indexed, and from what.

    A narrow terminal goes without the days of the photos.
    """
    as_lines = not console.is_terminal or console.is_dumb_terminal
    rows: list[tuple[str, ...]] = [
        (
            one.profile,
            format(one.n_photos, "" if as_lines else ","),
            _day(one.oldest),
            _day(one.newest),
            _day(one.last_indexed),
            plain(one.problem or one.source or ""),
        )
        for one in summaries
    ]
    columns: tuple[str, ...] = ("profile", "photos", "oldest", "newest", "indexed", "from")
    if not as_lines and console.width < NARROW_TERMINAL:
        columns, rows = columns[:2] + columns[4:], [row[:2] + row[4:] for row in rows]
    _print_rows(console, columns, rows, numbers={"photos"})


def captioners_table(console: Console, summaries: Sequence[CaptionerSummary]) -> None:
    """Captioners, a line each: name, kind, encoder, parameters, words, size on disk, and where they lie; of a damaged one what is wrong with it."""
    as_lines = not console.is_terminal or console.is_dumb_terminal
    rows = [
        (
            one.name,
            one.kind,
            plain(one.encoder),
            *(format(n, "" if as_lines else ",") for n in (one.n_parameters, one.n_words)),
            str(one.n_bytes) if as_lines else f"{one.n_bytes / 1e6:.0f} MB",
            plain(one.problem or str(one.folder)),
        )
        for one in summaries
    ]
    _print_rows(console, ("name", "kind", "encoder", "parameters", "words", "size", "folder"), rows, numbers={"parameters", "words", "size"})


def _print_rows(console: Console, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, numbers: set[str]) -> None:
    """A table on a terminal, its last column folded where it is too long; else a line a row, separated by tabs."""
    if not console.is_terminal or console.is_dumb_terminal:
        for row in rows:
            console.file.write("\t".join(row) + "\n")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        style = "bold" if name == columns[0] else ""
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=name != columns[-1], overflow="fold", style=style)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _day(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}" if moment else ""


def _table(hits: Sequence[Hit], cells: tuple[int, int] | None) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False, expand=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(justify="right", style="cyan", no_wrap=True)
    if cells:
        table.add_column(width=cells[0], no_wrap=True)
    table.add_column(overflow="fold")
    several = len({hit.profile for hit in hits}) > 1
    for hit in hits:
        picture = [half_blocks(hit.thumbnail, *cells) if hit.thumbnail else Text("")] if cells else []
        table.add_row(str(hit.rank), f"{hit.score:.2f}", *picture, _description(hit, with_profile=several, separator="\n" if cells else " · "))
        if hit is not hits[-1]:
            table.add_row()
    return table


def _description(hit: Hit, *, with_profile: bool, separator: str) -> Text:
    """The caption with the query's words set off; below it, quieter: whose photo, when, which of a carousel, how liked, and the link."""
    from rich.text import Text

    text = Text(plain(hit.description.caption), style="bold")
    if hit.matched:
        words = "|".join(re.escape(word) for word in sorted(hit.matched, key=len, reverse=True))
        text.highlight_regex(rf"(?i)\b(?:{words})\b", "yellow underline")
    photo = hit.photo
    facts = [
        plain(hit.profile) if with_profile else None,
        _day(photo.taken_at),
        f"{photo.slide} of {photo.n_slides}" if photo.n_slides > 1 else None,
        "video" if photo.is_video else None,
        "gone from its source" if hit.is_gone else None,
        f"♥ {photo.likes:,}" if photo.likes is not None else None,
    ]
    known = " · ".join(filter(None, facts))
    below = Text(known and known + separator, style="not bold dim")
    return Text("\n").join([text, below.append_text(_link(photo))])


def _link(photo: Photo) -> Text:
    """Short words that open the photo where the terminal knows links."""
    from rich.style import Style
    from rich.text import Text

    target = address(photo)
    words = whereabouts(photo) if photo.path and not photo.permalink else re.sub(r"^https?://(www\.)?|/$", "", target.partition("?")[0])
    return Text(plain(words), style=Style(link=target, underline=True))


def _thumbnail_cells(console: Console) -> tuple[int, int] | None:
    """How large thumbnails are on this terminal; None where it has too few colours for them, or is told not to use any."""
    if console.no_color or console.color_system not in {"truecolor", "256"}:
        return None
    return THUMBNAIL_CELLS[console.width >= WIDE_TERMINAL]


def half_blocks(thumbnail: Path, columns: int, rows: int) -> Text:
    """A picture file as characters that are two pixels each, at most `columns` × `rows`; nothing where the file is gone or damaged."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    from igsearch import images

    try:
        picture = images.decode(thumbnail.read_bytes())
    except (OSError, ImageError):
        return Text("")
    picture.thumbnail((columns, rows * 2))
    pixels = memoryview(picture.tobytes()).cast("B", (picture.height, picture.width, 3))
    lines = []
    for top in range(0, picture.height - 1, 2):
        line = Text()
        for x in range(picture.width):
            upper, lower = (Color.from_rgb(*(pixels[y, x, channel] for channel in range(3))) for y in (top, top + 1))
            line.append("▀", Style(color=upper, bgcolor=lower))
        lines.append(line)
    return Text("\n").join(lines)


class Progress:
    """How far an indexing run has come, shown live on stderr; silent where that is no terminal.

    Use as a context manager; the methods may be called from any thread.
    """

    def __init__(self, console: Console, total: int | None = None) -> None:
        """Show on `console`; `total` photos are expected, where that is known."""
        self._bar = _bar(console) if console.is_terminal and not console.is_dumb_terminal else None
        self._task = self._bar.add_task("", total=total, n_failed=0, wait_until=None) if self._bar else None
        self._n_failed = 0

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Leave the terminal as it was found."""
        if self._bar:
            self._bar.stop()

    def show(self, event: Event) -> None:
        """Show what the run reports; the events that say nothing of progress are passed over."""
        from igsearch.indexing import Passed, Started, Stored, Waiting

        if isinstance(event, Started) and event.n_expected is not None:
            self.expect(event.n_expected)
        elif isinstance(event, Passed):
            self.advance(passed=event.n_photos)
        elif isinstance(event, Stored):
            self.advance(described=len(event.described), failed=len(event.failed))
        elif isinstance(event, Waiting):
            self.waiting(event.seconds)

    def expect(self, total: int) -> None:
        """So many photos are expected in all."""
        self._update(total=total)

    def advance(self, described: int = 0, failed: int = 0, passed: int = 0) -> None:
        """So many more photos were described, failed, or needed no description. Ends a countdown."""
        self._n_failed += failed
        self._update(advance=described + failed + passed, n_failed=self._n_failed, wait_until=None)

    def waiting(self, seconds: float) -> None:
        """Instagram asked to wait: count down from `seconds`. Returns at once."""
        if self._bar:
            self._update(wait_until=self._bar.get_time() + seconds)

    def _update(self, **fields: Any) -> None:  # noqa: ANN401  # Rich's own signature: whatever its columns read
        if self._bar and self._task is not None:
            self._bar.update(self._task, **fields)


def _bar(console: Console) -> RichProgress:
    from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task
    from rich.progress import Progress as RichProgress
    from rich.text import Text

    class Status(ProgressColumn):
        """One line of words: their widths vary too much for columns."""

        def render(self, task: Task) -> Text:
            wait = task.fields["wait_until"] - task.get_time() if task.fields["wait_until"] else 0.0
            n_done, n_total = int(task.completed), None if task.total is None else int(task.total)
            return Text(status(n_done, n_total, n_failed=task.fields["n_failed"], rate=task.speed, left=task.time_remaining, wait=wait))

    return RichProgress(SpinnerColumn(), BarColumn(bar_width=16), Status(), console=console, transient=True)


def status(n_done: int, n_total: int | None, *, n_failed: int = 0, rate: float | None = None, left: float | None = None, wait: float = 0.0) -> str:
    """Where a run stands, in words; `rate` in photos a second, `left` and `wait` in seconds."""
    parts = [
        f"{n_done:,} photos" if n_total is None else f"{n_done:,} of {n_total:,} photos",
        f"{rate:.1f} a second" if rate and wait <= 0 else "",
        f"{duration(left)} left" if left and n_total is not None and wait <= 0 else "",
        f"{n_failed:,} failed" if n_failed else "",
        f"Instagram says wait: {duration(wait)}" if wait > 0 else "",
    ]
    return " · ".join(filter(None, parts))


def duration(seconds: float) -> str:
    """A length of time as people say it, rounded up so that a countdown never stands at zero: `42 s`, `3 min 05 s`, `2 h 10 min`."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def index_summary(console: Console, report: IndexReport) -> None:
    """What a run did or a dry run found, and from what, in one paragraph; below it what was left out, and why photos failed: the commonest reasons."""
    from rich.text import Text

    what = ", ".join([_done(report), *_found(report)])
    end = "" if report.is_dry else f" {_photos(report.n_photos)} can be searched."
    left_out = [f"  left out: {plain(name)} ({n:,})" for name, n in sorted(report.left_out.items()) if n]
    for line in (f"{plain(report.profile)} ({plain(report.source)}): {what}.{end}", *left_out, *_failures(report.failed, report.n_failed)):
        console.print(Text(line), soft_wrap=not console.is_terminal)


def _done(report: IndexReport) -> str:
    """How many photos were described, or would be, and why: those that are not simply new are told apart."""
    from igsearch.planning import Action, counted

    plan = report.planned
    kinds = {"new": plan[Action.NEW], "changed": plan[Action.CHANGED], "again": plan[Action.AGAIN]}
    told = ", ".join(f"{n:,} {kind}" for kind, n in kinds.items() if n) if kinds["changed"] or kinds["again"] else ""
    if report.is_dry:
        return f"would describe {_photos(counted(plan))}" + (f" ({told})" if told else "")
    rate = f"{report.n_described / report.seconds:.1f} a second" if report.n_described >= max(N_FOR_A_RATE, report.seconds / 10) and report.seconds >= 1 else ""
    inside = "; ".join(filter(None, (told, rate)))
    return f"{_photos(report.n_described)} described in {duration(report.seconds)}" + (f" ({inside})" if inside else "")


def _found(report: IndexReport) -> Iterator[str]:
    """What else became of the photos of a walk."""
    from igsearch.planning import Action

    if report.n_given:
        yield f"{report.n_given:,} with their existing captions"
    if report.n_known:
        yield f"{report.n_known:,} already indexed"
    if n_moved := report.planned[Action.MOVED]:
        yield f"{n_moved:,} moved"
    if report.n_pruned:
        yield f"{report.n_pruned:,} gone and dropped"
    elif report.n_gone:
        yield f"{report.n_gone:,} gone (--prune drops them)"
    if report.n_failed:
        yield f"{report.n_failed:,} failed"


def _photos(n: int) -> str:
    return f"{n:,} photo{'' if n == 1 else 's'}"


def _failures(failed: Sequence[Missed], n_failed: int) -> Iterator[str]:
    """Failed photos by reason, commonest first; the rest as a number."""
    reasons = Counter(failure.reason for failure in failed).most_common(N_REASONS_SHOWN)
    for reason, count in reasons:
        names = [plain(failure.id) for failure in failed if failure.reason == reason][:N_PHOTOS_SHOWN]
        yield f"  {count:,} × {plain(reason)}: {', '.join(names)}{', …' if count > len(names) else ''}"
    if (rest := n_failed - sum(count for _, count in reasons)) > 0:
        yield f"  {rest:,} more for other reasons"
