"""The installed Chromium, driven by Playwright, and `igsearch serve` in front of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET = "no Chromium on the path: apt install chromium (Debian), or brew install chromium"
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # whatever a page asks for, no other machine is reached
)


def find_chromium() -> str | None:
    """The browser's program, if one is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium(**environment: str) -> Iterator[Browser]:
    """A headless browser with a home and a profile of its own, both empty; keywords are added to its environment."""
    from playwright.sync_api import sync_playwright

    program = find_chromium()
    if program is None:
        raise FileNotFoundError(HOW_TO_GET)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(FLAGS), chromium_sandbox=False, env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, **environment}
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(cache: Path, *arguments: str) -> Iterator[str]:
    """The address of an `igsearch serve` on a free port, without the last slash."""
    command = [sys.executable, "-X", "utf8", "-m", "igsearch", "serve", "--port", "0", "--cache-dir", str(cache), *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.stderr.readline() if process.stderr else ""
            found = re.search(r"(http://\S+)/", said)
            if found is None:
                raise RuntimeError(f"igsearch serve said {said!r} in place of its address")
            yield found[1]
        finally:
            process.terminate()
            process.wait(timeout=30)
