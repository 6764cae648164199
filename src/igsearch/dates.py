"""Days, months and years as a user writes them, on the command line or in an address."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from igsearch.errors import UsageError

DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
FIRST_YEAR, LAST_YEAR = 1, 9998
"""Of the years that Python counts, those whose end it can name, too."""


def day(given: str | None, option: str, *, end: bool = False) -> datetime | None:
    """The UTC midnight that begins a day, month or year written as ISO 8601, or with `end` the one that follows it. Raises UsageError naming `option`."""
    if given is None:
        return None
    if (match := DATE.fullmatch(given)) is None:
        raise UsageError(f"{option} {given[:40]!r} is not a date: write 2024-06-30, 2024-06 or 2024")
    year, month, number = (int(part) if part else None for part in match.groups())
    if year is None or not FIRST_YEAR <= year <= LAST_YEAR:
        raise UsageError(f"{option} {given!r} is out of range: write a year from {FIRST_YEAR:04} to {LAST_YEAR}")
    try:
        begin = datetime(year, month or 1, number or 1, tzinfo=UTC)
    except ValueError as err:
        raise UsageError(f"{option} {given!r} is not in the calendar: write 2024-06-30, 2024-06 or 2024") from err
    if not end:
        return begin
    following = begin + timedelta(days=1 if number else 31 if month else 366)
    return following if number else following.replace(day=1) if month else following.replace(month=1, day=1)


def period(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """The times that `--since` and `--until` name. Raises UsageError if no photo can be from both."""
    begin, end = day(since, "--since"), day(until, "--until", end=True)
    if begin is not None and end is not None and begin >= end:
        raise UsageError(f"--since {since} is after --until {until}: swap them")
    return begin, end
