"""What is said to somebody who writes a hyphen, a path or an address where the command line reads something else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from igsearch.cli.app import COMMANDS, main
from igsearch.cli.index import check_places
from igsearch.errors import UsageError
from igsearch.paths import ProfilePaths, cache_root


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a few things in it, where the commands run."""
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "my photos", "known"):
        (tmp_path / folder).mkdir()
    for file in ("photos.zip", "-x.jpg", "natgeo.json"):
        (tmp_path / file).touch()
    return tmp_path


class Refusals:
    """Runs a command that is to be refused as wrongly used, and gives the line that says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """Keep what a run needs."""
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: str, code: int = 2) -> str:
        """The line, without the program's name."""
        self._monkeypatch.setattr(sys, "argv", ["igsearch", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = self._capsys.readouterr()
        assert (ended.value.code, told.out) == (code, "")
        assert told.err.startswith("igsearch: ")
        assert told.err.count("\n") == 1
        return told.err.removeprefix("igsearch: ").removesuffix("\n")


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refusals:
    """`refusal("search", "x", "-dog")`."""
    return Refusals(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("arguments", "word", "instead"),
    [
        (["search", "p", "-dog"], "-dog", "igsearch search PROFILE -- -dog"),
        (["search", "p", "cat", "-dog", "--json"], "-dog", "igsearch search PROFILE -- -dog"),
        (["search", "p", "-5°"], "-5°", "igsearch search PROFILE -- '-5°'"),
        (["search", "p", "--dog"], "--dog", "igsearch search PROFILE -- --dog"),
        (["search", "p", "--dog=x"], "--dog=x", "igsearch search PROFILE -- --dog=x"),
        (["search", "p", "-n5", "-5"], "-5", "igsearch search PROFILE -- -5"),
        (["search", "p", "-n", "5", "-qx", "-5"], "-qx", "igsearch search PROFILE -- -qx"),
        (["search", "-dog"], "-dog", "igsearch search PROFILE -- -dog"),
        (["caption", "-x.jpg"], "-x.jpg", "igsearch caption -- -x.jpg"),
        (["caption", "--json", "a.jpg", "-y z.jpg"], "-y z.jpg", "igsearch caption -- '-y z.jpg'"),
        (["index", "-x"], "-x", "igsearch index -- -x"),
        (["export", "-x"], "-x", "igsearch export -- -x"),
        (["remove", "-x"], "-x", "igsearch remove -- -x"),
        (["serve", "-x"], "-x", "igsearch serve -- -x"),
        (["model", "info", "-x"], "-x", "igsearch model info -- -x"),
        (["model", "convert", "-x"], "-x", "igsearch model convert CHECKPOINT -- -x"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_word_that_begins_with_a_hyphen_is_named_whole(refusal: Refusals, arguments: list[str], word: str, instead: str) -> None:
    """With the help that lists the options, and with what to write if it is a word."""
    path = " ".join(arguments[: 2 if arguments[0] == "model" else 1])
    said = refusal(*arguments)
    assert said.startswith(f"there is no option {word!r}: ")
    assert f"see igsearch {path} --help; " in said
    assert said.endswith(f"write {instead}")


def test_what_was_meant_is_suggested(refusal: Refusals) -> None:
    """A misspelt option, command or number."""
    assert "did you mean --json? see igsearch search --help" in refusal("search", "p", "dog", "--jsn")
    assert "Did you mean 'search'? see igsearch --help" in refusal("serach", "p", "dog")
    assert refusal("search", "p", "-nature").endswith("for a word that begins with a hyphen, write -- before it: -- -nature")
    assert "hyphen" not in refusal("search", "p", "x", "-n", "ature")


@pytest.mark.parametrize("arguments", [["p", "--", "-dog"], ["p", "cat", "--", "--debug", "-n"], ["--", "p", "-5°"]], ids=" ".join)
def test_behind_two_hyphens_there_are_only_words(refusal: Refusals, arguments: list[str]) -> None:
    """The search is made, of a profile that is not there."""
    assert refusal("search", *arguments, code=5).startswith("nothing is indexed under 'p'")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["photos"], "write igsearch index NAME --from photos; for the Instagram profile, @photos"),
        (["./photos"], "write igsearch index NAME --from ./photos"),
        (["/srv/Pictures"], "write igsearch index NAME --from /srv/Pictures"),
        (["~/Pictures"], "write igsearch index NAME --from '~/Pictures'"),
        (["C:\\Users\\me"], "write igsearch index NAME --from 'C:\\Users\\me'"),
        (["my photos"], "write igsearch index NAME --from 'my photos'"),
        (["photos.zip"], "write igsearch index NAME --from photos.zip; for the Instagram profile, @photos.zip"),
        (["gone.ZIP"], "write igsearch index NAME --from gone.ZIP; for the Instagram profile, @gone.ZIP"),
        (["natgeo.json"], "write igsearch index NAME --from natgeo.json; for the Instagram profile, @natgeo.json"),
        (["file:///srv/Pictures"], "write igsearch index NAME --from file:///srv/Pictures"),
        (["-"], "write igsearch index NAME --from -"),
        (["."], "write igsearch index NAME --from ."),
        ([".."], "write igsearch index NAME --from .."),
        (["holiday", "./photos"], "write igsearch index holiday --from ./photos"),
        (["holiday", "photos"], "write igsearch index holiday --from photos"),
        (["holiday", "my photos"], "write igsearch index holiday --from 'my photos'"),
        (["holiday", "photos.zip", "--dry-run"], "write igsearch index holiday --from photos.zip"),
        (["holiday", "-"], "write igsearch index holiday --from -"),
        (["holiday", "a.jpg", "b.jpg"], "igsearch index NAME --from -"),
        (["holiday", "--from", "my", "photos"], "'photos' is one too many: --from reads one path, in quotes where it has blanks"),
        (["natgeo", "nasa"], "'nasa' is one too many: index one profile at a time"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_forgotten_from_is_seen(refusal: Refusals, arguments: list[str], says: str) -> None:
    """A path where the profile stands, or behind it, is not asked of Instagram: the command that was meant is shown."""
    assert refusal("index", *arguments).endswith(says)
    assert not cache_root().exists()


@pytest.mark.parametrize("profile", ["@photos", "natgeo", "https://www.instagram.com/photos/", "instagram.com/natgeo.json"])
def test_a_profile_is_no_path(refusal: Refusals, profile: str) -> None:
    """What is written as a profile is one, whatever lies here; only the network is missing."""
    assert "Instagram" in refusal("index", profile, "--dry-run", code=4)


def test_a_known_profile_is_no_folder() -> None:
    """Who keeps downloads beside an index of the same name goes on with the index."""
    with pytest.raises(UsageError, match="is a path"):
        check_places("known", None, [], None)
    known = ProfilePaths.of(cache_root(), "known")
    known.root.mkdir(parents=True)
    known.database.touch()
    check_places("known", None, [], None)


@pytest.mark.parametrize("command", [("index",), ("search", "x"), ("export",), ("remove",)], ids=" ".join)
def test_a_posts_address_is_no_profile(refusal: Refusals, command: tuple[str, ...]) -> None:
    """In every command that takes a profile."""
    name, *words = command
    assert "is the address of a post, not of a profile" in refusal(name, "https://www.instagram.com/p/CxYz123/", *words)


def test_an_address_of_a_picture_is_given_whole(refusal: Refusals) -> None:
    """With the line that fetches it."""
    said = refusal("caption", "https://example.com/a.jpg?x=1&y=2")
    assert said == "'https://example.com/a.jpg?x=1&y=2' is an address: fetch it first, with curl -sL 'https://example.com/a.jpg?x=1&y=2' | igsearch caption -"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["search", "p", "x", "--cache-dir", "-"], "'--cache-dir': '-' is no folder; name one: see igsearch search --help"),
        (
            ["model", "convert", "-", "x", "-o", "y"],
            "'CHECKPOINT': stdin cannot be read here; save it as a file, and name that: see igsearch model convert --help",
        ),
        (["caption", "-", "-"], "stdin holds one picture: give - once"),
        (["caption", "x.jpg", "--json", "--attention", "-"], "cannot be combined, for both write to stdout: name a file that ends in .png"),
        (["search", "p", "x", "--html", "-", "--open"], "--open goes with --html FILE"),
        (["search", "p", "x", "--since", "2025", "--until", "2024"], "--since 2025 is after --until 2024: swap them"),
        (["index", "p", "--since", "2025", "--until", "2024"], "--since 2025 is after --until 2024: swap them"),
        (["search", "p", "x", "-n"], "see igsearch search --help"),
        (["search", "p"], "missing argument 'QUERY...': see igsearch search --help"),
        (["model", "convert", "x"], "missing argument 'WORDMAP': see igsearch model convert --help"),
        (["model", "x"], "see igsearch model --help"),
        (["-q"], "missing command: see igsearch --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_says_whose_help_has_more(refusal: Refusals, arguments: list[str], says: str) -> None:
    """Or what to write; in one line."""
    assert refusal(*arguments).endswith(says)


def test_every_command_takes_the_common_options_and_shows_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In one width of help, whatever the terminal's."""
    from igsearch.cli.app import app

    monkeypatch.setenv("COLUMNS", "300")
    for words in [[], *([name] for name in COMMANDS), *(["model", name] for name in ("list", "info", "convert", "remove"))]:
        assert app(args=[*words, "-q", "-v", "--debug", "--help"], prog_name="igsearch", standalone_mode=False) == 0
        shown = capsys.readouterr().out
        assert {"--quiet", "--verbose", "--debug", "--help"} <= {word.strip(",") for word in shown.split()}
        assert max(map(len, shown.splitlines())) <= 110
