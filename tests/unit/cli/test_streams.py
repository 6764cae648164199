"""The command where a stream is closed, or what it leads to is full."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there shells close no streams")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param("list --json >&-", 0, "", id="stdout"),
        pytest.param("list --json 2>&-", 0, "", id="stderr"),
        pytest.param("index x --from - --dry-run <&-", 2, "standard input names no picture", id="stdin"),
        pytest.param("caption - --captioner nobody <&- >&-", 2, "no captioner is called", id="two"),
        pytest.param("list --json >/dev/full", 2, "nothing more can be written (No space left on device)", id="full"),
    ],
)
def test_closed_and_full_streams_are_no_fault(tmp_path: Path, arguments: str, code: int, says: str) -> None:
    """What is closed is nobody's concern; what is full is said in one line."""
    if "/dev/full" in arguments and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    command = f"{shlex.quote(sys.executable)} -m igsearch {arguments}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env={**os.environ, "IGSEARCH_CACHE_DIR": str(tmp_path)})
    assert (done.returncode, says in done.stderr, done.stderr.count("\n")) == (code, True, 1 if says else 0)
