"""The command: parse, call one use case, render, choose the exit code. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from typing import Annotated, NoReturn

import typer

from igsearch import __version__
from igsearch.cli import caption, export, index, remove, search
from igsearch.cli import list as list_
from igsearch.cli.options import note
from igsearch.errors import ExitCode, IgsearchError

app = typer.Typer(
    name="igsearch",
    help="Find a photo on an Instagram profile from a description. Photos and captions never leave this machine.",
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


app.command(epilog=index.EXAMPLES)(index.index)
app.command(epilog=search.EXAMPLES)(search.search)
app.command(epilog=caption.EXAMPLES)(caption.caption)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def model(context: typer.Context) -> None:
    """List captioners, look at one, convert a checkpoint of the sgrvinod tutorial into one, remove one."""
    from igsearch.cli import model as models

    raise typer.Exit(models.app(args=context.args or ["--help"], prog_name="igsearch model", standalone_mode=False) or ExitCode.OK)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def serve(context: typer.Context) -> None:
    """Search in the browser: a page, and an API for programs. Profiles may be indexed meanwhile."""
    from igsearch.cli import serve as server

    raise typer.Exit(server.app(args=context.args, prog_name="igsearch serve", standalone_mode=False) or ExitCode.OK)


app.command("list")(list_.list_profiles)
app.command(epilog=export.EXAMPLES)(export.export)
app.command()(remove.remove)


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
