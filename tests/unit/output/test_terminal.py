"""What people see: the table on terminals of several kinds, lines in a pipe, progress and its summary."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest
from rich.console import Console

from igsearch import images
from igsearch.errors import ImageError
from igsearch.indexing import IndexReport, Missed, Started, Stored, Waiting
from igsearch.output import terminal as render
from igsearch.planning import Action
from igsearch.records import DescribedPhoto, Description, FailedPhoto, Hit, Label, Photo
from igsearch.store.rows import SourceState, Summary

if TYPE_CHECKING:
    from tests.conftest import Snapshot

CAT = Photo("CxYz1234abC_2", shortcode="CxYz1234abC", slide=2, n_slides=5, taken_at=datetime(2024, 5, 1, tzinfo=UTC), likes=123_456)
MAN = Photo("B_abc-DEF99", shortcode="B_abc-DEF99", taken_at=datetime(2019, 12, 31, tzinfo=UTC), likes=7, is_video=True)
FILE = Photo("bridge.jpg", path=Path("/home/me/Pictures/holiday [2019]/bridge.jpg"))
HOSTILE = Photo("h", path=Path("/tmp/\x1b[2Jgone\u202egpj.jpg"))  # noqa: S108  # a name, never opened


@pytest.fixture
def thumbnails(tmp_path: Path, sample_photos: Path) -> Path:
    """Thumbnails as a profile's folder holds them; lossless pictures of few colours, so that no codec's version changes the recorded output."""
    for name in ("cat", "cameraman", "bridge"):
        small = images.decode((sample_photos / f"{name}.jpg").read_bytes())
        small.thumbnail((20, 14))
        small.point(lambda level: level // 64 * 85).save(tmp_path / f"{name}.webp", lossless=True)
    return tmp_path


@pytest.fixture
def hits(thumbnails: Path) -> list[Hit]:
    """A cat on a carousel, a long caption of a video, and a file."""
    long = "a man in a black coat standing in a field and looking through a camera on a tripod while the wind blows"
    return [
        Hit(1, 0.8123, "natgeo", CAT, Description("a close up of a cat looking at the camera", -3.0), thumbnails / "cat.webp", ("cat", "camera")),
        Hit(2, 0.4444, "natgeo", MAN, Description(long, -9.0), thumbnails / "cameraman.webp", ("camera",)),
        Hit(3, 0.2, "natgeo", FILE, Description("a bridge at night", -2.0), thumbnails / "bridge.webp"),
    ]


Colours: TypeAlias = Literal["truecolor", "standard"] | None


class Screen(Console):
    """A console that remembers what was written to it."""

    def __init__(self, width: int = 80, *, terminal: bool = True, colours: Colours = "truecolor") -> None:
        """A terminal of `width` columns that knows so many colours, or knows them and is told not to use any; or a pipe."""
        self.written = io.StringIO()
        super().__init__(
            file=self.written, width=width, force_terminal=terminal, color_system=colours or "truecolor", legacy_windows=False, no_color=colours is None
        )

    @property
    def shown(self) -> str:
        """What was written, without the random numbers that Rich gives links."""
        return re.sub(r"\x1b]8;id=\d+;", "\x1b]8;;", self.written.getvalue())


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("colours", ["truecolor", "standard", None])
def test_the_table_on_a_terminal(hits: list[Hit], width: int, colours: Colours, snapshot: Snapshot) -> None:
    """As recorded: pictures where there are colours for them, matched words set off, the link as a link; `NO_COLOR` has neither colours nor pictures."""
    screen = Screen(width, colours=colours)
    render.search_table(screen, hits, "cat camera", total=17)

    snapshot.check(f"table-{colours or 'no-colour'}-{width}.ansi", screen.shown)


def test_no_line_is_wider_than_the_terminal(hits: list[Hit]) -> None:
    """Even at 40 columns nothing is wrapped by the terminal itself."""
    screen = Screen(40)
    render.search_table(screen, hits, "cat")
    visible = re.sub(r"\x1b]8;;[^\x1b]*\x1b\\|\x1b\[[\d;]*m", "", screen.shown)

    assert max(map(len, visible.splitlines())) <= 40


def test_a_pipe_gets_one_whole_line_a_hit(hits: list[Hit], snapshot: Snapshot) -> None:
    """Tab-separated, uncoloured, never shortened, whatever the width."""
    screen = Screen(40, terminal=False)
    render.search_table(screen, hits, "cat", total=17)

    snapshot.check("table-pipe.txt", screen.shown)


def test_a_dumb_terminal_gets_what_a_pipe_gets(hits: list[Hit], monkeypatch: pytest.MonkeyPatch) -> None:
    """`TERM=dumb` obeys nothing, so it is sent nothing to obey."""
    monkeypatch.setenv("TERM", "dumb")
    dumb, pipe = Screen(), Screen(terminal=False)
    render.search_table(dumb, hits, "cat")
    render.search_table(pipe, hits, "cat")

    assert dumb.shown == pipe.shown != ""


@pytest.mark.parametrize(("colours", "wanted"), [("truecolor", False), ("standard", True), (None, True)])
def test_pictures_are_left_out(hits: list[Hit], colours: Colours, wanted: bool) -> None:
    """Where they are not wanted, or where the terminal's colours would not do them justice."""
    screen = Screen(colours=colours)
    render.search_table(screen, hits, "cat", thumbnails=wanted)

    assert "▀" not in screen.shown
    assert "a bridge at night" in screen.shown


def test_a_hit_that_never_had_a_thumbnail_is_shown_without(hits: list[Hit]) -> None:
    """Its picture was gone when its caption came."""
    screen = Screen()
    render.search_table(screen, [replace(hits[0], thumbnail=None)], "cat")

    assert "▀" not in screen.shown
    assert "close up" in screen.shown


@pytest.mark.parametrize("damage", [None, b"", b"RIFF no WebP"], ids=["missing", "empty", "damaged"])
def test_a_lost_thumbnail_costs_only_itself(hits: list[Hit], damage: bytes | None) -> None:
    """The hit is shown without its picture."""
    assert hits[0].thumbnail is not None
    hits[0].thumbnail.unlink() if damage is None else hits[0].thumbnail.write_bytes(damage)
    screen = Screen()
    render.search_table(screen, hits[:1], "cat")

    assert "close up" in screen.shown
    assert "▀" not in screen.shown


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_text_from_outside_is_shown_and_never_obeyed(hits: list[Hit], terminal: bool) -> None:
    """Escape sequences, direction overrides and markup in captions, names, paths and the query stay text."""
    evil = "\x1b]0;owned\x07\x9b31m\u202e[bold red]x[/] :cat:"
    hit = replace(hits[0], profile=evil, photo=HOSTILE, description=Description(evil, -1.0), matched=("owned", "x["))
    screen = Screen(terminal=terminal)
    render.search_table(screen, [hit, replace(hit, profile="other")], evil, total=9)

    assert "[bold red]x[/] :cat:" in screen.shown.replace("\x1b[0m", "").replace("\x1b[1m", "").replace("\x1b[1;4;33m", "")
    for forbidden in ("\x1b]0", "\x9b", "\x07", "\u202e", "\x1b[2J", "\x1b[31m"):
        assert forbidden not in screen.shown


def test_several_profiles_are_told_apart(hits: list[Hit]) -> None:
    """Each hit names its profile only if there is more than one."""
    one, two = Screen(), Screen()
    render.search_table(one, hits, "cat")
    render.search_table(two, [hits[0], replace(hits[1], profile="nasa")], "cat")

    assert "natgeo" not in one.shown
    assert "natgeo · 2024-05-01" in two.shown
    assert "nasa · 2019-12-31" in two.shown


def test_nothing_found_is_said_to_people_only() -> None:
    """A pipe gets no lines."""
    terminal, pipe = Screen(), Screen(terminal=False)
    render.search_table(terminal, [], "xylophone [b]")
    render.search_table(pipe, [], "xylophone")

    assert "Nothing matches “xylophone [b]”." in terminal.shown
    assert pipe.shown == ""


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"with_path": False}, "a cat\n"),
        ({"with_path": True}, "a b.jpg\ta cat\n"),
        ({"with_path": True, "with_labels": True}, "a b.jpg\ta cat\ttabby 75%, Egyptian cat 12%\n"),
    ],
    ids=["one", "several", "labels"],
)
def test_captions_are_lines(wanted: dict[str, bool], expected: str) -> None:
    """The caption alone for one picture, with the path before it for several; failures are not mixed in."""
    screen = Screen(20)
    cat = Description("a cat", -1.0, labels=(Label("tabby", 0.75), Label("Egyptian cat", 0.12)))
    render.captions(screen, [(Path("a\nb.jpg"), cat), (Path("x"), ImageError("no picture"))], **wanted)

    assert screen.shown == expected


def test_half_blocks_are_two_pixels_high(tmp_path: Path) -> None:
    """Red above blue is one character, red on blue; the picture keeps its proportions."""
    from PIL import Image

    picture = Image.new("RGB", (4, 4), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 4, 1))
    picture.save(tmp_path / "p.png")
    text = render.half_blocks(tmp_path / "p.png", 10, 10)

    assert text.plain == "▀▀▀▀\n▀▀▀▀"
    assert str(text.spans[0].style) == "#ff0000 on #0000ff"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (59, "59 s"), (59.5, "1 min 00 s"), (185, "3 min 05 s"), (3600, "1 h 00 min"), (7805, "2 h 10 min"), (0, "0 s")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    """Rounded up: a countdown that says 0 is over."""
    assert render.duration(seconds) == words


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(render.status(0, None), "0 photos", id="start"),
        pytest.param(render.status(1200, None, rate=6.44), "1,200 photos · 6.4 a second", id="total unknown"),
        pytest.param(render.status(10, 40, rate=2.0, left=15.0, n_failed=1), "10 of 40 photos · 2.0 a second · 15 s left · 1 failed", id="total known"),
        pytest.param(render.status(10, 40, rate=2.0, left=15.0, wait=90), "10 of 40 photos · Instagram says wait: 1 min 30 s", id="waiting"),
    ],
)
def test_where_a_run_stands(line: str, expected: str) -> None:
    """Only what is known is said; while Instagram makes us wait, a rate would mislead."""
    assert line == expected


def test_progress_shows_a_run_and_cleans_up() -> None:
    """Described, failed and waiting appear while the run goes on; afterwards the cursor is back and the line is gone."""
    screen = Screen()
    with render.Progress(screen, total=30) as progress:
        progress.advance(described=8, failed=2)
        progress.waiting(60)
        screen.file.flush()
        progress._bar.refresh()  # type: ignore[union-attr]  # noqa: SLF001  # instead of waiting for the clock
        waiting = screen.shown
        progress.expect(50)
        progress.advance(described=1)
        progress._bar.refresh()  # type: ignore[union-attr]  # noqa: SLF001
        after = screen.shown.removeprefix(waiting)

    assert "10 of 30 photos" in waiting
    assert "2 failed" in waiting
    assert re.search(r"Instagram says wait: (1 min 00|59) s", waiting)
    assert "11 of 50 photos" in after
    assert "says wait" not in after
    assert screen.shown.endswith("\x1b[?25h\r\x1b[1A\x1b[2K")


def test_progress_understands_what_a_run_reports() -> None:
    """A stored batch counts its photos, a pause starts the countdown, the opening says how many there are."""
    screen = Screen()
    with render.Progress(screen) as progress:
        progress.show(Started("natgeo", "Instagram profile", 8))
        progress.show(Stored([DescribedPhoto(CAT, Description("a cat", -1.0), b"")] * 3, [FailedPhoto(MAN, "gone")] * 2))
        progress.show(Waiting(600.0))
        progress._bar.refresh()  # type: ignore[union-attr]  # noqa: SLF001

    assert re.search(r"5 of 8 photos · 2 failed · Instagram says wait: (10 min 00|9 min 59) s", screen.shown)


def test_progress_is_silent_where_nobody_watches() -> None:
    """A log file gets no animation."""
    pipe = Screen(terminal=False)
    with render.Progress(pipe) as progress:
        progress.advance(described=3)
        progress.waiting(5)
        progress.expect(9)

    assert pipe.shown == ""


def report(**numbers: object) -> IndexReport:
    """What a run of 200 seconds did."""
    return IndexReport(**{"profile": "natgeo", "source": "Instagram profile", "seconds": 200.0} | numbers)  # type: ignore[arg-type]


def failures(reasons: dict[str, int]) -> list[Missed]:
    """So many photos for each reason."""
    return [Missed(f"{reason[:4]}{turn}", reason, None) for reason, count in reasons.items() for turn in range(count)]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("clean", {"n_described": 1234, "n_photos": 1234}),
        ("one", {"n_described": 1, "planned": Counter({Action.NEW: 1, Action.KNOWN: 20}), "n_photos": 21, "seconds": 0.4}),
        (
            "everything",
            {
                "planned": Counter({Action.NEW: 6, Action.CHANGED: 2, Action.AGAIN: 1, Action.KNOWN: 1400, Action.MOVED: 3}),
                "n_described": 9,
                "n_given": 2,
                "n_gone": 4,
                "n_photos": 1416,
                "left_out": {"videos without a cover": 2, "files that are no pictures": 1012},
            },
        ),
        (
            "dry",
            {"is_dry": True, "planned": Counter({Action.NEW: 6, Action.CHANGED: 2, Action.KNOWN: 14}), "n_gone": 4, "n_photos": 20},
        ),
        ("pruned", {"planned": Counter({Action.KNOWN: 14}), "n_gone": 4, "n_pruned": 4, "n_photos": 14}),
        ("few-failed", {"n_described": 10, "n_photos": 10, "n_failed": 3, "failed": failures({"cut off\x1b[2J": 2, "empty: no bytes at all": 1})}),
        ("many-failed", {"n_photos": 0, "n_failed": 3000, "failed": failures({f"r{number:02} reason": 10 + number for number in range(20)})}),
    ],
)
def test_the_summary_says_what_was_done_and_why_photos_failed(name: str, numbers: dict[str, object], snapshot: Snapshot) -> None:
    """As recorded: one paragraph, then the commonest reasons with a few photos each, never a page of them."""
    screen = Screen(terminal=False)
    render.index_summary(screen, report(**numbers))

    assert len(screen.shown.splitlines()) <= 2 + render.N_REASONS_SHOWN
    snapshot.check(f"summary-{name}.txt", screen.shown)


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_what_is_indexed(terminal: bool, snapshot: Snapshot) -> None:
    """As recorded: a line a profile, columns on a terminal, tabs in a pipe; a profile without dates leaves them empty."""
    day = datetime(2024, 5, 1, tzinfo=UTC)
    full = Summary(
        "natgeotravel",
        12_345,
        2,
        0,
        ("lite2",),
        datetime(2012, 1, 31, tzinfo=UTC),
        day,
        day,
        (SourceState(1, "instagram", "natgeotravel", "Instagram profile", True, day),),
    )
    bare = Summary("mine", 3, 0, 0, ("lite2",), None, None, day)
    screen = Screen(terminal=terminal)
    damaged = Summary("old", problem="the store of 'old' is damaged (file is not a database): run igsearch remove old, then igsearch index old")
    render.profiles_table(screen, [full, bare, damaged])

    snapshot.check(f"profiles-{'terminal.ansi' if terminal else 'pipe.txt'}", screen.shown)


def test_a_narrow_terminal_shows_what_is_indexed_on_a_line_each() -> None:
    """The days of the photos give way, so that where they come from need not be folded letter by letter."""
    day = datetime(2024, 5, 1, tzinfo=UTC)
    screen = Screen(60, colours=None)
    render.profiles_table(
        screen, [Summary("natgeotravel", 12_345, 2, 0, ("lite2",), day, day, day, (SourceState(1, "export", "/x", "Instagram's export", True, day),))]
    )

    assert re.sub(r"\x1b\[[0-9;]*m", "", screen.shown).splitlines()[1].split() == ["natgeotravel", "12,345", "2024-05-01", "Instagram's", "export"]


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_a_picture_in_a_zip_is_named_by_its_place_there(terminal: bool) -> None:
    """The name of the ZIP alone would be the same for all of them."""
    packed = Photo("media/a.jpg", path=Path("/me/export.zip"), member="media/a.jpg")
    screen = Screen(120, terminal=terminal, colours=None)
    render.search_table(screen, [Hit(1, 0.5, "me", packed, Description("a cat", -3.0), None)], "cat")

    assert str(Path("/me/export.zip/media/a.jpg")) in screen.shown
