"""`igsearch serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from igsearch.cli.command import Command, program, remark
from igsearch.cli.options import CacheDir

EXAMPLES = (
    "Ctrl-C or SIGTERM ends it.\n\nExamples:\n\n  igsearch serve --open\n\n  igsearch serve natgeotravel --port 8000"
    "\n\n  igsearch serve --host 0.0.0.0 --token $(openssl rand -hex 16)"
)
app = program()


@app.command(cls=Command, epilog=EXAMPLES)
def serve(
    context: typer.Context,
    profiles: Annotated[list[str] | None, typer.Argument(metavar="[PROFILE]...", help="Profiles that were indexed. [default: all, also later ones]")] = None,
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on; anything but loopback requires --token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 5000,
    token: Annotated[
        str | None, typer.Option(metavar="TOKEN", envvar="IGSEARCH_TOKEN", help="Answer only to those who know it: by /?token=TOKEN, or as a bearer token.")
    ] = None,
    cors: Annotated[bool, typer.Option("--cors/--no-cors", help="Let pages from elsewhere read /api/v1/search and /?str=.")] = True,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    cache_dir: CacheDir = None,
) -> None:
    """Search in the browser: a page, and an API for programs. You can index profiles while it runs."""
    from igsearch.paths import cache_root
    from igsearch.web import server
    from igsearch.web.settings import Settings

    def started(address: str) -> None:
        remark(context, f"serving on {address} until Ctrl-C")
        if open_page:
            import threading
            import webbrowser

            # A browser in the terminal comes back only when it is closed; meanwhile it is to be answered.
            threading.Thread(target=webbrowser.open, args=(f"{address}?token={token}" if token else address,), daemon=True).start()

    server.serve(Settings(cache_root(cache_dir), tuple(profiles or ()), host, token, cors), port=port, on_start=started)
