"""Draw the README's picture: a search in a terminal, as `igsearch search` prints it, through a headless browser.

    python docs/readme_picture.py PROFILE QUERY… [--out assets/search.png]

Needs Chromium on the path (Debian: `apt install chromium`).
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from igsearch.api import search
from igsearch.output import terminal

PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #f6f8fa; display: inline-block; }}
pre {{ margin: 24px; padding: 22px 26px; border-radius: 10px; background: #16181d; color: #d8dbe2; display: inline-block;
  font: 15px/18px "DejaVu Sans Mono", monospace; box-shadow: 0 6px 24px #0004; }}
a {{ color: inherit; }}
</style><pre>{code}</pre>"""


def main() -> None:
    """Print the search into a page and photograph it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("profile")
    parser.add_argument("query", nargs="+")
    parser.add_argument("-n", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("assets/search.png"))
    parser.add_argument("--size", default="980,860")
    args = parser.parse_args()
    words = " ".join(args.query)
    answer = search(args.profile, words, n=args.n)
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        console = Console(file=nowhere, record=True, width=100, force_terminal=True, color_system="truecolor", highlight=False, emoji=False, markup=False)
        console.print(Text(f"$ igsearch search {args.profile} {words}\n", style="bold green"))
        terminal.search_table(console, answer.hits, words, total=answer.total)
        page = console.export_html(theme=MONOKAI, inline_styles=True, code_format=PAGE)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run", "--hide-scrollbars"]
        shot = [f"--user-data-dir={folder}/browser", f"--screenshot={args.out.absolute()}", f"--window-size={args.size}", "--force-device-scale-factor=1.5"]
        subprocess.run(["chromium", *flags, *shot, file.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main()
