"""Single values out of JSON."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from igsearch.sources.json_values import exact_text_in, id_in, integer_in, real_in, text_in, texts_in, time_in

NO_TIMES: list[object] = [None, True, "", "x", "9999999999", -1, 0, 2**32, 10**400, float("nan"), [], "9999-12-31T23:59:59-23:59"]
NO_TEXTS: list[object] = [None, True, 7, 1.5, [], {}, "", " \n"]


@pytest.mark.parametrize("value", NO_TEXTS, ids=repr)
def test_what_is_no_text_is_unknown(value: object) -> None:
    """Also a text that says nothing."""
    assert (text_in(value), exact_text_in(value), texts_in(value), texts_in([value])) == (None, None, [], [])


def test_texts_can_be_written_anywhere() -> None:
    """Halves of surrogate pairs are replaced, pairs become what they stand for, accents are composed where no name is meant."""
    assert text_in("cafe\u0301 \ud83d\ude00 \ud800") == "caf\xe9 \N{GRINNING FACE} \N{REPLACEMENT CHARACTER}"
    assert exact_text_in("e\u0301\udfff") == "e\u0301\N{REPLACEMENT CHARACTER}"
    assert (id_in("a\ud800"), id_in("a\ud801"), id_in(7), id_in(" "), id_in(True)) == (r"a\ud800", r"a\ud801", "7", None, None)


@pytest.mark.parametrize("value", [None, True, "7", -1, 2**63, 1.0, float("nan")], ids=repr)
def test_what_is_no_count_is_unknown(value: object) -> None:
    """A count is a whole number that a database can hold."""
    assert integer_in(value) is None


@pytest.mark.parametrize("value", [None, True, "7", 10**400, float("nan"), float("inf")], ids=str)
def test_what_is_no_number_is_unknown(value: object) -> None:
    """A number is finite."""
    assert real_in(value) is None


@pytest.mark.parametrize(
    ("value", "time"),
    [
        (1482964142, datetime(2016, 12, 28, 22, 29, 2, tzinfo=UTC)),
        ("1482964142", datetime(2016, 12, 28, 22, 29, 2, tzinfo=UTC)),
        ("20240501", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-01T12:00:00+02:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01 12:00:00", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        *((wrong, None) for wrong in NO_TIMES),
    ],
    ids=str,
)
def test_times(value: object, time: datetime | None) -> None:
    """Seconds, as a number or as text, or ISO 8601."""
    assert time_in(value) == time
