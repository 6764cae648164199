"""Single values out of JSON from outside: each of the type asked for and within bounds, or None.

A value of a wrong type is unknown, never an error. A text has its accents composed (NFC); halves of surrogate pairs, which neither a file nor a database can
hold, become U+FFFD.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from unicodedata import normalize

from igsearch.text import MAX_CHARS

LARGEST_INTEGER = 2**63 - 1

LATEST_TIMESTAMP = 2**32
"""Seconds since 1970, in the year 2106: anything later is not the time of a post."""

TIMESTAMP_DIGITS = (9, 10)
"""So long is a Unix time since 1973 when it is written as text; a date of ISO 8601 without hyphens has eight digits."""


def exact_text_in(value: object) -> str | None:
    """A text that says something, as it is but for halves of surrogate pairs: an address or a name."""
    return without_surrogates(value[:MAX_CHARS]) if isinstance(value, str) and value.strip() else None


def text_in(value: object) -> str | None:
    """A text that says something, its accents composed, cut where nobody reads on."""
    text = exact_text_in(value)
    return None if text is None else normalize("NFC", text)


def id_in(value: object) -> str | None:
    """An id, which some tools write as a number; halves of surrogate pairs are spelt out, so that different ids stay different."""
    if (number := integer_in(value)) is not None:
        return str(number)
    return value[:MAX_CHARS].encode("utf-8", "backslashreplace").decode() if isinstance(value, str) and value.strip() else None


def integer_in(value: object, lowest: int = 0, highest: int = LARGEST_INTEGER) -> int | None:
    """A whole number between two others, both included."""
    return value if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest else None


def real_in(value: object) -> float | None:
    """A finite number."""
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def time_in(value: object) -> datetime | None:
    """A time as seconds since 1970, also written as text, or in ISO 8601, in UTC where it names no zone."""
    if isinstance(value, str) and len(value) in TIMESTAMP_DIGITS and value.isascii() and value.isdigit():
        value = int(value)
    try:
        if (seconds := real_in(value)) is not None:
            return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < LATEST_TIMESTAMP else None
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
        return time and (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def texts_in(value: object) -> list[str]:
    """The texts in a list."""
    return [text for item in value if (text := text_in(item)) is not None] if isinstance(value, list) else []


def without_surrogates(text: str) -> str:
    """`text` with every pair of surrogates as the character it stands for, and every half of one as U+FFFD."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
