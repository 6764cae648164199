"""Days, months and years as a user writes them, on the command line or in an address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from igsearch.errors import UsageError

DATE_FORMATS = {4: ("%Y", 366), 7: ("%Y-%m", 31), 10: ("%Y-%m-%d", 1)}
"""By length: how a date is written, and the most days that the period it names can have."""


def day(given: str | None, option: str, *, end: bool = False) -> datetime | None:
    """The UTC midnight that begins a day, month or year written as ISO 8601, or with `end` the one that follows it. Raises UsageError naming `option`."""
    if given is None:
        return None
    pattern, longest = DATE_FORMATS.get(len(given), ("", 0))
    try:
        begin = datetime.strptime(given, pattern).replace(tzinfo=UTC)
        following = begin + timedelta(days=longest)
    except (ValueError, OverflowError) as err:
        raise UsageError(f"{option} {given!r} is not a date: write 2024-06-30, 2024-06 or 2024") from err
    starts = {4: following.replace(month=1, day=1), 7: following.replace(day=1)}
    return starts.get(len(given), following) if end else begin
