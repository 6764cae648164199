"""What all commands have in common: three options, one check of what they are given, and where their remarks go. Typer does the parsing.

Every value passes `check` before Typer converts it: what is blank, or is no number of the range, ends here with the name of its option and what to write.
"""

from __future__ import annotations

import os
import re
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from shlex import quote
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from igsearch.errors import UsageError
from igsearch.output import formats
from igsearch.paths import is_blank

if TYPE_CHECKING:
    from typer._click.core import Context, Parameter

NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
MAX_NUMBER_CHARS = 24
"""Longer than any number of a range here: work stays small, whatever is given."""

QUIET, VERBOSE = "igsearch.quiet", "igsearch.verbose"

WANTED = {
    "BROWSER": "the browser's name, such as firefox",
    "CHECKPOINT": "the name of the .pth.tar file",
    "DATE": "2024-06-30, 2024-06 or 2024",
    "DIR": "the name of a folder",
    "FILE": "the name of a file",
    "FILE.png": "the name of a PNG file",
    "HOST": "a name or address of this machine, such as 127.0.0.1",
    "KINDS": "some of them, such as stories,reels, or all",
    "NAME": "the name of a captioner",
    "NAME[=FILE]": "one of torchvision's names, as NAME or NAME=FILE",
    "PATH": "a folder or a file, or - for stdin",
    "PROFILE": "the name of a profile, such as natgeotravel",
    "QUERY": "what the photo shows, such as a dog on a beach",
    "TOKEN": "8 to 256 letters or digits, such as openssl rand -hex 16 makes them",
    "USER": "the name of the account",
    "WORDMAP": "the name of the WORDMAP_….json file",
}
"""What to write for a value, by how the help calls it."""


def program(*, name: str | None = None, group: type[TyperGroup] | None = None, task: str | None = None) -> typer.Typer:
    """A program of its own for each command, so that a search does not pay for the options of the others."""
    return typer.Typer(name=name, cls=group, help=task, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


def keep(context: Context, param: Parameter, value: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    """Remember an option that the command's function does not take; what was said before the command is not unsaid after it."""
    context.meta[f"igsearch.{param.name}"] = value or context.meta.get(f"igsearch.{param.name}", False)


def common_option(*names: str, text: str) -> TyperOption:
    """A flag that is kept in the context."""
    return TyperOption(param_decls=list(names), is_flag=True, default=False, expose_value=False, callback=keep, help=text)


COMMON = (
    common_option("--quiet", "-q", text="Nothing on stderr but errors."),
    common_option("--verbose", "-v", text="Verbose output on stderr."),
    common_option("--debug", text="Show the traceback of an error."),
)
"""What can be said before and after every command."""


class Command(TyperCommand):
    """A command with the common options, whose values are checked."""

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Its own, the common ones, and --help."""
        *own, help_option = super().get_params(ctx)
        return [*own, *COMMON, help_option]

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Check, then parse. Raises UsageError and what Typer raises."""
        if not ctx.resilient_parsing:
            check(self, ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Context) -> object:
        """Run the command, its log on stderr."""
        if self.name != "search":  # which logs nothing, and is to answer at once
            import logging

            level = logging.ERROR if ctx.meta[QUIET] else logging.INFO if ctx.meta[VERBOSE] else logging.WARNING
            logging.basicConfig(level=level, format="igsearch: %(message)s", stream=sys.stderr)
        return super().invoke(ctx)


class Group(TyperGroup):
    """Several commands under one name, with the common options; alone it shows its help."""

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Its own, the common ones, and --help."""
        *own, help_option = super().get_params(ctx)
        return [*own, *COMMON, help_option]

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """The name of a command and what belongs to it."""
        return super().parse_args(ctx, args or ["--help"])


def check(command: Command, ctx: Context, args: list[str]) -> None:
    """Raises UsageError for what is taken for an option and is none, and for a value that is blank or out of range."""
    try:
        given, _, _ = command.make_parser(ctx).parse_args(list(args))
    except typer.TyperException as err:
        if not hasattr(err, "possibilities"):  # which tells Typer's error about an unknown option from its others
            vars(err)["ctx"] = ctx  # the parser does not know whose it is, and `igsearch search --help` is to be named
            raise
        raise UsageError(_unknown_option(command, ctx, args, err.possibilities or ())) from err
    if given.get("help"):
        return
    for param in command.params:
        for value in _values(param, given.get(param.name or "")):
            check_value(param, value, args)
        if isinstance(param.envvar, str) and param.name not in given and is_blank(os.environ.get(param.envvar, "set")):
            raise UsageError(f"{param.envvar} is empty: set it to {wanted(param)}, or unset it")


def check_value(param: Parameter, value: str, args: Sequence[str]) -> None:
    """Raises UsageError if `value` is nothing that `param` could mean, named as in `args`."""
    name = _spelled(param, args)
    if is_empty(kind(param), value):
        raise UsageError(f"{name} {value!r} is empty: write {wanted(param)}{'' if param.required else ', or leave it out'}")
    if kind(param) == "N" and not _is_in_range(param, value):
        hyphen = f"; for a word that begins with a hyphen, write -- before it: -- {name}{value[:40]}" if f"{name}{value}" in args else ""
        raise UsageError(f"{name} {value[:40]!r} is not {wanted(param)}{hyphen}")


def is_empty(kind: str, value: str) -> bool:
    """Whether a value says nothing, or lacks a part."""
    if kind == "NAME[=FILE]":
        return any(map(is_blank, value.split("=", 1)))
    return all(map(is_blank, value.split(",") if kind in ("KINDS", "PROFILE") else [value]))


def wanted(param: Parameter) -> str:
    """What to write for a parameter."""
    if kind(param) == "N":
        least, most = bounds(param)
        return f"a whole number from {least:,} to {most:,}" if isinstance(most, int) else f"a number from {least:g} to {most:g}"
    if (choices := getattr(param.type, "choices", None)) is not None:
        return f"one of {', '.join(str(getattr(choice, 'value', choice)) for choice in choices)}"
    return WANTED[kind(param)]


def kind(param: Parameter) -> str:
    """What the help calls a parameter's value, without the marks of how many there may be."""
    return (param.metavar or "").removeprefix("[").removesuffix("...").removesuffix("]" if (param.metavar or "").startswith("[") else "")


def bounds(param: Parameter) -> tuple[float, float]:
    """The least and the most that a number may be; both are there, which a test keeps."""
    return getattr(param.type, "min"), getattr(param.type, "max")  # noqa: B009 - of Typer's types only ranges have them


def is_quiet(context: Context) -> bool:
    """Whether -q was said, before the command or after it."""
    return bool(context.meta[QUIET])


def note(text: str) -> None:
    """One line on stderr."""
    typer.echo(f"igsearch: {formats.plain(text)}", err=True)


def remark(context: Context, text: str) -> None:
    """One line on stderr, unless -q was said."""
    if not is_quiet(context):
        note(text)


def _values(param: Parameter, given: object) -> Iterator[str]:
    """What was given for a parameter, each by itself; of the words of a query all together."""
    values = [one for one in (given if isinstance(given, list | tuple) else [given]) if isinstance(one, str)]
    return iter([" ".join(values)] if values and kind(param) == "QUERY" else values)


def _spelled(param: Parameter, args: Sequence[str]) -> str:
    """What the user calls a parameter."""
    if param.param_type_name == "argument":
        return kind(param)
    return next((name for name in param.opts if any(arg == name or arg.startswith(f"{name}=") for arg in args)), param.opts[0])


def _is_in_range(param: Parameter, value: str) -> bool:
    least, most = bounds(param)
    if len(value) > MAX_NUMBER_CHARS or not NUMBER.fullmatch(value):
        return False
    try:
        return least <= (int(value) if isinstance(most, int) else float(value)) <= most
    except ValueError:
        return False


def _unknown_option(command: Command, ctx: Context, args: list[str], alike: object) -> str:
    """What to tell somebody who wrote a word, or a file, that begins with a hyphen; Typer knows only its first letter."""

    def is_refused(n: int) -> bool:
        try:
            command.make_parser(ctx).parse_args(args[:n])
        except typer.TyperException as err:
            return hasattr(err, "possibilities")
        return False

    word = args[bisect_left(range(len(args)), True, key=lambda n: is_refused(n + 1))]
    meant = f"did you mean {alike[0]}? " if isinstance(alike, list | tuple) and alike else ""
    places = [kind(param) for param in command.params if param.param_type_name == "argument"]
    if not places:
        return f"there is no option {word!r}: {meant}see {ctx.command_path} --help"
    example = " ".join([ctx.command_path, *places[:-1], "--", quote(word)])
    return f"there is no option {word!r}: {meant}see {ctx.command_path} --help; if it is not meant as one, write {example}"
