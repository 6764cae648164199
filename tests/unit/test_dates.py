"""Dates as users write them: what they mean, and that nothing else passes for one."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igsearch.dates import day, period
from igsearch.errors import UsageError


@pytest.mark.parametrize(
    ("written", "begin", "end"),
    [
        ("2024", (2024, 1, 1), (2025, 1, 1)),
        ("2023", (2023, 1, 1), (2024, 1, 1)),
        ("2024-02", (2024, 2, 1), (2024, 3, 1)),
        ("2023-12", (2023, 12, 1), (2024, 1, 1)),
        ("2024-02-29", (2024, 2, 29), (2024, 3, 1)),
        ("2023-12-31", (2023, 12, 31), (2024, 1, 1)),
        ("0001", (1, 1, 1), (2, 1, 1)),
        ("9998", (9998, 1, 1), (9999, 1, 1)),
    ],
)
def test_a_period_begins_and_ends_at_midnight(written: str, begin: tuple[int, int, int], end: tuple[int, int, int]) -> None:
    """A year, a month or a day; its end is the begin of the next."""
    assert day(written, "--since") == datetime(*begin, tzinfo=UTC)
    assert day(written, "--until", end=True) == datetime(*end, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "24",
        "2024-6",
        "2024-6-30",
        "2024-06- 3",
        " 2024",
        "2024\n",
        "\u0662\u0660\u0662\u0664",
        "2024-0\u0666",
        "-001",
        "+024",
        "2024/06/30",
        "20240630",
        "soon",
    ],
)
@pytest.mark.parametrize("end", [False, True])
def test_what_is_no_date_is_refused(written: str, end: bool) -> None:
    """Nothing at all, digits of other scripts, and what only Python would take for a date: the option is named, and what to write."""
    with pytest.raises(UsageError, match=r"^--until .* is not a date: write 2024-06-30, 2024-06 or 2024$"):
        day(written, "--until", end=end)


@pytest.mark.parametrize(("written", "says"), [("0000", "0001 to 9998"), ("9999", "0001 to 9998"), ("9999-12-31", "0001 to 9998"), ("2023-02-29", "calendar")])
@pytest.mark.parametrize("end", [False, True])
def test_what_the_calendar_lacks_is_refused_in_the_right_words(written: str, says: str, end: bool) -> None:
    """Years without a next one, and days that were not."""
    with pytest.raises(UsageError, match=says):
        day(written, "--since", end=end)


def test_a_long_text_is_not_repeated_whole() -> None:
    """The line stays a line."""
    with pytest.raises(UsageError) as refused:
        day("2" * 10**6, "--since")
    assert len(str(refused.value)) < 150


@given(st.dates(max_value=date(9998, 12, 31)))
def test_every_day_is_as_long_as_a_day(one: date) -> None:
    """From its midnight to the next."""
    begin, end = day(one.isoformat(), "--since"), day(one.isoformat(), "--until", end=True)
    assert begin is not None
    assert end is not None
    assert (begin.date(), (end - begin).total_seconds()) == (one, 86_400)


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    """No photo could be from both; one day alone is a period."""
    assert period("2024-06-30", "2024-06-30") == (datetime(2024, 6, 30, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))
    assert period(None, None) == (None, None)
    with pytest.raises(UsageError, match="--since 2024-07 is after --until 2024-06: swap them"):
        period("2024-07", "2024-06")
