"""`igsearch serve`. A program of its own, so that a search does not pay for its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igsearch.output import formats

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@app.command(
    epilog="Ctrl-C or SIGTERM ends it.\n\nExamples:\n\n  igsearch serve --open\n\n  igsearch serve natgeotravel --port 8000"
    "\n\n  igsearch serve --host 0.0.0.0 --token $(openssl rand -hex 16)"
)
def serve(
    profiles: Annotated[list[str] | None, typer.Argument(metavar="[PROFILE]...", help="Profiles that were indexed. [default: all, also later ones]")] = None,
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="Where to listen; 0.0.0.0 is everywhere. All but this machine itself needs --token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="0 takes a free one.")] = 5000,
    token: Annotated[
        str | None, typer.Option(metavar="TOKEN", envvar="IGSEARCH_TOKEN", help="Answer only to those who know it: by /?token=TOKEN, or as a bearer token.")
    ] = None,
    cors: Annotated[bool, typer.Option("--cors/--no-cors", help="Let pages from elsewhere read /api/v1/search and /?str=.")] = True,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    cache_dir: Annotated[Path | None, typer.Option("--cache-dir", metavar="DIR", help="Where captions and indexes are. [default: the user's cache]")] = None,
) -> None:
    """Search in the browser: a page, and an API for programs. Profiles may be indexed meanwhile."""
    from igsearch.paths import cache_root
    from igsearch.web import server
    from igsearch.web.settings import Settings

    def started(address: str) -> None:
        typer.echo(f"igsearch: serving on {formats.plain(address)} until Ctrl-C", err=True)
        if open_page:
            import threading
            import webbrowser

            # A browser in the terminal comes back only when it is closed; meanwhile it is to be answered.
            threading.Thread(target=webbrowser.open, args=(f"{address}?token={token}" if token else address,), daemon=True).start()

    server.serve(Settings(cache_root(cache_dir), tuple(profiles or ()), host, token, cors), port=port, on_start=started)
