"""Single values out of JSON from outside: each of the type asked for and within bounds, or None."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from igsearch.sources.post import LATEST_TIMESTAMP
from igsearch.text import MAX_CHARS

LARGEST_INTEGER = 2**63 - 1


def text_in(value: object) -> str | None:
    """A text that says something, cut where nobody reads on."""
    return value[:MAX_CHARS] if isinstance(value, str) and value.strip() else None


def id_in(value: object) -> str | None:
    """An id, which some tools write as a number."""
    number = integer_in(value)
    return text_in(value) if number is None else str(number)


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
    """A time as seconds since 1970 or in ISO 8601, in UTC where it names no zone."""
    try:
        if isinstance(value, int | float) and 0 < value < LATEST_TIMESTAMP:
            return datetime.fromtimestamp(value, UTC)
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
        return time and (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def texts_in(value: object) -> list[str]:
    """The texts in a list."""
    return [item for item in value if isinstance(item, str) and item.strip()] if isinstance(value, list) else []
