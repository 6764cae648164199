"""Photograph the page of `igsearch serve` for the README: the sample photos, searched in the light and one of them open in the dark.

    python docs/page_picture.py [QUERY…] [--out assets]

Needs Chromium on the path (Debian: `apt install chromium`) and what `pip install -e '.[test]'` brings.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    """Index the sample photos, serve them, and write `page.jpg` and `page-photo.jpg`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("query", nargs="*", default=["boat", "in", "the", "water"])
    parser.add_argument("--out", type=Path, default=REPOSITORY / "assets")
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--height", type=int, default=780)
    args = parser.parse_args()
    sys.path.insert(0, str(REPOSITORY))
    from tests.web.chromium import chromium, served

    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        command = [sys.executable, "-m", "igsearch", "index", "sample", "--from", REPOSITORY / "assets" / "sample", "--cache-dir", cache, "-q"]
        subprocess.run(command, check=True)
        with served(cache) as address, chromium() as browser:
            for scheme, name, opened in (("light", "page.jpg", False), ("dark", "page-photo.jpg", True)):
                page = browser.new_page(viewport={"width": args.width, "height": args.height}, color_scheme=scheme, device_scale_factor=1.5)
                page.goto(address)
                page.fill("#query", " ".join(args.query))
                page.wait_for_selector("mark")
                if opened:
                    page.click(".card .frame")
                    page.wait_for_selector(".stage img.large")
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(600)  # pictures fade in
                page.screenshot(path=args.out / name, quality=88)
                page.close()


if __name__ == "__main__":
    main()
