"""Every value of every option and argument of every command, found in Typer's own tree: blank ones, and numbers out of range, are usage errors that say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from igsearch.cli import app as command_line
from igsearch.cli.command import WANTED, bounds, kind
from igsearch.errors import NotIndexedError, UsageError

if TYPE_CHECKING:
    from typer._click.core import Parameter

BLANK = ("", " ", "\t\n", "\u00a0\u3000", "\u200b\ufeff")
NO_NUMBERS = ("nan", "inf", "-inf", "1e999", "9223372036854775808", "-1", "9" * 5000, "\u0662\u0660", "1_0", "0x10", " 5", "5 ", "five", "1.5.1", "--")


def commands() -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """Each command with the words that call it."""
    root = typer.main.get_command(command_line.app)
    assert isinstance(root, TyperGroup)
    context = root.make_context("igsearch", ["-q"])
    for name in root.list_commands(context):
        found = root.get_command(context, name)
        if isinstance(found, TyperGroup):
            yield from (((name, below), one) for below, one in found.commands.items() if isinstance(one, TyperCommand))
        else:
            assert isinstance(found, TyperCommand)
            yield (name,), found


VALUES = [(words, command, param) for words, command in commands() for param in command.params if not getattr(param, "is_flag", False)]
IDS = [f"{' '.join(words)} {param.opts[0]}" for words, _, param in VALUES]


def call(words: tuple[str, ...], command: TyperCommand, param: Parameter, value: str) -> list[str]:
    """A command line that is sound but for `value`."""
    arguments = [value if one is param else "x" for one in command.params if one.param_type_name == "argument" and (one.required or one is param)]
    required = [f"{one.opts[0]}=x" for one in command.params if isinstance(one, TyperOption) and one.required and one is not param]
    option = [param.opts[-1], value] if param.param_type_name == "option" else []
    return [*words, *required, *option, "--", *arguments]


def refusal(arguments: list[str]) -> str:
    """What the command line says of them."""
    with pytest.raises(UsageError) as refused:
        command_line.app(args=arguments, prog_name="igsearch", standalone_mode=False)
    return str(refused.value)


def test_the_tree_holds_what_the_help_shows() -> None:
    """Tests that find nothing keep nothing."""
    names = {name for name in IDS if "--" in name or " -" in name}
    assert {"index --from", "search --until", "caption --attention", "export --output", "model convert -o", "serve --token", "list --cache-dir"} <= names
    assert {"search profile", "search query", "caption files", "model info name", "remove profile"} <= set(IDS)


@pytest.mark.parametrize(("words", "command", "param"), VALUES, ids=IDS)
@pytest.mark.parametrize("value", BLANK, ids=ascii)
def test_a_blank_value_is_a_usage_error(words: tuple[str, ...], command: TyperCommand, param: Parameter, value: str) -> None:
    """It names the option or argument and says what to write; where the value may be left out, that too."""
    said = refusal(call(words, command, param, value))
    name = param.opts[-1] if param.param_type_name == "option" else kind(param)
    assert said.startswith(f"{name} {value!r} is empty: write ")
    assert said.endswith(", or leave it out") is not param.required
    assert "\n" not in said


NUMBERS = [one for one in VALUES if "range" in one[2].type.name or one[2].type.name in {"integer", "float", "int"}]


def test_every_number_has_a_range() -> None:
    """And its metavar is that of the numbers, by which the border knows them."""
    assert {param.opts[-1] for _, _, param in NUMBERS} >= {"--limit", "--offset", "--min-score", "--beam-size", "--batch-size", "--port"}
    for words, _, param in NUMBERS:
        assert None not in bounds(param), (words, param.name)
    assert [one for one in VALUES if kind(one[2]) == "N"] == NUMBERS


@pytest.mark.parametrize(("words", "command", "param"), NUMBERS, ids=[f"{' '.join(words)} {param.opts[-1]}" for words, _, param in NUMBERS])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: ascii(value[:12]))
def test_a_number_out_of_range_is_a_usage_error(words: tuple[str, ...], command: TyperCommand, param: Parameter, value: str) -> None:
    """What is no number of ASCII digits, is not finite, or lies outside: the option is named with its range."""
    said = refusal(call(words, command, param, value))
    least, most = bounds(param)
    assert said.startswith(f"{param.opts[-1]} {value[:40]!r} is not a ")
    assert f"number from {least:,g} to " in said
    assert (f"{most:,}" if isinstance(most, int) else f"{most:g}") in said


def test_each_kind_of_value_says_what_to_write() -> None:
    """The table has a line for each, and none for what no command takes."""
    choices = {kind(param) for _, _, param in VALUES if hasattr(param.type, "choices")}
    assert {kind(param) for _, _, param in VALUES} - {"N"} - choices == set(WANTED)


@pytest.mark.parametrize("value", ["alexnet=", "=weights.pth", "="])
def test_half_a_name_and_file_is_empty(value: str) -> None:
    """NAME=FILE has both."""
    assert refusal(["caption", "x.jpg", "--labeller", value]).startswith(f"--labeller {value!r} is empty: ")


@pytest.mark.parametrize(("arguments", "name"), [(["index", "x", "--from", "x", "--include", ","], "--include"), (["search", " , ", "cat"], "PROFILE")])
def test_a_list_of_nothing_is_empty(arguments: list[str], name: str) -> None:
    """Commas alone name nothing."""
    assert refusal(arguments).startswith(f"{name} ")


def test_one_empty_word_does_not_empty_a_query() -> None:
    """A query is all its words: with one among them, the search is made."""
    assert refusal(["search", "x", "", " "]).startswith("QUERY ")
    with pytest.raises(NotIndexedError, match="nobody"):
        command_line.app(args=["search", "nobody", "", "cat"], prog_name="igsearch", standalone_mode=False)


@pytest.mark.parametrize("value", ["", " "])
def test_a_blank_variable_is_a_usage_error(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server must not lose its token because a script's variable was unset."""
    monkeypatch.setenv("IGSEARCH_TOKEN", value)
    assert refusal(["serve"]).startswith("IGSEARCH_TOKEN is empty: set it to ")
    assert refusal(["serve"]).endswith(", or unset it")
