"""Which names a profile on Instagram can have."""

from __future__ import annotations

import re

from igsearch.errors import UsageError
from igsearch.paths import name_given

NAME = re.compile(r"(?=.{1,30}\Z)[a-z0-9_]+(?:\.[a-z0-9_]+)*")
"""Instagram's rule: letters, digits, underscores, and dots but not first, last or two in a row."""

RULE = (
    "1 to 30 letters, digits, underscores or dots, no dot first or last or beside another, for example natgeotravel; photos of your own come with --from PATH"
)


def instagram_name(given: str) -> str:
    """The name of the profile that is given by its name, with or without @, or by its address, as Instagram writes it: in lower case. Raises UsageError."""
    name = name_given(given)
    if not NAME.fullmatch(name):
        raise UsageError(f"{given[:80]!r} is not a profile name on Instagram: {RULE}")
    return name
