"""The command: parse, call one use case, render, choose the exit code. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import errno
import os
import sys
import traceback
import warnings
from importlib import import_module
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from igsearch import __version__
from igsearch.cli.command import Group, note
from igsearch.errors import ExitCode, IgsearchError

if TYPE_CHECKING:
    from typer._click.core import Command, Context

COMMANDS = ("index", "search", "caption", "model", "serve", "list", "export", "remove")
"""In the order of the help; each is the module of its name, which is imported when it is asked for."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TASK = "Find a photo on an Instagram profile from a description. Everything runs locally."


class LateGroup(Group):
    """Imports a command when it is asked for: a search pays for none of the others."""

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - as Typer calls it
        """All of them."""
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """One of them. For a name that none has, all are imported, from which Typer says what may have been meant."""
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            self.commands.setdefault(name, typer.main.get_command(import_module(f"igsearch.cli.{name}").app))
        return super().get_command(ctx, cmd_name)


app = typer.Typer(
    name="igsearch",
    cls=LateGroup,
    help=TASK,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 done but some photos failed, 2 usage, 3 login needed or private, 4 try again later, 5 nothing indexed under that name, "
    "6 damaged file, 70 a fault in igsearch, 130 interrupted.",
)


def print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    """Print the version and end."""
    if wanted:
        typer.echo(f"igsearch {__version__}")
        raise typer.Exit


@app.callback(help=TASK)
def options(
    *,
    version: Annotated[bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Take the options that stand before a command."""


def run() -> int:
    """Run the command and give its exit code. Raises IgsearchError and typer's errors."""
    try:
        code = app(args=sys.argv[1:], prog_name="igsearch", standalone_mode=False) or ExitCode.OK
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as err:
        # Typer ends with SystemExit(1) when the reader of a pipe has gone; to have read enough is no failure.
        if not isinstance(err.__context__ or err, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    if code == ExitCode.INTERRUPTED:
        note("interrupted; progress is saved: run the same command to continue")
    return int(code)


def usage(err: typer.TyperException) -> str:
    """Typer's error as a line of ours, with the command whose help has more."""
    context: Context | None = getattr(err, "ctx", None)
    message = err.format_message().rstrip(".")
    return f"{message[:1].lower()}{message[1:]}{'' if message.endswith('?') else ':'} see {context.command_path if context else 'igsearch'} --help"


def open_streams() -> None:
    """Put an empty stream where a shell's `<&-`, `>&-` or `2>&-` has left none."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - devnull is no path, and stays open


def main() -> NoReturn:
    """Run the command; every error becomes one line on stderr and an exit code, with a traceback above it only where --debug asks for one."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    open_streams()
    try:
        code = run()
        sys.stderr.flush()
        # Files are closed and output is flushed. What the interpreter would still do, tear down its modules and wait for downloads nobody wants any more, takes
        # about a sixth of a search's time.
        os._exit(code)
    except Exception as err:  # noqa: BLE001 - the outermost border: a fault of ours must not end in a traceback either
        if "--debug" in takewhile(lambda argument: argument != "--", sys.argv):
            traceback.print_exc()
        if isinstance(err, IgsearchError):
            note(str(err))
            sys.exit(err.exit_code)
        if isinstance(err, typer.TyperException):
            note(usage(err))
            sys.exit(ExitCode.USAGE)
        if isinstance(err, OSError) and err.errno in FULL:
            note(f"nothing more can be written ({err.strerror}): make room where the output and the cache directory are")
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would try once more
            sys.exit(ExitCode.USAGE)
        note(f"a fault in igsearch, please report it: {type(err).__name__}: {err}; igsearch --debug … shows where")
        sys.exit(ExitCode.FAULT)
