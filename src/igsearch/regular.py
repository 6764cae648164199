"""Opening files that other programs and people put there: only what is a file with contents, so that no pipe, device or socket keeps anybody waiting."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, cast

FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
"""Opening a pipe waits for whoever writes into it, unless one asks not to; a terminal is not to become ours."""


class NotAFileError(OSError):
    """A folder, pipe, device or socket stands where a file was to be."""


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. What it is is asked of what was opened, so nothing can take its place in between. Raises OSError, or ValueError for a NUL."""
    try:
        descriptor = os.open(path, FLAGS)
    except OSError as err:
        if err.errno in {errno.ENXIO, errno.EISDIR}:
            raise NotAFileError(err.errno, "it is not a file") from err
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFileError(errno.EINVAL, "it is not a file")
    return cast("BinaryIO", os.fdopen(descriptor, "rb"))
